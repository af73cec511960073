"""Reads request bodies, with a limit of bytes and of time; large ones into files."""

from __future__ import annotations

import re

import anyio
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

_FIELD = 4096  # bytes of a text field
_FIELDS = 40


async def read(
    request: Request, limit: int, seconds: float
) -> tuple[list[tuple[str, bytes]], list[tuple[str, str]]]:
    """The files and the text fields of a request.

    A body of multipart/form-data has parts of both kinds; any other body is the file ``image``,
    and its fields stand in the query.

    Args:
        request: whose body nobody has read yet.
        limit: bytes of the body.
        seconds: that it may take.

    Raises:
        HTTPException: the body is longer (413), takes longer (408) or is malformed (400).
        starlette.requests.ClientDisconnect: who asked has hung up.
    """
    _check_length(request, limit)
    limited = Request(request.scope, _Limited(request, limit).receive)
    texts = list(request.query_params.multi_items())
    try:
        with anyio.fail_after(seconds):
            if request.headers.get("content-type", "").startswith("multipart/form-data"):
                files, fields = await _parts(limited)
                return files, texts + fields
            body = await limited.body()
            return [("image", body)] if body else [], texts
    except TimeoutError:
        raise HTTPException(
            408, f"The request did not arrive within {seconds:g} seconds.", {"Connection": "close"}
        ) from None


class _Limited:
    """A request's messages, of which only so many bytes are let through."""

    def __init__(self, request: Request, limit: int) -> None:
        self._request, self._limit, self._length = request, limit, 0

    async def receive(self) -> Message:
        message = await self._request.receive()
        self._length += len(message.get("body", b""))
        if self._length > self._limit:
            raise _too_long(self._limit)
        return message


async def _parts(request: Request) -> tuple[list[tuple[str, bytes]], list[tuple[str, str]]]:
    """The parts of a multipart body; Starlette keeps what is large in temporary files."""
    files: list[tuple[str, bytes]] = []
    texts: list[tuple[str, str]] = []
    async with request.form(max_files=_FIELDS, max_fields=_FIELDS, max_part_size=_FIELD) as form:
        for name, value in form.multi_items():
            if not isinstance(value, UploadFile):
                texts.append((name, value))
            elif value.size or value.filename:  # a browser's empty file field has neither
                files.append((name, await value.read()))
    return files, texts


def _check_length(request: Request, limit: int) -> None:
    text = request.headers.get("content-length", "")
    if re.fullmatch(r"[0-9]{1,18}", text) and int(text) > limit:
        raise _too_long(limit)  # before anything is read


def _too_long(limit: int) -> HTTPException:
    return HTTPException(
        413, f"The request is too long; expected at most {limit} bytes.", {"Connection": "close"}
    )
