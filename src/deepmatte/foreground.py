"""Foreground colours: the subject's own colours without the background's.

A photo obeys I = alpha F + (1 - alpha) B (Xu et al. 2017, equation 1). Even with alpha known, F and
B are six unknowns for three measured values at every soft pixel. So the neighbours are needed.

The method here is a least-squares fit in a pyramid of moments. In a window where F and B hardly
change, equation 1 is a linear regression of I on alpha, and its normal equations need only four
window means: of alpha, alpha^2, I and alpha I. Means of larger windows are means of means, so one
pyramid holds all of them. From the whole picture down to single pixels each level solves its 2 x 2
system, with a weak pull towards the colours of the level above. Where a window has little evidence,
the wider surroundings decide.

It takes the coarse-to-fine idea from Germer et al. 2020 ("Fast Multi-Level Foreground
Estimation", arXiv 2006.14970) and the last step, a correction by what the blurred colours leave
unexplained, from Forte 2021 ("Approximate Fast Foreground Colour Estimation", ICIP);
`benchmarks/foreground.py` compares the three.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from deepmatte.arguments import check_levels
from deepmatte.errors import ImageError
from deepmatte.images.arrays import to_unit
from deepmatte.images.resize import half
from deepmatte.machine import usable_cores
from deepmatte.types import Floats

Result = TypeVar("Result")

# Pull towards the level above, in units of the mean of alpha^2 (or of (1 - alpha)^2) in a window.
# Composite errors differ by 1 % between 0.02 and 0.06 (benchmarks/foreground.py).
_PRIOR_WEIGHT = 0.04
# The whole picture has no level above it: only enough pull to keep the system solvable when
# alpha is constant, little enough not to bend the colours when it is not.
_ROOT_PRIOR_WEIGHT = 1e-4
# Rows processed at a time: copies of the whole picture would cost much memory.
_STRIP = 128
# Strips processed side by side, each on a core; more of them would cost more memory.
_SIDE_BY_SIDE = 2
# Finest levels of the pyramid; they are computed for each strip and not kept.
_PASSING = 3
_BLOCK = 2**_PASSING
# Pixels around a window that its finest levels need: enlarging uses the next pixel of each level,
# which is wrong at a window's end.
_MARGIN = 2 * _BLOCK
# Blocks: two windows' margins cost as much as this many blocks between them.
_GAP = 6


@dataclass(frozen=True)
class _Moments:
    """Window means at one level of the pyramid, as planes.

    alpha and alpha_squared are (H, W); image and alpha_image, the mean of alpha I, are (3, H, W).
    """

    alpha: Floats
    alpha_squared: Floats
    image: Floats
    alpha_image: Floats


def estimate_foreground(image: NDArray[Any], alpha: NDArray[np.float32]) -> Floats:
    """Estimate the subject's own colours, without the background's share.

    Where alpha is 1 the result is the picture itself, exactly. Where alpha is 0 it is a smooth
    continuation of the nearby foreground, so that a cut-out with straight alpha can be resized
    without a coloured fringe. About 0.1 s per megapixel on one core.

    Args:
        image: the photo, RGB, (H, W, 3), uint8, uint16, or float32 in 0..1.
        alpha: its matte, (H, W), 0..1.

    Returns:
        The foreground, RGB, float32 (H, W, 3), 0..1.

    Raises:
        ImageError: if the two shapes do not fit together or hold no pixels.

    Example:
        >>> image = np.full((4, 4, 3), 0.5, np.float32)
        >>> estimate_foreground(image, np.ones((4, 4), np.float32)).shape
        (4, 4, 3)
    """
    check_levels(image, "The picture", ImageError)
    alpha = np.asarray(check_levels(alpha, "The alpha", ImageError), np.float32)
    foreground = np.empty((*alpha.shape, 3), np.float32)
    for rows, colours in foreground_strips(image, alpha):
        foreground[rows] = colours
    return foreground


def foreground_strips(
    image: NDArray[Any], alpha: NDArray[np.float32]
) -> Iterator[tuple[slice, Floats]]:
    """`estimate_foreground`, some rows at a time: all of it in float32 would take much memory.

    Yields:
        Rows, a slice, and their colours, float32 (h, W, 3), 0..1; from the top to the bottom.
    """
    if image.ndim != 3 or image.shape != (*alpha.shape, 3) or image.size == 0:
        raise ImageError(
            f"The picture has shape {image.shape} and alpha {alpha.shape}; expected (H, W, 3) and"
            " (H, W)."
        )
    peak = float(image.max()) if image.dtype.kind == "f" else 1.0
    if peak > 1:  # light brighter than white is clipped
        for rows, colours in foreground_strips(image / np.float32(peak), alpha):
            yield rows, colours * np.float32(peak)
        return
    pyramid = _build_pyramid(image, alpha)
    changes = _changes(pyramid[0].alpha)
    coarse = _solve_pyramid(pyramid)
    del pyramid
    yield from _side_by_side(
        lambda top: _solve_strip(image, alpha, top, coarse, changes), len(alpha)
    )


def _side_by_side(work: Callable[[int], Result], height: int) -> Iterator[Result]:
    """What ``work`` returns for the first row of each strip, in order."""
    tops = range(0, height, _STRIP)
    with ThreadPoolExecutor(min(_SIDE_BY_SIDE, usable_cores())) as threads:
        begun: deque[Future[Result]] = deque()
        for top in tops:
            if len(begun) == _SIDE_BY_SIDE:
                yield begun.popleft().result()
            begun.append(threads.submit(work, top))
        while begun:
            yield begun.popleft().result()


def _build_pyramid(image: NDArray[Any], alpha: Floats) -> list[_Moments]:
    """Moments of windows of `_BLOCK`, twice `_BLOCK`, ... pixels, up to a single window."""

    def strip(top: int) -> _Moments:
        rows = slice(top, top + _STRIP)
        return _passing_moments(to_unit(image[rows]), alpha[rows])[-1]

    strips = list(_side_by_side(strip, len(alpha)))
    pyramid = [
        _Moments(
            alpha=np.concatenate([strip.alpha for strip in strips]),
            alpha_squared=np.concatenate([strip.alpha_squared for strip in strips]),
            image=np.concatenate([strip.image for strip in strips], axis=1),
            alpha_image=np.concatenate([strip.alpha_image for strip in strips], axis=1),
        )
    ]
    while pyramid[-1].alpha.size > 1:
        pyramid.append(_halve_moments(pyramid[-1]))
    return pyramid


def _passing_moments(image: NDArray[np.float32], alpha: Floats) -> list[_Moments]:
    """Moments of windows of 2 x 2, 4 x 4, ..., `_BLOCK` x `_BLOCK` pixels."""
    planes = [np.ascontiguousarray(image[..., channel]) for channel in range(3)]
    levels = [
        _Moments(
            alpha=half(alpha),
            alpha_squared=half(alpha * alpha),
            image=np.stack([half(plane) for plane in planes]),
            alpha_image=np.stack([half(alpha * plane) for plane in planes]),
        )
    ]
    while len(levels) < _PASSING:
        levels.append(_halve_moments(levels[-1]))
    return levels


def _halve_moments(moments: _Moments) -> _Moments:
    return _Moments(
        alpha=half(moments.alpha),
        alpha_squared=half(moments.alpha_squared),
        image=np.stack([half(plane) for plane in moments.image]),
        alpha_image=np.stack([half(plane) for plane in moments.alpha_image]),
    )


def _solve_pyramid(pyramid: list[_Moments]) -> tuple[Floats, Floats]:
    """Foreground and background of blocks, (3, H/_BLOCK, W/_BLOCK), from coarse to fine."""
    root = pyramid[-1]
    foreground, background = _solve_level(root, root.image, root.image, _ROOT_PRIOR_WEIGHT)
    for moments in reversed(pyramid[:-1]):
        foreground, background = _refine(moments, foreground, background)
    return foreground, background


def _changes(alpha: Floats) -> NDArray[np.bool_]:
    """Blocks with a changing matte around them, (H/_BLOCK, W/_BLOCK), from means of alpha."""
    import cv2

    around = np.ones((3, 3), np.uint8)
    found: NDArray[np.bool_] = (cv2.dilate(alpha, around) > 0) & (cv2.erode(alpha, around) < 1)
    return found


def _solve_strip(
    image: NDArray[Any],
    alpha: Floats,
    top: int,
    coarse: tuple[Floats, Floats],
    changes: NDArray[np.bool_],
) -> tuple[slice, Floats]:
    """The finest levels of the rows from ``top`` on, and those rows.

    Where alpha is 1 all around, the colour is the picture's; where it is 0, the enlarged block's.
    Only the other pixels are solved.
    """
    rows = slice(top, min(top + _STRIP, len(alpha)))
    around = slice(max(0, top - _MARGIN), min(rows.stop + _MARGIN, len(alpha)))
    blocks = slice(around.start // _BLOCK, -(-around.stop // _BLOCK))
    inside = slice(rows.start - around.start, rows.stop - around.start)
    result = _plain(image[around], alpha[around], coarse[0][:, blocks])[inside]
    strip = changes[rows.start // _BLOCK : -(-rows.stop // _BLOCK)]
    for first, last in _runs(np.any(strip, axis=0)):
        left, right = first * _BLOCK, min(last * _BLOCK, alpha.shape[1])
        window = around, slice(max(0, left - _MARGIN), min(right + _MARGIN, alpha.shape[1]))
        solved = _solve_window(image, alpha, window, coarse)
        start = window[1].start
        result[:, left:right] = solved[inside, left - start : right - start]
    return rows, result


def _plain(image: NDArray[Any], alpha: Floats, foreground: Floats) -> Floats:
    """Colours (H, W, 3) where alpha is 0 or 1 all around; ``foreground`` is that of the blocks."""
    for level in reversed(range(_PASSING)):
        foreground = _enlarge(foreground, tuple(-(-side // 2**level) for side in alpha.shape))
    result = np.ascontiguousarray(foreground.transpose(1, 2, 0))
    solid = alpha >= 1
    result[solid] = to_unit(image[solid])
    return result


def _runs(used: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Ranges in which (N,) flags are True; short gaps are included."""
    at = np.flatnonzero(used)
    runs = np.split(at, np.flatnonzero(np.diff(at) > _GAP) + 1)
    return [(int(run[0]), int(run[-1]) + 1) for run in runs if run.size]


