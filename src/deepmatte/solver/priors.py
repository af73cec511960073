"""Hand-made guesses at alpha and colours, given to the network beside picture and trimap.

A small network sees only a small neighbourhood. These channels bring information about the whole
picture to every unknown pixel: the known colours spread inwards, pairs of known colours that
explain a pixel, the alpha of such a pair, and an approximate closed-form matte. All are computed
with NumPy and OpenCV, and all lie in 0..1.

The parts that need the whole picture are computed once, on a limited number of blocks of pixels.
The guesses are then read window by window at full resolution. So memory depends on
the size of the window, not of the picture.

Source (the others are named in sampling.py and closed_form.py):
    Gortler et al., "The Lumigraph", SIGGRAPH 1996: the push-pull pyramid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.images.arrays import to_unit
from deepmatte.solver.closed_form import ALIGNMENT, alpha_of_lines, closed_form_lines
from deepmatte.solver.resample import grow, shrink
from deepmatte.solver.sampling import Side, best_pairs, expand
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Flags, Floats, Trimap, Window

Sides: TypeAlias = Sequence[Floats | None]
"""What was prepared of the known foreground and of the known background."""

CHANNELS: tuple[str, ...] = (
    "alpha_sampled",
    "trust_in_sampled",
    "alpha_closed_form",
    "foreground_red",
    "foreground_green",
    "foreground_blue",
    "background_red",
    "background_green",
    "background_blue",
    "distance_foreground",
    "distance_background",
)

BLOCKS = 300_000
"""Blocks in which all is prepared, at most: they have a pixel a side, in larger pictures two, or
four, ..."""

# Distances fade with this length, in pixels.
_DISTANCE_SCALE = 20.0
# Colour difference (0..1) from which foreground and background count as well apart.
_SEPARATION = 0.2
# Colour difference (0..1) from which a colour is not that of the only known side.
_UNLIKE = 0.07
# Distance of a colour from the line between the two at which trust in the pair fades.
_RESIDUAL = 0.03
# Rows of blocks that are made at a time.
_STRIP = 64
# Channels of what is prepared of a side.
_SPREAD, _SAMPLED, _DISTANCE = slice(0, 3), slice(3, 6), slice(6, 7)


class Priors:
    """The guesses named in `CHANNELS` for one picture.

    Args:
        image: RGB (H, W, 3), uint8, uint16, or float32 in 0..1.
        trimap: uint8 (H, W) of 0 (background), 128 (unknown) and 255 (foreground).
        blocks: the most that are prepared; in larger pictures a block has several pixels.

    Example:
        >>> image, trimap = np.zeros((40, 60, 3), np.float32), np.full((40, 60), 128, np.uint8)
        >>> Priors(image, trimap).read((slice(0, 40), slice(0, 60))).shape
        (11, 40, 60)
    """

    def __init__(self, image: NDArray[Any], trimap: Trimap, blocks: int = BLOCKS) -> None:
        self._image, self._trimap = image, trimap
        scale = 1
        while trimap.size > blocks * scale**2:
            scale *= 2
        self._scale = scale
        picture, known = _blocks(image, trimap, scale)
        labels = _learn(picture, known)
        sides = [Side.of(weighted) for weighted in known]
        # Of each side (7, h, w): spread colours, sampled colours, distance in pixels.
        self._sides = _prepare(picture, labels == UNKNOWN, known, sides, scale)
        self._lines: Floats | None = None
        if any(side is not None for side in sides):
            self._lines = _solve(picture, labels, self._sides)

    def read(self, window: Window, out: Floats | None = None) -> Floats:
        """The guesses within a window that starts at multiples of 32 pixels.

        Args:
            window: rows and columns.
            out: where to write them, or None for an array of their own.

        Returns:
            float32 (len(CHANNELS), h, w), 0..1. At known pixels the alphas are exactly 0 or 1, and
            trusted.
            Where only one side is known, an unknown pixel belongs to the other the more its colour
            differs from that side's; where nothing is known, alpha is 0.5.
        """
        trimap = self._trimap[window]
        picture = _planes(to_unit(self._image[window]))
        if out is None:
            out = np.empty((len(CHANNELS), *trimap.shape), np.float32)
        unknown = trimap == UNKNOWN
        sampled, trust, closed_form = out[:3]
        for alpha in (sampled, closed_form):
            alpha[:] = trimap == FOREGROUND
        trust[:] = 1
        if self._lines is None:
            sampled[unknown] = closed_form[unknown] = 0.5
            trust[unknown] = 0
        else:
            colours = picture.reshape(3, -1).take(np.flatnonzero(unknown), axis=1)  # (3, N)
            lines = self._at(self._lines, window, unknown)
            ends = [
                None if side is None else self._at(side[_SAMPLED], window, unknown)
                for side in self._sides
            ]
            closed_form[unknown] = alpha_of_lines(lines.T, colours.T)
            sampled[unknown] = guess = _by_colours(colours, *ends)
            trust[unknown] = _trust(guess, colours, *ends)
        seen = (FOREGROUND, out[3:6], out[9]), (BACKGROUND, out[6:9], out[10])
        for side, (label, spread, distance) in zip(self._sides, seen, strict=True):
            self._see(side, window, spread, distance)
            known = trimap == label
            np.copyto(spread, picture, where=known)
            distance[known] = 1
        return out

    def _at(self, planes: Floats, window: Window, there: Flags) -> Floats:
        """What was prepared (C, h, w) at some pixels of a window: (C, N)."""
        return np.stack([plane[there] for plane in _magnify(planes, window, self._scale)])

    def _see(self, side: Floats | None, window: Window, spread: Floats, distance: Floats) -> None:
        """Write a side's spread colours (3, h, w) and exp(-distance / 20 px)."""
        if side is None:
            spread[:], distance[:] = 0.5, 0
            return
        for target, plane in zip(spread, _magnify(side[_SPREAD], window, self._scale), strict=True):
            target[:] = plane
        (plane,) = _magnify(side[_DISTANCE], window, self._scale)
        np.divide(plane, np.float32(-_DISTANCE_SCALE), out=distance)
        np.exp(distance, out=distance)


