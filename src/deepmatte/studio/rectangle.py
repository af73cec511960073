"""Rectangles of pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Rectangle:
    """Pixels from `left` to `right` and from `top` to `bottom`, the latter two exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of(cls, shape: tuple[int, int]) -> Rectangle:
        """All of a picture of this (H, W)."""
        return cls(0, 0, shape[1], shape[0])

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def within(self, other: Rectangle) -> bool:
        """Whether it holds pixels, none of them outside of the other."""
        across = other.left <= self.left < self.right <= other.right
        return across and other.top <= self.top < self.bottom <= other.bottom

    def grown(self, pixels: int, shape: tuple[int, int]) -> Rectangle:
        """As many pixels more on each side, as far as the picture of (H, W) goes."""
        return Rectangle(
            max(0, self.left - pixels),
            max(0, self.top - pixels),
            min(shape[1], self.right + pixels),
            min(shape[0], self.bottom + pixels),
        )

    def moved(self, across: int, down: int) -> Rectangle:
        """The same elsewhere."""
        return Rectangle(
            self.left + across, self.top + down, self.right + across, self.bottom + down
        )

    def union(self, other: Rectangle) -> Rectangle:
        """The smallest rectangle around both."""
        return Rectangle(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def tiles(self, side: int) -> Iterator[Rectangle]:
        """The parts of it in a grid of squares that begins at the picture's first pixel."""
        for top in range(self.top // side * side, self.bottom, side):
            for left in range(self.left // side * side, self.right, side):
                yield Rectangle(
                    max(left, self.left),
                    max(top, self.top),
                    min(left + side, self.right),
                    min(top + side, self.bottom),
                )
