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
    # Nothing can be like what is unknown, or beyond the picture.
    labels = cv2.copyMakeBorder(trimap, *4 * (_NEAR,), cv2.BORDER_CONSTANT, value=UNKNOWN)
    unknown = labels == UNKNOWN
    near = cv2.dilate((~unknown).astype(np.uint8), np.ones((2 * _NEAR + 1,) * 2, np.uint8))
    inside = cv2.copyMakeBorder(np.ones_like(trimap), *4 * (_NEAR,), cv2.BORDER_CONSTANT)
    around = cv2.copyMakeBorder(picture, *4 * (_NEAR,), cv2.BORDER_CONSTANT)
    planes = [plane.ravel() for plane in cv2.split(around)]
    waiting = np.flatnonzero(unknown & (near & inside).astype(bool))
    own = [plane[waiting] for plane in planes]
    for plane in planes:
        plane[unknown.ravel()] = 9
    found = labels.ravel()
    for down, right in _DISC:
        there = waiting + (down * labels.shape[1] + right)
        difference = sum(
            np.square(plane[there] - colour) for plane, colour in zip(planes, own, strict=True)
        )
        alike = difference < _ALIKE**2
        found[waiting[alike]] = found[there[alike]]
        waiting, own = waiting[~alike], [colour[~alike] for colour in own]
    here = slice(_NEAR, -_NEAR)
    return labels[here, here]


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
        colours: (3, h * w), around each known pixel the mean of the known colours.
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
        *means, share = (plane.ravel() for plane in cv2.split(cv2.blur(weighted, (3, 3))))
        np.maximum(share, np.float32(1e-6), out=share)
        colours = np.stack([np.minimum(mean / share, 1) for mean in means])
        return cls(colours, place_of.take(labels.ravel()), np.asarray(distance, np.float32))

    def nearest(self) -> Floats:
        """Of each pixel the colour of the nearest known one, (3, h, w)."""
        return self.at(self.places)

    def at(self, places: Places) -> Floats:
        """Of each pixel the colour at a place (h * w,), (3, h, w)."""
        return self.colours.take(places, axis=1).reshape(3, *self.distance.shape)


def best_pairs(picture: Floats, unknown: Flags, sides: tuple[Side, Side]) -> tuple[Floats, Floats]:
    """Colours of foreground and background, (3, h, w) each, whose mixtures the unknown pixels are.

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
    colours = picture[unknown].T.copy()  # (3, N)
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
            best = _best(candidates, sides, colours[:, part], own[part], width)
            for places, chosen in zip(found, best, strict=True):
                places[own[part]] = chosen
    foreground, background = (
        side.at(places) for side, places in zip(sides, found, strict=True)
    )
    return foreground, background


def _best(
    candidates: list[Places], sides: tuple[Side, Side], colours: Floats, own: Places, width: int
) -> list[Places]:
    """Of the candidates (K, n) on either side those (n,) that make the best pair of each pixel."""
    ends, far = [], []
    row, column = _row_and_column(own, width)
    for places, side in zip(candidates, sides, strict=True):
        ends.append(
            [
                plane.take(places) - colour
                for plane, colour in zip(side.colours, colours, strict=True)
            ]
        )
        there = _row_and_column(places, width)
        away = np.sqrt(np.square(there[0] - row) + np.square(there[1] - column))
        far.append(away * (np.float32(_FAR) / np.maximum(side.distance.take(own), 1)))
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


def _row_and_column(places: Places, width: int) -> tuple[Floats, Floats]:
    """Of places in a picture of a width; 32 bits, for which division is fast."""
    narrow = places.astype(np.int32)
    rows = narrow // np.int32(width)
    return rows.astype(np.float32), (narrow - rows * np.int32(width)).astype(np.float32)
