"""Upsamples alpha from half the size to full size with a guided filter.

Around each pixel alpha is a linear function of the colours (He and Sun, "Fast Guided Filter",
2015): its slopes are found at half the size and applied to the colours of the full size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.images.arrays import to_unit
from deepmatte.images.resize import half
from deepmatte.solver.closed_form import alpha_of_lines, lines_of
from deepmatte.solver.resample import grow
from deepmatte.types import Flags, Floats, Window

# Alpha so near to 0 or 1 is that: the colours' noise would make a haze of it. From this far away,
# beyond that, all of alpha comes from the colours.
_PLAIN, _RISE = 0.01, 0.05
# Rows of the halved picture that are worked on at a time: copies of all of it would cost memory,
# and time, where they leave the processor's cache.
_STRIP = 128
# The weight of the answer at full size beside the one at half the size, near sharp edges. At half
# the size the network sees twice as far, which blurred edges need. So the weight falls where alpha
# changes by less than _SHARP from one pixel of the halved picture to the next. Below _BLURRED it is
# 0.
_FULL_SIZE = 0.8
_BLURRED, _SHARP = 0.06, 0.2
# How far away, in those pixels, such a change may be.
_NEAR = 6
# Pixels around one, in the halved picture, that its line at full size depends on.
_AROUND = 2


def upsample(
    coarse: Floats, small: Floats, image: NDArray[Any], wanted: Flags
) -> Iterator[tuple[Window, Floats]]:
    """Alpha at full size, from alpha and picture at half the size.

    Args:
        coarse: (h, w), alpha at half the size, 0..1.
        small: (h, w, 3), the picture as `resample.halve` made it.
        image: (H, W, 3), uint8, uint16, or float32 in 0..1.
        wanted: (H, W), N pixels.

    Yields:
        Windows that hold all wanted pixels, and alpha (n,), 0..1, of those in each.
    """
    coarse = _settled(coarse)
    for strip in _strips(wanted):
        alpha = coarse[strip.around]
        lines = lines_of(small[strip.around], alpha)
        plain = strip.grown(alpha)[:, 0]
        yield strip.window, strip.carried(lines, image, plain)


def refine(alpha: Floats, image: NDArray[Any], wanted: Flags) -> Iterator[tuple[Window, Floats]]:
    """Alpha that is at full size already: halved, then upsampled by the colours.

    Args:
        alpha: (H, W), 0..1.
        image: as for `upsample`.
        wanted: as for `upsample`.

    Yields:
        As `upsample`.
    """
    coarse = half(_settled(alpha))
    for strip in _strips(wanted):
        rows, columns = (slice(2 * span.start, 2 * span.stop) for span in strip.around)
        lines = lines_of(half(to_unit(image[rows, columns])), coarse[strip.around])
        plain = _settled(alpha[strip.window][strip.wanted])
        yield strip.window, strip.carried(lines, image, plain)


def mean_of_scales(
    by_half: Iterator[tuple[Window, Floats]],
    by_full: Iterator[tuple[Window, Floats]],
    coarse: Floats,
    wanted: Flags,
) -> Iterator[tuple[Window, Floats]]:
    """The weighted mean of two answers; where alpha is blurred, the one at half the size alone.

    Args:
        by_half: what `upsample` yields.
        by_full: what `refine` yields.
        coarse: (h, w), alpha at half the size, 0..1.
        wanted: as for `upsample`.

    Yields:
        As `upsample`.
    """
    share = np.float32(_FULL_SIZE) * _sharpness(coarse)
    strips = _strips(wanted)
    for strip, (window, half_size), (_, full_size) in zip(strips, by_half, by_full, strict=True):
        yield window, half_size + strip.grown(share[strip.around])[:, 0] * (full_size - half_size)


def _sharpness(alpha: Floats) -> Floats:
    """0 where alpha (h, w) is blurred or even all around, 1 near sharp edges: (h, w)."""
    smooth = cv2.GaussianBlur(alpha, (0, 0), 1)
    down, across = np.gradient(smooth)
    change = cv2.dilate(np.hypot(down, across), np.ones((2 * _NEAR + 1,) * 2, np.uint8))
    sharp = np.clip((change - _BLURRED) / np.float32(_SHARP - _BLURRED), 0, 1)
    return np.asarray(cv2.blur(sharp, (_NEAR + 1,) * 2), np.float32)


@dataclass(frozen=True)
class _Strip:
    """Some rows of the picture.

    Attributes:
        window: rows and columns at full size that hold all wanted pixels of these rows.
        around: rows and columns at half the size that their lines depend on.
        wanted: the window's part of the wanted pixels, n of them.
    """

    window: Window
    around: Window
    wanted: Flags

    def grown(self, array: Floats) -> Floats:
        """An array (h, w[, C]) over `around`, enlarged, at the wanted pixels: (n, C)."""
        down, across = (
            full.start - 2 * around.start
            for full, around in zip(self.window, self.around, strict=True)
        )
        height, width = self.wanted.shape
        grown = grow(array, (2 * array.shape[0], 2 * array.shape[1]))
        return grown[down : down + height, across : across + width][self.wanted]

    def carried(self, lines: Floats, image: NDArray[Any], plain: Floats) -> Floats:
        """Alpha (n,): by the lines where it is soft, else the plain one."""
        colours = to_unit(image[self.window][self.wanted])
        carried = alpha_of_lines(self.grown(lines), colours)
        # Little by little, or else a tile's least difference would be seen.
        softness = np.clip(np.minimum(plain, 1 - plain) / np.float32(_RISE), 0, 1)
        alpha: Floats = plain + softness * (carried - plain)
        return alpha


def _strips(wanted: Flags) -> Iterator[_Strip]:
    """Strips that hold all wanted pixels."""
    height = len(wanted)
    for top in range(0, (height + 1) // 2, _STRIP):
        rows = slice(2 * top, min(2 * (top + _STRIP), height))
        columns = np.flatnonzero(wanted[rows].any(axis=0))
        if not columns.size:
            continue
        left, right = int(columns[0]) // 2 * 2, int(columns[-1]) + 1
        around = (
            slice(max(0, top - _AROUND), top + _STRIP + _AROUND),
            slice(max(0, left // 2 - _AROUND), (right + 1) // 2 + _AROUND),
        )
        window = rows, slice(left, right)
        yield _Strip(window, around, wanted[window])


def _settled(alpha: Floats) -> Floats:
    """Alpha stretched, so that values close to 0 or 1 become exactly 0 or 1."""
    settled: Floats = alpha - np.float32(_PLAIN)
    settled *= np.float32(1 / (1 - 2 * _PLAIN))
    return np.clip(settled, 0, 1, out=settled)
