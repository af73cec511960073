"""The immediate answer to an edit: a matte of its surroundings alone.

The result is close to that of the whole picture but not equal, because distant pixels have a small
influence. So it is blended into the shown cut-out, and replaced when the whole is ready. Large
areas are matted at a fraction of their size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.images import Picture
from deepmatte.images.arrays import to_bytes, to_unit
from deepmatte.images.resize import shrink
from deepmatte.matting import Matter
from deepmatte.studio.rectangle import Rectangle
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Trimap

Colours = NDArray[np.uint8]
"""Foreground colours and alpha, not multiplied: (H, W, 4)."""

PIXELS = 300_000
"""As many are matted for an answer, which takes about half a second on two cores."""
REACH = 80
"""Pixels around changed labels that are shown anew."""

# Width of the blend between the new result and the old one, pixels.
_RAMP = 48
# Context for the network around the shown pixels. More takes longer and does not bring the result
# closer to that of the whole picture.
_CONTEXT = 64
# The smallest fraction of the size at which known pixels of both kinds are sought.
_COARSEST_FOR_BOTH = 4
# Rows processed at a time: float copies of the whole picture would cost much memory.
_STRIP = 256


@dataclass(frozen=True, eq=False)
class LocalAnswer:
    """An area and its new pixels: uint8 (h, w, 4)."""

    area: Rectangle
    colours: Colours


def local_answer(
    matter: Matter, picture: Picture, labels: Trimap, shown: Colours | None, changed: Rectangle
) -> LocalAnswer:
    """Matte the surroundings of a change.

    Args:
        matter: the network.
        picture: the whole picture.
        labels: its trimap, uint8 (H, W), with the change; later changes may be included or not.
        shown: uint8 (H, W, 4), the cut-out shown so far, or None.
        changed: where the labels have changed; all of the picture where nothing is shown yet.

    Raises:
        MattingError, MemoryError: as `Matter.__call__`.
    """
    scale, window = _surroundings(labels, changed)
    area = changed.grown(REACH * scale, picture.shape)
    part, known = picture.crop(window.window), labels[window.window].copy()
    colours = _matted(matter, part, known, scale)
    inside = area.moved(-window.left, -window.top).window
    result = np.ascontiguousarray(colours[inside])
    if shown is not None:
        _blend(result, shown[area.window], *_ramps(area, picture.shape, _RAMP * scale))
    return LocalAnswer(area, result)


def _surroundings(labels: Trimap, changed: Rectangle) -> tuple[int, Rectangle]:
    """The fraction of the size at which to matte, and the area.

    As much as `PIXELS` allow at full size or the next fraction; a larger area at a coarser size if
    a kind of known pixels would be missing.
    """
    shape = (labels.shape[0], labels.shape[1])

    def window(scale: int) -> Rectangle:
        return changed.grown((REACH + _CONTEXT) * scale, shape)

    least = 1
    while window(least).pixels > PIXELS * least**2:
        least += 1
    kinds = [kind for kind in (BACKGROUND, FOREGROUND) if (labels == kind).any()]
    for scale in range(least, max(least, _COARSEST_FOR_BOTH) + 1):
        seen = labels[window(scale).window]
        if all((seen == kind).any() for kind in kinds):
            return scale, window(scale)
    return least, window(least)


def _matted(matter: Matter, picture: Picture, labels: Trimap, scale: int) -> Colours:
    """The cut-out of a part of the picture, (h, w, 4)."""
    if scale == 1:
        return np.asarray(matter(picture, labels).cutout())
    height, width = labels.shape
    size = (max(1, height // scale), max(1, width // scale))
    small = shrink(labels, size)
    small[(small != BACKGROUND) & (small != FOREGROUND)] = UNKNOWN
    own = None if picture.alpha is None else shrink(picture.alpha, size)
    matte = matter(Picture(shrink(picture.levels, size), own), small)
    colours = np.asarray(
        cv2.resize(np.asarray(matte.cutout()), (width, height), interpolation=cv2.INTER_LINEAR),
        np.uint8,
    )
    for top in range(0, height, _STRIP):
        rows = slice(top, top + _STRIP)
        _know(colours[rows], labels[rows], picture.crop((rows, slice(None))))
    return colours


def _know(colours: Colours, labels: Trimap, picture: Picture) -> None:
    """Apply the trimap's known pixels at full size."""
    foreground = labels == FOREGROUND
    levels = (
        picture.levels if picture.levels.dtype == np.uint8 else to_bytes(to_unit(picture.levels))
    )
    solid = (
        np.full(labels.shape, 255, np.uint8) if picture.alpha is None else to_bytes(picture.alpha)
    )
    colours[foreground, :3] = levels[foreground]
    colours[foreground, 3] = solid[foreground]
    colours[labels == BACKGROUND, 3] = 0


def _ramps(
    area: Rectangle, shape: tuple[int, int], ramp: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight of the new result, 0..1, for the rows and columns of an area.

    Less towards its edges, except where the picture ends.
    """

    def rise(length: int, starts: bool, ends: bool) -> NDArray[np.float32]:
        at = np.arange(length, dtype=np.float32) + np.float32(0.5)
        counts = np.ones(length, np.float32)
        if not starts:
            counts = np.minimum(counts, at / ramp)
        if not ends:
            counts = np.minimum(counts, at[::-1] / ramp)
        return counts

    return (
        rise(area.height, area.top == 0, area.bottom == shape[0]),
        rise(area.width, area.left == 0, area.right == shape[1]),
    )


def _blend(
    new: Colours, old: Colours, down: NDArray[np.float32], across: NDArray[np.float32]
) -> None:
    """Blend the new result into the old one, in place."""
    for top in range(0, len(new), _STRIP):
        rows = slice(top, top + _STRIP)
        weight = (down[rows, None] * across)[..., None]  # (h, w, 1)
        before = old[rows].astype(np.float32)
        new[rows] = np.rint(before + weight * (new[rows] - before))
