"""Foreground colours: what the subject looks like without the background that shines through.

A photo obeys I = alpha F + (1 - alpha) B (Xu et al. 2017, equation 1). With alpha known, F and B
are still six unknowns for three measured values at every soft pixel, so neighbours must help.

The method here is a least-squares fit in a pyramid of moments. In a window where F and B hardly
change, equation 1 is a linear regression of I on alpha, and its normal equations need nothing but
four window means: of alpha, alpha^2, I and alpha I. Means of larger windows are means of means,
so one pyramid holds all of them. From the whole picture down to single pixels each level solves
its 2 x 2 system, pulled gently towards the colours of the level above: where a window holds
enough evidence it decides, elsewhere the wider surroundings do.

It takes the coarse-to-fine idea from Germer et al. 2020 ("Fast Multi-Level Foreground
Estimation", arXiv 2006.14970) and the last step, a correction by what the blurred colours leave
unexplained, from Forte 2021 ("Approximate Fast Foreground Colour Estimation", ICIP);
`benchmarks/foreground.py` compares the three.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import ImageError

Plane = NDArray[np.float32]

# Pull towards the level above, in units of the mean of alpha^2 (or of (1 - alpha)^2) in a window.
# Composite errors differ by 1 % between 0.02 and 0.06 (benchmarks/foreground.py).
_PRIOR_WEIGHT = 0.04
# The whole picture has no level above it: only enough pull to keep the system solvable when
# alpha is constant, little enough not to bend the colours when it is not.
_ROOT_PRIOR_WEIGHT = 1e-4
# Rows that are worked on at a time, an even number: copies of the whole are what costs memory.
_STRIP = 256


@dataclass(frozen=True)
class _Moments:
    """Window means at one level of the pyramid, as planes.

    alpha and alpha_squared are (H, W); image and alpha_image, the mean of alpha I, are (3, H, W).
    """

    alpha: Plane
    alpha_squared: Plane
    image: Plane
    alpha_image: Plane


def estimate_foreground(image: NDArray[np.float32], alpha: NDArray[np.float32]) -> Plane:
    """Estimate the subject's own colours, freed from the background that shines through.

    Where alpha is 1 the result is the picture itself, exactly. Where alpha is 0 it is a smooth
    continuation of the nearby foreground, so that a cut-out with straight alpha can be resized
    without a coloured fringe. About 0.1 s per megapixel on one core.

    Args:
        image: the photo, RGB, (H, W, 3), 0..1.
        alpha: its matte, (H, W), 0..1.

    Returns:
        The foreground, RGB, (H, W, 3), 0..1.

    Raises:
        ImageError: if the two shapes do not fit together or hold no pixels.

    Example:
        >>> image = np.full((4, 4, 3), 0.5, np.float32)
        >>> estimate_foreground(image, np.ones((4, 4), np.float32)).shape
        (4, 4, 3)
    """
    image = np.asarray(image, np.float32)
    alpha = np.asarray(alpha, np.float32)
    if image.ndim != 3 or image.shape != (*alpha.shape, 3) or image.size == 0:
        raise ImageError(
            f"the foreground needs an RGB picture (H, W, 3) and a matte (H, W) of the same size, "
            f"but got shapes {image.shape} and {alpha.shape}"
        )
    foreground, background = _solve_pyramid(_build_pyramid(image, alpha))
    return _solve_pixels(image, alpha, foreground, background)


def _build_pyramid(image: NDArray[np.float32], alpha: Plane) -> list[_Moments]:
    """Moments of windows of 2 x 2, 4 x 4, ... pixels, up to a level that is a single window."""
    level = _halved_moments(image, alpha)
    pyramid = [level]
    while level.alpha.size > 1:
        level = _Moments(
            alpha=_halve(level.alpha),
            alpha_squared=_halve(level.alpha_squared),
            image=np.stack([_halve(plane) for plane in level.image]),
            alpha_image=np.stack([_halve(plane) for plane in level.alpha_image]),
        )
        pyramid.append(level)
    return pyramid


def _halved_moments(image: NDArray[np.float32], alpha: Plane) -> _Moments:
    """Moments of windows of 2 x 2 pixels, a strip of the picture at a time."""
    size = (alpha.shape[0] + 1) // 2, (alpha.shape[1] + 1) // 2
    moments = _Moments(
        alpha=np.empty(size, np.float32),
        alpha_squared=np.empty(size, np.float32),
        image=np.empty((3, *size), np.float32),
        alpha_image=np.empty((3, *size), np.float32),
    )
    for top in range(0, len(alpha), _STRIP):
        rows, half = slice(top, top + _STRIP), slice(top // 2, (top + _STRIP) // 2)
        matte = alpha[rows]
        moments.alpha[half] = _halve(matte)
        moments.alpha_squared[half] = _halve(matte * matte)
        for channel in range(3):
            plane = np.ascontiguousarray(image[rows, :, channel])
            moments.image[channel, half] = _halve(plane)
            moments.alpha_image[channel, half] = _halve(matte * plane)
    return moments


def _solve_pyramid(pyramid: list[_Moments]) -> tuple[Plane, Plane]:
    """Foreground and background at half the picture's size, (3, H/2, W/2), from coarse to fine."""
    root = pyramid[-1]
    foreground, background = _solve_level(root, root.image, root.image, _ROOT_PRIOR_WEIGHT)
    for moments in reversed(pyramid[:-1]):
        foreground, background = _refine(moments, foreground, background)
    return foreground, background


