"""Hand-made guesses at alpha and colours, given to the network beside picture and trimap.

A small network sees only a small neighbourhood; these channels carry the knowledge of the whole
picture to every unknown pixel: the known colours spread inwards, alpha read off those colours,
and an approximate closed-form matte. All are plain NumPy and OpenCV, all lie in 0..1.

What needs the whole picture is prepared once, at a bounded number of pixels; the guesses are then
read window by window at full resolution. So memory goes with the window, not with the picture.

Source (the closed-form matte has its own in laplacian.py):
    Gortler et al., "The Lumigraph", SIGGRAPH 1996: the push-pull pyramid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.laplacian import (
    ALIGNMENT,
    FINEST,
    alpha_of_lines,
    closed_form_lines,
    grow,
    shrink,
)
from deepmatte.pixels import to_unit
from deepmatte.trimap import BACKGROUND, FOREGROUND, UNKNOWN

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
Window: TypeAlias = tuple[slice, slice]
"""Rows and columns of a picture, each from a start to a stop."""
Sides: TypeAlias = Sequence[Floats | None]
"""What was prepared of the known foreground and of the known background."""

CHANNELS: tuple[str, ...] = (
    "alpha_closed_form",
    "alpha_projection",
    "alpha_sampled",
    "foreground_red",
    "foreground_green",
    "foreground_blue",
    "background_red",
    "background_green",
    "background_blue",
    "distance_foreground",
    "distance_background",
)

PREPARED_PIXELS = 3_000_000
"""Larger pictures are prepared at half the size, or a quarter, ... : at most this many pixels."""

# Distances fade with this length, in pixels.
_DISTANCE_SCALE = 20.0
# Colour difference (0..1) from which foreground and background count as well apart.
_SEPARATION = 0.2
# Colour difference (0..1) from which a colour is not that of the only known side.
_UNLIKE = 0.07
# Distance of a colour from the line between the two at which trust in the projection fades.
_RESIDUAL = 0.05
# Rows of the prepared picture that are made at a time.
_STRIP = 64
# Pixels around the unknown ones that the closed-form matte is solved with.
_MARGIN = 2 * ALIGNMENT
# Channels of what is prepared of a side.
_SPREAD, _NEAREST, _DISTANCE = slice(0, 3), slice(3, 6), 6


class Priors:
    """The guesses named in `CHANNELS` for one picture.

    Args:
        image: RGB (H, W, 3), uint8, uint16, or float32 in 0..1.
        trimap: uint8 (H, W) of 0 (background), 128 (unknown) and 255 (foreground).

    Example:
        >>> image, trimap = np.zeros((40, 60, 3), np.float32), np.full((40, 60), 128, np.uint8)
        >>> Priors(image, trimap).read((slice(0, 40), slice(0, 60))).shape
        (11, 40, 60)
    """

    def __init__(self, image: NDArray[Any], trimap: Bytes) -> None:
        self._image, self._trimap = image, trimap
        scale = 1
        while trimap.size > PREPARED_PIXELS * scale**2:
            scale *= 2
        self._scale = scale

        def weighted(label: int) -> Floats:
            return _blocks(
                lambda rows: _weighted(to_unit(image[rows]), trimap[rows] == label), trimap, scale
            )

        foreground, background = weighted(FOREGROUND), weighted(BACKGROUND)
        # Of each side (h, w, 7) at the prepared size: spread colours, nearest colours, distance.
        self._sides = _prepare(foreground, scale), _prepare(background, scale)
        self._lines, self._corner = None, (0, 0)
        unknown = (foreground[..., 3] < 1) & (background[..., 3] < 1)
        if unknown.any() and any(side is not None for side in self._sides):
            picture = _blocks(lambda rows: to_unit(image[rows]), trimap, scale)
            self._lines, self._corner = _solve(picture, unknown, foreground[..., 3], self._sides)

    def read(self, window: Window, out: Floats | None = None) -> Floats:
        """The guesses within a window that starts at multiples of 32 pixels.

        Args:
            window: rows and columns.
            out: where to write them, or None for an array of their own.

        Returns:
            float32 (len(CHANNELS), h, w), 0..1. At known pixels the alphas are exactly 0 or 1.
            Where only one side is known, an unknown pixel belongs to the other the more its colour
            differs from that side's; where nothing is known, alpha is 0.5.
        """
        image, trimap = to_unit(self._image[window]), self._trimap[window]
        if out is None:
            out = np.empty((len(CHANNELS), *trimap.shape), np.float32)
        sides = [
            None if side is None else _magnify(side, window, self._scale) for side in self._sides
        ]
        unknown = trimap == UNKNOWN
        alphas = out[:3]
        alphas[:] = trimap == FOREGROUND
        if self._lines is None:
            alphas[:, unknown] = 0.5
        else:
            colours = image[unknown]  # (N, 3)
            lines = _magnify(self._lines, window, FINEST * self._scale, self._corner)
            alphas[0, unknown] = alpha_of_lines(lines[unknown], colours)
            alphas[1, unknown] = _by_colours(colours, *_ends(sides, unknown, _SPREAD))
            alphas[2, unknown] = _by_colours(colours, *_ends(sides, unknown, _NEAREST))
        seen = (FOREGROUND, out[3:6], out[9]), (BACKGROUND, out[6:9], out[10])
        for side, (label, side_colours, distance) in zip(sides, seen, strict=True):
            _see(side, image, trimap == label, side_colours, distance)
        return out


# --- preparing --------------------------------------------------------------------------------


def _blocks(read: Callable[[Places], Floats], like: Bytes, scale: int) -> Floats:
    """Means of ``scale`` x ``scale`` pixels, (h, w, C), of what ``read`` gives for row numbers.

    Beyond the picture its edge goes on, up to a size that is a multiple of `ALIGNMENT`. A strip of
    the picture is read at a time: copies of all of it would be what costs most memory.
    """
    height, width = (-(-side // (scale * ALIGNMENT)) * ALIGNMENT for side in like.shape)
    beyond = width * scale - like.shape[1]
    strips = []
    for top in range(0, height, _STRIP):
        rows = np.arange(top * scale, min(top + _STRIP, height) * scale)
        strip = read(np.minimum(rows, len(like) - 1))
        wide = cv2.copyMakeBorder(strip, 0, 0, 0, beyond, cv2.BORDER_REPLICATE)
        strips.append(shrink(np.asarray(wide, np.float32), (width, len(rows) // scale)))
    return np.concatenate(strips)


def _weighted(image: Floats, known: Flags) -> Floats:
    """Colours and 1 where known, else 0: (H, W, 4)."""
    solid = cv2.merge([*cv2.split(image), np.ones(known.shape, np.float32)])
    return np.asarray(cv2.copyTo(solid, known.astype(np.uint8), np.zeros_like(solid)), np.float32)


def _prepare(weighted: Floats, scale: int) -> Floats | None:
    """What one side's known pixels say: see `Priors`; None if there are none.

    Args:
        weighted: (h, w, 4), colours times the share of known pixels in a block, and that share.
        scale: pixels of the picture a side of a block.
    """
    known = weighted[..., 3] > 0
    if not known.any():
        return None
    distance, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = _nearest_colours(weighted, np.asarray(labels, np.int32), known)
    away = np.asarray(distance, np.float32)[..., None] * np.float32(scale)
    return np.concatenate([_spread(weighted), nearest, away], axis=2)


def _spread(weighted: Floats) -> Floats:
    """The known colours (h, w, 4) spread smoothly over all (push-pull pyramid): (h, w, 3)."""
    levels = [weighted]
    while max(levels[-1].shape[:2]) > 1:
        height, width = levels[-1].shape[:2]
        levels.append(shrink(levels[-1], ((width + 1) // 2, (height + 1) // 2)))
    filled: Floats = levels[-1][..., :3] / np.maximum(levels[-1][..., 3:], np.float32(1e-12))
    for level in reversed(levels[:-1]):
        filled = grow(filled, level.shape)
        filled = filled * (np.float32(1.0) - level[..., 3:]) + level[..., :3]
    return np.clip(filled, 0.0, 1.0)


def _nearest_colours(weighted: Floats, labels: NDArray[np.int32], known: Flags) -> Floats:
    """The mean of the known colours 5x5 around the nearest known pixel: (h, w, 3)."""
    place_of = np.zeros(int(labels.max()) + 1, np.int64)
    place_of[labels[known]] = np.flatnonzero(known)
    means = np.asarray(cv2.blur(weighted, (5, 5)), np.float32).reshape(-1, 4)
    nearest = means[place_of[labels]]
    return np.asarray(np.clip(nearest[..., :3] / nearest[..., 3:], 0.0, 1.0), np.float32)


def _solve(
    picture: Floats, unknown: Flags, foreground: Floats, sides: Sides
) -> tuple[Floats, tuple[int, int]]:
    """The closed-form matte's lines in the box around the unknown pixels, and its corner.

    Args:
        picture: (h, w, 3), prepared.
        unknown: (h, w), which of its pixels to solve for.
        foreground: (h, w), 1 where the rest is foreground, 0 where it is background.
        sides: as prepared.

    Returns:
        Lines (h', w', 4), and the row and column in which they begin, in blocks of `FINEST`.
    """
    left, top, width, height = cv2.boundingRect(unknown.astype(np.uint8))
    first = [max(0, start - _MARGIN) // ALIGNMENT * ALIGNMENT for start in (top, left)]
    last = [-(-(stop + _MARGIN) // ALIGNMENT) * ALIGNMENT for stop in (top + height, left + width)]
    box = slice(first[0], last[0]), slice(first[1], last[1])
    free = unknown[box]
    guess, trust = foreground[box].copy(), np.zeros(free.shape, np.float32)
    within = [None if side is None else side[box] for side in sides]
    colours = picture[box][free]  # (N, 3)
    ends = _ends(within, free, _NEAREST)
    guess[free] = alpha = _by_colours(colours, *ends)
    trust[free] = _trust(alpha, colours, *ends)
    lines = closed_form_lines(picture[box], free, guess, trust)
    return lines, (first[0] // FINEST, first[1] // FINEST)


# --- reading ----------------------------------------------------------------------------------


def _magnify(
    prepared: Floats, window: Window, scale: int, corner: tuple[int, int] = (0, 0)
) -> Floats:
    """What was prepared (h, w, C), enlarged bilinearly, within a window of the picture.

    Args:
        prepared: of blocks of ``scale`` x ``scale`` pixels.
        window: starts at multiples of ``scale``.
        scale: see there.
        corner: row and column of the picture's blocks with which ``prepared`` begins.
    """
    around = 1 if scale > 1 else 0  # neighbours that the interpolation needs
    taken, inside = [], []
    for axis, span in enumerate(window):
        first, last = span.start // scale, -(-span.stop // scale)
        wanted = np.arange(first - around, last + around) - corner[axis]
        taken.append(np.clip(wanted, 0, prepared.shape[axis] - 1))
        inside.append(slice(around * scale, around * scale + span.stop - span.start))
    blocks: Floats = prepared[taken[0]][:, taken[1]]
    if scale > 1:
        blocks = grow(blocks, (blocks.shape[0] * scale, blocks.shape[1] * scale))
    return blocks[inside[0], inside[1]]


def _ends(sides: Sides, at: Flags, channels: slice) -> list[Floats | None]:
    """Colours (N, 3) of both sides at some pixels."""
    return [None if side is None else side[at, channels] for side in sides]


def _see(
    side: Floats | None, image: Floats, known: Flags, colours: Floats, distance: Floats
) -> None:
    """Write a side's spread colours (3, h, w), exact where known, and exp(-distance / 20 px)."""
    if side is None:
        colours[:], distance[:] = 0.5, 0
        return
    for channel, plane in enumerate(colours):
        plane[:] = side[..., channel]
        np.copyto(plane, image[..., channel], where=known)
    np.divide(side[..., _DISTANCE], np.float32(-_DISTANCE_SCALE), out=distance)
    np.exp(distance, out=distance)
    distance[known] = 1


