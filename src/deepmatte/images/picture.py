"""An opened picture, and the kinds of sources and targets."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepmatte.errors import ImageError
from deepmatte.images.arrays import to_unit
from deepmatte.images.metadata import NO_METADATA, Metadata

Source: TypeAlias = Union[
    str, "os.PathLike[str]", bytes, bytearray, memoryview, BinaryIO, Image.Image, NDArray[Any]
]
Target: TypeAlias = Union[str, "os.PathLike[str]", BinaryIO]
# More pixels than any camera or scanner in common use; a picture of this size takes 3.6 GB as
# float32 RGB. Checked from the header, before anything is decompressed.
MAX_PIXELS = 300_000_000
Admit: TypeAlias = Callable[[tuple[int, ...]], None]
"""Called with (height, width) before pixels are decoded; raises an error to refuse them."""


def admit_all(size: tuple[int, ...]) -> None:
    """Accept any size."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A photo, ready to be matted.

    Attributes:
        levels: (H, W, 3), display values (not linear light) as the picture has them: uint8, uint16,
            or float32 in 0..1; an EXR's may lie outside, for light brighter than white. As float32
            throughout, most pictures would take four times the memory; `arrays.to_unit` makes that
            of the part that is worked on.
        alpha: float32 (H, W), 0..1: the transparency that the picture itself came with, or None
            where it is opaque everywhere. The colours are not multiplied by it.
        metadata: colour profile, resolution, EXIF and XMP.
        notes: sentences that the user should know about the file.
    """

    levels: NDArray[Any]
    alpha: NDArray[np.float32] | None = None
    metadata: Metadata = NO_METADATA
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.levels.shape[0], self.levels.shape[1]

    @property
    def rgb(self) -> NDArray[np.float32]:
        """The colours as float32 (H, W, 3), 0..1; converted at each access."""
        return to_unit(self.levels)

    def crop(self, window: tuple[slice, slice]) -> Picture:
        """The part in some rows and columns; it shares this picture's memory."""
        alpha = None if self.alpha is None else self.alpha[window]
        return replace(self, levels=self.levels[window], alpha=alpha)


@dataclass(frozen=True)
class GreyPicture:
    """A trimap, mask or stroke picture with its levels as stored.

    Attributes:
        levels: (H, W), uint8, uint16, or float32 in 0..1.
        alpha: float32 (H, W), 0..1, or None where the picture is opaque everywhere.
        lossy: whether it came from a format (JPEG, WebP, AVIF) that does not keep exact levels.
        name: what an error message calls it.
        notes: sentences that the user should know about the file.
    """

    levels: NDArray[Any]
    alpha: NDArray[np.float32] | None
    lossy: bool
    name: str
    notes: tuple[str, ...] = ()


def check_size(size: tuple[int, int], name: str) -> None:
    """Check (width, height).

    Raises:
        ImageError: there are no pixels, or more than `MAX_PIXELS`.
    """
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} has {width} x {height} pixels, more than the limit of"
            f" {MAX_PIXELS // 1_000_000} megapixels."
        )
    if width * height == 0:
        raise ImageError(f"{name} has no pixels ({width} x {height}); expected at least one.")
