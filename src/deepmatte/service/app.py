"""The routes of `deepmatte serve`."""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import prometheus_client
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from deepmatte.errors import MattingError
from deepmatte.service import bodies
from deepmatte.service.line import FullError, GoneError, Line
from deepmatte.service.metrics import Metrics
from deepmatte.service.openapi import document
from deepmatte.service.orders import order
from deepmatte.service.work import Done, TooLargeError, Worker
from deepmatte.version import __version__

# Bytes of an answer that are handed to the network at a time.
_PIECE = 1 << 16


@dataclass(frozen=True)
class Limits:
    """What a server takes.

    Attributes:
        bytes: of a request.
        pixels: of each picture in it.
        places: orders that may wait.
        uploads: requests that may arrive at a time.
        seconds: that a request may take to arrive.
    """

    bytes: int = 64_000_000
    pixels: int = 50_000_000
    places: int = 16
    uploads: int = 64
    seconds: float = 60


class Service:
    """What the routes share.

    Args:
        workers: each does one order at a time.
        limits: what is taken.
        keys: whoever asks must know one of them; none lets everyone ask who is no web page.
    """

    def __init__(self, workers: Sequence[Worker], limits: Limits, keys: Sequence[str] = ()) -> None:
        self._limits, self._keys = limits, [key.encode() for key in keys]
        self._line = Line(workers, limits.places)
        self._metrics = Metrics(self._line)
        self._uploads = 0

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/matte", self.matte, methods=["POST"]),
                Route("/v1.0/removebg", self.removebg, methods=["POST"]),
                Route("/health", self.health),
                Route("/metrics", self.metrics),
                Route("/openapi.json", self.openapi),
            ],
            exception_handlers={
                HTTPException: _refused,
                MattingError: _failed,
                FullError: _full,
                MemoryError: _failed,
                ClientDisconnect: _gone,
                GoneError: _gone,
                Exception: _failed,
            },
        )

    async def matte(self, request: Request) -> Response:
        """A picture matted."""
        return await self._answer(request, finds=False)

    async def removebg(self, request: Request) -> Response:
        """The same under remove.bg's address, where a picture alone is enough."""
        return await self._answer(request, finds=True)

    async def health(self, request: Request) -> Response:
        """Says that the server answers."""
        return JSONResponse({"status": "ok", "version": __version__})

    async def metrics(self, request: Request) -> Response:
        """Prometheus's text format."""
        self._check_key(request)
        return Response(self._metrics.text(), media_type=prometheus_client.CONTENT_TYPE_LATEST)

    async def openapi(self, request: Request) -> Response:
        """The description of all this."""
        self._check_key(request)
        root = request.scope.get("root_path", "")
        return JSONResponse(document(root, keyed=bool(self._keys)))

    async def _answer(self, request: Request, *, finds: bool) -> Response:
        started = time.perf_counter()
        status = 500
        try:
            self._check_key(request)
            response = await self._matted(request, finds)
            status = response.status_code
            return response
        except Exception as error:
            status = _status(error)
            raise
        finally:
            self._metrics.count(status, time.perf_counter() - started)

    async def _matted(self, request: Request, finds: bool) -> Response:
        self._line.check()  # before anything is read
        with self._upload():
            files, texts = await bodies.read(request, self._limits.bytes, self._limits.seconds)
        wanted = order(files, texts, finds=finds)
        done = await self._line.done(wanted, request.receive)
        return StreamingResponse(_pieces(done.content), headers=_headers(done))

    @contextlib.contextmanager
    def _upload(self) -> Any:
        if self._uploads >= self._limits.uploads:
            raise FullError(1)
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    def _check_key(self, request: Request) -> None:
        """Let in who knows a key; without keys, everyone but a web page in a browser."""
        if not self._keys:
            if "origin" in request.headers:
                raise HTTPException(403, "A web page may not use this server without an API key.")
            return
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        given = request.headers.get("x-api-key", bearer if scheme.lower() == "bearer" else "")
        if not any(secrets.compare_digest(given.encode(), key) for key in self._keys):
            raise HTTPException(
                401,
                "The API key is missing or wrong; expected it in the header X-Api-Key.",
                {"WWW-Authenticate": "Bearer"},
            )


async def _pieces(content: bytes) -> AsyncIterator[memoryview]:
    """An answer in pieces: the next is handed over when the one before has left."""
    view = memoryview(content)
    for start in range(0, len(view), _PIECE):
        yield view[start : start + _PIECE]


def _headers(done: Done) -> dict[str, str]:
    return {
        "Content-Type": done.media_type,
        "Content-Length": str(len(done.content)),
        "X-Width": str(done.width),
        "X-Height": str(done.height),
        "X-Notes": json.dumps(list(done.notes)),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def _status(error: Exception) -> int:
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, (ClientDisconnect, GoneError)):
        return 499  # nginx's number for it; nobody reads it
    kinds = ((FullError, 503), (TooLargeError, 413), (MattingError, 422), (MemoryError, 507))
    return next((status for kind, status in kinds if isinstance(error, kind)), 500)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    texts = {
        404: "There is no such address; POST a picture to /matte.",
        405: f"This address does not answer {request.method}; POST a picture to /matte.",
    }
    said = texts.get(error.status_code, error.detail)
    return _error(error.status_code, said, error.headers)


async def _full(request: Request, error: Exception) -> Response:
    assert isinstance(error, FullError)
    return _error(503, "The server is busy; ask again later.", {"Retry-After": str(error.seconds)})


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=_status(error))


async def _failed(request: Request, error: Exception) -> Response:
    status = _status(error)
    if status == 500:
        traceback.print_exception(error, file=sys.stderr)
        return _error(500, "The server failed; its log says why.")
    if status == 507:
        return _error(507, "There is not enough memory for this picture.")
    return _error(status, str(error))


def _error(status: int, sentence: str, headers: Any = None) -> Response:
    """One sentence, in the form of remove.bg's errors."""
    return JSONResponse({"errors": [{"title": sentence}]}, status, headers)
