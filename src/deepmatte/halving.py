"""Half the size: pictures are matted there, and wide bands narrowed.

At half the size a network sees twice as far for a quarter of the work. The colours of the full size
carry alpha there: around each pixel it is a linear function of them (He and Sun, "Fast Guided
Filter", 2015).

A network sees only so many pixels around one. In a band that is wider it cannot tell a hole between
branches from the branch, and most of its work goes into pixels that a glance would settle. So a
wide band is matted at half of that size first, itself narrowed in the same way, and only what is
soft there, or near it, stays unknown. Where half would be too little to see anything, the first
look is at the same size as the second.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.laplacian import alpha_of_lines, grow, lines_of
from deepmatte.pixels import to_unit
from deepmatte.trimap import BACKGROUND, FOREGROUND, UNKNOWN, Trimap

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

SMALLEST = 200
"""Pictures whose shorter side would be less than this, in pixels, are not halved: what a glance at
so few pixels settles is often wrong."""

# Distance, in pixels of a first look, from any known one at which a band is a wide one.
_WIDE = 14
# How far, in those pixels, it reaches from there.
_REACH = 10
# Bands are wide where more than this share of what is unknown lies in such: a first look at less is
# not worth its time. Where that look is as large as the second, it takes more.
_MUCH, _MOST = 0.35, 0.6
# Alpha this close to 0 or 1 is not soft.
_SOFT = 0.04
# Distance, in those pixels, from anything soft at which a pixel is settled.
_MARGIN = 1.5
# Where more of a band than this share is soft and alike all around, closer than this, something is
# translucent: glass, smoke, a veil. Hair and meshes change from pixel to pixel. What a glance takes
# for settled there is often a faint part of the same thing.
_TRANSLUCENT = 0.06
_EVEN = 0.1
# Alpha so near to 0 or 1 is that: the colours' noise would make a haze of it. From this far away,
# beyond that, all of alpha comes from the colours.
_PLAIN, _RISE = 0.01, 0.05
# Rows of the halved picture that are worked on at a time: copies of all of it would cost memory,
# and time, where they leave the processor's cache.
_STRIP = 128
# Pixels around one, in the halved picture, that its line at full size depends on.
_AROUND = 2


def halve(image: NDArray[Any], trimap: Trimap) -> tuple[Floats, Trimap]:
    """Picture, as floats in 0..1, and trimap at half the size, rounded up.

    Args:
        image: (H, W, 3), uint8, uint16, or float32 in 0..1.
        trimap: (H, W). Half the size a pixel is known where all that it stands for are.
    """
    height, width = ((side + 1) // 2 for side in trimap.shape)
    small = np.empty((height, width, 3), np.float32)
    labels: Trimap = np.full((height, width), UNKNOWN, np.uint8)
    for top in range(0, height, _STRIP):
        rows = slice(2 * top, 2 * (top + _STRIP))
        known = _even(trimap[rows])
        here = slice(top, top + len(known) // 2)
        small[here] = _halve(to_unit(image[rows]))
        four = [known[row::2, column::2] for row in (0, 1) for column in (0, 1)]
        for label in (BACKGROUND, FOREGROUND):
            labels[here][np.logical_and.reduce([part == label for part in four])] = label
    return small, labels


def _halve(array: NDArray[Any]) -> NDArray[Any]:
    """Alpha (H, W), or colours (H, W, 3), at half the size, rounded up."""
    even = _even(array)
    return cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA)


def _even(array: NDArray[Any]) -> NDArray[Any]:
    """An array with an even number of rows and columns: the last are repeated."""
    rows, columns = (side % 2 for side in array.shape[:2])
    return cv2.copyMakeBorder(array, 0, rows, 0, columns, cv2.BORDER_REPLICATE)


def wide(trimap: Trimap, smaller: bool = True) -> Flags:
    """Which unknown pixels of the trimap of a first look lie in wide bands, (h, w).

    None do where that were few of all.

    Args:
        trimap: (h, w).
        smaller: whether the first look is smaller than the second.
    """
    unknown = trimap == UNKNOWN
    core = _distance(~unknown) > _WIDE
    if not core.any():
        return core
    found: Flags = unknown & (_distance(core) < _REACH)
    if found.sum() <= (_MUCH if smaller else _MOST) * unknown.sum():
        return np.zeros_like(found)
    return found


def narrowed(trimap: Trimap, alpha: Floats, wanted: Flags) -> Trimap:
    """The trimap with those pixels known that a first look settles.

    Args:
        trimap: (H, W).
        alpha: (h, w), 0..1, at half the size, or at this one.
        wanted: (h, w), where alpha counts.
    """
    change = cv2.morphologyEx(alpha, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    between = (alpha > _SOFT) & (alpha < 1 - _SOFT)
    soft = between | (change > 0.5)
    settled = wanted & (_distance(soft) > _MARGIN)
    if (trimap == FOREGROUND).any() and (trimap == BACKGROUND).any():  # else all is soft at first
        settled &= ~_translucent(wanted, between & (change < _EVEN))
    labels: Trimap = np.full(alpha.shape, UNKNOWN, np.uint8)
    labels[settled] = np.where(alpha[settled] > 0.5, FOREGROUND, BACKGROUND)
    if labels.shape != trimap.shape:
        height, width = trimap.shape
        labels = labels.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
    np.copyto(labels, trimap, where=trimap != UNKNOWN)
    return labels


def _translucent(wanted: Flags, evenly: Flags) -> Flags:
    """The connected parts (h, w) of the wanted pixels of which too many are evenly soft."""
    count, parts = cv2.connectedComponents(wanted.astype(np.uint8))
    pixels, soft = (np.bincount(parts[of], minlength=count) for of in (wanted, wanted & evenly))
    found: Flags = (soft > _TRANSLUCENT * pixels)[parts]
    return found


def carry(
    coarse: Floats | None,
    image: NDArray[Any],
    wanted: Flags,
    alpha: Floats,
    small: Floats | None = None,
) -> None:
    """Write alpha (H, W) at the wanted pixels, from alpha at half the size, by the colours.

    Args:
        coarse: (h, w), alpha at half the size, 0..1; None where ``alpha`` is there already: that is
            halved then.
        image: (H, W, 3), the picture.
        wanted: (H, W).
        alpha: (H, W), float32, 0..1.
        small: (h, w, 3), the picture as `halve` made it, or None: it is halved here.
    """
    fine = coarse is None
    if coarse is None:
        _settle(alpha, out=alpha)
        coarse = _halve(alpha)
    else:
        coarse = _settle(coarse, out=np.empty_like(coarse))
    for top in range(0, len(coarse), _STRIP):
        rows = slice(2 * top, 2 * (top + _STRIP))
        columns = np.flatnonzero(wanted[rows].any(axis=0))
        if not columns.size:
            continue
        left, right = int(columns[0]) // 2 * 2, int(columns[-1]) + 1
        here = rows, slice(left, right)
        first = max(0, top - _AROUND), max(0, left // 2 - _AROUND)
        last = top + _STRIP + _AROUND, (right + 1) // 2 + _AROUND
        around = slice(first[0], last[0]), slice(first[1], last[1])
        if small is None:
            twice = tuple(slice(2 * span.start, 2 * span.stop) for span in around)
            colours = _halve(to_unit(image[twice]))
        else:
            colours = small[around]
        lines = lines_of(colours, coarse[around])
        size = 2 * lines.shape[0], 2 * lines.shape[1]
        down, across = 2 * (top - first[0]), left - 2 * first[1]
        at = wanted[here]
        height, width = at.shape
        inside = slice(down, down + height), slice(across, across + width)
        carried = alpha_of_lines(grow(lines, size)[inside][at], to_unit(image[here][at]))
        plain = alpha[here][at] if fine else grow(coarse[around], size)[inside][at][:, 0]
        # Little by little, or else a tile's least difference would be seen.
        softness = np.clip(np.minimum(plain, 1 - plain) / np.float32(_RISE), 0, 1)
        alpha[here][at] = plain + softness * (carried - plain)


def _settle(alpha: Floats, out: Floats) -> Floats:
    """Alpha, stretched so that what nearly is 0 or 1 is exactly that."""
    np.subtract(alpha, np.float32(_PLAIN), out=out)
    out *= np.float32(1 / (1 - 2 * _PLAIN))
    return np.clip(out, 0, 1, out=out)


def _distance(there: Flags) -> Floats:
    """From each pixel to the nearest of some; far where there are none."""
    distance = cv2.distanceTransform((~there).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(distance, np.float32)
