"""Nets, mesh baskets, lace and knitwear: warped periodic threads with holes between."""

from __future__ import annotations

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


def warped_grid(
    rng: np.random.Generator, height: int, width: int, strength: float
) -> tuple[FloatArray, FloatArray]:
    """Coordinates x, y (H, W) in pixels, turned, in perspective and displaced smoothly."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x -= np.float32(width / 2)
    y -= np.float32(height / 2)
    tilt = rng.uniform(-0.3, 0.3, 2) / np.array([width, height])
    depth = 1.0 + np.float32(tilt[0]) * x + np.float32(tilt[1]) * y
    turn = float(rng.uniform(0, np.pi))
    cell = max(height, width) * float(rng.uniform(0.25, 0.6))
    x = x / depth + np.float32(strength) * smooth_noise(rng, height, width, cell)
    y = y / depth + np.float32(strength) * smooth_noise(rng, height, width, cell)
    cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    return cosine * x - sine * y, sine * x + cosine * y


def thread(coordinate: FloatArray, period: float) -> tuple[FloatArray, FloatArray]:
    """Distance in pixels (H, W) to the next thread of a family, and the thread's number."""
    number = np.round(coordinate / np.float32(period))
    distance = np.abs(coordinate - number * np.float32(period))
    row_slope, column_slope = np.gradient(coordinate)
    slope = np.sqrt(row_slope**2 + column_slope**2) + np.float32(1e-3)
    return (distance / slope).astype(np.float32), number.astype(np.float32)


def covered(distance: FloatArray, half: FloatArray | np.float32) -> FloatArray:
    """Coverage of a line of half width ``half`` by the distance from its middle."""
    coverage: FloatArray = np.clip(half - distance + np.float32(0.5), 0.0, 1.0)
    return coverage


def _crossed(
    rng: np.random.Generator, x: FloatArray, y: FloatArray, period: float, half: FloatArray
) -> Layer:
    """Two woven families of threads: (brightness, coverage), over and under in turn."""
    first, first_number = thread(x, period)
    second, second_number = thread(y, period * float(rng.uniform(0.7, 1.4)))
    first_cover, second_cover = covered(first, half), covered(second, half)
    on_top = np.mod(first_number + second_number, 2.0) < 0.5
    round_first = 1.0 - 0.5 * np.clip(first / (half + 0.5), 0, 1) ** 2
    round_second = 1.0 - 0.5 * np.clip(second / (half + 0.5), 0, 1) ** 2
    top = np.where(on_top, first_cover, second_cover)
    upper = np.where(on_top, round_first, round_second)
    lower = np.where(on_top, round_second, round_first)
    brightness = lower + (top > 0.5) * (upper - lower)
    return brightness, np.maximum(first_cover, second_cover)


def _hexagons(x: FloatArray, y: FloatArray, period: float, half: FloatArray) -> Layer:
    """Wire netting: borders between the cells of a triangular lattice."""
    step = np.array([period, period * np.sqrt(3.0)], np.float32)
    nearest = []
    for shift in (0.0, 0.5):
        u = x - (np.round(x / step[0] - shift) + np.float32(shift)) * step[0]
        v = y - (np.round(y / step[1] - shift) + np.float32(shift)) * step[1]
        nearest.append((u, v))
    first, second = (u**2 + v**2 for u, v in nearest)
    u = np.where(first < second, nearest[0][0], nearest[1][0])
    v = np.where(first < second, nearest[0][1], nearest[1][1])
    reach = np.maximum(np.abs(u), 0.5 * np.abs(u) + np.float32(np.sqrt(0.75)) * np.abs(v))
    distance = np.float32(period / 2) - reach
    brightness = 1.0 - 0.4 * np.clip(distance / (half + 0.5), 0, 1) ** 2
    return brightness, covered(distance, half)


def _lace(rng: np.random.Generator, x: FloatArray, y: FloatArray, period: float) -> Layer:
    """Level lines and spots of a sum of plane waves: flowers and rings in symmetric order."""
    waves = int(rng.choice([2, 3, 4, 5]))
    total = np.zeros_like(x)
    for index in range(waves):
        angle = np.pi * index / waves
        along = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
        total += np.cos(along * np.float32(2 * np.pi / period))
    total /= np.float32(waves**0.5)
    row_slope, column_slope = np.gradient(total)
    slope = np.sqrt(row_slope**2 + column_slope**2) + np.float32(0.02)
    half = np.float32(rng.uniform(0.7, 2.2))
    cover = np.zeros_like(x)
    for level in rng.uniform(-0.6, 1.0, 2):
        cover = np.maximum(cover, covered(np.abs(total - np.float32(level)) / slope, half))
    solid = np.clip((total - np.float32(rng.uniform(0.5, 1.3))) / slope + 0.5, 0.0, 1.0)
    ground, _ = thread(x + y, period / 4)
    other, _ = thread(x - y, period / 4)
    net = covered(np.minimum(ground, other), np.float32(0.4)) * np.float32(rng.uniform(0.3, 1.0))
    cover = np.maximum(np.maximum(cover, solid), net)
    return 0.8 + 0.2 * cover, cover


