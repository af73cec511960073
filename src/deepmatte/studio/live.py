"""Answers edits: first from their surroundings, then from the whole picture.

Two workers share the machine. One answers edits in turn from their surroundings. The other mattes
whole pictures, the last edited one first. An edit of any picture cancels it; it starts again when
all edits are answered. So strokes are answered quickly even while a large picture is being matted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import numpy as np

from deepmatte.errors import MattingError
from deepmatte.images import displayed
from deepmatte.matting import Matter
from deepmatte.solver.runtime import Progress
from deepmatte.studio.local import LocalAnswer, local_answer
from deepmatte.studio.pictures import TILE, OpenPicture, Settled
from deepmatte.studio.rectangle import Rectangle
from deepmatte.studio.refine import Refinement
from deepmatte.types import Trimap

Result = TypeVar("Result")

_BROKEN = "Something in the studio is broken; the terminal says more."
# Seconds between two checks of the progress.
_TICK = 0.2
# Largest side of a piece of a local answer that is sent at once, pixels.
_PIECE = 1024


class Live:
    """Answers edits; `run` has to be running.

    Args:
        matter: the network.
    """

    def __init__(self, matter: Matter) -> None:
        self._matter = matter
        self._edited: asyncio.Queue[OpenPicture] = asyncio.Queue()
        self._answering = 0  # edits that wait for a local answer
        self._unsettled: set[OpenPicture] = set()
        self._settling: Progress | None = None
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Work, until cancelled."""
        async with anyio.create_task_group() as workers:
            workers.start_soon(self._answer_edits)
            workers.start_soon(self._settle_pictures)

    def edit(
        self,
        picture: OpenPicture,
        area: Rectangle,
        labels: Trimap,
        have: int,
        refinement: Refinement,
    ) -> int:
        """Take in an edit, see `OpenPicture.edit`; the work begins. Returns its version."""
        painted = picture.painted
        version = picture.edit(area, labels, have, refinement)
        if self._settling is not None and picture.painted != painted:
            self._settling.cancel()
        if picture.pending:
            self._answering += 1
            self._edited.put_nowait(picture)
        return version

    async def answers(self, picture: OpenPicture, version: int) -> AsyncIterator[bytes]:
        """The frames that answer an edit, until a newer one comes or the picture is removed.

        First local answers, then the progress, then every tile of the whole picture that may differ
        from the page's.
        """
        share = 0.0
        with self._wanted(picture):
            while picture.version == version:
                news = picture.news()
                for area in picture.fresh():
                    for piece in area.tiles(_PIECE):
                        if picture.version != version:
                            return  # the newer answer sends the area
                        yield await _in_thread(_pixels, picture, piece, False)
                if picture.failure is not None:
                    yield _frame(kind="error", error=sentence(picture.failure))
                    return
                if picture.settled is not None:
                    if picture.settled.matte.notes:
                        yield _frame(kind="notes", notes=picture.settled.matte.notes)
                    for tile in picture.unsure():
                        if picture.version != version:
                            return
                        yield await _in_thread(_pixels, picture, tile, True)
                    picture.sent(version)
                    yield _frame(kind="done", answer=version)
                    return
                if picture.progress is not None and picture.progress.share != share:
                    share = picture.progress.share
                    yield _frame(kind="progress", share=round(share, 3))
                await _wait(news, _TICK)

    async def settled(
        self, picture: OpenPicture, gone: Callable[[], Awaitable[bool]]
    ) -> Settled | None:
        """Wait until the picture has its matte.

        Args:
            picture: which.
            gone: whether nobody waits for it any more.

        Returns:
            It; None if the picture was removed meanwhile, or nobody waits.

        Raises:
            MattingError, MemoryError: the reason why there is none.
        """
        with self._wanted(picture):
            picture.hurry()
            self._wake.set()
            while picture.settled is None:
                if picture.failure is not None:
                    raise picture.failure
                news = picture.news()
                await _wait(news, _TICK)
                if picture.closed or await gone():
                    return None
            return picture.settled

    @contextlib.contextmanager
    def _wanted(self, picture: OpenPicture) -> Iterator[None]:
        """Context in which somebody waits for the whole picture."""
        with picture.waited_for():
            self._unsettled.add(picture)
            self._wake.set()
            yield

    async def _answer_edits(self) -> None:
        while True:
            picture = await self._edited.get()
            try:
                for changed in picture.take_pending():
                    answer = await _in_thread(_answer, self._matter, picture, changed)
                    if answer is not None and not picture.closed and picture.settled is None:
                        picture.show(answer)
            finally:
                self._answering -= 1
                self._wake.set()

    async def _settle_pictures(self) -> None:
        while True:
            picture = await self._next()
            painted, progress = picture.painted, picture.begin()
            self._settling = progress
            settled: Settled | MattingError | MemoryError | None = None
            try:
                settled = await _in_thread(_settle, self._matter, picture, progress)
            finally:
                self._settling = None
                picture.end(painted, settled)

    async def _next(self) -> OpenPicture:
        """The picture to matte next: among those due, the last edited one."""
        while True:
            self._wake.clear()
            self._unsettled = {
                picture
                for picture in self._unsettled
                if picture.waiting and not picture.closed
                if picture.settled is None and picture.failure is None
            }
            now = time.monotonic()
            due = [picture for picture in self._unsettled if picture.due <= now]
            if due and not self._answering:
                return max(due, key=lambda picture: picture.edited)
            later = [picture.due - now for picture in self._unsettled if picture.due > now]
            await _wait(self._wake, min(later, default=None))