def _solve_window(
    image: NDArray[Any], alpha: Floats, window: tuple[slice, slice], coarse: tuple[Floats, Floats]
) -> Floats:
    """The finest levels of a window that starts at a multiple of `_BLOCK`: its colours."""
    colours, matte = to_unit(image[window]), alpha[window]
    rows, columns = (slice(span.start // _BLOCK, -(-span.stop // _BLOCK)) for span in window)
    foreground, background = (side[:, rows, columns] for side in coarse)
    for moments in reversed(_passing_moments(colours, matte)[:-1]):
        foreground, background = _refine(moments, foreground, background)
    return _solve_pixels(colours, matte, foreground, background)


def _refine(moments: _Moments, foreground: Floats, background: Floats) -> tuple[Floats, Floats]:
    """F and B, (3, H, W), of a level from those of the level above, (3, H/2, W/2)."""
    size = moments.alpha.shape
    return _solve_level(
        moments, _enlarge(foreground, size), _enlarge(background, size), _PRIOR_WEIGHT
    )


def _solve_level(
    moments: _Moments, foreground: Floats, background: Floats, prior_weight: float
) -> tuple[Floats, Floats]:
    """Fit F and B, (3, H, W), to the windows of one level, near the given prior colours.

    The normal equations of
        mean (alpha F + (1 - alpha) B - I)^2 + prior_weight (|F - prior|^2 + |B - prior|^2)
    are solved for the difference to the prior, which is more exact in float32.
    """
    # Means of alpha^2, alpha (1 - alpha) and (1 - alpha)^2.
    both_foreground = moments.alpha_squared
    mixed = moments.alpha - moments.alpha_squared
    both_background = 1 - moments.alpha - mixed
    # Residual of the prior, weighted by alpha and by 1 - alpha.
    foreground_residual = moments.alpha_image - both_foreground * foreground - mixed * background
    background_residual = (
        moments.image - moments.alpha_image - mixed * foreground - both_background * background
    )
    both_foreground = both_foreground + prior_weight
    both_background = both_background + prior_weight
    inverse = 1 / (both_foreground * both_background - mixed * mixed)
    foreground_change = both_background * foreground_residual - mixed * background_residual
    background_change = both_foreground * background_residual - mixed * foreground_residual
    return (
        np.clip(foreground + inverse * foreground_change, 0, 1),
        np.clip(background + inverse * background_change, 0, 1),
    )


def _solve_pixels(
    image: NDArray[np.float32], alpha: Floats, foreground: Floats, background: Floats
) -> Floats:
    """The last level, (H, W, 3): windows of one pixel, where the fit has a closed form."""
    result = np.empty_like(image)
    weight = alpha / (alpha * alpha + (1 - alpha) ** 2 + np.float32(_PRIOR_WEIGHT))
    priors, changes = _enlarge(foreground, alpha.shape), _enlarge(background, alpha.shape)  # F, B
    for channel, (prior, change) in enumerate(zip(priors, changes, strict=True)):
        change += alpha * (prior - change)  # alpha F + (1 - alpha) B
        np.subtract(image[..., channel], change, out=change)  # residual of the prior
        change *= weight
        np.clip(prior + change, 0, 1, out=result[..., channel])
    np.copyto(result, image, where=(alpha >= 1)[..., None])
    return result


def _enlarge(planes: Floats, size: tuple[int, ...]) -> Floats:
    """Double the size of (C, H, W) bilinearly, less the row and column that `half` added."""
    import cv2

    height, width = size
    double = (planes.shape[2] * 2, planes.shape[1] * 2)
    enlarged = [cv2.resize(plane, double, interpolation=cv2.INTER_LINEAR) for plane in planes]
    return np.stack([np.asarray(plane[:height, :width], np.float32) for plane in enlarged])
