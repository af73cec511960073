"""Finds the edge again around a stroke that adds or removes a part of the subject.

The network works only in the unknown band, so it cannot correct a band in the wrong place. Around
the stroke, subject and background are separated again, by the label of the stroke and by the labels
further away.
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
from deepmatte.trimap.make import usual_width
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Flags, Trimap

# How far from the stroke the edge is looked for first, at most, as a share of the picture's side,
# and how often the search goes on where it was not reached.
_REACH, _LOOKS = 0.15, 3
# The same in brushes: with a fine brush something small is corrected, with a usual one, which is
# 3 % of the side, more is missing than it covers.
_FINE, _USUAL = 1.5, 4.0
_USUAL_BRUSH = 0.03
# What is looked at around that, as a share of the side: the colours of both sides are in it.
_AROUND = 0.1
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
    width = usual_width(side)
    label = FOREGROUND if keep else BACKGROUND
    known_by = np.minimum(distance_to(labels == BACKGROUND), distance_to(labels == FOREGROUND))
    contrary = labels == (BACKGROUND if keep else FOREGROUND)
    if (contrary | (known_by > width))[stroke].mean() < _AGAINST:
        return None
    # What is known is doubted only if the stroke contradicts it.
    free = (labels == UNKNOWN) | (contrary[stroke].mean() >= _AGAINST)
    # What is wholly unknown is looked through as far as it goes.
    vague = (labels == UNKNOWN) & (known_by > width / 2)
    before, away = _subject(labels), distance_to(stroke)
    brush = _thickness(stroke)
    step = min(max(_FINE, _USUAL * brush / (_USUAL_BRUSH * side)) * brush, _REACH * side)
    near = free & ((away <= step) | vague)
    seen = stroke | (labels == label)
    for _ in range(_LOOKS):
        known = contrary & ~near
        like = _divided(levels, seen, known, near, keep, _AROUND * side)
        if like is None:
            return None
        alike = _touching(stroke | (near & like), stroke)
        changed = alike & (before != keep)
        changed = _touching(stroke | changed, stroke) & changed
        # Where it goes on to the edge of what was looked at, so does the search.
        step *= 2
        wider = near | (free & (distance_to(changed) <= step) & (away <= 2 * _REACH * side))
        onward = changed & (distance_to(~near) <= max(2.0, width / 8))
        if not onward.any() or (wider == near).all():
            break
        near, seen = wider, seen | changed
    after = np.where(changed, keep, before)
    result: Trimap = labels.copy()
    # As far as the band along the changed edge reaches.
    beside = distance_to(changed | stroke | (alike & vague)) <= width / 2 + 1
    fresh = trimap.from_mask(after.astype(np.uint8), width=width)
    # What was unknown becomes what the stroke says, or stays so: never the opposite.
    beside &= (labels != UNKNOWN) | (fresh != (BACKGROUND if keep else FOREGROUND))
    result[beside] = fresh[beside]
    result[stroke] = label
    return result


def _divided(
    levels: NDArray[np.generic],
    seen: Flags,
    other: Flags,
    near: Flags,
    keep: bool,
    around: float,
) -> Flags | None:
    """What is like what was seen: (h, w); None if there is nothing else to tell it from.

    Args:
        levels: (h, w, 3).
        seen: what is surely subject where ``keep``, else surely background.
        other: what surely is the other one.
        near: where to look.
        keep: which of them is looked for.
        around: pixels around that in which colours are learnt.
    """
    rows, columns = (np.flatnonzero(near.any(axis=axis)) for axis in (1, 0))
    margin = round(around)
    part = (
        slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
        slice(max(0, columns[0] - margin), columns[-1] + 1 + margin),
    )
    if not other[part].any():
        part = (slice(None), slice(None))
    if not other[part].any():
        return None
    inside, outside = (seen, other & ~seen) if keep else (other & ~seen, seen)
    like = np.zeros(near.shape, np.bool_)
    rgb = open_image(levels[part]).rgb
    like[part] = divide(rgb, outside=outside[part], inside=inside[part]) == keep
    return like


def find_edge(
    levels: NDArray[np.generic], labels: Trimap, stroke: Flags, side: float
) -> Trimap | None:
    """The labels around a stroke along an edge, with a band where the edge is beneath the stroke.

    Args:
        levels: (h, w, 3), the part of the picture around the stroke.
        labels: uint8 (h, w), its trimap without the stroke.
        stroke: bool (h, w), what the stroke covers.
        side: of the whole picture, as for `look_again`.

    Returns:
        uint8 (h, w); None where no edge is found beneath the stroke.
    """
    width = usual_width(side)
    before = _subject(labels)
    near = (distance_to(stroke) <= _REACH * side) & ~stroke
    outside, inside = ~before & near, before & near
    if not outside.any() or not inside.any():
        return None
    rows, columns = (np.flatnonzero((near | stroke).any(axis=axis)) for axis in (1, 0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    after = before.copy()
    found = divide(open_image(levels[part]).rgb, outside=outside[part], inside=inside[part])
    after[part] = np.where(stroke[part], found, before[part])
    if len(np.unique(after[stroke])) < 2:
        return None
    fresh = trimap.from_mask(after.astype(np.uint8), width=width)
    result: Trimap = labels.copy()
    result[stroke] = fresh[stroke]
    # The band is whole where it leaves the stroke.
    result[(distance_to(stroke) <= width / 2) & (fresh == UNKNOWN)] = UNKNOWN
    return result


def _subject(labels: Trimap) -> Flags:
    """What is rather subject than background: unknown pixels go with the nearest known ones."""
    nearer = distance_to(labels == FOREGROUND) < distance_to(labels == BACKGROUND)
    subject: Flags = (labels == FOREGROUND) | ((labels == UNKNOWN) & nearer)
    return subject


def _thickness(stroke: Flags) -> float:
    """Of the widest part, in pixels."""
    return 2 * float(distance_to(~np.pad(stroke, 1)).max())


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
