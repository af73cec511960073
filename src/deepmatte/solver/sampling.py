"""Pairs of known colours that explain unknown pixels, found for all pixels at once.

Sources:
    Shahrian et al., "Improving Image Matting Using Comprehensive Sampling Sets", CVPR 2013: what
    looks like a known pixel nearby is of its kind (section 3.1).
    Gastal and Oliveira, "Shared Sampling for Real-Time Alpha Matting", Eurographics 2010: known
    pixels in several directions, the best pair of them, and what neighbours found.
    Barnes et al., "PatchMatch", SIGGRAPH 2009: good finds spread from pixel to pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.types import UNKNOWN, Flags, Floats, Trimap

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
_FURTHER: Offsets = ((25, 25), (25, -25), (-25, -25), (-25, 25))
_FOUND: Offsets = ((2, 2), (2, -2), (-2, -2), (-2, 2))
# So near to known pixels, in pixels, those of further away are tried: deep in a wide band many
# pairs explain a colour, and the more are tried, the more often a wrong one does.
_CLOSE = 8
# Rows, and unknown pixels, that are worked on at a time: what stays in the processor's cache.
_STRIP = 64
_CHUNK = 16384


def expand(picture: Floats, trimap: Trimap) -> Trimap:
    """The trimap (h, w), in which what looks like a known pixel nearby is known too.

    Args:
        picture: (h, w, 3), 0..1.
        trimap: (h, w). An unknown pixel takes the label of the nearest known one of its colour.
    """
    # Nothing can be like what is unknown, or beyond the picture.
    height, width = trimap.shape
    here = slice(_NEAR, _NEAR + height), slice(_NEAR, _NEAR + width)
    labels: Trimap = np.full((height + 2 * _NEAR, width + 2 * _NEAR), UNKNOWN, np.uint8)
    labels[here] = trimap
    unknown = labels == UNKNOWN
    near = cv2.dilate((~unknown[here]).astype(np.uint8), np.ones((2 * _NEAR + 1,) * 2, np.uint8))
    rows, columns = np.nonzero(unknown[here] & np.asarray(near, np.bool_))
    waiting = (rows + _NEAR) * labels.shape[1] + columns + _NEAR
    own = [colour[rows, columns] for colour in cv2.split(picture)]
    around = cv2.copyMakeBorder(picture, *4 * (_NEAR,), cv2.BORDER_CONSTANT)
    planes = [plane.ravel() for plane in cv2.split(around)]
    for plane in planes:
        plane[unknown.ravel()] = 9
    found = labels.ravel()
    for down, right in _DISC:
        there = waiting + (down * labels.shape[1] + right)
        red, green, blue = (
            np.square(plane[there] - colour) for plane, colour in zip(planes, own, strict=True)
        )
        alike = red + green + blue < _ALIKE**2
        found[waiting[alike]] = found[there[alike]]
        waiting, own = waiting[~alike], [colour[~alike] for colour in own]
    return labels[here]


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
        nearest: Places = place_of[labels.ravel()]
        return cls(colours, nearest, np.asarray(distance, np.float32))

    def nearest(self) -> Floats:
        """The colour of the nearest known pixel, for each pixel, (3, h, w)."""
        return self.at(self.places)

    def at(self, places: Places) -> Floats:
        """The colours at places (h * w,), as (3, h, w)."""
        found: Floats = self.colours.take(places, axis=1)
        return found.reshape(3, *self.distance.shape)


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
    planes = [np.asarray(plane, np.float32) for plane in cv2.split(picture)]
    foreground, background = sides
    everywhere = np.flatnonzero(unknown)
    nearest = np.minimum(foreground.distance, background.distance).take(everywhere)
    close = everywhere[nearest <= _CLOSE]
    found = [side.places.copy() for side in sides]
    for offsets, wanted in ((_NEAREST, everywhere), (_FURTHER, close), (_FOUND, everywhere)):
        sources = [places.copy() for places in found]
        for start in range(0, len(wanted), _CHUNK):
            own = wanted[start : start + _CHUNK]
            rows, columns = np.divmod(own, width)
            there = [
                np.clip(rows + down, 0, height - 1) * width + np.clip(columns + right, 0, width - 1)
                for down, right in offsets
            ]
            candidates = [
                np.stack([places[own], *(source.take(place) for place in there)])
                for places, source in zip(found, sources, strict=True)
            ]
            colours = [plane.take(own) for plane in planes]
            best = _best(candidates, sides, colours, own, width)
            for places, chosen in zip(found, best, strict=True):
                places[own] = chosen
    return foreground.at(found[0]), background.at(found[1])


def _best(
    candidates: list[Places],
    sides: tuple[Side, Side],
    colours: Sequence[Floats],
    own: Places,
    width: int,
) -> list[Places]:
    """The best pair for each pixel, (n,), of candidates (K, n) on each side."""
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
    foreground, background = (sum(plane * plane for plane in end) for end in ends)  # (K, n)
    least = np.full(len(own), np.inf, np.float32)
    best = [places[0].copy() for places in candidates]
    # One pair for all pixels at a time, in the same memory: what is larger leaves the cache.
    dot, fall, cost = (np.empty_like(least) for _ in range(3))
    for first, second in np.ndindex(len(foreground), len(background)):
        # Seen from the pixel's own colour, |a F + (1 - a) B|^2 is least at
        # a = (B.B - F.B) / |F - B|^2.
        np.multiply(ends[0][0][first], ends[1][0][second], out=dot)
        for channel in (1, 2):
            dot += np.multiply(ends[0][channel][first], ends[1][channel][second], out=cost)
        np.subtract(background[second], dot, out=fall)
        length = np.subtract(foreground[first], dot, out=cost)
        length += fall
        length += np.float32(1e-4)
        alpha = np.divide(fall, length, out=dot)
        np.clip(alpha, 0, 1, out=alpha)
        # B.B + a (a |F - B|^2 - 2 (B.B - F.B))
        cost *= alpha
        cost -= fall
        cost -= fall
        cost *= alpha
        cost += background[second]
        np.sqrt(np.maximum(cost, 0, out=cost), out=cost)
        cost += far[0][first]
        cost += far[1][second]
        better = cost < least
        np.minimum(cost, least, out=least)
        for chosen, places in zip(best, (candidates[0][first], candidates[1][second]), strict=True):
            np.copyto(chosen, places, where=better)
    return best


def _row_and_column(places: Places, width: int) -> tuple[Floats, Floats]:
    """Of places in a picture of a width; 32 bits, for which division is fast."""
    narrow = places.astype(np.int32)
    rows = narrow // np.int32(width)
    return rows.astype(np.float32), (narrow - rows * np.int32(width)).astype(np.float32)