def _by_colours(colours: Floats, foreground: Floats | None, background: Floats | None) -> Floats:
    """Alpha (N,) of colours (N, 3) by projecting them on the line between those of both sides.

    Where a side is missing, a colour is the more its own the more it differs from the other's.
    """
    if background is None:
        assert foreground is not None  # one side is known
        return 1 - _by_colours(colours, None, foreground)
    if foreground is None:
        difference = np.square(colours - background).sum(axis=1)
        return np.asarray(1 - np.exp(difference / np.float32(-(_UNLIKE**2))), np.float32)
    line = foreground - background
    length = np.einsum("nc,nc->n", line, line)
    alpha = (np.einsum("nc,nc->n", colours - background, line) + 5e-5) / (length + 1e-4)
    return np.asarray(np.clip(alpha, 0.0, 1.0), np.float32)


def _trust(
    alpha: Floats, colours: Floats, foreground: Floats | None, background: Floats | None
) -> Floats:
    """How far (0..1) alphas `_by_colours` can be believed: colours far apart, little left over.

    Where a side is missing, a colour that does not differ from the other's may be of either.
    """
    if foreground is None:
        return alpha
    if background is None:
        return 1 - alpha
    line = foreground - background
    residual = colours - background - line * alpha[:, None]
    separation = np.einsum("nc,nc->n", line, line)
    apart = separation / (separation + _SEPARATION**2)
    left_over = np.einsum("nc,nc->n", residual, residual)
    return np.asarray(apart * np.exp(left_over / -(_RESIDUAL**2)), np.float32)
