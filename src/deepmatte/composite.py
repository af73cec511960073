"""Uses of a matte: the cut-out, and the composite over a new background.

Colours are mixed as display values, not in linear light. Alpha was estimated that way (Xu et al.
2017, eq. 1, on 8-bit pictures), and browsers and paint programs mix cut-outs that way.

Example:
    over(foreground, alpha, "#00b140")      # one colour
    over(foreground, alpha, "white:grey")   # from white at the top to grey at the bottom
    over(foreground, alpha, "beach.jpg")    # a picture
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deepmatte.arguments import check_levels, shown
from deepmatte.errors import ImageError
from deepmatte.images import Source, convert_colours, open_image, parse_colour
from deepmatte.images.arrays import to_levels, to_unit
from deepmatte.images.resize import fit

# Rows processed at a time.
_STRIP = 256

Background: TypeAlias = Source | tuple[int, int, int]


def cutout(
    foreground: NDArray[Any],
    alpha: NDArray[Any],
    dtype: DTypeLike = np.uint8,
    shadow: NDArray[np.float32] | None = None,
) -> NDArray[Any]:
    """Join colours and alpha to a straight (not premultiplied) RGBA picture.

    Args:
        foreground: (H, W, 3), uint8, uint16, or float32 in 0..1.
        alpha: (H, W), uint8, uint16, or float32 in 0..1.
        dtype: of the result: uint8, uint16 or float32.
        shadow: float32 (H, W), 0..1, of a black shadow under the subject; None for no shadow.

    Returns:
        (H, W, 4). Colours are kept where alpha is 0, because programs that resize a straight
        cut-out mix them into the edge.

    Raises:
        ImageError: the sizes differ.
    """
    _check_sizes(foreground, alpha)
    joined = np.empty((*alpha.shape, 4), dtype)
    joined[..., :3], joined[..., 3] = to_levels(foreground, dtype), to_levels(alpha, dtype)
    if shadow is not None:
        add_shadow(joined, shadow)
    return joined


def over(
    foreground: NDArray[np.float32],
    alpha: NDArray[np.float32],
    background: Background,
    icc_profile: bytes | None = None,
) -> NDArray[np.float32]:
    """Composite the foreground over a colour, a gradient or a picture.

    Args:
        foreground: float32 (H, W, 3), 0..1.
        alpha: float32 (H, W), 0..1.
        background: a colour ("white", "#00b140", "#0b4", "rgb(0, 177, 64)", or three integers in
            0..255), a gradient "TOP:BOTTOM" of two such colours, or a picture, as
            `images.open_image` takes it. The picture is scaled to cover the foreground and cropped
            about its centre; white shows where it is transparent. Its colours are converted from
            its own profile to the foreground's.
        icc_profile: of the foreground; None is sRGB. Colours and gradients are sRGB.

    Returns:
        float32 (H, W, 3), 0..1.

    Raises:
        ImageError: the background is not one of these, or the sizes differ.

    Source: Xu et al. 2017, eq. 1: I = alpha F + (1 - alpha) B.
    """
    _check_sizes(foreground, alpha)
    height, width = alpha.shape
    return blend(foreground, alpha, backdrop(background, height, width, icc_profile))


def blend(
    foreground: NDArray[np.float32], alpha: NDArray[np.float32], behind: NDArray[Any]
) -> NDArray[np.float32]:
    """Mix like `over`, with a `backdrop` of the same size in the foreground's profile."""
    share = alpha[..., None]  # (H, W, 1)
    composite: NDArray[np.float32] = share * foreground + (1 - share) * to_unit(behind)
    return composite


def over_strips(
    strips: Iterable[tuple[slice, NDArray[np.float32]]],
    alpha: NDArray[np.float32],
    behind: NDArray[Any],
    dtype: np.dtype[Any],
    shadow: NDArray[np.float32] | None = None,
) -> NDArray[Any]:
    """Composite a foreground that comes in strips.

    Args:
        strips: rows and their foreground, float32 (h, W, 3), 0..1.
        alpha: float32 (H, W), 0..1.
        behind: a `backdrop` of the same size in the foreground's profile.
        dtype: of the result: uint8, uint16 or float32.
        shadow: float32 (H, W), 0..1, how dark the backdrop becomes; None for no shadow.

    Returns:
        (H, W, 3).
    """
    mixed = np.empty(behind.shape, dtype)
    for rows, foreground in strips:
        lit = behind[rows]
        if shadow is not None:
            lit = (1 - shadow[rows][..., None]) * to_unit(lit)
        mixed[rows] = to_levels(blend(foreground, alpha[rows], lit), dtype)
    return mixed


