"""How much memory a picture may take, and the tile size that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from deepmatte.errors import ModelError

TILE = 1280
"""Side of the square that a tile holds as many pixels as, at least, if nothing is said."""
MEMORY = 1_300_000_000
"""Bytes that the process takes for a picture, about, if nothing is said; large ones take more."""
KEPT = 250_000_000
"""Bytes that the process keeps for the next picture, about, if no memory is said."""

# Bytes of the process while a picture is matted, and of each of its pixels (its levels, trimap,
# alpha and priors); the same while it is saved. Lines through what benchmarks/memory.py measures;
# what a pixel of a tile takes is in inputs.py.
_MATTED, _MATTED_PIXEL = 150_000_000, 12
_SAVED, _SAVED_PIXEL = 300_000_000, 24


def saving_memory(pixels: int) -> int:
    """Bytes that the process takes while a picture of so many pixels is saved."""
    return _SAVED + _SAVED_PIXEL * pixels


@dataclass(frozen=True)
class Budget:
    """Limits of one engine.

    Args:
        tile: the largest tile, as the side of a square with as many pixels; or None.
        memory: bytes that the process may take for a picture, instead of ``tile``, or None.
        smallest_tile: side of the smallest tile that the network can be run in, pixels.
        tile_pixel: bytes that a pixel of a tile takes while the network runs.

    Raises:
        ModelError: both limits are given, or the tile is too small.
    """

    tile: int | None
    memory: int | None
    smallest_tile: int
    tile_pixel: int

    def __post_init__(self) -> None:
        """Refuse limits that cannot be met."""
        if self.tile is not None and self.memory is not None:
            raise ModelError("a tile and a memory: expected one of them, for each sets the other")
        if self.tile is not None and self.tile < self.smallest_tile:
            raise ModelError(
                f"The tile is {self.tile} pixels; expected at least {self.smallest_tile}."
            )

    def least(self, shape: tuple[int, ...]) -> int:
        """Bytes that the process takes at least for a picture of this shape (H, W)."""
        pixels = shape[0] * shape[1]
        tile = self.tile_pixel * min(self.smallest_tile**2, pixels)
        return max(_MATTED + _MATTED_PIXEL * pixels + tile, saving_memory(pixels))

    def tile_area(self, shape: tuple[int, ...]) -> int:
        """Pixels of the largest tile for a picture of this shape (H, W).

        Raises:
            ModelError: the memory is too little for the picture.
        """
        if self.tile is not None:
            return self.tile**2
        pixels = shape[0] * shape[1]
        taken = _MATTED + _MATTED_PIXEL * pixels
        if self.memory is None:
            return max(TILE**2, (MEMORY - taken) // self.tile_pixel)
        least = self.least(shape)
        if self.memory < least:
            given = f"{self.memory / 1e9:.2f} GB" if self.memory >= 5e6 else f"{self.memory} bytes"
            raise ModelError(
                f"{given} of memory is too little for a picture of {shape[1]} x {shape[0]} pixels; "
                f"expected at least {least / 1e9 + 0.005:.2f} GB."
            )
        return max(self.smallest_tile**2, (self.memory - taken) // self.tile_pixel)
