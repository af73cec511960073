"""The frame of a result: cropped to the subject, resized, with a soft shadow below it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deepmatte.arguments import check_number, check_whole
from deepmatte.errors import DataError, MattingError
from deepmatte.images import Picture
from deepmatte.images.picture import check_size
from deepmatte.images.resize import Size, shrink

# A smaller alpha is 0 in 8 bits.
_VISIBLE = 0.5 / 255
# How far a shadow falls below the subject, and how soft it is (the Gaussian's sigma), both as
# shares of the subject's larger side.
_FALL = 0.02
_SOFTNESS = 0.02
# A blur up to this many pixels is computed at full size; a wider one at a smaller size.
_WIDEST_BLUR = 8.0

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom; the last two excluded. May reach beyond the picture."""

Margin: TypeAlias = tuple[int, float]
"""Pixels, and a share of the subject's larger side; both together."""


@dataclass(frozen=True)
class Framing:
    """How a result is framed.

    Attributes:
        crop: the margin around the subject that stays; None keeps the whole picture.
        longest: pixels of the longer side at most; None keeps the size.
        shadow: how dark the soft shadow below the subject is, 0..1.
    """

    crop: Margin | None = None
    longest: int | None = None
    shadow: float = 0.0


UNFRAMED = Framing()


def margin_of(text: str) -> Margin:
    """The margin of "20", "20px" or "5%".

    Raises:
        DataError: the text is something else.
    """
    match = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)\s*(px|%)?", text.strip().lower())
    if match is None:
        raise DataError(f"{text!r} is no margin; expected 20 (pixels) or 5%.")
    if match[2] == "%":
        return 0, float(match[1]) / 100
    return round(float(match[1])), 0.0


def opacity_of(text: str) -> float:
    """The share in 0..1 of "0.4" or "40%".

    Raises:
        DataError: the text is something else.
    """
    match = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)\s*(%)?", text.strip())
    opacity = -1.0 if match is None else float(match[1]) / (100 if match[2] else 1)
    if not 0 <= opacity <= 1:
        raise DataError(f"{text!r} is no opacity; expected 0.4 or 40%.")
    return opacity


def subject_box(alpha: NDArray[np.float32]) -> Box:
    """The smallest box around the visible pixels.

    Raises:
        MattingError: no pixel is visible.
    """
    rows = np.flatnonzero((alpha >= _VISIBLE).any(axis=1))
    columns = np.flatnonzero((alpha >= _VISIBLE).any(axis=0))
    if rows.size == 0:
        raise MattingError("The matte is empty; expected a subject to crop to.")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def soft_shadow(alpha: NDArray[np.float32], opacity: float) -> NDArray[np.float32]:
    """A shadow straight below the subject: its opacity, float32 (H, W), 0..opacity.

    Args:
        alpha: float32 (H, W), 0..1.
        opacity: of the darkest part of the shadow, 0..1.
    """
    import cv2

    if not (alpha >= _VISIBLE).any():
        return np.zeros_like(alpha)
    fall, sigma = _shadow_size(alpha)
    height, width = alpha.shape
    fallen = np.zeros_like(alpha)
    fallen[fall:] = alpha[: height - fall] if fall else alpha
    scale = min(1.0, _WIDEST_BLUR / sigma)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = shrink(fallen, size) if scale < 1 else fallen
    # Outside the picture there is no subject to cast a shadow.
    blurred = cv2.GaussianBlur(small, (0, 0), sigma * scale, borderType=cv2.BORDER_CONSTANT)
    full = cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full * np.float32(opacity), np.float32)


def _shadow_size(alpha: NDArray[np.float32]) -> tuple[int, float]:
    left, top, right, bottom = subject_box(alpha)
    side = max(right - left, bottom - top)
    return round(_FALL * side), max(0.5, _SOFTNESS * side)


def shadow_box(alpha: NDArray[np.float32]) -> Box:
    """The box around the subject and its shadow, down to a hundredth of its opacity."""
    left, top, right, bottom = subject_box(alpha)
    fall, sigma = _shadow_size(alpha)
    reach = round(2.3 * sigma)
    return left - reach, min(top, top + fall - reach), right + reach, bottom + fall + reach


def box_with_margin(alpha: NDArray[np.float32], margin: int, share: float, *, shadow: bool) -> Box:
    """The box around the subject, and its shadow if it has one, with a margin.

    Args:
        alpha: float32 (H, W), 0..1.
        margin: pixels.
        share: more margin, as a share of the subject's larger side.
        shadow: whether the subject has one.

    Raises:
        MattingError: no pixel is visible, or the margin is negative or no number.
    """
    margin = check_whole(margin, "The margin", MattingError, low=0)
    share = check_number(share, "The share", MattingError, low=0)
    left, top, right, bottom = subject_box(alpha)
    margin += round(share * max(right - left, bottom - top))
    left, top, right, bottom = (shadow_box if shadow else subject_box)(alpha)
    return left - margin, top - margin, right + margin, bottom + margin


def crop_plane(plane: NDArray[Any], box: Box, *, repeat_edge: bool = False) -> NDArray[Any]:
    """Crop (H, W) or (H, W, C) to a box; outside the picture 0, or its edge repeated.

    Raises:
        ImageError: the margin is so wide that the result has too many pixels.
    """
    left, top, right, bottom = box
    check_size((right - left, bottom - top), "The cropped picture")
    height, width = plane.shape[:2]
    inside = plane[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    beyond = [
        (max(0, -top), max(0, bottom - height)),
        (max(0, -left), max(0, right - width)),
        *[(0, 0)] * (plane.ndim - 2),
    ]
    if not any(before or after for before, after in beyond):
        return inside
    return np.pad(inside, beyond, mode="edge" if repeat_edge else "constant")


def crop_picture(picture: Picture, box: Box) -> Picture:
    """Crop a picture to a box; outside it the edge's colours are repeated, transparent."""
    alpha = None if picture.alpha is None else crop_plane(picture.alpha, box)
    return replace(picture, levels=crop_plane(picture.levels, box, repeat_edge=True), alpha=alpha)


def resize_picture(picture: Picture, size: Size) -> Picture:
    """A picture made smaller, (height, width), each new pixel the mean of those it covers."""
    levels, alpha = picture.levels, picture.alpha
    if alpha is None:
        return replace(picture, levels=shrink(levels, size))
    # A transparent pixel's colour must not mix into its neighbours.
    small = shrink(alpha, size)
    weighted = shrink(alpha[..., None] * levels, size) / np.maximum(small, 1e-6)[..., None]
    colours = np.where(small[..., None] >= _VISIBLE, weighted, shrink(levels, size))
    if levels.dtype.kind == "u":
        colours = np.rint(colours)
    return replace(picture, levels=colours.astype(levels.dtype), alpha=small)


def shrink_trimap(trimap: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """A trimap at a smaller (height, width), by the nearest pixel: no new labels."""
    import cv2

    return np.asarray(cv2.resize(trimap, size[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
