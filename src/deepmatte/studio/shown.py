"""The cut-out that a page shows, and which parts of it the page has received."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deepmatte.studio.local import Colours, LocalAnswer
from deepmatte.studio.rectangle import Rectangle
from deepmatte.studio.whole import TILE, Settled


class ShownCutout:
    """The cut-out of a picture as it is shown: the settled one, local answers in it.

    Args:
        area: all of the picture.

    Attributes:
        colours: uint8 (H, W, 4), not refined; None before the first answer.
    """

    def __init__(self, area: Rectangle) -> None:
        self._area = area
        self.colours: Colours | None = None
        self._fresh: list[Rectangle] = []  # local answers that no page has got yet
        self._lent = False  # whether somebody may be reading the colours
        down, across = -(-area.height // TILE), -(-area.width // TILE)
        self._unsure = np.ones((down, across), np.bool_)
        self._sent = self._acknowledged = 0

    def acknowledge(self, have: int) -> None:
        """A page says which answer was the last that it got completely; 0 for none."""
        if not have or have not in (self._sent, self._acknowledged):
            self.doubt()
        elif have != self._acknowledged:
            self._acknowledged = have
            self._unsure[:] = False

    def doubt(self) -> None:
        """All has to be sent again."""
        self._unsure[:] = True

    def show(self, answer: LocalAnswer) -> None:
        """Apply a local answer."""
        if self.colours is None:
            self.colours = answer.colours
        else:
            if self._lent:
                self.colours = self.colours.copy()
            self.colours[answer.area.window] = answer.colours
        self._lent = False
        for tile in answer.area.tiles(TILE):
            self._unsure[tile.top // TILE, tile.left // TILE] = True
        self._fresh.append(answer.area)

    def settle(self, settled: Settled) -> None:
        """Show the whole picture's cut-out."""
        self.colours = settled.colours
        self._lent = True
        self._unsure |= settled.changed
        self._fresh = []

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
            for tile in self._area.tiles(TILE)
            if self._unsure[tile.top // TILE, tile.left // TILE]
        ]

    def sent(self, version: int) -> None:
        """The whole answer to this version is on its way."""
        self._sent = version
