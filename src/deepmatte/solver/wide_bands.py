"""Wide bands of unknown pixels: where they are, and which pixels a first look settles.

A network has a limited receptive field. In the middle of a wider band it cannot tell a hole between
branches from a branch, and most of its work goes into easy pixels. So a wide band is first matted
at half the size, where it may be narrowed in the same way. Only pixels that are soft in this first
look, or near soft ones, stay unknown. Where half the size would be too small, the first
look is at the same size as the second.
"""

from __future__ import annotations

import cv2
import numpy as np

from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Flags, Floats, Trimap

SMALLEST = 200
"""Pictures whose shorter side would be less than this, in pixels, are not halved: what a glance at
so few pixels settles is often wrong."""
# Distance, in pixels of a first look, from any known one at which a band is a wide one.
_WIDE = 14
# How far, in those pixels, it reaches from there.
_REACH = 10
# Bands are wide where more than this share of what is unknown lies in such: a first look at less is
# not worth its time. Where that look is as large as the second, it takes more.
WORTH_HALF, WORTH_WHOLE = 0.35, 0.6
# Alpha this close to 0 or 1 is not soft.
_SOFT = 0.04
# Distance, in those pixels, from anything soft at which a pixel is settled.
_MARGIN = 1.5
# Where more of a band than this share is soft and alike all around, closer than this, something is
# translucent: glass, smoke, a veil. Hair and meshes change from pixel to pixel. What a glance takes
# for settled there is often a faint part of the same thing.
_TRANSLUCENT = 0.06
_EVEN = 0.1


def is_halved(shape: tuple[int, ...]) -> bool:
    """Whether a picture of this shape is large enough to be halved."""
    return min(shape) >= 2 * SMALLEST


def wide(trimap: Trimap, least_share: float) -> Flags:
    """Which unknown pixels of the trimap of a first look lie in wide bands, (h, w).

    Args:
        trimap: (h, w).
        least_share: where no more than this share of the unknown pixels lies in wide bands, none
            do: `WORTH_HALF` for a first look at half the size, `WORTH_WHOLE` for one at the same.
    """
    unknown = trimap == UNKNOWN
    core = _distance(~unknown) > _WIDE
    if not core.any():
        return core
    found: Flags = unknown & (_distance(core) < _REACH)
    if found.sum() <= least_share * unknown.sum():
        return np.zeros_like(found)
    return found


def narrowed(trimap: Trimap, alpha: Floats, wanted: Flags) -> Trimap:
    """The trimap in which the pixels that a first look settles are known.

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
    """Connected parts (h, w) of the wanted pixels in which too many are evenly soft."""
    count, parts = cv2.connectedComponents(wanted.astype(np.uint8))
    pixels, soft = (np.bincount(parts[of], minlength=count) for of in (wanted, wanted & evenly))
    found: Flags = (soft > _TRANSLUCENT * pixels)[parts]
    return found


def _distance(there: Flags) -> Floats:
    """The distance of each pixel to the nearest one of a mask; large for an empty mask."""
    distance = cv2.distanceTransform((~there).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(distance, np.float32)
