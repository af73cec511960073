"""An open picture: the trimap painted on it, and its matte so far."""

from __future__ import annotations

import asyncio
import functools
import secrets
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deepmatte.images import Picture
from deepmatte.studio.local import LocalAnswer
from deepmatte.studio.rectangle import Rectangle
from deepmatte.studio.refine import UNREFINED, Refinement
from deepmatte.studio.shown import ShownCutout
from deepmatte.studio.whole import Failure, Settled, WholeMatte
from deepmatte.types import UNKNOWN, Trimap

HELD = 10
"""Bytes of a pixel beside the picture: labels 1, cut-out 4, matte and its trimap 5."""
WHOLE_PIXELS = 600_000
"""A picture of so many is matted whole as fast as a part of it."""

PAUSE = 0.7
"""Seconds without an edit after which the whole of a large picture is begun."""

# Up to this many edits are answered one by one; more are joined.
_PENDING = 6


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
        refinement: what is done to the edge where it is seen or saved.
        shown: the cut-out as far as it is known.
        whole: the matte of the present labels.
        pending: changed areas without a local answer.
        closed: whether it was removed.
        edited: when the last edit came (`time.monotonic`).
    """

    def __init__(self, file: bytes, name: str, picture: Picture) -> None:
        self.id = secrets.token_urlsafe(12)
        self.file, self.name, self.picture = file, name, picture
        self.labels: Trimap = np.full(picture.shape, UNKNOWN, np.uint8)
        self.version = self.painted = 0
        self.refinement = UNREFINED
        self.edited = time.monotonic()
        self.shown, self.whole = ShownCutout(self.area), WholeMatte(self.edited)
        self.pending: list[Rectangle] = []
        self.closed = False
        self._news = asyncio.Event()

    @property
    def area(self) -> Rectangle:
        """All of it."""
        return Rectangle.of(self.picture.shape)

    @property
    def bytes(self) -> int:
        """What it holds once it is settled."""
        own = 0 if self.picture.alpha is None else self.picture.alpha.nbytes
        return len(self.file) + self.picture.levels.nbytes + own + HELD * self.area.pixels

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
        self.shown.acknowledge(have)
        if refinement != self.refinement:
            self.refinement = refinement
            self.shown.doubt()
        changed = _bounds(self.labels[area.window] != labels, area)
        large = self.area.pixels > WHOLE_PIXELS
        self.version += 1
        self.edited = time.monotonic()
        self.whole.due = self.edited + PAUSE * large
        if changed is not None:
            self.labels[area.window] = labels
            self.painted += 1
            self.whole.forget()
        if self.whole.settled is None and large:
            if self.shown.colours is None:
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
        self.whole.stop()
        self.tell()

    def show(self, answer: LocalAnswer) -> None:
        """Apply a local answer, unless the whole is there."""
        if self.closed or self.whole.settled is not None:
            return
        self.shown.show(answer)
        self.tell()

    def settle(self, painted: int, result: Settled | Failure | None) -> None:
        """Take in the whole, or why there is none.

        Args:
            painted: the picture's when it was begun; labels may have changed since.
            result: None if it was cancelled.
        """
        self.whole.progress = None
        if self.painted != painted or result is None:
            return
        self.whole.end(result)
        if isinstance(result, Settled):
            self.shown.settle(result)
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

    def tell(self) -> None:
        """Wake who waits for `news`."""
        self._news.set()
        self._news = asyncio.Event()

    def news(self) -> asyncio.Event:
        """Is set by the next thing that happens to this picture."""
        return self._news


def _bounds(changed: NDArray[np.bool_], area: Rectangle) -> Rectangle | None:
    """The smallest rectangle around what is True in an area; None if nothing is."""
    rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    return Rectangle(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1).moved(
        area.left, area.top
    )
