"""Random smooth fields, contours and colours that every kind of synthetic foreground is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Contour:
    """A closed smooth outline: points (N, 2) as x, y in pixels, outward unit normals (N, 2)."""

    points: FloatArray
    normals: FloatArray
    centre: FloatArray


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
        mean = patch.reshape(-1, 3).mean(axis=0)
        if rng.random() < 0.4:
            # A random cell of the patch instead of its mean, which is nearly always greyish.
            mean = coarse[rng.integers(height), rng.integers(width)]
        detail = np.float32(rng.uniform(0.15, 0.9))
        drift = np.float32(rng.uniform(0.05, 0.4))
        patch = (
            mean + drift * (coarse - coarse.reshape(-1, 3).mean(axis=0)) + detail * (patch - coarse)
        )
    shade = 1.0 + np.float32(rng.uniform(0.0, 0.3)) * smooth_noise(
        rng, height, width, max(height, width) * 0.6
    )
    colour: FloatArray = np.clip(patch * shade[..., None], 0.0, 1.0, dtype=np.float32)
    return colour


def random_contour(
    rng: np.random.Generator,
    height: int,
    width: int,
    coverage: tuple[float, float] = (0.15, 0.55),
    roughness: float = 0.12,
) -> Contour:
    """A smooth blob, often leaving the frame, that covers a share of the frame in ``coverage``."""
    angles = np.linspace(0.0, 2.0 * np.pi, 256, endpoint=False)
    extent = np.sqrt(height * width)
    contour = None
    for _ in range(12):
        radius = np.ones_like(angles)
        for harmonic in range(2, 9):
            size = rng.normal(0.0, roughness / (harmonic - 1) ** 0.8)
            radius += size * np.cos(harmonic * angles + rng.uniform(0, 2 * np.pi))
        radius = np.clip(radius, 0.25, 2.0) * extent * rng.uniform(0.25, 0.62)
        centre = rng.uniform(0.0, 1.0, 2) * (width, height)
        stretch = np.array([1.0, rng.uniform(0.6, 1.5)])
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        points = (centre + radius[:, None] * circle * stretch).astype(np.float32)
        tangent = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
        normals = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + np.float32(1e-6)
        contour = Contour(points, normals, centre.astype(np.float32))
        thumbnail = np.zeros((48, 48), np.uint8)
        scaled = points * np.float32(48) / np.array([width, height], np.float32)
        cv2.fillPoly(thumbnail, [np.round(scaled).astype(np.int32)], 1)
        if coverage[0] <= float(thumbnail.mean()) <= coverage[1]:
            break
    assert contour is not None
    return contour


def fixed_point(points: FloatArray, scale: float = SUPERSAMPLE) -> NDArray[np.int32]:
    """Pixel coordinates as OpenCV's fixed-point integers on a canvas ``scale`` times larger."""
    # Sample centres: pixel 0 of the frame covers -0.5..0.5 there and 0..scale on the canvas.
    placed = (points + 0.5) * scale - 0.5
    fixed: NDArray[np.int32] = np.round(np.clip(placed, -20000, 20000) * 2**SHIFT).astype(np.int32)
    return fixed


def averaged(canvas: NDArray[np.uint8]) -> FloatArray:
    """A supersampled 8-bit canvas as coverage (H, W) in 0..1."""
    height, width = canvas.shape[0] // SUPERSAMPLE, canvas.shape[1] // SUPERSAMPLE
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    coverage: FloatArray = np.asarray(small, np.float32) * np.float32(1.0 / 255.0)
    return coverage


def new_canvas(height: int, width: int) -> NDArray[np.uint8]:
    """An empty supersampled canvas for a frame of ``height`` by ``width``."""
    return np.zeros((height * SUPERSAMPLE, width * SUPERSAMPLE), np.uint8)


def filled(height: int, width: int, outlines: list[FloatArray]) -> FloatArray:
    """Anti-aliased coverage (H, W) of closed outlines; an outline inside another is a hole."""
    canvas = new_canvas(height, width)
    polygons = [fixed_point(outline) for outline in outlines]
    cv2.fillPoly(canvas, polygons, 255, lineType=cv2.LINE_AA, shift=SHIFT)
    return averaged(canvas)


def over(front: Layer, back: Layer) -> Layer:
    """``front`` laid over ``back``, both as straight colours and alpha.

    Where neither covers, the colours of ``back`` remain, so that no dark fringe can appear.
    """
    front_colour, front_alpha = front
    back_colour, back_alpha = back
    behind = back_alpha * (1.0 - front_alpha)
    alpha = front_alpha + behind
    share = ((front_alpha + np.float32(1e-5)) / (alpha + np.float32(1e-5)))[..., None]
    share = np.minimum(share, np.float32(1.0))
    return back_colour + share * (front_colour - back_colour), alpha
