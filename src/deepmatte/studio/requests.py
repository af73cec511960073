"""Parsing of requests: numbers, labels and files, with size limits."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request

from deepmatte.studio.rectangle import Rectangle
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Trimap

FILE = 512_000_000
"""Bytes of the largest file."""
TEXT = 4096
"""Bytes of the longest JSON."""

# Requests, and bytes of their bodies, accepted at a time.
_REQUESTS, _BYTES = 16, 1_200_000_000
# Seconds after which a body that stands still is given up, and bytes a second that it must make: it
# comes from this machine.
_STALLED, _SLOWEST = 10.0, 1_000_000

_LABEL = np.isin(np.arange(256), (BACKGROUND, UNKNOWN, FOREGROUND))


def busy() -> HTTPException:
    """What is said while there is no room; the page asks again."""
    return HTTPException(503, "The studio is busy.", {"Retry-After": "1"})


class Gate:
    """Limits the requests at a time; the others get 503."""

    def __init__(self) -> None:
        self._requests = self._bytes = 0

    @contextlib.contextmanager
    def room(self, size: int = 0) -> Iterator[None]:
        """Room for a request of so many bytes, as long as the context lasts.

        Raises:
            HTTPException: there is none (503).
        """
        if self._requests >= _REQUESTS or self._bytes + size > _BYTES:
            raise busy()
        self._requests += 1
        self._bytes += size
        try:
            yield
        finally:
            self._requests -= 1
            self._bytes -= size

    @contextlib.asynccontextmanager
    async def body(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """The request's body, and room for it.

        Raises:
            HTTPException: it is longer than ``limit`` bytes (413), or there is no room (503).
        """
        with self.room(_length(request, limit)):
            yield await _read(request, limit)


def _length(request: Request, limit: int) -> int:
    """How long the body says that it is; the limit if it does not."""
    text = request.headers.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        return limit
    if int(text) > limit:
        raise _too_large(limit)  # before anything is read
    return int(text)


async def _read(request: Request, limit: int) -> bytes:
    chunks: list[bytes] = []
    length = 0
    stream = aiter(request.stream())
    whole = _STALLED + _length(request, limit) / _SLOWEST
    try:
        with anyio.fail_after(whole):
            while True:
                with anyio.fail_after(_STALLED):
                    chunk = await anext(stream, None)
                if chunk is None:
                    return b"".join(chunks)
                length += len(chunk)
                if length > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
    except TimeoutError:
        raise HTTPException(
            408, "The upload stopped before its end.", {"Connection": "close"}
        ) from None


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"The file is too large; expected at most {limit / 1e6:g} MB.")


def labels(body: bytes, area: Rectangle) -> Trimap:
    """The labels of an area, uint8 (h, w), read-only.

    Raises:
        HTTPException: they are too few, or not labels (422).
    """
    if len(body) != area.pixels:
        raise HTTPException(
            422, f"There are {len(body)} labels; expected {area.width} x {area.height}."
        )
    found = np.frombuffer(body, np.uint8).reshape(area.height, area.width)
    if not _LABEL[found].all():
        raise HTTPException(
            422, f"There are other labels than expected: {BACKGROUND}, {UNKNOWN} and {FOREGROUND}."
        )
    return found


def integer(request: Request, name: str, low: int, high: int, default: int | None = None) -> int:
    """A whole number of the query.

    Raises:
        HTTPException: it is missing, none, or not in low..high (422).
    """
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    text = "" if text is None else text
    if not re.fullmatch(r"-?[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise HTTPException(
            422, f"{name} is {text[:40]!r}; expected a whole number from {low} to {high}."
        )
    return int(text)


def number(request: Request, name: str, low: float, high: float, default: float) -> float:
    """A number of the query; errors as `integer`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{0,20})?", text) or not low <= float(text) <= high:
        raise HTTPException(
            422, f"{name} is {text[:40]!r}; expected a number from {low:g} to {high:g}."
        )
    return float(text)


def choice(request: Request, name: str, known: tuple[str, ...]) -> str:
    """One of some words, the first if the query says nothing; errors as `integer`."""
    text = request.query_params.get(name, known[0])
    if text not in known:
        raise HTTPException(422, f"{name} is {text[:40]!r}; expected one of {', '.join(known)}.")
    return text


def area(request: Request, shape: tuple[int, int]) -> Rectangle:
    """The rectangle of a picture of (H, W) that the query names; errors as `integer`."""
    height, width = shape
    left = integer(request, "left", 0, width - 1)
    top = integer(request, "top", 0, height - 1)
    return Rectangle(
        left,
        top,
        left + integer(request, "width", 1, width - left),
        top + integer(request, "height", 1, height - top),
    )


def fields(body: bytes) -> dict[str, Any]:
    """An object in JSON.

    Raises:
        HTTPException: it is none (422).
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise HTTPException(422, "The text is no JSON object; expected one.")
    return found