def sentence(error: Exception) -> str:
    """The message of an error for the user."""
    if isinstance(error, MattingError):
        text = str(error)
        return text if text.endswith(".") else f"{text}."
    if isinstance(error, MemoryError):
        return "There is not enough memory for this picture."
    return _BROKEN


def _answer(matter: Matter, picture: OpenPicture, changed: Rectangle) -> LocalAnswer | None:
    """The local answer; None if it failed, for a reason that the whole picture's answer will
    give.
    """
    try:
        return local_answer(matter, picture.picture, picture.labels, picture.shown, changed)
    except (MattingError, MemoryError):
        return None
    except Exception:
        traceback.print_exc(file=sys.stderr)
        return None


def _settle(
    matter: Matter, picture: OpenPicture, progress: Progress
) -> Settled | MattingError | MemoryError | None:
    """The whole picture's matte, or the error; None if it was cancelled."""
    try:
        matte = matter(picture.picture, picture.labels, progress=progress)
        colours = np.asarray(matte.cutout())
        progress.advance(1)
        shown = picture.shown
        down, across = (-(-side // TILE) for side in picture.picture.shape)
        changed = np.ones((down, across), np.bool_)
        if shown is not None:
            for tile in picture.area.tiles(TILE):
                same = np.array_equal(colours[tile.window], shown[tile.window])
                changed[tile.top // TILE, tile.left // TILE] = not same
    except CancelledError:
        return None
    # New exceptions: the original ones keep all frames' memory alive.
    except MattingError as error:
        return type(error)(str(error))
    except MemoryError:
        return MemoryError()
    except Exception:
        traceback.print_exc(file=sys.stderr)
        return MattingError(_BROKEN)
    # A new `Matte`: cached intermediate results are large and not needed again.
    return Settled(replace(matte), colours, changed)


def _pixels(picture: OpenPicture, area: Rectangle, final: bool) -> bytes:
    """A frame with the shown pixels of an area, in sRGB."""
    assert picture.shown is not None  # nothing is sent before
    shape, reach = picture.picture.shape, picture.refinement.reach
    area = area.grown(reach, shape)
    wider = area.grown(reach, shape)
    photo = picture.picture.crop(wider.window).levels
    refined = picture.refinement.cutout(picture.shown[wider.window], photo)
    colours = refined[area.moved(-wider.left, -wider.top).window].copy()
    colours[..., :3] = displayed(
        np.ascontiguousarray(colours[..., :3]), picture.picture.metadata.icc_profile
    )
    header = {"left": area.left, "top": area.top, "width": area.width, "height": area.height}
    pixels: bytes = colours.tobytes()
    return _frame(kind="pixels", **header, final=final) + pixels


def _frame(**header: Any) -> bytes:
    """Four bytes of length, little-endian, and a header in JSON."""
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


async def _in_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    # At shutdown the server does not wait for work that cannot be cancelled.
    return await anyio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True)
