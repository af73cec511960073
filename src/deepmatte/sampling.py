"""Pairs of known colours that explain unknown pixels, found for all pixels at once.

Sources:
    Shahrian et al., "Improving Image Matting Using Comprehensive Sampling Sets", CVPR 2013: what
    looks like a known pixel nearby is of its kind (section 3.1).
    Gastal and Oliveira, "Shared Sampling for Real-Time Alpha Matting", Eurographics 2010: known
    pixels in several directions, the best pair of them, and what neighbours found.
    Barnes et al., "PatchMatch", SIGGRAPH 2009: good finds spread from pixel to pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.trimap import UNKNOWN, Trimap

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
Offsets: TypeAlias = tuple[tuple[int, int], ...]
"""Rows down and columns to the right."""

# A pixel is of the kind of a known one that is so near, in pixels, and differs so little in colour.
_NEAR = 3
_ALIKE = 0.02
# What a colour costs that lies as far as the nearest one, in terms of what a pair's mixture misses.
_FAR = 0.005
# Where candidates come from: the known pixels nearest to these places, then what was found there.
_NEAREST: Offsets = ((14, 14), (14, -14), (-14, -14), (-14, 14))
_FOUND: Offsets = ((2, 2), (2, -2), (-2, -2), (-2, 2))
# Rows, and unknown pixels, that are worked on at a time: what stays in the processor's cache.
_STRIP = 64
_CHUNK = 4096


def expand(picture: Floats, trimap: Trimap) -> Trimap:
    """The trimap (h, w), in which what looks like a known pixel nearby is known too.

    Args:
        picture: (h, w, 3), 0..1.
        trimap: (h, w). An unknown pixel takes the label of the nearest known one of its colour.
    """
    result: Trimap = trimap.copy()
    rows, columns = (np.flatnonzero((trimap == UNKNOWN).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return result
    # Nothing can be like what is unknown, or beyond the picture.
    around = cv2.copyMakeBorder(picture, *4 * (_NEAR,), cv2.BORDER_CONSTANT)
    labels = cv2.copyMakeBorder(trimap, *4 * (_NEAR,), cv2.BORDER_CONSTANT, value=UNKNOWN)
    around[labels == UNKNOWN] = 9
    planes = cv2.split(around)
    across = slice(int(columns[0]), int(columns[-1]) + 1)
    for top in range(int(rows[0]), int(rows[-1]) + 1, _STRIP):
        here = slice(top, min(top + _STRIP, int(rows[-1]) + 1)), across
        own, waiting = cv2.split(picture[here]), trimap[here] == UNKNOWN
        for offset in _DISC:
            there = tuple(
                slice(span.start + _NEAR + by, span.stop + _NEAR + by)
                for span, by in zip(here, offset, strict=True)
            )
            difference = np.zeros(waiting.shape, np.float32)
            for plane, colour in zip(planes, own, strict=True):
                difference += np.square(plane[there] - colour)
            alike = waiting & (difference < _ALIKE**2)
            np.copyto(result[here], labels[there], where=alike)
            waiting ^= alike
    return result


# Nearest first.
_DISC = sorted(
    (
        (down, right)
        for down in range(-_NEAR, _NEAR + 1)
        for right in range(-_NEAR, _NEAR + 1)
        if 0 < down**2 + right**2 <= _NEAR**2
    ),
    key=lambda offset: offset[0] ** 2 + offset[1] ** 2,
)


@dataclass(frozen=True)
class Side:
    """The known foreground, or the known background.

    Attributes:
        colours: (h * w, 3), around each known pixel the mean of the known colours.
        places: (h * w,), of the known pixel that is nearest to each pixel.
        distance: (h, w), pixels to there.
    """

    colours: Floats
    places: Places
    distance: Floats

    @classmethod
    def of(cls, weighted: Floats) -> Side | None:
        """From colours times the share that is known, and that share, (h, w, 4); None if it is 0.

        Pixels that are known in part count as known.
        """
        known = weighted[..., 3] > 0
        if not known.any():
            return None
        distance, labels = cv2.distanceTransformWithLabels(
            (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        place_of = np.zeros(int(labels.max()) + 1, np.intp)
        place_of[labels[known]] = np.flatnonzero(known)
        means = np.asarray(cv2.blur(weighted, (3, 3)), np.float32).reshape(-1, 4)
        colours = np.clip(means[:, :3] / np.maximum(means[:, 3:], np.float32(1e-6)), 0, 1)
        return cls(colours, place_of[labels.ravel()], np.asarray(distance, np.float32))

    def nearest(self) -> Floats:
        """Of each pixel the colour of the nearest known one, (h, w, 3)."""
        return self.colours[self.places].reshape(*self.distance.shape, 3)


def best_pairs(picture: Floats, unknown: Flags, sides: tuple[Side, Side]) -> tuple[Floats, Floats]:
    """Colours of foreground and background, (h, w, 3) each, whose mixtures the unknown pixels are.

    Of some known pixels on both sides the pair that fits best: the pixel's colour lies near the
    line between theirs, and they are near. Pixels that are known get the nearest of either side.

    Args:
        picture: (h, w, 3), 0..1.
        unknown: (h, w).
        sides: foreground and background.
    """
    height, width = unknown.shape
    rows, columns = np.nonzero(unknown)
    own = rows * width + columns
    colours = picture.reshape(-1, 3)[own]
    found = [side.places.copy() for side in sides]
    for offsets in (_NEAREST, _FOUND):
        sources = [places.copy() for places in found]
        for start in range(0, len(own), _CHUNK):
            part = slice(start, start + _CHUNK)
            there = [
                np.clip(rows[part] + down, 0, height - 1) * width
                + np.clip(columns[part] + right, 0, width - 1)
                for down, right in offsets
            ]
            candidates = [
                np.stack([places[own[part]], *(source[place] for place in there)])
                for places, source in zip(found, sources, strict=True)
            ]
            best = _best(candidates, sides, colours[part], own[part], width)
            for places, chosen in zip(found, best, strict=True):
                places[own[part]] = chosen
    foreground, background = (
        side.colours[places].reshape(height, width, 3)
        for side, places in zip(sides, found, strict=True)
    )
    return foreground, background


def _best(
    candidates: list[Places], sides: tuple[Side, Side], colours: Floats, own: Places, width: int
) -> list[Places]:
    """Of the candidates (K, n) on either side those (n,) that make the best pair of each pixel."""
    ends, far = [], []
    for places, side in zip(candidates, sides, strict=True):
        ends.append([side.colours[places, channel] - colours[:, channel] for channel in range(3)])
        down, right = (
            there - here
            for there, here in zip(np.divmod(places, width), np.divmod(own, width), strict=True)
        )
        away = np.sqrt((down * down + right * right).astype(np.float32))
        far.append(np.float32(_FAR) * away / np.maximum(side.distance.ravel()[own], 1))
    # Seen from the pixel's own colour, |a F + (1 - a) B|^2 is least at a = (B.B - F.B) / |F - B|^2.
    (red, green, blue), others = ends[0], ends[1]
    dots = red[:, None] * others[0] + green[:, None] * others[1] + blue[:, None] * others[2]
    foreground, background = (sum(plane * plane for plane in end) for end in ends)  # (K, n)
    fall = background - dots
    length = foreground[:, None] - dots + fall + np.float32(1e-4)
    alpha = np.clip(fall / length, 0, 1)
    missed = np.maximum(background + alpha * (alpha * length - 2 * fall), 0)
    costs = np.sqrt(missed) + far[0][:, None] + far[1]  # (K, K, n)
    index = costs.reshape(-1, len(own)).argmin(axis=0)
    pixels = np.arange(len(own))
    return [
        places[which, pixels]
        for places, which in zip(candidates, np.divmod(index, len(candidates[1])), strict=True)
    ]
