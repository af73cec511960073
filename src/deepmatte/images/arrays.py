"""Arrays of pixels: what is accepted, and how it is converted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deepmatte.errors import ImageError

# Rows processed at a time: float copies of the whole picture would cost much memory.
_STRIP = 256


def check_array(pixels: NDArray[Any], max_pixels: int) -> NDArray[Any]:
    """Validate a picture given as an array.

    Args:
        pixels: bool, integers in 0..65535 or float in 0..1; (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4). Integers of which none exceeds 255 have 8 bits, whatever their type holds.
        max_pixels: the largest H x W.

    Returns:
        (H, W), (H, W, 3) or (H, W, 4), uint8, uint16, or float32 in 0..1; bool becomes float.

    Raises:
        ImageError: another type, shape, size or range.
    """
    name = name_of_array(pixels)
    if pixels.size == 0:
        raise ImageError(f"{name} has no pixels; expected at least one.")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise ImageError(f"{name} is no picture; expected (H, W), (H, W, 3) or (H, W, 4).")
    if pixels.shape[0] * pixels.shape[1] > max_pixels:
        raise ImageError(
            f"{name} is too large; expected {max_pixels // 1_000_000} megapixels at most."
        )
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if pixels.dtype.kind == "b":
        pixels = pixels.astype(np.float32)
    elif pixels.dtype.kind == "f":
        pixels = check_floats(pixels, name)
    elif pixels.dtype.kind not in "iu":
        raise ImageError(
            f"{name} has type {pixels.dtype}; expected integers, bool or float in 0..1."
        )
    elif pixels.dtype != np.uint8:
        if pixels.min() < 0 or pixels.max() > 65535:
            raise ImageError(
                f"{name} holds integers from {pixels.min()} to {pixels.max()}; expected 0..65535."
            )
        pixels = narrowed(pixels.astype(np.uint16, copy=False))
    return pixels


def narrowed(levels: NDArray[Any]) -> NDArray[Any]:
    """Convert 16-bit levels to 8 bits if none exceeds 255: they were stored wider than needed.

    Read as 16 bits the picture would be black.
    """
    return levels.astype(np.uint8) if levels.dtype == np.uint16 and levels.max() <= 255 else levels


def name_of_array(pixels: NDArray[Any]) -> str:
    """What an error message calls an array."""
    return f"The array of shape {pixels.shape}"


def check_floats(values: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Check that floats are finite and in 0..1, with some tolerance for interpolation.

    Raises:
        ImageError: they do not.
    """
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError(f"{name} holds values that are not finite; expected floats in 0..1.")
    if low < -1e-3 or high > 1 + 1e-3:
        raise ImageError(f"{name} holds values from {low:g} to {high:g}; expected floats in 0..1.")
    unit: NDArray[np.float32] = np.clip(values, 0, 1).astype(np.float32, copy=False)
    return unit


def depth_of(levels: NDArray[Any]) -> float:
    """The level that means 1.0."""
    return 1.0 if levels.dtype.kind == "f" else float(np.iinfo(levels.dtype).max)


def to_unit(levels: NDArray[Any]) -> NDArray[np.float32]:
    """Scale levels of any depth to float32 in 0..1."""
    unit: NDArray[np.float32] = levels.astype(np.float32)
    if levels.dtype.kind != "f":
        unit /= np.float32(depth_of(levels))
    return unit


def to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Round values to 8 bit levels; what lies outside 0..1 is clipped."""
    levels = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _STRIP):
        rows = slice(top, top + _STRIP)
        levels[rows] = np.rint(np.clip(values[rows], 0, 1) * np.float32(255))
    return levels


def to_levels(levels: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Levels of any depth as those of another.

    Args:
        levels: uint8, uint16, or float, where 1 is white.
        dtype: uint8 or uint16, for which values outside 0..1 are clipped, or float32.
    """
    wanted = np.dtype(dtype)
    if levels.dtype == wanted:
        return levels
    if wanted.kind == "f":
        return to_unit(levels)
    changed = np.empty(levels.shape, wanted)
    for top in range(0, len(levels), _STRIP):
        rows = slice(top, top + _STRIP)
        unit = np.clip(to_unit(levels[rows]), 0, 1)
        changed[rows] = np.rint(unit * np.float32(depth_of(changed)))
    return changed


def turn_upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation to (H, W) or (H, W, C) pixels. Source: EXIF 2.32, tag 0x0112."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