# --- preparing --------------------------------------------------------------------------------


def _blocks(image: NDArray[Any], trimap: Trimap, scale: int) -> tuple[Floats, list[Floats]]:
    """Means of blocks of ``scale`` x ``scale`` pixels.

    The picture is padded with its edge to a multiple of `ALIGNMENT`. It is read strip by strip:
    copies of the whole picture would need the most memory.

    Returns:
        The picture (h, w, 3), and for the known foreground and the known background (h, w, 4): the
        picture times the share that is known, and that share.
    """
    height, width = (-(-side // (scale * ALIGNMENT)) * ALIGNMENT for side in trimap.shape)
    beyond = width * scale - trimap.shape[1]
    pictures: list[Floats] = []
    known: tuple[list[Floats], list[Floats]] = [], []
    for top in range(0, height, _STRIP):
        rows = np.arange(top * scale, min(top + _STRIP, height) * scale)
        rows = np.minimum(rows, len(trimap) - 1)
        size = len(rows) // scale, width
        strip, labels = (
            cv2.copyMakeBorder(array, 0, 0, 0, beyond, cv2.BORDER_REPLICATE)
            for array in (to_unit(image[rows]), trimap[rows])
        )
        pictures.append(shrink(np.asarray(strip, np.float32), size))
        solid = cv2.merge([*cv2.split(strip), np.ones(labels.shape, np.float32)])
        for strips, label in zip(known, (FOREGROUND, BACKGROUND), strict=True):
            there = (labels == label).astype(np.uint8)
            weighted = cv2.copyTo(solid, there, np.zeros_like(solid))
            strips.append(shrink(np.asarray(weighted, np.float32), size))
    return np.concatenate(pictures), [np.concatenate(strips) for strips in known]


def _learn(picture: Floats, known: list[Floats]) -> Trimap:
    """The trimap of blocks (h, w), expanded; what is new there is known in ``known`` then."""
    trimap: Trimap = np.full(picture.shape[:2], UNKNOWN, np.uint8)
    for weighted, label in zip(known, (FOREGROUND, BACKGROUND), strict=True):
        trimap[weighted[..., 3] >= 1] = label
    expanded = expand(picture, trimap)
    for weighted, label in zip(known, (FOREGROUND, BACKGROUND), strict=True):
        new = (expanded == label) & (trimap == UNKNOWN)
        weighted[new, :3], weighted[new, 3] = picture[new], 1
    return expanded


def _prepare(
    picture: Floats, unknown: Flags, known: list[Floats], sides: list[Side | None], scale: int
) -> list[Floats | None]:
    """What is known of each side, see `Priors`; None for a side without known pixels."""
    foreground, background = sides
    sampled: Sequence[Floats | None]
    if foreground is not None and background is not None:
        sampled = best_pairs(picture, unknown, (foreground, background))
    else:
        sampled = [None if side is None else side.nearest() for side in sides]
    return [
        None
        if side is None or colours is None
        else np.stack([*_planes(_spread(weighted)), *colours, side.distance * np.float32(scale)])
        for weighted, side, colours in zip(known, sides, sampled, strict=True)
    ]


def _planes(array: Floats) -> Floats:
    """(h, w, C) as (C, h, w)."""
    return np.asarray(np.stack(cv2.split(array)), np.float32)


def _spread(weighted: Floats) -> Floats:
    """The known colours (h, w, 4) spread smoothly over all (push-pull pyramid): (h, w, 3)."""
    levels = [weighted]
    while max(levels[-1].shape[:2]) > 1:
        height, width = levels[-1].shape[:2]
        levels.append(shrink(levels[-1], ((height + 1) // 2, (width + 1) // 2)))
    filled: Floats = levels[-1][..., :3] / np.maximum(levels[-1][..., 3:], np.float32(1e-12))
    for level in reversed(levels[:-1]):
        filled = grow(filled, level.shape)
        filled = filled * (np.float32(1.0) - level[..., 3:]) + level[..., :3]
    return np.clip(filled, 0.0, 1.0)


def _solve(picture: Floats, trimap: Trimap, sides: Sides) -> Floats:
    """The closed-form matte's lines, of blocks.

    Args:
        picture: (h, w, 3) of blocks.
        trimap: (h, w) of blocks.
        sides: as prepared.

    Returns:
        Lines (4, h, w).
    """
    free = trimap == UNKNOWN
    guess = (trimap == FOREGROUND).astype(np.float32)
    trust = np.zeros(free.shape, np.float32)
    colours = picture[free].T  # (3, N)
    ends = [None if side is None else side[_SAMPLED][:, free] for side in sides]
    guess[free] = alpha = _by_colours(colours, *ends)
    trust[free] = _trust(alpha, colours, *ends)
    return _planes(closed_form_lines(picture, free, guess, trust))


# --- reading ----------------------------------------------------------------------------------


def _magnify(prepared: Floats, window: Window, scale: int) -> Iterator[Floats]:
    """What was prepared (C, h, w), plane by plane enlarged bilinearly, within a window.

    Args:
        prepared: of blocks of ``scale`` x ``scale`` pixels.
        window: of the picture, starts at multiples of ``scale``.
        scale: see there.
    """
    if scale == 1:
        rows, columns = window
        yield from prepared[:, rows, columns]
        return
    around = 1  # neighbour that the interpolation needs
    taken, inside = [], []
    for axis, span in enumerate(window):
        first, last = span.start // scale, -(-span.stop // scale)
        wanted = np.arange(first - around, last + around)
        taken.append(np.clip(wanted, 0, prepared.shape[1 + axis] - 1))
        inside.append(slice(around * scale, around * scale + span.stop - span.start))
    for plane in prepared:
        blocks = plane[taken[0]][:, taken[1]]
        grown = grow(blocks, (blocks.shape[0] * scale, blocks.shape[1] * scale))
        yield grown[inside[0], inside[1], 0]


def _by_colours(colours: Floats, foreground: Floats | None, background: Floats | None) -> Floats:
    """Alpha (N,) of colours (3, N) by projecting them on the line between those of both sides.

    Where a side is missing, alpha rises with the colour's distance from the other side.
    """
    if background is None:
        assert foreground is not None  # one side is known
        return 1 - _by_colours(colours, None, foreground)
    if foreground is None:
        difference = _dot(colours - background, colours - background)
        return np.asarray(1 - np.exp(difference / np.float32(-(_UNLIKE**2))), np.float32)
    line = foreground - background
    alpha = (_dot(colours - background, line) + 5e-5) / (_dot(line, line) + 1e-4)
    return np.asarray(np.clip(alpha, 0.0, 1.0), np.float32)


def _trust(
    alpha: Floats, colours: Floats, foreground: Floats | None, background: Floats | None
) -> Floats:
    """How far (0..1) to trust alphas `_by_colours`: high for distinct colours and a small residual.

    Where a side is missing, a colour that does not differ from the other's may be of either.
    """
    if foreground is None:
        return alpha
    if background is None:
        return 1 - alpha
    line = foreground - background
    residual = colours - background - line * alpha
    separation = _dot(line, line)
    apart = separation / (separation + _SEPARATION**2)
    left_over = _dot(residual, residual)
    return np.asarray(apart * np.exp(left_over / -(_RESIDUAL**2)), np.float32)


def _dot(first: Floats, second: Floats) -> Floats:
    """Sums over the colour of (3, N): (N,)."""
    products = first * second
    sums: Floats = products[0] + products[1] + products[2]
    return sums
