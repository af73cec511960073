"""Smoke, spray, glass, plastic and veils: large areas of partial opacity."""

from __future__ import annotations

import cv2
import numpy as np

from deepmatte.training.synthetic.bodies import body, figure, random_contour
from deepmatte.training.synthetic.fields import (
    FloatArray,
    Layer,
    Texture,
    filled,
    fractal_noise,
    lit,
    local_mean,
    material,
    mean_colour,
    mixed,
    over,
    smooth_noise,
    softened,
)
from deepmatte.training.synthetic.paint import Sheet


def _solid_part(rng: np.random.Generator, layer: Layer, texture: Texture, chance: float) -> Layer:
    """With some probability an opaque object in front of or behind the translucent one."""
    if rng.random() >= chance:
        return layer
    height, width = layer[1].shape
    solid = body(rng, height, width, texture, (0.08, 0.35))
    return over(solid, layer) if rng.random() < 0.5 else over(layer, solid)


def _towards(colour: FloatArray, grey: float, share: FloatArray) -> FloatArray:
    """``colour`` (H, W, 3) where ``share`` (H, W) is 0, grey where it is 1."""
    return mixed(colour, np.full_like(colour, grey), share)


def _ridges(noise: FloatArray, sharpness: float) -> FloatArray:
    """1 along the zero lines of a noise (H, W), 0 away from them: creases and wisps."""
    return np.asarray(np.clip(1.0 - np.abs(noise) * np.float32(sharpness), 0.0, 1.0), np.float32)


def smoke(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Smoke, steam, flames or glow: fractal opacity within a soft cloud, colours nearly one."""
    extent = max(height, width)
    outline = random_contour(rng, height, width, (0.3, 0.7), 0.25)
    cloud = softened(
        filled(height, width, [outline.points]), float(rng.uniform(0.03, 0.12)) * extent
    )
    cell = extent * float(rng.uniform(0.2, 0.6))
    density = fractal_noise(rng, height, width, cell, 5, float(rng.uniform(0.35, 0.6)))
    if rng.random() < 0.5:
        # Wisps: the noise drawn along by a slower one.
        y, x = np.mgrid[:height, :width].astype(np.float32)
        drawn = np.float32(rng.uniform(0.1, 0.4) * extent)
        x += drawn * smooth_noise(rng, height, width, 0.5 * extent)
        y += drawn * smooth_noise(rng, height, width, 0.5 * extent)
        moved = cv2.remap(density, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        density = 0.4 * density + np.float32(0.9) * (
            _ridges(np.asarray(moved, np.float32), 1.6) - np.float32(0.4)
        )
    level = float(rng.uniform(0.1, 0.7))
    thickness = np.maximum(level + 0.8 * density, 0.0) * np.clip(cloud * 1.6 - 0.3, 0, 1)
    # Light that passes falls exponentially with thickness.
    alpha = 1.0 - np.exp(-np.float32(rng.uniform(0.6, 4.0)) * thickness)
    colour = material(rng, height, width, texture)
    tone = np.asarray(rng.choice([mean_colour(colour).mean(), 0.9, 0.6, 0.15]))
    tone = (tone + rng.normal(0, 0.04, 3)).astype(np.float32)
    if rng.random() < 0.25:
        tone = np.array([1.0, rng.uniform(0.4, 0.8), rng.uniform(0.0, 0.3)], np.float32)
    colour = tone + np.float32(rng.uniform(0.05, 0.4)) * (local_mean(colour, 6) - tone)
    colour = lit(colour, 1.0 + 0.2 * smooth_noise(rng, height, width, extent / 6))
    layer = colour, alpha.astype(np.float32)
    return _solid_part(rng, layer, texture, 0.75)


def spray(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Drops and mist thrown from a body, dense at their source, single ones far out."""
    extent = float(np.sqrt(height * width))
    sheet = Sheet(height, width)
    source = rng.uniform(0.1, 0.9, 2) * (width, height)
    heading, opening = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.5)
    colour = material(rng, height, width, texture, 0.9)
    bright = rng.uniform(0.6, 0.97)
    base = (bright + 0.5 * (mean_colour(colour) - mean_colour(colour).mean())).astype(np.float32)
    count = int(rng.integers(300, 1000))
    angles = heading + rng.normal(0.0, opening, count)
    away = rng.gamma(1.6, 0.2, count) * extent
    places = source + away[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    radii = np.minimum(rng.gamma(0.8, rng.uniform(0.4, 1.6), count) + 0.3, 0.02 * extent + 1.0)
    drawn = float(rng.choice([0.0, rng.uniform(1.0, 8.0)]))
    around = np.linspace(0, 2 * np.pi, 9)[:-1]
    for shade in (0.75, 1.0, 1.2):
        # Fast drops are drawn out along their way; small ones are dots of a single line.
        picked = np.flatnonzero(rng.random(count) < 0.5)
        way = np.stack([np.cos(angles[picked]), np.sin(angles[picked])], axis=1)
        length = (0.3 + drawn * rng.random((len(picked), 1))) * way
        dots = np.stack([places[picked] - length, places[picked] + length], axis=1)
        sheet.lines(dots.astype(np.float32), 0.7, base * np.float32(shade))
        for index in picked[radii[picked] > 1.2][:120]:
            turned = np.stack([np.cos(around), np.sin(around)], axis=1) * radii[index]
            sheet.polygon((places[index] + turned).astype(np.float32), base * np.float32(shade))
    drops = sheet.layer(opacity=float(rng.uniform(0.5, 1.0)))
    near = np.zeros((height, width), np.float32)
    inside = (places >= 0).all(axis=1) & (places < (width, height)).all(axis=1)
    row, column = places[inside].astype(np.intp).T[::-1]
    np.add.at(near, (row, column), radii[inside].astype(np.float32))
    mist = softened(near, 0.05 * extent)
    mist *= np.float32(rng.uniform(0.2, 2.5) / (float(mist.max()) + 1e-6))
    mist *= 1.0 + 0.4 * fractal_noise(rng, height, width, 0.2 * extent, 4)
    haze = (1.0 - np.exp(-np.maximum(mist, 0.0))).astype(np.float32)
    hazy = np.ascontiguousarray(np.broadcast_to(np.clip(base, 0, 1), colour.shape)), haze
    return _solid_part(rng, over(drops, hazy), texture, 0.85)


def _inside(mask: FloatArray) -> FloatArray:
    """Distance in pixels (H, W) to a mask's border; the frame's edge is no border."""
    padded = cv2.copyMakeBorder((mask > 0.5).astype(np.uint8), 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 3), np.float32)[2:-2, 2:-2]


