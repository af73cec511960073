"""Which windows of a picture the network sees, and how their alphas are blended.

A window costs its own pixels and those that the network must see around them. So the unknown
pixels are divided where this saves most, until every part fits into a tile: a band around a subject
becomes narrow windows along it, a large unknown region becomes a grid.

At a cut the two sides are blended over `RAMP` pixels. The weights of all windows at a pixel sum
to 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deepmatte.types import BACKGROUND, FOREGROUND, Flags, Trimap, Window

STRIDE = 32
"""Windows start at multiples of this: the network is blind to shifts by those alone. All is
counted in blocks of this side here."""
RAMP = 64
"""Pixels over which neighbouring tiles are blended."""

# A window costs some time whatever its size: as much as this many blocks.
_WINDOW_COST = 30.0
# A part that fits into a tile is cut only if that saves so much of its cost.
_WORTHWHILE = 0.95

Range: TypeAlias = tuple[int, int]
Blocks: TypeAlias = int | NDArray[np.intp]


@dataclass(frozen=True)
class Tile:
    """A window and the weights of its alpha.

    Attributes:
        window: rows and columns of the picture.
        down: float32 (h,), 0..1, of each row of the window.
        across: float32 (w,), 0..1, of each column; a pixel counts for the product of both.
    """

    window: Window
    down: NDArray[np.float32]
    across: NDArray[np.float32]


@dataclass(frozen=True)
class _Part:
    """Some blocks, and how much each row and column of the whole picture counts in them."""

    rows: Range
    columns: Range
    down: NDArray[np.float32]
    across: NDArray[np.float32]


@dataclass(frozen=True)
class _Cut:
    """Before a row (axis 0) or a column (axis 1) of blocks; the cost of the windows it leads to."""

    axis: int
    at: int
    cost: float


def tiles(unknown: NDArray[np.bool_], area: int, reach: int) -> list[Tile]:
    """Windows that cover all unknown pixels; the weights at each of those sum to 1.

    Args:
        unknown: (H, W), which pixels are sought.
        area: pixels that a window has at most, beside what fills a last block beyond the picture;
            at least the square of the reach's `smallest_side`.
        reach: pixels around one that its answer depends on. So many lie between every pixel that
            counts and the window's edge, unless the picture ends there.
    """
    height, width = unknown.shape
    used = _blocks(unknown)
    costs = _Costs(used.shape, area / STRIDE**2, math.ceil(reach / STRIDE))
    everywhere = np.ones(height, np.float32), np.ones(width, np.float32)
    waiting = [_Part((0, used.shape[0]), (0, used.shape[1]), *everywhere)]
    found = []
    while waiting:
        part = _shrink(waiting.pop(), used)
        if part is None:
            continue
        cuts = _cuts(part, used, costs)
        cut = min(cuts, key=lambda cut: cut.cost, default=None)
        whole = float(costs.of(*part.rows, *part.columns))
        if cut is None or (costs.fits(part) and cut.cost > _WORTHWHILE * whole):
            rows, columns = costs.window(part, height, width)
            found.append(Tile((rows, columns), part.down[rows], part.across[columns]))
        else:
            waiting += _divide(part, cut)
    return sorted(found, key=lambda tile: [span.start for span in tile.window])


def surroundings(trimap: Trimap, unknown: Flags, context: int) -> Window:
    """The box around the unknown pixels that holds all that priors and network get to see.

    All of the picture where only that holds known pixels of both kinds, if it has both.
    """
    rows, columns = (_around(np.any(unknown, axis=axis), context) for axis in (1, 0))
    inside = trimap[rows, columns]
    for label in (FOREGROUND, BACKGROUND):
        if not (inside == label).any() and (trimap == label).any():
            return slice(None), slice(None)
    return rows, columns


def smallest_side(reach: int) -> int:
    """Side of the smallest tiles that leave room for cuts, pixels."""
    return 2 * (2 * math.ceil(reach / STRIDE) * STRIDE + RAMP)


@dataclass(frozen=True)
class _Costs:
    """What windows cost, in blocks.

    Attributes:
        shape: blocks of the picture, down and across.
        area: of the largest window.
        context: around what counts.
    """

    shape: tuple[int, ...]
    area: float
    context: int

    def of(self, top: Blocks, bottom: Blocks, left: Blocks, right: Blocks) -> NDArray[np.float64]:
        """The least that windows over a rectangle, or arrays of rectangles, can cost."""
        rows, columns = (
            np.minimum(last + self.context, length) - np.maximum(first - self.context, 0)
            for first, last, length in (
                (top, bottom, self.shape[0]),
                (left, right, self.shape[1]),
            )
        )
        # Equal windows, as nearly square as the rectangle lets them be.
        heights, down = self._windows(rows, columns)
        widths, across = self._windows(columns, rows)
        return np.asarray(heights * widths + _WINDOW_COST * down * across, np.float64)

    def _windows(
        self, length: NDArray[np.intp], other: NDArray[np.intp]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Length of all windows along one axis of a rectangle, and their number."""
        shared = 2 * self.context + RAMP // STRIDE  # by neighbouring windows
        longest = np.minimum(length, np.maximum(math.sqrt(self.area), self.area / other))
        more = np.ceil((length - longest) / np.maximum(longest - shared, 1))
        return length + more * shared, 1 + more

    def fits(self, part: _Part) -> bool:
        """Whether one window is enough."""
        rows, columns = self.window(part, *(STRIDE * blocks for blocks in self.shape))
        pixels: int = (rows.stop - rows.start) * (columns.stop - columns.start)
        return pixels <= self.area * STRIDE**2

    def window(self, part: _Part, height: int, width: int) -> Window:
        """The window of a part, pixels."""
        rows, columns = (
            slice(
                max(0, first - self.context) * STRIDE, min(length, (last + self.context) * STRIDE)
            )
            for (first, last), length in ((part.rows, height), (part.columns, width))
        )
        return rows, columns


