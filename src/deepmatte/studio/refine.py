"""Refines the edge of a matte. The matte itself is kept, so that everything can be undone.

The steps in their order: the edge is smoothed (its outline becomes less jagged), feathered (it
becomes wider), shifted and given more contrast. Then the background's colour is removed from it, as
much as is wanted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.images.arrays import to_levels, to_unit

# How steep the curve of a smoothed edge is, so that it does not become wider by it.
_STEEP = 3.0
# What a contrast of 100 % multiplies the slope of alpha with, less one.
_SLOPE = 9.0
# The power to which a shift of 100 % raises alpha, or what is left of it.
_SHIFT = 4.0


@dataclass(frozen=True)
class Refinement:
    """What is done to the edge.

    Attributes:
        smooth: standard deviation of the blur that rounds the outline, pixels.
        feather: standard deviation of the blur that widens the edge, pixels.
        shift: -100..100, how far the edge moves inward or outward, percent of its own width.
        contrast: 0..100, percent; 100 leaves hardly anything half transparent.
        decontaminate: 0..100, how much of the background's colour is taken out, percent.
    """

    smooth: float = 0.0
    feather: float = 0.0
    shift: float = 0.0
    contrast: float = 0.0
    decontaminate: float = 100.0

    @property
    def reach(self) -> int:
        """How many pixels away alpha may change by another pixel's."""
        return math.ceil(3 * (self.smooth + self.feather))

    @property
    def keeps_alpha(self) -> bool:
        """Whether alpha stays as it is."""
        return not (self.smooth or self.feather or self.shift or self.contrast)

    def alpha(self, alpha: NDArray[np.float32]) -> NDArray[np.float32]:
        """The refined alpha: float32 (H, W), 0..1."""
        if self.keeps_alpha:
            return alpha
        refined: NDArray[np.float32] = alpha
        if self.smooth:
            refined = (_blurred(refined, self.smooth) - 0.5) * _STEEP + 0.5
            refined = np.clip(refined, 0, 1)
        if self.feather:
            refined = _blurred(refined, self.feather)
        # What is wholly background or subject stays so: the edge moves within its own width.
        power = _SHIFT ** (abs(self.shift) / 100)
        refined = 1 - (1 - refined) ** power if self.shift > 0 else refined**power
        slope = 1 + _SLOPE * self.contrast / 100
        return np.asarray(np.clip((refined - 0.5) * slope + 0.5, 0, 1), np.float32)

    def colours(self, foreground: NDArray[Any], photo: NDArray[Any]) -> NDArray[Any]:
        """The foreground's colours, or some of the photo's: of the foreground's type, (H, W, 3)."""
        if self.decontaminate >= 100:
            return foreground
        share = np.float32(self.decontaminate / 100)
        mixed = share * to_unit(foreground) + (1 - share) * to_unit(photo)
        return np.asarray(to_levels(mixed, foreground.dtype))

    def cutout(self, cutout: NDArray[np.uint8], photo: NDArray[Any]) -> NDArray[np.uint8]:
        """A refined cut-out, uint8 (H, W, 4), from one and the photo (H, W, 3)."""
        if self == Refinement():
            return cutout
        refined = np.empty_like(cutout)
        refined[..., :3] = self.colours(np.ascontiguousarray(cutout[..., :3]), photo)
        refined[..., 3] = to_levels(self.alpha(to_unit(cutout[..., 3])), np.uint8)
        return refined


UNREFINED = Refinement()


def _blurred(alpha: NDArray[np.float32], deviation: float) -> NDArray[np.float32]:
    size = 2 * math.ceil(3 * deviation) + 1
    return np.asarray(
        cv2.GaussianBlur(alpha, (size, size), deviation, borderType=cv2.BORDER_REPLICATE)
    )
