"""Access control: only the page of this server, with the token of this run.

Every page that is open in the browser can reach a server on 127.0.0.1, and through DNS rebinding
even as its own origin. So each request must name this server as its host and origin, and each API
call must carry the token.
"""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self' blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses what is not allowed, and adds security headers to every answer.

    Args:
        app: the application behind it.
        port: of this server.
        token: of this run.
    """

    def __init__(self, app: ASGIApp, *, port: int, token: str) -> None:
        self._app, self._token = app, token
        # A browser leaves out the default port.
        suffixes = (f":{port}", "") if port == 80 else (f":{port}",)
        self._hosts = [
            f"{name}{suffix}" for name in ("127.0.0.1", "localhost") for suffix in suffixes
        ]
        self._origins = [f"http://{host}" for host in self._hosts]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":  # starting and stopping
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refusal(Headers(scope=scope), scope["path"])
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, headers: Headers, path: str) -> JSONResponse | None:
        if headers.getlist("host") not in [[host] for host in self._hosts]:
            return _error(403, "This is not the address of the studio.")
        if any(origin not in self._origins for origin in headers.getlist("origin")):
            return _error(403, "Another page may not use the studio.")
        if not path.startswith("/api/"):
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        known = secrets.compare_digest(token.encode(), self._token.encode())
        if scheme.lower() != "bearer" or not known:
            return _error(401, "The studio was restarted; open the address that it printed.")
        return None


def _error(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)
