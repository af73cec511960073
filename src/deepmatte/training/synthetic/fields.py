"""Random smooth fields and colours that every kind of synthetic foreground is made of."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Texture = Callable[[np.random.Generator, int, int], FloatArray]
Layer = tuple[FloatArray, FloatArray]

SHIFT = 4
"""Fractional bits of the coordinates that OpenCV draws with (sixteenths of a pixel)."""

SUPERSAMPLE = 2
"""Shapes are drawn on canvases this much larger, then averaged down."""


def resized(field: FloatArray, height: int, width: int, interpolation: int) -> FloatArray:
    """``cv2.resize`` with the size in array order."""
    return np.asarray(cv2.resize(field, (width, height), interpolation=interpolation), np.float32)


def smooth_noise(rng: np.random.Generator, height: int, width: int, cell: float) -> FloatArray:
    """Smooth noise (H, W), about -1..1, whose bumps are about ``cell`` pixels wide."""
    rows = max(2, round(height / cell) + 1)
    columns = max(2, round(width / cell) + 1)
    grid = rng.uniform(-1.0, 1.0, (rows, columns)).astype(np.float32)
    return resized(grid, height, width, cv2.INTER_CUBIC)


def fractal_noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    cell: float,
    octaves: int = 5,
    persistence: float = 0.55,
) -> FloatArray:
    """Octaves of smooth noise (H, W), about -1..1; ``cell`` is the widest bump in pixels."""
    total = np.zeros((height, width), np.float32)
    weight, weights = 1.0, 0.0
    for octave in range(octaves):
        size = cell / 2**octave
        if size < 1.0:
            break
        total += np.float32(weight) * smooth_noise(rng, height, width, size)
        weights += weight
        weight *= persistence
    noise: FloatArray = total * np.float32(1.6 / max(weights, 1e-6))
    return noise


def noise_texture(rng: np.random.Generator, height: int, width: int) -> FloatArray:
    """A procedural stand-in for a photo patch: RGB (H, W, 3) in 0..1.

    A ramp through four random related colours is driven by warped fractal noise, with grain.
    """
    cell = float(rng.uniform(0.05, 0.6)) * max(height, width)
    drive = fractal_noise(rng, height, width, cell, 6, float(rng.uniform(0.4, 0.75)))
    base = rng.uniform(0.08, 0.85, 3)
    colours = np.clip(base + rng.normal(0.0, rng.uniform(0.04, 0.25), (4, 3)), 0.0, 1.0)
    stops = np.linspace(-0.9, 0.9, 4)
    index = np.clip((drive + 1.0) * 127.5, 0, 255).astype(np.uint8)
    levels = np.linspace(-1.0, 1.0, 256)
    ramp = np.stack([np.interp(levels, stops, colours[:, c]) for c in range(3)], axis=1)
    image = ramp.astype(np.float32)[index]
    grain = rng.standard_normal((height, width, 1), np.float32) * np.float32(rng.uniform(0, 0.05))
    picture: FloatArray = np.clip(image + grain, 0.0, 1.0, dtype=np.float32)
    return picture


def local_mean(image: FloatArray, cell: int) -> FloatArray:
    """``image`` (H, W[, C]) averaged over about ``cell`` pixels: fast, by a small copy."""
    height, width = image.shape[:2]
    rows, columns = max(2, height // cell), max(2, width // cell)
    small = resized(image, rows, columns, cv2.INTER_AREA)
    return resized(small, height, width, cv2.INTER_LINEAR)


def softened(field: FloatArray, sigma: float) -> FloatArray:
    """A wide Gaussian blur of ``field`` (H, W), computed on a small copy."""
    height, width = field.shape
    factor = max(1, int(sigma / 2.0))
    rows, columns = max(2, height // factor), max(2, width // factor)
    small = resized(field, rows, columns, cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), max(0.3, sigma / factor))
    return resized(np.asarray(blurred, np.float32), height, width, cv2.INTER_LINEAR)


def mean_colour(image: FloatArray) -> FloatArray:
    """The mean (3,) of an image (H, W, 3)."""
    return np.array(cv2.mean(image)[:3], np.float32)


def material(
    rng: np.random.Generator, height: int, width: int, texture: Texture, plain: float = 0.65
) -> FloatArray:
    """Colours (H, W, 3) in 0..1 of one object: a photo patch, mostly made homogeneous.

    With probability ``plain`` large-scale differences of the patch are pulled towards its mean,
    as toys, cloth and hair are of one material and change little over their area.
    """
    patch = np.clip(np.asarray(texture(rng, height, width), np.float32), 0.0, 1.0)
    if rng.random() < plain:
        coarse = local_mean(patch, max(4, min(height, width) // 10))
        mean = average = mean_colour(patch)
        if rng.random() < 0.4:
            # A random cell of the patch instead of its mean, which is nearly always greyish.
            mean = coarse[rng.integers(height), rng.integers(width)]
        detail = float(rng.uniform(0.15, 0.9))
        drift = float(rng.uniform(0.05, 0.4))
        # mean + drift * (coarse - average) + detail * (patch - coarse)
        blend = cv2.addWeighted(patch, detail, coarse, drift - detail, 0.0)
        patch = tinted(
            np.asarray(blend, np.float32), np.ones(3, np.float32), mean - drift * average
        )
    shade = 1.0 + np.float32(rng.uniform(0.0, 0.3)) * smooth_noise(
        rng, height, width, max(height, width) * 0.6
    )
    return lit(patch, shade)


def brighter(colour: FloatArray, light: FloatArray) -> FloatArray:
    """Colours (H, W, 3) times a factor (H, W)."""
    return np.asarray(cv2.multiply(colour, cv2.merge((light, light, light))), np.float32)


def lit(colour: FloatArray, light: FloatArray) -> FloatArray:
    """Colours (H, W, 3) times a factor (H, W), cut off at 0 and 1."""
    bright = brighter(colour, light)
    return np.clip(bright, 0.0, 1.0, out=bright)


def tinted(image: FloatArray, factor: FloatArray, offset: FloatArray | None = None) -> FloatArray:
    """An image (H, W, 3) times one colour (3,), plus another: many times faster than NumPy."""
    matrix = np.diag(factor)
    if offset is not None:
        matrix = np.column_stack([matrix, offset])
    return np.asarray(cv2.transform(image, matrix), np.float32)


def mixed(colour: FloatArray, other: FloatArray, share: FloatArray) -> FloatArray:
    """``colour`` (H, W, 3) where ``share`` (H, W) is 0, ``other`` where it is 1."""
    change = cv2.multiply(cv2.subtract(other, colour), cv2.merge((share, share, share)))
    return np.asarray(cv2.add(colour, change), np.float32)


def grain(
    rng: np.random.Generator, height: int, width: int, texture: Texture
) -> tuple[FloatArray, FloatArray]:
    """A `material` as its mean colour (3,) and the factor (H, W, 3) that varies around 1."""
    colour = material(rng, height, width, texture, 1.0)
    mean = np.maximum(mean_colour(colour), np.float32(0.02))
    gain = tinted(colour, 1.0 / mean)
    return mean, np.clip(gain, 0.3, 2.0, out=gain)


def fixed_point(points: FloatArray) -> NDArray[np.int32]:
    """Pixel coordinates as OpenCV's fixed-point integers on the supersampled canvas."""
    # Sample centres: pixel 0 of the frame covers -0.5..0.5 there, 0..SUPERSAMPLE on the canvas.
    placed = (points + 0.5) * SUPERSAMPLE - 0.5
    return np.asarray(np.round(np.clip(placed, -20000, 20000) * 2**SHIFT), np.int32)


def filled(height: int, width: int, outlines: list[FloatArray]) -> FloatArray:
    """Anti-aliased coverage (H, W) of closed outlines; an outline inside another is a hole."""
    canvas = np.zeros((height * SUPERSAMPLE, width * SUPERSAMPLE), np.uint8)
    polygons = [fixed_point(outline) for outline in outlines]
    cv2.fillPoly(canvas, polygons, 255, lineType=cv2.LINE_AA, shift=SHIFT)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small * np.float32(1.0 / 255.0), np.float32)


def over(front: Layer, back: Layer) -> Layer:
    """``front`` laid over ``back``, both as straight colours and alpha.

    Where neither covers, the colours of ``back`` remain, so that no dark fringe can appear.
    """
    front_colour, front_alpha = front
    back_colour, back_alpha = back
    alpha = front_alpha + back_alpha * (1.0 - front_alpha)
    share = (front_alpha + np.float32(1e-5)) / (alpha + np.float32(1e-5))
    return mixed(back_colour, front_colour, np.minimum(share, np.float32(1.0))), alpha
