"""Smoke, glow, glass and veils: large areas of partial opacity."""

from __future__ import annotations

import cv2
import numpy as np

from deepmatte.training.synthetic.fields import (
    FloatArray,
    Layer,
    Texture,
    filled,
    fractal_noise,
    local_mean,
    material,
    over,
    random_contour,
    smooth_noise,
    softened,
)


def _solid_part(rng: np.random.Generator, layer: Layer, texture: Texture, chance: float) -> Layer:
    """With some probability an opaque object in front of or behind the translucent one."""
    if rng.random() >= chance:
        return layer
    height, width = layer[1].shape
    outline = random_contour(rng, height, width, (0.1, 0.35))
    solid = (material(rng, height, width, texture), filled(height, width, [outline.points]))
    return over(solid, layer) if rng.random() < 0.5 else over(layer, solid)


def smoke(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Smoke, steam, flames or glow: fractal opacity within a soft cloud, colours nearly one."""
    extent = max(height, width)
    outline = random_contour(rng, height, width, (0.3, 0.7), 0.25)
    cloud = filled(height, width, [outline.points])
    cloud = softened(cloud, 0.05 * extent)
    density = fractal_noise(
        rng, height, width, extent * float(rng.uniform(0.2, 0.5)), 6, float(rng.uniform(0.4, 0.65))
    )
    level = float(rng.uniform(0.3, 0.8))
    alpha = np.clip((level + 0.8 * density) * 1.4, 0.0, 1.0) * np.clip(cloud * 1.6 - 0.3, 0, 1)
    colour = material(rng, height, width, texture)
    tone = np.asarray(rng.choice([colour.mean(), 0.9, 0.6, 0.15]) + rng.normal(0, 0.04, 3))
    if rng.random() < 0.3:
        tone = np.array([1.0, rng.uniform(0.4, 0.8), rng.uniform(0.0, 0.3)])
    colour = tone.astype(np.float32) + np.float32(rng.uniform(0.05, 0.5)) * (
        local_mean(colour, 6) - tone.astype(np.float32)
    )
    colour = colour * (1.0 + 0.15 * smooth_noise(rng, height, width, extent / 6))[..., None]
    layer = np.clip(colour, 0.0, 1.0).astype(np.float32), alpha.astype(np.float32)
    return _solid_part(rng, layer, texture, 0.75)


def _rim(mask: FloatArray, reach: float) -> FloatArray:
    """1 at the border of a mask (H, W), falling to 0 at ``reach`` pixels inside it."""
    binary = (mask > 0.5).astype(np.uint8)
    # The frame's edge is no border of the object.
    padded = cv2.copyMakeBorder(binary, 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[2:-2, 2:-2]
    rim: FloatArray = np.clip(1.0 - np.asarray(distance, np.float32) / np.float32(reach), 0.0, 1.0)
    return rim


def glass(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Glass or plastic: nearly constant opacity, brighter opaque rims and highlights."""
    extent = min(height, width)
    outline = random_contour(rng, height, width, (0.3, 0.65), float(rng.uniform(0.0, 0.12)))
    mask = filled(height, width, [outline.points])
    inside = float(rng.uniform(0.15, 0.7))
    rim = _rim(mask, float(rng.uniform(0.01, 0.08)) * extent) ** float(rng.uniform(0.7, 2.0))
    shine = smooth_noise(rng, height, width, extent * float(rng.uniform(0.1, 0.3)))
    shine = np.clip((shine - np.float32(rng.uniform(0.3, 0.6))) * 8.0, 0.0, 1.0)
    drift = 1.0 + 0.2 * smooth_noise(rng, height, width, extent * 0.5)
    opacity = np.clip(inside * drift + (1.0 - inside) * rim, 0.0, 1.0)
    opacity = np.maximum(opacity, shine * np.float32(rng.uniform(0.4, 1.0)))
    colour = material(rng, height, width, texture, 0.9)
    colour = local_mean(colour, 8)
    bright = np.clip(0.5 * rim + shine, 0.0, 1.0)[..., None]
    colour = colour + bright * (np.float32(rng.uniform(0.7, 1.0)) - colour)
    layer = colour.astype(np.float32), (mask * opacity).astype(np.float32)
    return _solid_part(rng, layer, texture, 0.85)


def veil(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Thin cloth: more opaque where it folds, a hem, a fine weave, often before a body."""
    extent = float(max(height, width))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    turn = float(rng.uniform(0, np.pi))
    across = np.float32(np.cos(turn)) * x + np.float32(np.sin(turn)) * y
    across += np.float32(0.12 * extent) * smooth_noise(rng, height, width, extent * 0.4)
    period = np.float32(rng.uniform(0.05, 0.2) * extent)
    fold = np.abs(np.sin(across / period * np.float32(np.pi)))
    fold = fold + 0.5 * np.abs(np.sin(across / period * np.float32(4.7) + 1.0))
    depth = np.clip(fold / 1.5, 0.0, 1.0) ** float(rng.uniform(1.0, 4.0))
    outline = random_contour(rng, height, width, (0.35, 0.7), 0.15)
    mask = filled(height, width, [outline.points])
    base = float(rng.uniform(0.15, 0.6))
    hem = _rim(mask, float(rng.uniform(2.0, 6.0))) > 0
    opacity = base + (1.0 - base) * depth * np.float32(rng.uniform(0.3, 1.0))
    opacity = np.maximum(opacity, hem * np.float32(rng.uniform(base, 1.0)))
    if rng.random() < 0.4:
        weave = np.sin(x * np.float32(1.9)) * np.sin(y * np.float32(1.9))
        opacity = opacity * (1.0 + 0.15 * weave)
    colour = material(rng, height, width, texture, 0.9)
    colour = local_mean(colour, 4) * (0.75 + 0.3 * depth)[..., None]
    alpha = np.clip(opacity, 0.0, 1.0) * mask
    layer = np.clip(colour, 0.0, 1.0).astype(np.float32), alpha.astype(np.float32)
    return _solid_part(rng, layer, texture, 0.85)