def _placed(
    rng: np.random.Generator, brightness: FloatArray, cover: FloatArray, texture: Texture
) -> Layer:
    """The threads within an outline, with a rim, and an opaque part of the same or other make."""
    height, width = cover.shape
    outline = random_contour(rng, height, width, (0.35, 0.8))
    region = filled(height, width, [outline.points])
    rim_width = float(rng.uniform(0.0, 0.04)) * min(height, width)
    inner = filled(height, width, [outline.points - outline.normals * np.float32(rim_width)])
    alpha = np.maximum(cover * region, np.clip(region - inner, 0.0, 1.0))
    colour = material(rng, height, width, texture, 0.85)
    shade = brightness
    if rng.random() < 0.75:
        solid_outline = random_contour(rng, height, width, (0.1, 0.35))
        solid = filled(height, width, [solid_outline.points])
        if rng.random() < 0.5:
            other = material(rng, height, width, texture)
            colour = colour + solid[..., None] * (other - colour)
            shade = shade + solid * (1.0 - shade)
        alpha = np.maximum(alpha, solid)
    coloured = np.clip(colour * shade[..., None], 0.0, 1.0)
    return coloured.astype(np.float32), alpha.astype(np.float32)


def net(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Threads of 1 to 6 pixels in squares, diamonds, woven bands or hexagons."""
    extent = min(height, width)
    period = float(np.exp(rng.uniform(np.log(8.0), np.log(max(16.0, 0.12 * extent)))))
    x, y = warped_grid(rng, height, width, float(rng.uniform(0.0, 0.12)) * extent)
    wide = float(np.clip(rng.uniform(0.08, 0.5) * period, 1.0, rng.uniform(2.0, 7.0)))
    # Thread strength changes a little over the frame.
    swell = 1.0 + 0.25 * smooth_noise(rng, height, width, extent / 4)
    half = np.float32(0.5 * wide) * swell
    if rng.random() < 0.3:
        brightness, cover = _hexagons(x, y, period, half)
    else:
        skew = np.float32(rng.choice([0.0, 0.0, rng.uniform(-0.6, 0.6)]))
        brightness, cover = _crossed(rng, x + skew * y, y, period, half)
    return _placed(rng, brightness, cover, texture)


def basket(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """A mesh basket: broad bands with small holes in rows, as of plastic or wicker."""
    extent = min(height, width)
    x, y = warped_grid(rng, height, width, float(rng.uniform(0.0, 0.1)) * extent)
    period = float(rng.uniform(10.0, max(20.0, 0.1 * extent)))
    hole = float(rng.uniform(0.3, 0.75))
    across, _ = thread(x, period)
    down, _ = thread(y, period * float(rng.uniform(0.6, 2.0)))
    power = float(rng.uniform(2.0, 8.0))
    # A rounded rectangle around every lattice point is cut out.
    distance = (across**power + (down * 0.8) ** power) ** np.float32(1 / power)
    alpha = np.clip(distance - np.float32(0.5 * hole * period) + 0.5, 0.0, 1.0)
    rim = np.clip((distance - np.float32(0.5 * hole * period)) / 3.0, 0.0, 1.0)
    slope = smooth_noise(rng, height, width, extent / 3)
    return _placed(rng, 0.7 + 0.3 * rim + 0.15 * slope, alpha, texture)


def lace(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Lace: a fine ground with rings and flowers."""
    extent = min(height, width)
    x, y = warped_grid(rng, height, width, float(rng.uniform(0.0, 0.1)) * extent)
    period = float(rng.uniform(0.06, 0.16)) * extent
    brightness, cover = _lace(rng, x, y, period)
    return _placed(rng, brightness, cover, texture)


def knit(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Knitwear: rows of interlocked loops of a fuzzy yarn, loose enough to see through."""
    extent = min(height, width)
    x, y = warped_grid(rng, height, width, float(rng.uniform(0.0, 0.12)) * extent)
    period = float(rng.uniform(0.025, 0.08)) * extent + 6.0
    row = period * float(rng.uniform(0.6, 1.0))
    fuzz = np.float32(rng.uniform(0.0, 0.35)) * smooth_noise(rng, height, width, 2.5)
    soft = np.float32(rng.uniform(1.0, 4.0))
    half = np.float32(rng.uniform(0.1, 0.26) * row) * (1.0 + fuzz)
    phase = x * np.float32(2 * np.pi / period)
    cover = np.zeros_like(x)
    brightness = np.ones_like(x)
    for shift in (0.0, 0.5):
        # Loops lean to and fro along a row, so that they hook into the next one.
        wave = y + np.float32(0.45 * row) * np.sin(phase + np.float32(2 * np.pi * shift))
        distance, _ = thread(wave - np.float32(shift * row), row)
        strand = np.clip((half - distance) / soft + 0.5, 0, 1)
        twist = np.sin((x + y) * np.float32(2 * np.pi / max(4.0, 0.3 * period)))
        lit = (1.0 - 0.5 * np.clip(distance / (half + 0.5), 0, 1) ** 2) * (1.0 + 0.08 * twist)
        brightness = brightness + (strand > 0.5) * (lit - brightness)
        cover = np.maximum(cover, strand)
    return _placed(rng, brightness, cover, texture)
