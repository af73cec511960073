"""The matte of a whole picture, and its progress."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import MattingError
from deepmatte.matting import Matte
from deepmatte.solver.runtime import Progress
from deepmatte.studio.local import Colours

TILE = 512
"""Side of the squares, pixels, of which is known whether a page has them as they are."""

Failure = MattingError | MemoryError
"""Why there is no matte."""


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


class WholeMatte:
    """The matte of the present labels: made, being made, or failed.

    Attributes:
        settled: it, not refined, or None.
        failure: the error of the last attempt, or None.
        progress: while it is made.
        waiting: how many requests wait for it.
        due: when it may be begun (`time.monotonic`).
    """

    def __init__(self, due: float) -> None:
        self.settled: Settled | None = None
        self.failure: Failure | None = None
        self.progress: Progress | None = None
        self.waiting = 0
        self.due = due

    @property
    def is_missing(self) -> bool:
        """Whether somebody waits for it, and it has neither been made nor failed."""
        return self.waiting > 0 and self.settled is None and self.failure is None

    def forget(self) -> None:
        """The labels have changed."""
        self.settled = self.failure = None
        self.stop()

    @contextlib.contextmanager
    def waited_for(self) -> Iterator[None]:
        """Somebody waits for it, within; the work ends once nobody does."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1
            if self.waiting == 0 and self.progress is not None:
                self.progress.cancel()

    def hurry(self) -> None:
        """Start at once, also after a failure."""
        self.due, self.failure = 0.0, None

    def begin(self) -> Progress:
        """It is begun: its progress, through which it can be cancelled."""
        self.progress = Progress()
        return self.progress

    def end(self, result: Settled | Failure) -> None:
        """Take in the matte, or why there is none."""
        if isinstance(result, Settled):
            self.settled = result
        else:
            self.failure = result

    def stop(self) -> None:
        """End the making of one that would be outdated."""
        if self.progress is not None:
            self.progress.cancel()
            self.progress = None
