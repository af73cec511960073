"""Two workers that share the machine.

One answers edits in turn from their surroundings. The other mattes whole pictures, the last edited
one first. An edit of any picture cancels it; it starts again when all edits are answered. So
strokes are answered quickly even while a large picture is being matted.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import numpy as np

from deepmatte.errors import MattingError
from deepmatte.matting import Matter
from deepmatte.solver.runtime import Progress
from deepmatte.studio.local import Colours, LocalAnswer, local_answer
from deepmatte.studio.pictures import OpenPicture
from deepmatte.studio.rectangle import Rectangle
from deepmatte.studio.whole import TILE, Failure, Settled

Result = TypeVar("Result")

BROKEN = "Something in the studio is broken; the terminal says more."


class Workers:
    """Both of them; `run` has to be running.

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

    def edited(self, picture: OpenPicture, repainted: bool) -> None:
        """A picture was edited: its pending areas are answered.

        Args:
            picture: which.
            repainted: whether labels have changed; whatever is being matted then waits.
        """
        if self._settling is not None and repainted:
            self._settling.cancel()
        if picture.pending:
            self._answering += 1
            self._edited.put_nowait(picture)

    @contextlib.contextmanager
    def wanted(self, picture: OpenPicture) -> Iterator[None]:
        """Context in which somebody waits for the whole picture."""
        try:
            with picture.whole.waited_for():
                self._unsettled.add(picture)
                self._wake.set()
                yield
        finally:
            if not picture.whole.waiting:
                self._unsettled.discard(picture)

    def hurry(self, picture: OpenPicture) -> None:
        """The whole picture is begun as soon as possible."""
        picture.whole.hurry()
        self._wake.set()

    async def _answer_edits(self) -> None:
        while True:  # no variable: the last picture would stay in memory
            await self._answer_edit(await self._edited.get())

    async def _answer_edit(self, picture: OpenPicture) -> None:
        try:
            for changed in picture.take_pending():
                answer = await in_thread(_answer, self._matter, picture, changed)
                if answer is not None:
                    picture.show(answer)
        finally:
            self._answering -= 1
            self._wake.set()

    async def _settle_pictures(self) -> None:
        while True:  # no variable, as above
            await self._settle_picture(await self._next())

    async def _settle_picture(self, picture: OpenPicture) -> None:
        painted, progress = picture.painted, picture.whole.begin()
        self._settling = progress
        settled: Settled | Failure | None = None
        try:
            settled = await in_thread(_settle, self._matter, picture, progress)
        finally:
            self._settling = None
            picture.settle(painted, settled)

    async def _next(self) -> OpenPicture:
        """The picture to matte next: among those due, the last edited one."""
        while True:
            self._wake.clear()
            self._unsettled = {
                picture
                for picture in self._unsettled
                if picture.whole.is_missing and not picture.closed
            }
            now = time.monotonic()
            waits = [picture.whole.due - now for picture in self._unsettled]
            if not self._answering and min(waits, default=1) <= 0:
                due = (picture for picture in self._unsettled if picture.whole.due <= now)
                return max(due, key=lambda picture: picture.edited)
            await wait(self._wake, min((left for left in waits if left > 0), default=None))


def _answer(matter: Matter, picture: OpenPicture, changed: Rectangle) -> LocalAnswer | None:
    """The local answer; None if it failed, for a reason that the whole picture's answer will
    give.
    """
    try:
        return local_answer(matter, picture.picture, picture.labels, picture.shown.colours, changed)
    except (MattingError, MemoryError):
        return None
    except Exception:
        traceback.print_exc(file=sys.stderr)
        return None


def _settle(matter: Matter, picture: OpenPicture, progress: Progress) -> Settled | Failure | None:
    """The whole picture's matte, or the error; None if it was cancelled."""
    try:
        matte = matter(picture.picture, picture.labels, progress=progress)
        colours = matte.levels("cutout", 8)
        progress.advance(1)
        shown = picture.shown.colours
        down, across = (-(-side // TILE) for side in picture.picture.shape)
        changed = np.ones((down, across), np.bool_)
        if shown is not None:
            for tile in picture.area.tiles(TILE):
                changed[tile.top // TILE, tile.left // TILE] = _differ(
                    colours[tile.window], shown[tile.window]
                )
    except CancelledError:
        return None
    # New exceptions: the original ones keep all frames' memory alive.
    except MattingError as error:
        return type(error)(str(error))
    except MemoryError:
        return MemoryError()
    except Exception:
        traceback.print_exc(file=sys.stderr)
        return MattingError(BROKEN)
    # A new `Matte`: cached intermediate results are large and not needed again.
    return Settled(replace(matte), colours, changed)


def _differ(colours: Colours, shown: Colours) -> bool:
    """Whether anybody can see a difference: not where both are fully transparent."""
    both_empty = not colours[..., 3].any() and not shown[..., 3].any()
    return not both_empty and not np.array_equal(colours, shown)


async def wait(event: asyncio.Event, seconds: float | None) -> None:
    """Wait for an event, at most so long."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


async def in_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """The result of a function that runs in a thread of its own."""
    # At shutdown the server does not wait for work that cannot be cancelled.
    return await anyio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True)
