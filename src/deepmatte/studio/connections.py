"""Limits idle connections to the studio, so that they do not block others.

Every user of this machine can open a connection, without a token. So the number of connections is
limited: beyond it, the one that has waited longest without a request is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

_MOST = 100
# Descriptors that the process needs beside its connections.
_OTHERS = 40
# Seconds in which a new connection must have sent the head of a request.
_HEAD = 15.0


def most_connections() -> int:
    """How many stay open; as many again may wait to be looked at."""
    with contextlib.suppress(ImportError):  # Windows, which has no such limit
        import resource

        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if descriptors > 0:  # else without limit
            return max(4, min(_MOST, (descriptors - _OTHERS) // 2))
    return _MOST


class Connection(H11Protocol):
    """One of them."""

    open: ClassVar[dict[Connection, None]] = {}
    """All, the oldest first."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.open[self] = None
        if len(self.open) > most_connections():
            idle = next((other for other in self.open if other.is_idle), self)
            idle.abort()
        self.loop.call_later(_HEAD, self._expect_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open.pop(self, None)
        super().connection_lost(exc)

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def abort(self) -> None:
        """Close it at once."""
        self.open.pop(self, None)
        self.transport.abort()

    def _expect_head(self) -> None:
        if self in self.open and self.cycle is None:
            self.abort()


def stay_quiet(loop: asyncio.AbstractEventLoop) -> None:
    """Print nothing about connections that cannot be taken; the loop tries them again."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), OSError):
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
