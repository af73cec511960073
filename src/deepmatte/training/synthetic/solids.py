"""Plain opaque objects: sharp, softly bordered or partly out of focus."""

from __future__ import annotations

import cv2
import numpy as np

from deepmatte.training.synthetic.fields import (
    FloatArray,
    Layer,
    Texture,
    filled,
    material,
    random_contour,
    smooth_noise,
)


def _polygon(rng: np.random.Generator, height: int, width: int) -> FloatArray:
    """A star, polygon or rounded box (N, 2) somewhere in the frame."""
    extent = float(np.sqrt(height * width))
    corners = int(rng.integers(3, 11))
    angles = np.sort(rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(corners) / corners)
    angles = angles + rng.normal(0.0, 0.12, corners)
    radius = extent * rng.uniform(0.28, 0.55) * rng.uniform(0.8, 1.1, corners)
    if corners >= 5 and rng.random() < 0.4:
        radius[::2] *= rng.uniform(0.3, 0.8)
    centre = rng.uniform(0.1, 0.9, 2) * (width, height)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outline: FloatArray = (centre + radius[:, None] * circle).astype(np.float32)
    if rng.random() < 0.4:
        return _rounded(outline)
    return outline


def _rounded(outline: FloatArray) -> FloatArray:
    """Corners cut off three times (Chaikin), which rounds them."""
    for _ in range(3):
        following = np.roll(outline, -1, axis=0)
        pair = np.stack([0.75 * outline + 0.25 * following, 0.25 * outline + 0.75 * following], 1)
        outline = pair.reshape(-1, 2)
    return outline.astype(np.float32)


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


def solid(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """One or two opaque objects, blobs or polygons, sometimes with holes and thin parts."""
    alpha = np.zeros((height, width), np.float32)
    extent = min(height, width)
    for _ in range(int(rng.choice([1, 1, 2]))):
        if rng.random() < 0.6:
            rough = float(rng.uniform(0.03, 0.25))
            outline = random_contour(rng, height, width, (0.15, 0.6), rough).points
        else:
            outline = _polygon(rng, height, width)
        outlines = [outline]
        if rng.random() < 0.35:
            middle = outline.mean(axis=0)
            for _ in range(int(rng.integers(1, 5))):
                offset = rng.normal(0.0, 0.1, 2) * extent
                hole = (outline - middle) * rng.uniform(0.06, 0.3) + middle + offset
                outlines.append(hole.astype(np.float32))
        alpha = np.maximum(alpha, filled(height, width, outlines))
    if rng.random() < 0.3:
        # Wires, handles, whiskers: thin opaque lines that leave the object.
        for _ in range(int(rng.integers(1, 5))):
            ends = rng.uniform(-0.1, 1.1, (2, 2)) * (width, height)
            bow = rng.normal(0.0, 0.2, 2) * extent
            along = np.linspace(0, 1, 24)[:, None]
            path = ends[0] + along * (ends[1] - ends[0]) + np.sin(np.pi * along) * bow
            tangent = np.gradient(path, axis=0)
            aside = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
            aside /= np.linalg.norm(aside, axis=1, keepdims=True) + 1e-6
            aside *= rng.uniform(0.5, 5.0)
            band = np.concatenate([path + aside, (path - aside)[::-1]]).astype(np.float32)
            alpha = np.maximum(alpha, filled(height, width, [band]))
    if rng.random() < 0.6:
        alpha = _softened(rng, alpha)
    return material(rng, height, width, texture, 0.55), alpha