def add_shadow(joined: NDArray[Any], shadow: NDArray[np.float32]) -> None:
    """Put a black shadow under a straight RGBA cut-out, in place.

    Args:
        joined: (H, W, 4), uint8, uint16 or float32.
        shadow: float32 (H, W), 0..1.
    """
    for top in range(0, len(joined), _STRIP):
        rows = slice(top, top + _STRIP)
        unit = to_unit(joined[rows])
        alpha = unit[..., 3]
        both = alpha + (1 - alpha) * shadow[rows]
        share = np.divide(alpha, both, out=np.ones_like(both), where=both > 0)
        # Pixels that are neither subject nor shadow keep their colour, for programs that resize.
        unit[..., :3] *= share[..., None]
        unit[..., 3] = both
        joined[rows] = to_levels(unit, joined.dtype)


def _check_sizes(foreground: NDArray[Any], alpha: NDArray[Any]) -> None:
    check_levels(foreground, "The foreground", ImageError)
    check_levels(alpha, "The alpha", ImageError)
    if alpha.ndim != 2 or foreground.shape != (*alpha.shape, 3):
        raise ImageError(
            f"The foreground has shape {foreground.shape} and alpha {alpha.shape}; expected"
            " (H, W, 3) and (H, W)."
        )


def backdrop(
    background: Background, height: int, width: int, icc_profile: bytes | None = None
) -> NDArray[Any]:
    """The background of `over` as an array: (H, W, 3), uint8, uint16, or float32 in 0..1.

    Read-only, because a colour or a gradient is stored once and broadcast.

    Raises:
        ImageError: see `over`.
    """
    behind = _background(background, height, width, icc_profile)
    return np.broadcast_to(behind, (height, width, 3))


def _background(
    background: Background, height: int, width: int, icc_profile: bytes | None
) -> NDArray[Any]:
    """The background as an array that broadcasts to (H, W, 3)."""
    if isinstance(background, (tuple, list)):
        return convert_colours(_colour_array(_checked_triple(background)), None, icc_profile)
    if not isinstance(background, str):
        return _cover(background, height, width, icc_profile)
    colour = parse_colour(background)
    if colour is not None:
        return convert_colours(_colour_array(colour), None, icc_profile)
    ends = [parse_colour(end) for end in background.split(":")]
    if len(ends) == 2 and ends[0] is not None and ends[1] is not None:
        down = (np.arange(height, dtype=np.float32) / max(1, height - 1))[:, None, None]
        top, bottom = _colour_array(ends[0]), _colour_array(ends[1])
        gradient = np.asarray((1 - down) * top + down * bottom, np.float32)  # (H, 1, 3)
        return convert_colours(gradient, None, icc_profile)
    if not os.path.exists(background):
        raise ImageError(
            f"{background!r} is not a background, and no file has this name; expected a colour"
            " (white, #00b140), a gradient (white:#888) or a picture file."
        )
    return _cover(background, height, width, icc_profile)


def _checked_triple(colour: tuple[int, ...] | list[int]) -> tuple[int, int, int]:
    levels = [int(level) for level in colour if isinstance(level, (int, np.integer))]
    if len(levels) != 3 or len(colour) != 3 or not all(0 <= level <= 255 for level in levels):
        raise ImageError(f"{shown(colour)} is not a colour; expected three integers in 0..255.")
    return levels[0], levels[1], levels[2]


def _colour_array(colour: tuple[int, int, int]) -> NDArray[np.float32]:
    array: NDArray[np.float32] = np.array([[colour]], np.float32) / np.float32(255)  # (1, 1, 3)
    return array


def _cover(source: Source, height: int, width: int, icc_profile: bytes | None) -> NDArray[Any]:
    """A picture scaled and cropped about its centre to (H, W, 3), converted to the profile."""
    picture = open_image(source)
    rgb = picture.levels
    if picture.alpha is not None:
        rgb = 1 - picture.alpha[..., None] * (1 - picture.rgb)  # over white
    # Cropped before it is scaled, to save memory.
    scale = max(height / rgb.shape[0], width / rgb.shape[1])
    rows = min(rgb.shape[0], max(1, round(height / scale)))
    columns = min(rgb.shape[1], max(1, round(width / scale)))
    top, left = (rgb.shape[0] - rows) // 2, (rgb.shape[1] - columns) // 2
    part = rgb[top : top + rows, left : left + columns]
    return convert_colours(fit(part, (height, width)), picture.metadata.icc_profile, icc_profile)
