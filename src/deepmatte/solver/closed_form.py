"""Approximate closed-form matting, coarse to fine, with a Laplacian that is never stored.

Sources:
    Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", PAMI 2008.
    He, Sun and Tang, "Fast Matting Using Large Kernel Matting Laplacian Matrices", CVPR 2010:
    the matting Laplacian applied with box filters.
    He and Sun, "Fast Guided Filter", 2015: linear coefficients carried to a finer resolution.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from deepmatte.solver.resample import grow, shrink
from deepmatte.types import Flags, Floats

# Levels of the coarse-to-fine solver: (pixels a side, steps of conjugate gradients).
_LEVELS = ((8, 10), (4, 20), (2, 40), (1, 24))
# The finest level is solved so near to known pixels: further away that makes nothing better.
_NEAR = 8
# Regularisation of the colour line model of a 3x3 window (Levin's epsilon), where alpha is sought,
# and where it is known and must not follow a sensor's noise.
_EPSILON = 1e-6
_KNOWN_EPSILON = 3e-4
# Weight of the colour guess against the Laplacian, where the guess is fully trusted.
_COLOUR_WEIGHT = 0.05
# Rows of the strips that are solved side by side, and pixels that windows' windows see around.
_STRIP, _HALO = 16, 2
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
        off them, at any resolution. Away from what is unknown they say no more than the guess.
    """
    height, width = unknown.shape
    free = unknown.astype(np.float32)
    lines: Floats | None = None
    for scale, steps in _LEVELS:
        size = (height // scale, width // scale)
        picture, target = shrink(image, size), shrink(guess, size)
        weight = shrink(trust, size) * np.float32(_COLOUR_WEIGHT)
        sought = shrink(free, size) > 0
        alpha = target.copy()
        known = np.zeros((*alpha.shape, 4), np.float32)
        known[..., 3] = target
        if lines is None:
            lines = known
        else:
            carried = grow(lines, alpha.shape)[sought]
            alpha[sought] = alpha_of_lines(carried, picture[sought])
            lines = known
            lines[sought] = carried
        if scale == 1:
            sought &= cv2.distanceTransform(unknown.astype(np.uint8), cv2.DIST_L2, 5) <= _NEAR
        _solve(lines, picture - _CENTRE, sought, alpha, target, weight, steps)
    assert lines is not None
    return lines


def lines_of(image: Floats, alpha: Floats) -> Floats:
    """The lines (H, W, 4) of a known alpha (H, W), as `closed_form_lines` returns them."""
    inside = np.ones(alpha.shape, np.float32)
    laplacian = MattingLaplacian(cv2.split(image - _CENTRE), inside, _KNOWN_EPSILON)
    return np.asarray(cv2.merge(laplacian.coefficients(alpha)), np.float32)


def alpha_of_lines(lines: Floats, colours: Floats) -> Floats:
    """Alpha (...), 0..1, of colours (..., 3) by lines (..., 4)."""
    alpha: Floats = lines[..., 3].copy()
    for channel in range(3):
        alpha += lines[..., channel] * (colours[..., channel] - _CENTRE)
    np.clip(alpha, 0.0, 1.0, out=alpha)
    return alpha


def _solve(
    lines: Floats,
    picture: Floats,
    sought: Flags,
    alpha: Floats,
    target: Floats,
    weight: Floats,
    steps: int,
) -> None:
    """Conjugate gradients on (L + weight) alpha = weight * target over the pixels that are sought.

    Args:
        lines: (H, W, 4), C-contiguous; those of what is sought, and around it, are written.
        picture: (H, W, 3), centred colours.
        sought: (H, W), N pixels; elsewhere alpha is fixed.
        alpha: (H, W), to start from.
        target: (H, W), the guess by colours.
        weight: (H, W), of it.
        steps: the most iterations.
    """
    if not sought.any():
        return
    strips = _Strips(sought)
    colours = [strips.read(np.asarray(plane, np.float32)) for plane in cv2.split(picture)]
    laplacian = MattingLaplacian(colours, strips.inside)
    fixed = strips.read(np.where(sought, np.float32(0), alpha))
    found, wanted, weight = alpha[sought], target[sought], weight[sought]  # (N,)

    def apply(in_strips: Floats) -> Floats:
        """L times a matte in strips (h, w), at the pixels that are sought (N,)."""
        return laplacian.apply(in_strips).take(strips.sought)

    residual = weight * (wanted - found) - apply(strips.spread(found) + fixed)
    direction = residual
    energy = float(residual @ residual)
    for _ in range(steps):
        if energy < 1e-10 * alpha.size:
            break
        image_of = apply(strips.spread(direction)) + weight * direction
        curvature = float(direction @ image_of)
        if curvature <= 0.0:
            break
        step = np.float32(energy / curvature)
        found = found + step * direction
        residual = residual - step * image_of
        previous, energy = energy, float(residual @ residual)
        direction = residual + np.float32(energy / previous) * direction
    found_lines = laplacian.coefficients(strips.spread(found) + fixed)
    strips.write([_box(plane) * laplacian.share for plane in found_lines], lines)


class _Strips:
    """The columns of a picture's strips that hold what is sought, side by side.

    Each column has the margin that its windows depend on. Nothing else is computed.

    Args:
        sought: (H, W), N pixels.

    Attributes:
        inside: (h, w), float32, 1 in the picture and 0 beyond.
        sought: (N,), where in the strips the pixels are, row by row of the picture.
    """

    def __init__(self, sought: Flags) -> None:
        height, width = sought.shape
        # What a line carried to a finer level mixes with is computed too.
        around = cv2.dilate(sought.astype(np.uint8), np.ones((3, 3), np.uint8))
        border = 0, -height % _STRIP, _HALO, _HALO
        around = cv2.copyMakeBorder(around, *border, cv2.BORDER_CONSTANT)
        used = np.asarray(around, np.uint8).reshape(-1, _STRIP, width + 2 * _HALO).max(axis=1)
        seen = cv2.dilate(used, np.ones((1, 2 * _HALO + 1), np.uint8))
        strip, column = np.nonzero(seen)
        own = np.tile(used[strip, column] > 0, (_STRIP + 2 * _HALO, 1))
        own[:_HALO] = own[-_HALO:] = False
        rows = np.arange(-_HALO, _STRIP + _HALO)[:, None] + strip * _STRIP
        columns = column - _HALO
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        self._places = np.where(inside, rows * width + columns, 0)
        self._own = np.flatnonzero(own & inside)
        self.inside = inside.astype(np.float32)
        # Each pixel's number; that of all that are not sought is N.
        count = int(sought.sum())
        numbers = np.full(sought.shape, count)
        numbers[sought] = np.arange(count)
        self._numbers = np.where(inside, numbers.take(self._places), count)
        mine = self._numbers.take(self._own)
        self.sought = np.empty(count, np.intp)
        self.sought[mine[mine < count]] = self._own[mine < count]

    def read(self, plane: Floats) -> Floats:
        """A plane (H, W) of the picture, in strips (h, w); 0 beyond it."""
        read: Floats = plane.take(self._places) * self.inside
        return read

    def spread(self, values: Floats) -> Floats:
        """Values (N,) of the pixels that are sought, in strips (h, w); 0 elsewhere."""
        return np.append(values, np.float32(0)).take(self._numbers)

    def write(self, planes: Sequence[Floats], picture: Floats) -> None:
        """Planes (h, w), in strips, into a picture (H, W, C): where something is sought."""
        values = np.stack([plane.take(self._own) for plane in planes], axis=-1)
        picture.reshape(-1, len(planes))[self._places.take(self._own)] = values


_ONES = np.ones(3, np.float32)


def _box(plane: Floats) -> Floats:
    """Sum over the 3x3 window, nothing beyond the border."""
    summed = cv2.sepFilter2D(plane, -1, _ONES, _ONES, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(summed, np.float32)


class MattingLaplacian:
    """Levin's matting Laplacian of 3x3 windows, applied with box filters (He, Sun, Tang 2010).

    Args:
        colours: three planes (H, W), centred, 0 beyond the picture.
        inside: (H, W), 1 in the picture and 0 beyond, where no window has its centre.
        epsilon: see `_EPSILON`.

    Attributes:
        share: (H, W), 1 / the pixels of each window, 0 beyond the picture.
    """

    def __init__(
        self, colours: Sequence[Floats], inside: Floats, epsilon: float = _EPSILON
    ) -> None:
        self.colours = colours
        self.count = _box(inside)
        self.share: Floats = inside / np.maximum(self.count, np.float32(1))
        self.minus_means = [-_box(plane) * self.share for plane in self.colours]
        lower, pivots = self._factorise(np.float32(epsilon))
        self.minus_lower = [-entry for entry in lower]
        self.pivots = [inside / pivot for pivot in pivots]

    def _factorise(self, epsilon: np.float32) -> tuple[list[Floats], list[Floats]]:
        """Lower entries (gr, br, bg) and pivots of L D L' = count * covariance + epsilon.

        An explicit inverse by cofactors cancels to noise in float32 where the colours of a
        window lie on a line; pivots stay accurate and are kept above the regularisation.
        """
        sums = [self.count * minus_mean for minus_mean in self.minus_means]

        def covariance(first: int, second: int) -> Floats:
            product = _box(self.colours[first] * self.colours[second])
            product -= sums[first] * self.minus_means[second]
            return product

        pivot_red = np.maximum(covariance(0, 0), 0.0) + epsilon
        red_green, red_blue = covariance(0, 1), covariance(0, 2)
        green_red, blue_red = red_green / pivot_red, red_blue / pivot_red
        pivot_green = np.maximum(covariance(1, 1) - green_red * red_green, 0.0) + epsilon
        rest = covariance(1, 2) - green_red * red_blue
        blue_green = rest / pivot_green
        pivot_blue = covariance(2, 2) - blue_red * red_blue - blue_green * rest
        pivot_blue = np.maximum(pivot_blue, 0.0) + epsilon
        return [green_red, blue_red, blue_green], [pivot_red, pivot_green, pivot_blue]

    def coefficients(self, alpha: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Slopes (three) and offset of the line alpha = a . colour + b in each window, (H, W).

        Alpha (H, W) is 0 beyond the picture.
        """
        offset = _box(alpha)
        slopes = []
        for colour, minus_mean in zip(self.colours, self.minus_means, strict=True):
            slopes.append(_add_product(_box(colour * alpha), minus_mean, offset))
        red, green, blue = slopes
        green_red, blue_red, blue_green = self.minus_lower
        _add_product(green, green_red, red)
        _add_product(_add_product(blue, blue_red, red), blue_green, green)
        for slope, pivot in zip(slopes, self.pivots, strict=True):
            slope *= pivot
        _add_product(green, blue_green, blue)
        _add_product(_add_product(red, green_red, green), blue_red, blue)
        offset *= self.share
        for slope, minus_mean in zip(slopes, self.minus_means, strict=True):
            _add_product(offset, slope, minus_mean)
        return red, green, blue, offset

    def apply(self, alpha: Floats) -> Floats:
        """Return L alpha, float32 (H, W)."""
        *slopes, offset = self.coefficients(alpha)
        explained = _box(offset)
        for slope, colour in zip(slopes, self.colours, strict=True):
            _add_product(explained, _box(slope), colour)
        result: Floats = self.count * alpha
        result -= explained
        return result


def _add_product(total: Floats, first: Floats, second: Floats) -> Floats:
    """total += first * second, in one pass, because memory access is the bottleneck."""
    cv2.accumulateProduct(first, second, total)
    return total
