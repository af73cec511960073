"""The two published methods that `foreground.py` is compared with, in plain NumPy and OpenCV."""

from __future__ import annotations

from math import ceil, log2

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def blur_fusion(image: Array, alpha: Array, *, passes: int) -> Array:
    """Forte 2021, "Approximate Fast Foreground Colour Estimation": one pass, or the refined two.

    Blurred colours weighted by alpha and 1 - alpha, corrected by what they leave unexplained;
    radius 90 first, then 6, as published.
    """
    opacity = alpha[..., None]
    foreground, background = image, image
    for radius in (90, 6)[:passes]:
        window = (radius, radius)
        share = cv2.blur(alpha, window)[..., None]
        blurred_foreground = cv2.blur(foreground * opacity, window) / (share + 1e-5)
        background = cv2.blur(background * (1 - opacity), window) / (1 - share + 1e-5)
        explained = opacity * blurred_foreground + (1 - opacity) * background
        foreground = np.clip(blurred_foreground + opacity * (image - explained), 0, 1)
    return foreground.astype(np.float32)


def multi_level(image: Array, alpha: Array) -> Array:
    """Germer et al. 2020, "Fast Multi-Level Foreground Estimation", with its published settings.

    pymatting updates pixel by pixel in place (Gauss-Seidel), which NumPy cannot; here every pixel
    of an iteration sees the iteration before (Jacobi), which converges a little more slowly.
    """
    height, width = alpha.shape
    foreground = _mean_colour(image, alpha > 0.9)
    background = _mean_colour(image, alpha < 0.1)
    levels = max(1, ceil(log2(max(height, width))))
    for level in range(levels + 1):
        size = (round(width ** (level / levels)), round(height ** (level / levels)))
        foreground, background = _relax(
            _nearest(image, size),
            _nearest(alpha, size),
            _nearest(foreground, size),
            _nearest(background, size),
            iterations=10 if max(size) <= 32 else 2,
        )
    return foreground


def _relax(
    image: Array, alpha: Array, foreground: Array, background: Array, *, iterations: int
) -> tuple[Array, Array]:
    """Iterations at one level: four neighbours, tied the closer the more alpha changes."""
    sides = (np.s_[1:-1, :-2], np.s_[1:-1, 2:], np.s_[:-2, 1:-1], np.s_[2:, 1:-1])
    padded_alpha = np.pad(alpha, ((1, 1), (1, 1), (0, 0)), mode="edge")
    weights = [1e-5 + np.abs(alpha - padded_alpha[side]) for side in sides]
    total = sum(weights[1:], start=weights[0])
    both_foreground = alpha * alpha + total
    both_background = (1 - alpha) ** 2 + total
    mixed = alpha * (1 - alpha)
    determinant = both_foreground * both_background - mixed * mixed
    for _ in range(iterations):
        padded_foreground = np.pad(foreground, ((1, 1), (1, 1), (0, 0)), mode="edge")
        padded_background = np.pad(background, ((1, 1), (1, 1), (0, 0)), mode="edge")
        right_foreground = alpha * image
        right_background = image - right_foreground
        for side, weight in zip(sides, weights, strict=True):
            right_foreground += weight * padded_foreground[side]
            right_background += weight * padded_background[side]
        foreground = both_background * right_foreground - mixed * right_background
        foreground = np.clip(foreground / determinant, 0, 1)
        background = both_foreground * right_background - mixed * right_foreground
        background = np.clip(background / determinant, 0, 1)
    return foreground, background


def _mean_colour(image: Array, where: NDArray[np.bool_]) -> Array:
    """One pixel, (1, 1, 3): the mean colour of the chosen pixels, black if there are none."""
    colour = image[where].mean(axis=0) if where.any() else np.zeros(3)
    return colour.reshape(1, 1, 3).astype(np.float32)


def _nearest(picture: Array, size: tuple[int, int]) -> Array:
    """Resized to (width, height) by nearest neighbour, always with a channel axis."""
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)
    return resized.reshape(size[1], size[0], -1).astype(np.float32)
