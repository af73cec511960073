"""Nets, fences and mesh baskets: periodic threads with holes between.

Patterns are made on a surface that may be warped, seen at an angle or rolled to a cylinder;
threads become narrower where the surface recedes.
"""

from __future__ import annotations

import numpy as np

from deepmatte.training.synthetic.bodies import body, figure, relief
from deepmatte.training.synthetic.fields import (
    FloatArray,
    Layer,
    Texture,
    filled,
    grain,
    lit,
    over,
    smooth_noise,
    tinted,
)
from deepmatte.training.synthetic.paint import Colour, natural

Surface = tuple[FloatArray, FloatArray]
"""Coordinates x and y (H, W) on a pattern's surface, in pixels where it faces the viewer."""


def surface(rng: np.random.Generator, height: int, width: int, strength: float) -> Surface:
    """A surface turned, in perspective, often rolled, displaced smoothly by about ``strength``."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x -= np.float32(width * rng.uniform(0.3, 0.7))
    y -= np.float32(height * rng.uniform(0.3, 0.7))
    if rng.random() < 0.35:
        # A cylinder a little wider than the frame: foreshortened towards its sides.
        radius = np.float32(np.abs(x).max() * rng.uniform(1.02, 1.8))
        x = radius * np.arcsin(x / radius)
        y = y + np.float32(rng.uniform(-0.4, 0.4)) * radius * (1.0 - np.cos(x / radius))
    tilt = rng.uniform(-0.55, 0.55, 2) * rng.choice([0.3, 1.0]) / np.array([width, height])
    depth = 1.0 + np.float32(tilt[0]) * x + np.float32(tilt[1]) * y
    depth = np.maximum(depth, np.float32(0.2))
    cell = max(height, width) * float(rng.uniform(0.25, 0.6))
    x = x / depth + np.float32(strength) * smooth_noise(rng, height, width, cell)
    y = y / depth + np.float32(strength) * smooth_noise(rng, height, width, cell)
    # Most things hang or stand straight.
    turn = float(rng.choice([0.0, np.pi / 4, rng.uniform(0, np.pi)]) + rng.normal(0.0, 0.08))
    cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    return cosine * x - sine * y, sine * x + cosine * y


def steepness(coordinate: FloatArray) -> FloatArray:
    """How much a coordinate (H, W) changes from pixel to pixel."""
    down, across = np.gradient(coordinate)
    return np.asarray(np.sqrt(down**2 + across**2) + np.float32(1e-3), np.float32)


def covered(distance: FloatArray, half: FloatArray) -> FloatArray:
    """Coverage of a line of half width ``half`` by the distance from its middle, in pixels.

    Lines narrower than a pixel keep their area.
    """
    edge = np.maximum(half, np.float32(0.5)) - distance + np.float32(0.5)
    return np.asarray(np.clip(edge, 0.0, 1.0) * np.minimum(2.0 * half, 1.0), np.float32)


def thread(
    coordinate: FloatArray, period: float, half: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Coverage, height 0..1 of its round top, and number of the next thread of a family."""
    number = np.round(coordinate / np.float32(period))
    distance = np.abs(coordinate - number * np.float32(period))
    slope = steepness(coordinate)
    top = 1.0 - np.clip(distance / (half + np.float32(0.5)), 0.0, 1.0) ** 2
    return covered(distance / slope, half / slope), np.asarray(top, np.float32), number


def _crossed(
    rng: np.random.Generator, x: FloatArray, y: FloatArray, period: float, half: FloatArray
) -> Layer:
    """Two woven families of threads: (brightness, coverage), over and under in turn."""
    cover, top, number = thread(x, period, half)
    other, other_top, other_number = thread(y, period * float(rng.uniform(0.7, 1.4)), half)
    above = np.mod(number + other_number, 2.0) < 0.5
    first = np.where(above, cover, other) > 0.5
    upper = np.where(above, top, other_top)
    lower = np.where(above, other_top, top)
    brightness = 0.6 + 0.45 * np.where(first, upper, 0.8 * lower)
    return np.asarray(brightness, np.float32), np.maximum(cover, other)


def _bars(
    rng: np.random.Generator, x: FloatArray, y: FloatArray, period: float, half: FloatArray
) -> Layer:
    """A fence: strong bars one way, few or no cross bars."""
    cover, top, _ = thread(x, period, half)
    if rng.random() < 0.7:
        rail, rail_top, _ = thread(y, period * float(rng.uniform(2.5, 6.0)), 1.2 * half)
        top = np.where(rail > cover, rail_top, top)
        cover = np.maximum(cover, rail)
    return 0.6 + 0.45 * top, cover


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
    slope = np.sqrt(steepness(x) * steepness(y))
    top = 1.0 - np.clip(distance / (half + np.float32(0.5)), 0.0, 1.0) ** 2
    return np.asarray(0.6 + 0.45 * top, np.float32), covered(distance / slope, half / slope)


