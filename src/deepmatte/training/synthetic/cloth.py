"""Lace and knitwear: thin cloths with holes, thick ones with fuzz."""

from __future__ import annotations

import numpy as np

from deepmatte.training.synthetic.bodies import Contour, figure, relief
from deepmatte.training.synthetic.fields import (
    FloatArray,
    Layer,
    Texture,
    filled,
    grain,
    lit,
    over,
    smooth_noise,
    softened,
    tinted,
)
from deepmatte.training.synthetic.hair import flyaways
from deepmatte.training.synthetic.meshes import covered, placed, steepness, surface, thread
from deepmatte.training.synthetic.paint import varied


def _lace(rng: np.random.Generator, x: FloatArray, y: FloatArray, period: float) -> Layer:
    """Level lines and spots of a sum of plane waves: flowers and rings in symmetric order."""
    waves = int(rng.choice([2, 3, 4, 5]))
    total = np.zeros_like(x)
    for index in range(waves):
        angle = np.pi * index / waves
        along = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
        total += np.cos(along * np.float32(2 * np.pi / period))
    total /= np.float32(waves**0.5)
    slope = steepness(total) + np.float32(0.02)
    half = np.full_like(x, rng.uniform(0.5, 2.2))
    cover = np.zeros_like(x)
    for level in rng.uniform(-0.6, 1.0, 2):
        cover = np.maximum(cover, covered(np.abs(total - np.float32(level)) / slope, half))
    solid = np.clip((total - np.float32(rng.uniform(0.5, 1.3))) / slope + 0.5, 0.0, 1.0)
    fine = np.full_like(x, rng.uniform(0.2, 0.6))
    ground, _, _ = thread(x + y, period / 4, fine)
    other, _, _ = thread(x - y, period / 4, fine)
    net = np.maximum(ground, other) * np.float32(rng.uniform(0.4, 1.0))
    cover = np.maximum(np.maximum(cover, solid), net)
    return 0.8 + 0.2 * cover, cover


def lace(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Lace: a fine ground with rings and flowers."""
    extent = min(height, width)
    x, y = surface(rng, height, width, float(rng.uniform(0.0, 0.1)) * extent)
    period = float(rng.uniform(0.05, 0.2)) * extent
    brightness, cover = _lace(rng, x, y, period)
    return placed(rng, brightness, cover, texture)


def _stitches(
    rng: np.random.Generator, x: FloatArray, y: FloatArray, period: float, row: float
) -> tuple[FloatArray, FloatArray]:
    """Height 0..1 and row number (H, W) of slanting stitches, two to a column."""
    column = x / np.float32(0.5 * period)
    half = np.floor(column)
    across = column - half - np.float32(0.5)
    side = 2.0 * np.mod(half, 2.0) - 1.0
    along = y / np.float32(row) + side * across * np.float32(rng.uniform(0.5, 1.1))
    number = np.floor(along)
    inside = along - number - np.float32(0.5)
    top = np.clip(1.0 - 3.2 * across**2 - 3.0 * inside**2, 0.0, 1.0)
    fibres = np.sin((across * side * 9.0 + inside * 4.0) * np.float32(rng.uniform(1.0, 2.5)))
    return np.asarray(top + 0.07 * fibres, np.float32), number


def _loops(
    rng: np.random.Generator, x: FloatArray, y: FloatArray, period: float, row: float
) -> tuple[FloatArray, FloatArray]:
    """Height and coverage (H, W) of interlocked loops, loose enough to see through."""
    fuzz = np.float32(rng.uniform(0.0, 0.35)) * smooth_noise(rng, x.shape[0], x.shape[1], 2.5)
    soft = np.float32(rng.uniform(1.0, 3.0))
    half = np.float32(rng.uniform(0.1, 0.26) * row) * (1.0 + fuzz)
    phase = x * np.float32(2 * np.pi / period)
    cover, height = np.zeros_like(x), np.ones_like(x)
    for shift in (0.0, 0.5):
        # Loops lean to and fro along a row, so that they hook into the next one.
        wave = y + np.float32(0.45 * row) * np.sin(phase + np.float32(2 * np.pi * shift))
        wave = wave - np.float32(shift * row)
        distance = np.abs(wave - np.round(wave / np.float32(row)) * np.float32(row))
        strand = np.clip((half - distance / steepness(wave)) / soft + 0.5, 0, 1)
        lit = 1.0 - np.clip(distance / (half + 0.5), 0, 1) ** 2
        height = height + (strand > 0.5) * (lit - height)
        cover = np.maximum(cover, strand)
    return height, cover


def knit(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Knitwear with fuzz around it: close stitches of a striped yarn, or loose open loops."""
    extent = min(height, width)
    x, y = surface(rng, height, width, float(rng.uniform(0.0, 0.12)) * extent)
    period = float(np.exp(rng.uniform(np.log(0.02), np.log(0.14)))) * extent + 5.0
    row = period * float(rng.uniform(0.5, 0.9))
    colour, gain = grain(rng, height, width, texture)
    outline = figure(rng, height, width, (0.25, 0.65))
    mask = filled(height, width, [outline.points])
    if rng.random() < 0.35:
        top, cover = _loops(rng, x, y, period, row)
        alpha, number = cover * mask, np.zeros_like(top)
    else:
        top, number = _stitches(rng, x, y, period, row)
        alpha = _bumpy(rng, outline, mask, period)
    shades = np.exp(rng.normal(0.0, rng.choice([0.0, 0.2]), (64, 3))).astype(np.float32)
    stripes = shades[np.mod(number // int(rng.integers(1, 6)), 64).astype(np.intp)]
    light = (0.4 + 0.7 * top) * relief(rng, mask)
    layer = (lit(tinted(gain * stripes, colour), light), alpha)
    tone = varied(rng, colour, 0.1, 0.05)
    reach = float(np.exp(rng.uniform(np.log(0.015), np.log(0.1))))
    fuzz = flyaways(rng, (height, width), outline, tone, int(rng.integers(60, 700)), reach)
    return over(layer, fuzz)


def _bumpy(
    rng: np.random.Generator, outline: Contour, mask: FloatArray, period: float
) -> FloatArray:
    """The mask (H, W) with a border that bulges with every stitch, and a soft rim of wool."""
    bumps = np.abs(np.sin(np.arange(256) * np.pi / max(2.0, period * 0.5)))
    points = outline.points + outline.normals * (0.25 * period * bumps[:, None]).astype(np.float32)
    height, width = mask.shape
    sharp = np.maximum(mask, filled(height, width, [points.astype(np.float32)]))
    wool = np.float32(0.6) * smooth_noise(rng, height, width, 3.0)
    soft = softened(sharp, float(rng.uniform(0.6, 0.12 * period + 0.8)))
    frayed = soft + wool * 4.0 * soft * (1.0 - soft) * np.float32(rng.uniform(0.0, 0.6))
    return np.asarray(np.clip(frayed, 0.0, 1.0), np.float32)