def _refine(moments: _Moments, foreground: Plane, background: Plane) -> tuple[Plane, Plane]:
    """F and B, (3, H, W), of a level from those of the level above, (3, H/2, W/2)."""
    shape = moments.image.shape
    finer = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for rows, above, inside in _strips(shape[1]):
        prior_foreground, prior_background = (
            _enlarge(colours[:, above], shape[2])[:, inside] for colours in (foreground, background)
        )
        part = _Moments(
            alpha=moments.alpha[rows],
            alpha_squared=moments.alpha_squared[rows],
            image=moments.image[:, rows],
            alpha_image=moments.alpha_image[:, rows],
        )
        finer[0][:, rows], finer[1][:, rows] = _solve_level(
            part, prior_foreground, prior_background, _PRIOR_WEIGHT
        )
    return finer


def _strips(height: int) -> Iterator[tuple[slice, slice, slice]]:
    """Rows of a level; the rows of the level above to enlarge; where the first lie in the result.

    One row more at both ends is enlarged, for bilinear interpolation looks at neighbours.
    """
    for top in range(0, height, _STRIP):
        rows = slice(top, min(top + _STRIP, height))
        first = max(0, top // 2 - 1)
        inside = slice(top - 2 * first, rows.stop - 2 * first)
        yield rows, slice(first, (rows.stop + 1) // 2 + 1), inside


def _solve_level(
    moments: _Moments, foreground: Plane, background: Plane, prior_weight: float
) -> tuple[Plane, Plane]:
    """Fit F and B, (3, H, W), to the windows of one level, near the given prior colours.

    The normal equations of
        mean (alpha F + (1 - alpha) B - I)^2 + prior_weight (|F - prior|^2 + |B - prior|^2)
    are solved for the change against the prior, which keeps float32 exact where it is right.
    """
    # Means of alpha^2, alpha (1 - alpha) and (1 - alpha)^2.
    both_foreground = moments.alpha_squared
    mixed = moments.alpha - moments.alpha_squared
    both_background = 1 - moments.alpha - mixed
    # What the prior leaves unexplained, weighted by alpha and by 1 - alpha.
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
    image: NDArray[np.float32], alpha: Plane, foreground: Plane, background: Plane
) -> Plane:
    """The last level, (H, W, 3): windows of one pixel, where the fit has a closed form."""
    result = np.empty_like(image)
    for rows, above, inside in _strips(len(alpha)):
        matte = alpha[rows]
        weight = matte / (matte * matte + (1 - matte) ** 2 + np.float32(_PRIOR_WEIGHT))
        priors = _enlarge(foreground[:, above], alpha.shape[1])[:, inside]
        changes = _enlarge(background[:, above], alpha.shape[1])[:, inside]  # B
        for channel, (prior, change) in enumerate(zip(priors, changes, strict=True)):
            change += matte * (prior - change)  # alpha F + (1 - alpha) B
            # What the prior leaves unexplained.
            np.subtract(image[rows, :, channel], change, out=change)
            change *= weight
            np.clip(prior + change, 0, 1, out=result[rows, :, channel])
        np.copyto(result[rows], image[rows], where=(matte >= 1)[..., None])
    return result


def _halve(plane: Plane) -> Plane:
    """Means of 2 x 2 pixels; an odd last row or column counts twice."""
    import cv2

    height, width = plane.shape
    odd_rows, odd_columns = height % 2, width % 2
    if odd_rows or odd_columns:
        plane = np.pad(plane, ((0, odd_rows), (0, odd_columns)), mode="edge")
    size = (plane.shape[1] // 2, plane.shape[0] // 2)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _enlarge(planes: Plane, width: int) -> Plane:
    """Double the size of (C, H, W) bilinearly, less the column that `_halve` may have added."""
    import cv2

    size = (planes.shape[2] * 2, planes.shape[1] * 2)
    doubled = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in planes]
    return np.stack([np.asarray(plane[:, :width], np.float32) for plane in doubled])
