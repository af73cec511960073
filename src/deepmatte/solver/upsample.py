"""From alpha at half the size to alpha at full size, by the picture's colours.

Around each pixel alpha is a linear function of the colours (He and Sun, "Fast Guided Filter",
2015): its slopes are found at half the size and applied to the colours of the full size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.images.arrays import to_unit
from deepmatte.solver.closed_form import alpha_of_lines, lines_of
from deepmatte.solver.resample import grow, half
from deepmatte.types import Flags, Floats

# Alpha so near to 0 or 1 is that: the colours' noise would make a haze of it. From this far away,
# beyond that, all of alpha comes from the colours.
_PLAIN, _RISE = 0.01, 0.05
# Rows of the halved picture that are worked on at a time: copies of all of it would cost memory,
# and time, where they leave the processor's cache.
_STRIP = 128
# Pixels around one, in the halved picture, that its line at full size depends on.
_AROUND = 2


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
        coarse = half(alpha)
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
            colours = half(to_unit(image[twice]))
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
