"""Places the background and the subject in a saved picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deepmatte.composite import add_shadow
from deepmatte.framing import crop_plane, shadow_box, soft_shadow
from deepmatte.images import encode_image, open_image
from deepmatte.images.arrays import depth_of, to_bytes, to_levels, to_unit
from deepmatte.images.resize import fit, limited
from deepmatte.studio.rectangle import Rectangle

# The longest side of what a page shows of a shadow, which is soft.
_SHADOW_SHOWN = 1000


@dataclass(frozen=True)
class Place:
    """Where something lies in a picture.

    Attributes:
        left: of its left edge, in the picture's pixels.
        top: of its top edge.
        scale: how many of those its own pixels are wide.
    """

    left: float = 0.0
    top: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class _Span:
    """What can be seen of a scaled background along one axis.

    Attributes:
        source: its own pixels, and no more of them than needed: all of a large picture, enlarged,
            could fill any memory.
        length: how many pixels these become.
        seen: which of those lie in the picture.
        target: where.
    """

    source: slice
    length: int
    seen: slice
    target: slice


def _span(start: float, scale: float, length: int, room: int) -> _Span | None:
    """The part of a background from ``start`` on that lies in 0..``room``; None if none does."""
    first = max(0, math.floor(-start / scale) - 1)
    last = min(length, math.ceil((room - start) / scale) + 1)
    if first >= last:
        return None
    scaled, begin = max(1, round((last - first) * scale)), round(start + first * scale)
    target = slice(max(0, begin), min(room, begin + scaled))
    if target.start >= target.stop:
        return None
    return _Span(
        slice(first, last), scaled, slice(target.start - begin, target.stop - begin), target
    )


def background(file: bytes, place: Place, shape: tuple[int, int], dtype: DTypeLike) -> NDArray[Any]:
    """A background picture where it is wanted, on white: (H, W, 3), uint8 or float32."""
    behind = open_image(file)
    canvas = np.empty((*shape, 3), dtype)
    canvas.fill(depth_of(canvas))
    rows = _span(place.top, place.scale, behind.shape[0], shape[0])
    columns = _span(place.left, place.scale, behind.shape[1], shape[1])
    if rows is None or columns is None:
        return canvas
    part = behind.crop((rows.source, columns.source))
    colours = part.rgb
    if part.alpha is not None:
        colours = 1 - part.alpha[..., None] * (1 - colours)
    scaled = fit(colours, (rows.length, columns.length))
    seen = np.clip(scaled[rows.seen, columns.seen], 0, 1)
    canvas[rows.target, columns.target] = to_levels(seen, dtype)
    return canvas


def subject(
    cutout: NDArray[Any], place: Place, shape: tuple[int, int], shadow: float = 0.0
) -> NDArray[Any]:
    """A cut-out moved and scaled, straight RGBA: (H, W, 4) of ``shape``, in the same depth.

    Args:
        cutout: (h, w, 4), uint8 or uint16, straight.
        place: where it is wanted.
        shape: (H, W) of the picture.
        shadow: opacity of a soft shadow below it, 0..1.
    """
    if shadow:
        opacity, area = cast_shadow(to_unit(cutout[..., 3]))
        cutout = crop_plane(cutout, (area.left, area.top, area.right, area.bottom)).copy()
        add_shadow(cutout, opacity * np.float32(shadow))
        scale = place.scale
        place = Place(place.left + area.left * scale, place.top + area.top * scale, scale)
    canvas = np.zeros((*shape, 4), cutout.dtype)
    rows = _span(place.top, place.scale, cutout.shape[0], shape[0])
    columns = _span(place.left, place.scale, cutout.shape[1], shape[1])
    if rows is None or columns is None:
        return canvas
    unit = to_unit(cutout[rows.source, columns.source])
    unit[..., :3] *= unit[..., 3:]  # a colour counts by its alpha where pixels are mixed
    scaled = fit(unit, (rows.length, columns.length))[rows.seen, columns.seen]
    alpha = scaled[..., 3:]
    straight = np.divide(
        scaled[..., :3], alpha, out=np.zeros_like(scaled[..., :3]), where=alpha > 0
    )
    both = np.concatenate([np.clip(straight, 0, 1), alpha], axis=2)
    canvas[rows.target, columns.target] = to_levels(both, canvas.dtype)
    return canvas


def cast_shadow(alpha: NDArray[np.float32]) -> tuple[NDArray[np.float32], Rectangle]:
    """The shadow that a subject casts, also beyond the picture.

    Args:
        alpha: float32 (H, W), 0..1.

    Returns:
        Its opacity, float32 (h, w), 0..1, and where that lies: a rectangle around the picture.
    """
    height, width = alpha.shape
    area = Rectangle(0, 0, width, height)
    if to_bytes(alpha).any():
        area = area.union(Rectangle(*shadow_box(alpha)))
    plane = crop_plane(alpha, (area.left, area.top, area.right, area.bottom))
    return soft_shadow(plane, 1.0), area


def shadow_shown(alpha: NDArray[np.float32]) -> tuple[bytes, Place]:
    """A shadow as a page shows it: a PNG, black and more or less transparent, and its place."""
    opacity, area = cast_shadow(alpha)
    small = fit(opacity[..., None], limited(opacity.shape, _SHADOW_SHOWN))
    pixels = np.zeros((*small.shape[:2], 4), np.uint8)
    pixels[..., 3] = to_bytes(small).reshape(small.shape[:2])
    scale = area.width / small.shape[1]
    return encode_image(pixels, "png"), Place(area.left, area.top, scale)
