"""Looks again for the edge around a stroke that says that something is missing, or too much.

The network finds out what lies in the unknown band, so a band in the wrong place cannot be cured by
it. Around the stroke the subject is divided from its surroundings anew, by what the stroke says and
by the labels further away.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte import trimap
from deepmatte.images import open_image
from deepmatte.trimap import distance_to
from deepmatte.trimap.grabcut import divide
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Flags, Trimap

# How far from the stroke the edge is looked for, as a share of the picture's side.
_REACH = 0.15
# The least share of the stroke that contradicts what is known, so that it is worth a look.
_AGAINST = 0.1


def look_again(
    levels: NDArray[np.generic], labels: Trimap, stroke: Flags, keep: bool, side: float
) -> Trimap | None:
    """The labels around a stroke, with the edge where it is by the stroke.

    Args:
        levels: (h, w, 3), the part of the picture around the stroke.
        labels: uint8 (h, w), its trimap without the stroke.
        stroke: bool (h, w), what the stroke covers.
        keep: whether it marks the subject; else the background.
        side: of the whole picture, the geometric mean of height and width, in pixels.

    Returns:
        uint8 (h, w), with the stroke; None where the stroke only says what was known, or narrows
        the unknown band.
    """
    width = max(2.0, trimap.BAND * side)
    label = FOREGROUND if keep else BACKGROUND
    known_by = np.minimum(distance_to(labels == BACKGROUND), distance_to(labels == FOREGROUND))
    against = (labels == (BACKGROUND if keep else FOREGROUND)) | (known_by > width)
    if against[stroke].mean() < _AGAINST:
        return None
    away = distance_to(stroke)
    # What is wholly unknown is looked through as far as it goes.
    near = (away <= _REACH * side) | ((labels == UNKNOWN) & (known_by > width))
    before = _subject(labels)
    if keep:
        outside, inside = (labels == BACKGROUND) & ~near, (labels == FOREGROUND) | stroke
    else:
        outside, inside = (labels == BACKGROUND) | stroke, (labels == FOREGROUND) & ~near
    if not outside.any() or not inside.any():
        return None
    found = divide(open_image(levels).rgb, outside=outside & ~inside, inside=inside)
    changed = stroke | (near & (found & ~before if keep else before & ~found))
    changed = _touching(changed, stroke) & (before != keep)
    after = np.where(changed, keep, before)
    result: Trimap = labels.copy()
    # As far as the band along the changed edge reaches.
    beside = distance_to(changed | stroke) <= width / 2 + 1
    fresh = trimap.from_mask(after.astype(np.uint8), width=width)
    # What was unknown becomes what the stroke says, or stays so: never the opposite.
    beside &= (labels != UNKNOWN) | (fresh != (BACKGROUND if keep else FOREGROUND))
    result[beside] = fresh[beside]
    result[stroke] = label
    return result


def _subject(labels: Trimap) -> Flags:
    """What is rather subject than background: unknown pixels go with the nearest known ones."""
    nearer = distance_to(labels == FOREGROUND) < distance_to(labels == BACKGROUND)
    subject: Flags = (labels == FOREGROUND) | ((labels == UNKNOWN) & nearer)
    return subject


def _touching(mask: Flags, stroke: Flags) -> Flags:
    """The connected parts of a mask that the stroke touches."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    touched = np.zeros(int(parts.max()) + 1, np.bool_)
    touched[np.unique(np.asarray(parts)[stroke])] = True
    touched[0] = False
    return np.asarray(touched[parts])


def side_of(shape: tuple[int, int]) -> float:
    """The geometric mean of a picture's height and width, in pixels."""
    return math.sqrt(shape[0] * shape[1])
