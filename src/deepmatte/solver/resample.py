"""Resizes the inputs and outputs of the networks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.images import resize
from deepmatte.images.arrays import to_unit
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Floats, Trimap

# Rows of the halved picture that are worked on at a time: copies of all of it would cost memory,
# and time, where they leave the processor's cache.
_STRIP = 128


def halve(image: NDArray[Any], trimap: Trimap) -> tuple[Floats, Trimap]:
    """Picture, as floats in 0..1, and trimap at half the size, rounded up.

    Args:
        image: (H, W, 3), uint8, uint16, or float32 in 0..1.
        trimap: (H, W). A halved pixel is known only if all its four pixels agree.
    """
    height, width = ((side + 1) // 2 for side in trimap.shape)
    small = np.empty((height, width, 3), np.float32)
    labels: Trimap = np.full((height, width), UNKNOWN, np.uint8)
    for top in range(0, height, _STRIP):
        rows = slice(2 * top, 2 * (top + _STRIP))
        known = resize.even(trimap[rows])
        here = slice(top, top + len(known) // 2)
        small[here] = resize.half(to_unit(image[rows]))
        four = [known[row::2, column::2] for row in (0, 1) for column in (0, 1)]
        for label in (BACKGROUND, FOREGROUND):
            labels[here][np.logical_and.reduce([part == label for part in four])] = label
    return small, labels


def enlarge(image: NDArray[Any], trimap: Trimap, times: float) -> tuple[NDArray[Any], Trimap]:
    """Picture (bicubic) and trimap (nearest) with sides ``times`` as long, at least 1.

    Args:
        image: (H, W, 3), uint8, uint16, or float32 in 0..1; so is the result.
        trimap: (H, W).
        times: at least 1.
    """
    size = tuple(round(side * times) for side in trimap.shape)
    labels = cv2.resize(trimap, size[::-1], interpolation=cv2.INTER_NEAREST)
    return resize.fit(image, size), np.asarray(labels, np.uint8)


def shrink(array: Floats, size: tuple[int, int]) -> Floats:
    """Area mean of an array at another (height, width); itself where that is its own."""
    return array if array.shape[:2] == size else np.asarray(resize.shrink(array, size), np.float32)


def grow(array: Floats, shape: tuple[int, ...]) -> Floats:
    """Enlarge an array (H, W, C) bilinearly to the height and width of a shape."""
    grown = cv2.resize(array, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown, np.float32).reshape(shape[0], shape[1], -1)