def _vessel(rng: np.random.Generator, height: int, width: int) -> FloatArray:
    """The outline (N, 2) of something turned: a bottle, a goblet, a bulb, a jar."""
    along = np.linspace(0.0, 1.0, 60)
    knots = int(rng.integers(3, 7))
    radii = rng.uniform(0.25, 1.0, knots)
    profile = np.interp(along, np.linspace(0, 1, knots), radii)
    kernel = np.hanning(int(rng.integers(9, 30)))
    profile = np.convolve(np.pad(profile, 30, "edge"), kernel / kernel.sum(), "same")[30:-30]
    if rng.random() < 0.4:
        profile *= np.sqrt(np.clip(1.0 - (2.0 * along - 1.0) ** 6, 0.0, 1.0))
    extent = float(np.sqrt(height * width))
    half = profile * extent * float(rng.uniform(0.15, 0.45))
    axis = (along - 0.5) * extent * float(rng.uniform(0.6, 1.4))
    turn = float(rng.normal(0.0, 0.2))
    shape = np.concatenate([np.stack([half, axis], 1), np.stack([-half, axis], 1)[::-1]])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = rng.uniform(0.25, 0.75, 2) * (width, height)
    return np.asarray(shape @ rotation.T + middle, np.float32)


def glass(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Glasses, bottles, bulbs, bubbles: clear bodies, dark or bright rims, highlights, liquid."""
    extent = min(height, width)
    vessel = rng.random() < 0.65
    outline = _vessel(rng, height, width) if vessel else figure(rng, height, width).points
    mask = filled(height, width, [outline])
    depth = _inside(mask)
    reach = np.float32(np.exp(rng.uniform(np.log(0.008), np.log(0.12))) * extent)
    rim = np.clip(1.0 - depth / reach, 0.0, 1.0) ** np.float32(rng.uniform(0.7, 2.5))
    # The inner side of the wall is a second, fainter rim.
    wall = np.float32(reach * rng.uniform(1.0, 2.0) + 2.0)
    rim = np.maximum(
        rim,
        np.float32(rng.uniform(0, 0.5)) * _ridges(depth - wall, 1.0 / float(rng.uniform(1.5, 9.0))),
    )
    clear = float(rng.uniform(0.02, 0.4))
    drift = 1.0 + 0.3 * smooth_noise(rng, height, width, extent * 0.4)
    # Highlights follow the outline at some depth: lamps and windows, mirrored.
    place = np.float32(rng.uniform(0.02, 0.12) * extent)
    near = np.exp(-(((depth - place) / np.float32(rng.uniform(0.006, 0.04) * extent)) ** 2))
    lit = smooth_noise(rng, height, width, extent * float(rng.uniform(0.15, 0.5)))
    shine = near * np.clip((lit - np.float32(rng.uniform(0.0, 0.4))) * 6.0, 0.0, 1.0)
    if rng.random() < 0.3:
        spots = smooth_noise(rng, height, width, extent * float(rng.uniform(0.03, 0.12)))
        shine = np.maximum(shine, np.clip((spots - 0.8) * 9.0, 0.0, 1.0))
    strength = np.float32(rng.uniform(0.4, 1.0))
    opacity = np.maximum(clear * drift + (np.float32(rng.uniform(0.3, 1.0)) - clear) * rim, 0.0)
    opacity = np.maximum(opacity, shine * strength)
    colour = local_mean(material(rng, height, width, texture, 0.9), 8)
    if rng.random() < 0.4:
        colour = colour * np.float32(0.3)
    rim_tone = np.float32(rng.choice([0.08, 0.35, 0.9]))
    colour = _towards(colour, rim_tone, np.float32(0.7) * rim)
    colour = _towards(colour, float(rng.uniform(0.85, 1.0)), shine)
    if vessel and rng.random() < 0.4:
        level = float(rng.uniform(0.3, 0.8)) * height
        row = np.arange(height, dtype=np.float32)[:, None] - np.float32(level)
        filling = np.clip(row + 0.5, 0.0, 1.0) * np.clip(depth / 3.0 - 1.0, 0.0, 1.0)
        dense = np.float32(rng.uniform(0.1, 0.95))
        liquid = material(rng, height, width, texture, 1.0)
        colour = mixed(colour, liquid, filling * (1.0 - shine))
        opacity = np.maximum(opacity, filling * dense)
    alpha = mask * np.clip(opacity, 0.0, 1.0)
    layer = np.clip(colour, 0.0, 1.0).astype(np.float32), alpha.astype(np.float32)
    return _solid_part(rng, layer, texture, 0.75)


def plastic(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """A bag or foil: thin and clear, crumpled to bright and dark pieces."""
    extent = float(max(height, width))
    outline = figure(rng, height, width, (0.3, 0.7))
    mask = filled(height, width, [outline.points])
    # Crumpled: flat pieces that meet in sharp creases, large ones and small ones between.
    y, x = np.mgrid[:height, :width].astype(np.float32)
    surface = np.zeros((height, width), np.float32)
    for period in np.geomspace(0.5, 0.06, int(rng.integers(4, 7))) * extent:
        angle = float(rng.uniform(0, np.pi))
        bent = np.float32(0.5 * period) * smooth_noise(rng, height, width, 1.5 * period)
        way = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y + bent
        folds = np.abs(np.mod(way / np.float32(period), 2.0) - 1.0)
        here = np.clip(0.3 + smooth_noise(rng, height, width, 1.5 * period), 0.0, 1.0)
        surface += np.float32(period * rng.uniform(0.15, 0.7)) * here * folds
    down, across = np.gradient(cv2.GaussianBlur(surface, (0, 0), 1.0))
    steep = np.sqrt(1.0 + down**2 + across**2)
    around = float(rng.uniform(0, 2 * np.pi))
    facing = np.float32(np.cos(around)) * across + np.float32(np.sin(around)) * down
    # It mirrors a lamp where it happens to face it.
    lamp = np.float32(rng.uniform(0.2, 0.8))
    shine = np.exp(-(((facing - lamp) / np.float32(rng.uniform(0.05, 0.25))) ** 2))
    shine = shine * np.float32(rng.uniform(0.2, 0.9))
    through = np.float32(rng.uniform(0.35, 0.95))
    opacity = np.maximum(1.0 - through ** (steep**2), shine)
    rim = np.clip(1.0 - _inside(mask) / np.float32(rng.uniform(1.5, 6.0)), 0.0, 1.0)
    opacity = np.maximum(opacity, rim * np.float32(rng.uniform(0.1, 0.9)))
    colour = local_mean(material(rng, height, width, texture, 0.95), 6)
    milky = np.float32(rng.uniform(0.5, 0.95))
    if rng.random() < 0.6:
        colour = colour + np.float32(rng.uniform(0.5, 1.0)) * (milky - colour)
    colour = lit(colour, np.clip(0.85 + 0.35 * facing, 0.3, 1.4))
    colour = _towards(colour, float(rng.uniform(0.8, 1.0)), shine)
    layer = (np.clip(colour, 0.0, 1.0), (np.clip(opacity, 0.0, 1.0) * mask).astype(np.float32))
    return _solid_part(rng, layer, texture, 0.7)


def veil(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Thin cloth: denser where it turns away in folds or lies double, a hem, a fine weave."""
    extent = float(max(height, width))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    turn = float(rng.normal(0.0, 0.5)) if rng.random() < 0.7 else float(rng.uniform(0, np.pi))
    across = np.float32(np.cos(turn)) * x + np.float32(np.sin(turn)) * y
    across += np.float32(rng.uniform(0.04, 0.2) * extent) * smooth_noise(
        rng, height, width, extent * float(rng.uniform(0.25, 0.7))
    )
    # Folds of changing width: a bounded random function of the way across.
    cell = float(rng.uniform(0.03, 0.15)) * extent
    profile = fractal_noise(rng, 2, 1024, 1024 * cell / (3 * extent), 3, 0.5)[0]
    at = np.clip((across / np.float32(extent) + 1.0) * np.float32(1023 / 3), 0, 1022)
    low = at.astype(np.intp)
    # How steeply the cloth stands there, from the function's slope.
    lift = profile[low] + (at - low) * (profile[low + 1] - profile[low])
    slopes = np.gradient(profile) * (1023 / (3 * extent))
    slope = slopes[low] + (at - low) * (slopes[low + 1] - slopes[low])
    strength = np.float32(rng.uniform(0.3, 1.5) / (slopes.std() + 1e-6))
    depth = np.clip(0.5 + smooth_noise(rng, height, width, 0.5 * extent), 0.15, 1.0)
    steep = np.tanh(slope * strength * depth).astype(np.float32)
    path = 1.0 / np.sqrt(1.02 - steep**2)
    outline = random_contour(rng, height, width, (0.35, 0.7), 0.15)
    mask = filled(height, width, [outline.points])
    through = np.float32(rng.uniform(0.3, 0.92))
    hem = _inside(mask) < rng.uniform(1.0, 8.0)
    layers = path + np.float32(rng.choice([0.0, 2.0])) * hem
    if rng.random() < 0.4:
        second = filled(height, width, [random_contour(rng, height, width, (0.2, 0.6)).points])
        layers = layers * (1.0 + second)
    opacity = 1.0 - through**layers
    if rng.random() < 0.4:
        pace = np.float32(rng.uniform(1.2, 2.2))
        opacity = opacity * (1.0 + 0.15 * np.sin(x * pace) * np.sin(y * pace))
    colour = local_mean(material(rng, height, width, texture, 0.9), 4)
    light = 0.95 + np.float32(rng.uniform(0.05, 0.4)) * steep + 0.12 * lift
    colour = lit(colour, light.astype(np.float32))
    alpha = (np.clip(opacity, 0.0, 1.0) * mask).astype(np.float32)
    return _solid_part(rng, (colour, alpha), texture, 0.8)
