"""Resizing: the area mean to shrink, bicubic to enlarge."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
"""(height, width)."""


def shrink(pixels: NDArray[Any], size: Size) -> NDArray[Any]:
    """Shrink pixels (H, W) or (H, W, C) of any depth by area means."""
    import cv2

    small = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA)
    return small.reshape(*size, *pixels.shape[2:])  # OpenCV drops a single channel


def half(pixels: NDArray[Any]) -> NDArray[Any]:
    """Means of 2 x 2 pixels (H, W) or (H, W, C); an odd last row or column counts twice."""
    pixels = even(pixels)
    return shrink(pixels, (pixels.shape[0] // 2, pixels.shape[1] // 2))


def even(pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels with an even number of rows and columns: an odd last one is repeated."""
    import cv2

    rows, columns = (side % 2 for side in pixels.shape[:2])
    if not rows and not columns:
        return pixels
    return cv2.copyMakeBorder(pixels, 0, rows, 0, columns, cv2.BORDER_REPLICATE)


def fit(pixels: NDArray[Any], size: Size) -> NDArray[Any]:
    """Resize pixels (H, W, C); floats are clipped to 0..1, because bicubic overshoots."""
    import cv2

    if size[0] < pixels.shape[0] or size[1] < pixels.shape[1]:
        return shrink(np.ascontiguousarray(pixels), size)
    enlarged = cv2.resize(np.ascontiguousarray(pixels), size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(enlarged, 0, 1) if enlarged.dtype.kind == "f" else enlarged


def limited(shape: tuple[int, ...], longest: int) -> Size:
    """The size of a picture of this shape whose sides are shrunk to at most ``longest``."""
    scale = min(1.0, longest / max(shape[:2]))
    height, width = (max(1, round(side * scale)) for side in shape[:2])
    return height, width