def _blocks(unknown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which blocks hold any unknown pixel."""
    for axis in (0, 1):
        starts = np.arange(0, unknown.shape[axis], STRIDE)
        unknown = np.logical_or.reduceat(unknown, starts, axis=axis)
    return unknown


def _shrink(part: _Part, used: NDArray[np.bool_]) -> _Part | None:
    """The part without empty rows and columns at its edges; None if it is all empty."""
    blocks = used[slice(*part.rows), slice(*part.columns)]
    rows, columns = (np.flatnonzero(blocks.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    return replace(
        part,
        rows=(part.rows[0] + int(rows[0]), part.rows[0] + int(rows[-1]) + 1),
        columns=(part.columns[0] + int(columns[0]), part.columns[0] + int(columns[-1]) + 1),
    )


def _cuts(part: _Part, used: NDArray[np.bool_], costs: _Costs) -> list[_Cut]:
    """The best cut along each axis, where one is possible."""
    blocks = used[slice(*part.rows), slice(*part.columns)]
    (top, _), (left, _) = part.rows, part.columns
    found = []
    for axis, lines in enumerate((blocks, blocks.T)):
        length = len(lines)
        at = np.arange(2, length - 1)  # both sides hold the ramp, and are less than the whole
        if not at.size:
            continue
        # What is left of either side once it is shrunk: lines, and the extent of what they hold.
        upper, lower = _extents(lines), _extents(lines[::-1])
        sides = []
        for first, last, low, high in (
            (0 * at, upper.last[at], upper.low[at], upper.high[at]),
            (
                length - lower.last[length - at],
                0 * at + length,
                lower.low[length - at],
                lower.high[length - at],
            ),
        ):
            bounds = (first, last, low, high) if axis == 0 else (low, high, first, last)
            offsets = (top, top, left, left)
            sides.append(costs.of(*(edge + by for edge, by in zip(bounds, offsets, strict=True))))
        # Of equals the middle one: windows of the same size.
        cost = sides[0] + sides[1] + 1e-3 * np.abs(at - length / 2)
        best = int(cost.argmin())
        found.append(_Cut(axis, int(at[best]), float(cost[best])))
    return found


@dataclass(frozen=True)
class _Extents:
    """Of the first 1, 2, ... lines together: past the last used one, and which columns they use."""

    last: NDArray[np.intp]
    low: NDArray[np.intp]
    high: NDArray[np.intp]


def _extents(lines: NDArray[np.bool_]) -> _Extents:
    used = lines.any(axis=1)
    width = lines.shape[1]
    low = np.where(used, lines.argmax(axis=1), width)
    high = np.where(used, width - lines[:, ::-1].argmax(axis=1), 0)
    last = np.where(used, np.arange(1, len(lines) + 1), 0)
    return _Extents(
        np.maximum.accumulate(last), np.minimum.accumulate(low), np.maximum.accumulate(high)
    )


def _divide(part: _Part, cut: _Cut) -> list[_Part]:
    """Both sides of a cut, each with the ramp over which they are blended."""
    first, last = part.rows if cut.axis == 0 else part.columns
    weights = part.down if cut.axis == 0 else part.across
    at = first + cut.at
    pixels = np.arange(len(weights), dtype=np.float32) + np.float32(0.5)
    rise = np.clip((pixels - (at * STRIDE - RAMP / 2)) / RAMP, 0, 1).astype(np.float32)
    around = RAMP // STRIDE // 2
    sides = ((first, at + around), weights * (1 - rise)), ((at - around, last), weights * rise)
    if cut.axis == 0:
        return [replace(part, rows=blocks, down=counts) for blocks, counts in sides]
    return [replace(part, columns=blocks, across=counts) for blocks, counts in sides]


def _around(used: Flags, context: int) -> slice:
    """From the first to the last used index, and so many around; its half starts at a stride."""
    indices = np.flatnonzero(used)
    first = max(0, int(indices[0]) - context) // (2 * STRIDE) * (2 * STRIDE)
    return slice(first, min(len(used), int(indices[-1]) + 1 + context))
