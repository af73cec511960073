"""Approximate closed-form matting, coarse to fine, with a Laplacian that is never stored.

Sources:
    Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", PAMI 2008.
    He, Sun and Tang, "Fast Matting Using Large Kernel Matting Laplacian Matrices", CVPR 2010:
    the matting Laplacian applied with box filters.
    He and Sun, "Fast Guided Filter", 2015: linear coefficients carried to a finer resolution.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

# Levels of the coarse-to-fine solver: (pixels a side, steps of conjugate gradients).
_LEVELS = ((8, 40), (4, 60), (2, 40), (1, 8))
# Steps more, and how near to known pixels: far from them more steps make nothing better.
_MORE, _NEAR = 16, 8
# Regularisation of the colour line model of a 3x3 window (Levin's epsilon), where alpha is sought,
# and where it is known and must not follow a sensor's noise.
_EPSILON = 1e-6
_KNOWN_EPSILON = 3e-4
# Weight of the colour guess against the Laplacian, where the guess is fully trusted.
_COLOUR_WEIGHT = 0.05
# Centred colours lose fewer digits in the covariances.
_CENTRE = np.float32(0.5)
ALIGNMENT = _LEVELS[0][0]
"""Pixels a side of the coarsest level's blocks; what is solved is made of whole ones."""


