"""The open pictures, within a memory limit."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import ImageError, MattingError
from deepmatte.images import Picture, read_size
from deepmatte.matting import Matte
from deepmatte.solver.runtime import Progress
from deepmatte.studio.local import Colours, LocalAnswer
from deepmatte.studio.rectangle import Rectangle
from deepmatte.studio.refine import UNREFINED, Refinement
from deepmatte.types import UNKNOWN, Trimap

TILE = 512
"""Side of the squares, pixels, of which is known whether a page has them as they are."""
WHOLE_PIXELS = 600_000
"""A picture of so many is matted whole as fast as a part of it."""

PAUSE = 0.7
"""Seconds without an edit after which the whole of a large picture is begun."""

# Up to this many edits are answered one by one; more are joined.
_PENDING = 6
# Bytes of a pixel beside the picture: labels 1, cut-out 4, matte and its trimap 5.
_HELD = 10
# The least that its colours take.
_LEVELS = 3


@dataclass(frozen=True, eq=False)
class Settled:
    """The matte of the whole picture, and which tiles it changes.

    Attributes:
        matte: it.
        colours: uint8 (H, W, 4), its cut-out.
        changed: bool, which of the picture's tiles differ from what was shown.
    """

    matte: Matte
    colours: Colours
    changed: NDArray[np.bool_]


class OpenPicture:
    """A picture, the trimap painted on it, and its matte so far.

    Only the event loop's thread changes it. Other threads may read a mix of two versions; their
    results are dropped or computed again if `painted` has changed.

    Args:
        file: the bytes that it was read from.
        name: what its user calls it.
        picture: it.

    Attributes:
        id: what requests call it.
        labels: uint8 (H, W), the trimap as painted so far.
        version: counts the edits.
        painted: counts the edits that changed labels.
        shown: uint8 (H, W, 4), the cut-out as far as it is known: the settled one, local answers
            in it; None before the first.
        settled: the matte of the present labels, or None; not refined, nor is what is shown.
        refinement: what is done to the edge where it is seen or saved.
        failure: the error of the last attempt, or None.
        pending: changed areas without a local answer.
        progress: of the whole, while it is made.
        waiting: how many requests wait for the whole.
        closed: whether it was removed.
        edited, due: when the last edit came; when the whole may be begun (`time.monotonic`).
    """

    def __init__(self, file: bytes, name: str, picture: Picture) -> None:
        self.id = secrets.token_urlsafe(12)
        self.file, self.name, self.picture = file, name, picture
        self.labels: Trimap = np.full(picture.shape, UNKNOWN, np.uint8)
        self.version = self.painted = 0
        self.shown: Colours | None = None
        self.settled: Settled | None = None
        self.refinement = UNREFINED
        self.failure: MattingError | MemoryError | None = None
        self.pending: list[Rectangle] = []
        self.progress: Progress | None = None
        self.waiting = 0
        self.closed = False
        self.edited = self.due = time.monotonic()
        self._fresh: list[Rectangle] = []  # local answers that no page has got yet
        self._lent = False  # whether somebody may be reading what is shown
        self._news = asyncio.Event()
        down, across = (-(-side // TILE) for side in picture.shape)
        self._unsure = np.ones((down, across), np.bool_)
        self._sent = self._acknowledged = 0

    @property
    def area(self) -> Rectangle:
        """All of it."""
        return Rectangle.of(self.picture.shape)

    @property
    def bytes(self) -> int:
        """What it holds once it is settled."""
        own = 0 if self.picture.alpha is None else self.picture.alpha.nbytes
        return len(self.file) + self.picture.levels.nbytes + own + _HELD * self.area.pixels

    def edit(
        self, area: Rectangle, labels: Trimap, have: int, refinement: Refinement = UNREFINED
    ) -> int:
        """Apply the labels of an area.

        Args:
            area: where.
            labels: uint8 (h, w).
            have: the number of the last answer that the page received completely, 0 for none.
            refinement: what is done to the edge from now on.

        Returns:
            The new version.
        """
        if not have or have not in (self._sent, self._acknowledged):
            self._unsure[:] = True
        elif have != self._acknowledged:
            self._acknowledged = have
            self._unsure[:] = False
        if refinement != self.refinement:
            self.refinement = refinement
            self._unsure[:] = True
        changed = _bounds(self.labels[area.window] != labels, area)
        self.version += 1
        self.edited = time.monotonic()
        self.due = self.edited + PAUSE * (self.area.pixels > WHOLE_PIXELS)
        if changed is not None:
            self.labels[area.window] = labels
            self.painted += 1
            self.settled = self.failure = None
            self._stop()
        if self.settled is None and self.area.pixels > WHOLE_PIXELS:
            if self.shown is None:
                self.pending = [self.area]
            elif changed is not None:
                self.pending.append(changed)
        self.tell()
        return self.version

    def close(self) -> None:
        """End all work on it."""
        self.closed = True
        self.version += 1
        self.pending = []
        self._stop()
        self.tell()

    def show(self, answer: LocalAnswer) -> None:
        """Apply a local answer."""
        if self.shown is None:
            self.shown = answer.colours
        else:
            if self._lent:
                self.shown = self.shown.copy()
            self.shown[answer.area.window] = answer.colours
        self._lent = False
        for tile in answer.area.tiles(TILE):
            self._unsure[tile.top // TILE, tile.left // TILE] = True
        self._fresh.append(answer.area)
        self.tell()

    def take_pending(self) -> Iterator[Rectangle]:
        """Take the areas without a local answer; overlapping ones are joined."""
        while self.pending:
            area, *others = self.pending
            if len(others) >= _PENDING:
                others, area = [], functools.reduce(Rectangle.union, self.pending)
            for other in others:
                near = area.union(other)
                if near.pixels <= area.pixels + other.pixels:
                    area = near
            self.pending = [other for other in others if not other.within(area)]
            yield area

    @contextlib.contextmanager
    def waited_for(self) -> Iterator[None]:
        """Somebody waits for the whole, within; it ends once nobody does."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1
            if self.waiting == 0 and self.progress is not None:
                self.progress.cancel()

    def hurry(self) -> None:
        """Start the whole picture at once, also after a failure."""
        self.due, self.failure = 0.0, None

    def begin(self) -> Progress:
        """The whole is begun: its progress, through which it can be cancelled."""
        self.progress = Progress()
        return self.progress

    def end(self, painted: int, result: Settled | MattingError | MemoryError | None) -> None:
        """Take in the whole, or why there is none.

        Args:
            painted: the picture's when it was begun; labels may have changed since.
            result: None if it was cancelled.
        """
        self.progress = None
        if self.painted != painted or result is None:
            return
        if isinstance(result, Settled):
            self.settled, self.shown = result, result.colours
            self._lent = True
            self._unsure |= result.changed
            self._fresh = []
        else:
            self.failure = result
        self.tell()

    def fresh(self) -> Iterator[Rectangle]:
        """Areas of local answers that are still to be sent; one asked for the next has sent it."""
        while self._fresh:
            area = self._fresh[0]
            yield area
            if self._fresh and self._fresh[0] is area:
                del self._fresh[0]

    def unsure(self) -> list[Rectangle]:
        """The tiles that the page may not have as they are shown."""
        return [
            tile
            for tile in self.area.tiles(TILE)
            if self._unsure[tile.top // TILE, tile.left // TILE]
        ]

    def sent(self, version: int) -> None:
        """The whole answer to this version is on its way."""
        self._sent = version

    def _stop(self) -> None:
        """End the making of a whole that would be outdated."""
        if self.progress is not None:
            self.progress.cancel()
            self.progress = None

    def tell(self) -> None:
        """Wake who waits for `news`."""
        self._news.set()
        self._news = asyncio.Event()

    def news(self) -> asyncio.Event:
        """Is set by the next thing that happens to this picture."""
        return self._news


class OpenPictures:
    """The open pictures; the least recently used ones are dropped when the memory is full.

    Args:
        memory: bytes that all of them may hold.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._pictures: dict[str, OpenPicture] = {}  # those used last come last

    def admit(self, file: bytes) -> None:
        """Refuse a file before it is decoded.

        Raises:
            ImageError: what is in it would take more than all pictures may.
        """
        try:
            width, height = read_size(file)
        except ImageError:  # opening it says what is wrong, and knows the picture's name
            return
        self._check((height, width), len(file) + (_LEVELS + _HELD) * width * height)

    def _check(self, size: tuple[int, int], taken: int) -> None:
        if taken > self._memory:
            raise ImageError(
                f"A picture of {size[1]} x {size[0]} pixels takes {taken / 1e9:.1f} GB; the studio"
                f" may take {self._memory / 1e9:.1f} GB (--memory)."
            )

    def add(self, picture: OpenPicture) -> None:
        """Keep a picture; others may be dropped.

        Raises:
            ImageError: it alone exceeds the limit.
        """
        self._check(picture.picture.shape, picture.bytes)
        while sum(held.bytes for held in self._pictures.values()) + picture.bytes > self._memory:
            self.remove(next(iter(self._pictures)))
        self._pictures[picture.id] = picture

    def find(self, identity: str) -> OpenPicture | None:
        """The picture with this id; marks it as used."""
        picture = self._pictures.pop(identity, None)
        if picture is not None:
            self._pictures[identity] = picture
        return picture

    def remove(self, identity: str) -> bool:
        """Forget a picture; False if there was none."""
        picture = self._pictures.pop(identity, None)
        if picture is not None:
            picture.close()
        return picture is not None


def _bounds(changed: NDArray[np.bool_], area: Rectangle) -> Rectangle | None:
    """The smallest rectangle around what is True in an area; None if nothing is."""
    rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    return Rectangle(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1).moved(
        area.left, area.top
    )
