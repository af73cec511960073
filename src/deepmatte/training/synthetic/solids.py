"""Plain opaque objects: sharp, softly bordered or partly out of focus."""

from __future__ import annotations

import cv2
import numpy as np

from deepmatte.training.synthetic.bodies import figure, polygon, random_contour, relief
from deepmatte.training.synthetic.fields import (
    FloatArray,
    Layer,
    Texture,
    filled,
    lit,
    material,
    over,
    smooth_noise,
)
from deepmatte.training.synthetic.paint import Sheet, natural, varied


def _softened(rng: np.random.Generator, alpha: FloatArray) -> FloatArray:
    """The border blurred by a random width, that may change along the contour."""
    height, width = alpha.shape
    extent = min(height, width)
    sigma = float(np.exp(rng.uniform(np.log(0.6), np.log(max(1.0, 0.025 * extent)))))
    soft = np.asarray(cv2.GaussianBlur(alpha, (0, 0), sigma), np.float32)
    if rng.random() < 0.4:
        return soft
    softer = np.asarray(cv2.GaussianBlur(soft, (0, 0), 1.5 * sigma + 1.0), np.float32)
    share = np.clip(0.5 + 1.5 * smooth_noise(rng, height, width, extent * 0.5), 0.0, 1.0)
    first = alpha if rng.random() < 0.5 else soft
    border: FloatArray = first + share * (softer - first)
    return border


def _wires(rng: np.random.Generator, height: int, width: int) -> Layer:
    """Handles, whiskers, strings: thin opaque lines that leave the object."""
    extent = min(height, width)
    sheet = Sheet(height, width)
    colour = natural(rng, "metal")
    for _ in range(int(rng.integers(1, 5))):
        ends = rng.uniform(-0.1, 1.1, (2, 2)) * (width, height)
        bow = rng.normal(0.0, 0.2, 2) * extent
        along = np.linspace(0, 1, 32)[:, None]
        path = ends[0] + along * (ends[1] - ends[0]) + np.sin(np.pi * along) * bow
        half = float(np.exp(rng.uniform(np.log(0.4), np.log(6.0))))
        sheet.ribbon(path.astype(np.float32), half, varied(rng, colour, 0.3, 0.05))
    return sheet.layer()


def solid(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """One to three opaque objects, sometimes with holes and thin parts, sharp or soft."""
    extent = min(height, width)
    layer: Layer | None = None
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        choice = rng.random()
        if choice < 0.35:
            rough = float(rng.uniform(0.03, 0.25))
            outline = random_contour(rng, height, width, (0.15, 0.6), rough).points
        elif choice < 0.65:
            outline = figure(rng, height, width, (0.15, 0.6)).points
        else:
            outline = polygon(rng, height, width)
        mask = filled(height, width, [outline])
        if rng.random() < 0.35:
            middle = outline.mean(axis=0)
            for _ in range(int(rng.integers(1, 6))):
                offset = rng.normal(0.0, 0.12, 2) * extent
                hole = (outline - middle) * rng.uniform(0.02, 0.25) + middle + offset
                mask *= 1.0 - filled(height, width, [hole.astype(np.float32)])
        colour = material(rng, height, width, texture, 0.55)
        if rng.random() < 0.4:
            colour = lit(colour, relief(rng, mask))
        layer = (colour, mask) if layer is None else over((colour, mask), layer)
    assert layer is not None
    if rng.random() < 0.3:
        layer = over(_wires(rng, height, width), layer)
    colour, alpha = layer
    if rng.random() < 0.55:
        alpha = _softened(rng, alpha)
    return colour, alpha
