"""Removes small holes in a trimap's subject and small specks beside it."""

from __future__ import annotations

import cv2
import numpy as np

from deepmatte.types import BACKGROUND, FOREGROUND, Flags, Trimap

# The largest hole, and the largest island, as a share of the subject.
_HOLE, _ISLAND = 0.1, 0.25


def without_holes(labels: Trimap) -> Trimap:
    """The labels with what the subject encloses made subject too, where it is small.

    Unknown pixels belong to a hole that holds background; those along the subject's outer edge
    enclose nothing and stay.
    """
    subject = labels == FOREGROUND
    filled: Trimap = labels.copy()
    enclosed = _parts(~subject, at_most=_HOLE * subject.sum(), inside=True)
    filled[enclosed] = FOREGROUND
    return filled


def without_islands(labels: Trimap) -> Trimap:
    """The labels with everything but the largest parts of the subject made background."""
    subject = labels != BACKGROUND
    kept: Trimap = labels.copy()
    _, _, stats, _ = cv2.connectedComponentsWithStats(subject.astype(np.uint8), connectivity=8)
    largest = max((int(part[cv2.CC_STAT_AREA]) for part in stats[1:]), default=0)
    kept[_parts(subject, at_most=_ISLAND * largest, inside=False)] = BACKGROUND
    return kept


def _parts(mask: Flags, *, at_most: float, inside: bool) -> Flags:
    """The connected parts of a mask that are small, and, if asked for, off the picture's edges."""
    height, width = mask.shape
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    wanted = areas <= at_most
    if inside:
        left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
        right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
        wanted &= (left > 0) & (top > 0) & (right < width) & (bottom < height)
    wanted[0] = False
    return np.asarray(wanted[parts])