def closed_form_lines(image: Floats, unknown: Flags, guess: Floats, trust: Floats) -> Floats:
    """Approximate closed-form matting, coarse to fine, as the lines of its colour line model.

    Args:
        image: float32 (H, W, 3); H and W are multiples of `ALIGNMENT`.
        unknown: bool (H, W), where alpha is sought; elsewhere the guess is taken as fixed.
        guess: float32 (H, W), alpha by colours.
        trust: float32 (H, W), 0..1, how far each guess is believed.

    Returns:
        float32 (H, W, 4), of each pixel three slopes and an offset: `alpha_of_lines` reads alpha
        off them, at any resolution.
    """
    height, width = unknown.shape
    free = unknown.astype(np.float32)
    lines: Floats | None = None
    for scale, steps in _LEVELS:
        size = (width // scale, height // scale)
        picture = shrink(image, size)
        target = shrink(guess, size)
        mask = (shrink(free, size) > 0.0).astype(np.float32)
        weight = shrink(trust, size) * np.float32(_COLOUR_WEIGHT)
        alpha = target
        if lines is not None:
            carried = alpha_of_lines(grow(lines, picture.shape), picture)
            alpha = np.where(mask > 0, carried, target)
        laplacian = MattingLaplacian(picture - _CENTRE)
        alpha = _solve(laplacian, alpha, mask, target, weight, steps)
        if scale == 1:
            away = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
            alpha = _solve(laplacian, alpha, mask * (away <= _NEAR), target, weight, _MORE)
        exact = cv2.merge(laplacian.coefficients(alpha))
        lines = np.asarray(cv2.blur(exact, (3, 3)), np.float32)
    assert lines is not None
    return lines


def lines_of(image: Floats, alpha: Floats) -> Floats:
    """The lines (H, W, 4), as of `closed_form_lines`, of an alpha (H, W) that is known."""
    laplacian = MattingLaplacian(image - _CENTRE, _KNOWN_EPSILON)
    return np.asarray(cv2.merge(laplacian.coefficients(alpha)), np.float32)


def alpha_of_lines(lines: Floats, colours: Floats) -> Floats:
    """Alpha (...), 0..1, of colours (..., 3) by lines (..., 4)."""
    alpha: Floats = lines[..., 3].copy()
    for channel in range(3):
        alpha += lines[..., channel] * (colours[..., channel] - _CENTRE)
    np.clip(alpha, 0.0, 1.0, out=alpha)
    return alpha


def grow(array: Floats, shape: tuple[int, ...]) -> Floats:
    """Enlarge an array (H, W, C) bilinearly to the height and width of a shape."""
    grown = cv2.resize(array, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown, np.float32).reshape(shape[0], shape[1], -1)


def shrink(array: Floats, size: tuple[int, int]) -> Floats:
    """Area mean of an array at another (width, height)."""
    if (array.shape[1], array.shape[0]) == size:
        return array
    shrunk = cv2.resize(array, size, interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.float32).reshape(size[1], size[0], *array.shape[2:])


def _solve(
    laplacian: MattingLaplacian,
    alpha: Floats,
    mask: Floats,
    target: Floats,
    weight: Floats,
    steps: int,
) -> Floats:
    """Conjugate gradients on (L + weight) alpha = weight * target over the masked pixels."""
    residual = mask * (weight * (target - alpha) - laplacian.apply(alpha))
    direction = residual.copy()
    energy = float(np.vdot(residual, residual))
    for _ in range(steps):
        if energy < 1e-10 * alpha.size:
            break
        image_of = mask * (laplacian.apply(direction) + weight * direction)
        curvature = float(np.vdot(direction, image_of))
        if curvature <= 0.0:
            break
        step = np.float32(energy / curvature)
        alpha = alpha + step * direction
        residual -= step * image_of
        previous, energy = energy, float(np.vdot(residual, residual))
        direction = residual + np.float32(energy / previous) * direction
    return alpha


_ONES = np.ones(3, np.float32)


def _box(plane: Floats) -> Floats:
    """Sum over the 3x3 window, nothing beyond the border."""
    summed = cv2.sepFilter2D(plane, -1, _ONES, _ONES, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(summed, np.float32)


class MattingLaplacian:
    """Levin's matting Laplacian of 3x3 windows, applied with box filters (He, Sun, Tang 2010)."""

    def __init__(self, picture: Floats, epsilon: float = _EPSILON) -> None:
        self.colours = [np.asarray(plane, np.float32) for plane in cv2.split(picture)]
        self.count = _box(np.ones(picture.shape[:2], np.float32))
        self.share: Floats = np.float32(1.0) / self.count
        self.means = [_box(plane) * self.share for plane in self.colours]
        self.lower, self.pivots = self._factorise(epsilon)

    def _factorise(self, epsilon: float) -> tuple[list[Floats], list[Floats]]:
        """Lower entries (gr, br, bg) and inverse pivots of L D L' = covariance + epsilon.

        An explicit inverse by cofactors cancels to noise in float32 where the colours of a
        window lie on a line; pivots stay accurate and are kept above the regularisation.
        """
        floor = np.float32(epsilon) * self.share

        def covariance(first: int, second: int) -> Floats:
            product = _box(self.colours[first] * self.colours[second]) * self.share
            product -= self.means[first] * self.means[second]
            return product

        pivot_red = np.maximum(covariance(0, 0), 0.0) + floor
        red_green, red_blue = covariance(0, 1), covariance(0, 2)
        green_red, blue_red = red_green / pivot_red, red_blue / pivot_red
        pivot_green = np.maximum(covariance(1, 1) - green_red * red_green, 0.0) + floor
        rest = covariance(1, 2) - green_red * red_blue
        blue_green = rest / pivot_green
        pivot_blue = covariance(2, 2) - blue_red * red_blue - blue_green * rest
        pivot_blue = np.maximum(pivot_blue, 0.0) + floor
        return [green_red, blue_red, blue_green], [
            1.0 / pivot for pivot in (pivot_red, pivot_green, pivot_blue)
        ]

    def coefficients(self, alpha: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Slopes (three) and offset of the line alpha = a . colour + b in each window, (H, W)."""
        mean = _box(alpha) * self.share
        red, green, blue = (
            _box(colour * alpha) * self.share - own * mean
            for colour, own in zip(self.colours, self.means, strict=True)
        )
        green_red, blue_red, blue_green = self.lower
        green -= green_red * red
        blue -= blue_red * red + blue_green * green
        slope_blue = blue * self.pivots[2]
        slope_green = green * self.pivots[1] - blue_green * slope_blue
        slope_red = red * self.pivots[0] - green_red * slope_green - blue_red * slope_blue
        offset = mean - slope_red * self.means[0]
        offset -= slope_green * self.means[1]
        offset -= slope_blue * self.means[2]
        return slope_red, slope_green, slope_blue, offset

    def apply(self, alpha: Floats) -> Floats:
        """Return L alpha, float32 (H, W)."""
        *slopes, offset = self.coefficients(alpha)
        result = self.count * alpha - _box(offset)
        for slope, colour in zip(slopes, self.colours, strict=True):
            result -= _box(slope) * colour
        return result