def _holes(rng: np.random.Generator, x: FloatArray, y: FloatArray, period: float) -> Layer:
    """A sheet with rows of rounded holes, as of plastic or sheet metal."""
    down = period * float(rng.uniform(0.7, 1.6))
    shift = 0.5 * np.mod(np.round(y / np.float32(down)), 2.0) * float(rng.choice([0.0, 1.0]))
    across = np.abs(np.mod(x / np.float32(period) + shift + 0.5, 1.0) - 0.5)
    along = np.abs(np.mod(y / np.float32(down) + 0.5, 1.0) - 0.5)
    power = np.float32(rng.uniform(2.0, 7.0))
    reach = (across**power + along**power) ** np.float32(1.0 / power) * np.float32(period)
    size = np.float32(0.5 * period * rng.uniform(0.4, 0.85))
    slope = np.maximum(steepness(x), steepness(y))
    cover = np.clip((reach - size) / slope + 0.5, 0.0, 1.0)
    rim = np.clip((reach - size) / np.float32(3.0), 0.0, 1.0)
    return np.asarray(0.65 + 0.35 * rim, np.float32), np.asarray(cover, np.float32)


def _thing_colour(
    rng: np.random.Generator, height: int, width: int, texture: Texture
) -> tuple[Colour, FloatArray]:
    mean, gain = grain(rng, height, width, texture)
    return (natural(rng, "metal") if rng.random() < 0.4 else mean), gain


def placed(
    rng: np.random.Generator, brightness: FloatArray, cover: FloatArray, texture: Texture
) -> Layer:
    """The threads within an outline, with a rim, before or behind opaque things."""
    height, width = cover.shape
    colour, gain = _thing_colour(rng, height, width, texture)
    # Wires shine where they face the light, and are dim elsewhere.
    sheen = 1.0 + np.float32(rng.uniform(0.0, 0.5)) * smooth_noise(
        rng, height, width, min(height, width) * 0.25
    )
    shade = brightness * sheen
    alpha = cover
    if rng.random() < 0.7:
        outline = figure(rng, height, width, (0.35, 0.85))
        region = filled(height, width, [outline.points])
        rim_width = np.float32(rng.uniform(0.0, 0.04) * min(height, width))
        inner = filled(height, width, [outline.points - outline.normals * rim_width])
        alpha = np.maximum(cover * region, np.clip(region - inner, 0.0, 1.0))
    layer = (lit(tinted(gain, colour), shade), alpha)
    if rng.random() < 0.65:
        thing = body(rng, height, width, texture, (0.08, 0.35))
        layer = over(layer, thing) if rng.random() < 0.6 else over(thing, layer)
    return layer


def net(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Nets, wire netting and fences: threads of half a pixel to many, meshes of any size."""
    extent = min(height, width)
    period = float(np.exp(rng.uniform(np.log(7.0), np.log(max(16.0, 0.25 * extent)))))
    slack = float(rng.choice([0.0, rng.uniform(0.0, 0.12)]))
    x, y = surface(rng, height, width, slack * extent)
    wide = float(np.clip(np.exp(rng.uniform(np.log(0.04), np.log(0.45))) * period, 0.6, 12.0))
    # Thread strength changes a little over the frame.
    half = np.float32(0.5 * wide) * (1.0 + 0.15 * smooth_noise(rng, height, width, extent / 4))
    choice = rng.random()
    if choice < 0.25:
        brightness, cover = _hexagons(x, y, period, half)
    elif choice < 0.4:
        brightness, cover = _bars(rng, x, y, period, half)
    else:
        skew = np.float32(rng.choice([0.0, 0.0, rng.uniform(-0.8, 0.8)]))
        brightness, cover = _crossed(rng, x + skew * y, y, period, half)
    return placed(rng, brightness, cover, texture)


def basket(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """A mesh basket or bin: its near wall, things in it, its far wall seen through the holes."""
    extent = min(height, width)
    x, y = surface(rng, height, width, float(rng.choice([0.0, rng.uniform(0.0, 0.08)])) * extent)
    period = float(np.exp(rng.uniform(np.log(6.0), np.log(max(16.0, 0.12 * extent)))))
    thick = float(rng.uniform(0.06, 0.22)) * period
    half = np.full_like(x, max(0.4, thick))
    choice, squeeze = rng.random(), np.float32(rng.uniform(0.5, 1.0))
    walls = []
    for shift in (0.0, float(rng.uniform(0.2, 0.8))):
        moved = x * np.float32(1.0 + 0.1 * shift) + np.float32(shift * period)
        if choice < 0.4:
            walls.append(_hexagons(moved, squeeze * y, period, half))
        elif choice < 0.7:
            walls.append(_crossed(rng, moved + y, moved - y, period, half))
        else:
            walls.append(_holes(rng, moved, y, period))
    colour, gain = _thing_colour(rng, height, width, texture)
    outline = figure(rng, height, width, (0.35, 0.8))
    region = filled(height, width, [outline.points])
    round_body = relief(rng, region)
    metal = tinted(gain, colour)
    (brightness, cover), (far_brightness, far_cover) = walls
    near = (lit(metal, brightness * round_body), cover * region)
    far = (lit(metal, np.float32(0.55) * far_brightness), far_cover * region)
    layer = far if rng.random() < 0.5 else (far[0], np.zeros_like(cover))
    for _ in range(int(rng.integers(0, 3))):
        thing = body(rng, height, width, texture, (0.03, 0.25))
        layer = over(thing, layer)
    layer = over(near, layer)
    rim = max(2.0, float(rng.uniform(0.01, 0.04)) * extent)
    inner = filled(height, width, [outline.points - outline.normals * np.float32(rim)])
    shine = 0.8 + 0.4 * smooth_noise(rng, height, width, extent / 5)
    plain = np.broadcast_to(colour, (height, width, 3))
    return over((lit(np.ascontiguousarray(plain), shine), np.clip(region - inner, 0, 1)), layer)
