"""Leaves on branches, grass and feathers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.training.synthetic.fields import (
    SHIFT,
    SUPERSAMPLE,
    FloatArray,
    Layer,
    Texture,
    averaged,
    filled,
    fixed_point,
    local_mean,
    material,
    new_canvas,
    over,
    random_contour,
    smooth_noise,
)
from deepmatte.training.synthetic.strands import NEUTRAL_GAIN, StrandStyle, draw, grow, visible


class Sheet:
    """A frame that polygons and lines are painted on: their coverage and their tint.

    The tint is a factor per colour channel (128 is 1) on the colours of the material; it is
    painted a little wider than the coverage, so that anti-aliased edges keep the object's colour.
    """

    def __init__(self, height: int, width: int) -> None:
        self.coverage = new_canvas(height, width)
        self.tint: NDArray[np.uint8] = np.full((height, width, 3), NEUTRAL_GAIN, np.uint8)

    def polygon(self, outline: FloatArray, tint: tuple[int, int, int]) -> None:
        """Fills an opaque polygon (N, 2)."""
        cv2.fillPoly(self.coverage, [fixed_point(outline)], 255, cv2.LINE_AA, SHIFT)
        small = fixed_point(outline, 1.0)
        cv2.polylines(self.tint, [small], True, tint, 3, cv2.LINE_8, SHIFT)
        cv2.fillPoly(self.tint, [small], tint, cv2.LINE_AA, SHIFT)

    def shade(self, outline: FloatArray, tint: tuple[int, int, int]) -> None:
        """Tints a polygon (N, 2) without covering anything more."""
        cv2.fillPoly(self.tint, [fixed_point(outline, 1.0)], tint, cv2.LINE_AA, SHIFT)

    def vein(self, path: FloatArray, tint: tuple[int, int, int], thickness: int = 1) -> None:
        """Tints a line (N, 2) without covering anything more."""
        points = [fixed_point(path, 1.0)]
        cv2.polylines(self.tint, points, False, tint, thickness, cv2.LINE_AA, SHIFT)

    def stem(self, path: FloatArray, first: float, last: float, tint: tuple[int, int, int]) -> None:
        """An opaque line (N, 2) whose width in pixels goes from ``first`` to ``last``."""
        widths = np.linspace(first, last, len(path) - 1)
        large, small = fixed_point(path), fixed_point(path, 1.0)
        for index, wide in enumerate(widths):
            size = max(1, round(float(wide) * SUPERSAMPLE))
            piece = [large[index : index + 2]]
            cv2.polylines(self.coverage, piece, False, 255, size, cv2.LINE_AA, SHIFT)
            piece = [small[index : index + 2]]
            thick = max(2, round(float(wide)) + 2)
            cv2.polylines(self.tint, piece, False, tint, thick, cv2.LINE_8, SHIFT)

    def layer(self, colour: FloatArray) -> Layer:
        """The painted frame in the colours of a material (H, W, 3)."""
        factor = np.asarray(cv2.GaussianBlur(self.tint, (3, 3), 0.5), np.float32)
        tinted = colour * (factor * np.float32(1 / NEUTRAL_GAIN))
        return np.clip(tinted, 0.0, 1.0, dtype=np.float32), averaged(self.coverage)


def random_tint(rng: np.random.Generator, brightness: float, hue: float) -> tuple[int, int, int]:
    """A factor near 1 per channel: common brightness and a smaller spread of hue."""
    factor = np.exp(rng.normal(0.0, brightness)) * np.exp(rng.normal(0.0, hue, 3))
    red, green, blue = np.clip(NEUTRAL_GAIN * factor, 20, 250).astype(int)
    return int(red), int(green), int(blue)


def _scaled(tint: tuple[int, int, int], factor: float) -> tuple[int, int, int]:
    red, green, blue = (int(min(255, value * factor)) for value in tint)
    return red, green, blue


def _branch(
    rng: np.random.Generator, start: FloatArray, angle: float, length: float, bend: float
) -> tuple[FloatArray, FloatArray]:
    """A curved path (12, 2) and its directions (12,)."""
    turns = np.cumsum(rng.normal(0.0, 0.1, 12)) + np.linspace(0.0, bend, 12)
    angles = angle + turns
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1) * length / 11
    path = start + np.concatenate([np.zeros((1, 2)), np.cumsum(steps[:-1], axis=0)])
    return path.astype(np.float32), angles.astype(np.float32)


def _leaf(
    rng: np.random.Generator,
    sheet: Sheet,
    base: FloatArray,
    angle: float,
    length: float,
    shape: tuple[float, float, float],
    tint: tuple[int, int, int],
) -> None:
    """One leaf: ``shape`` is its width to length, where it is widest, how serrated it is."""
    slender, power, serrated = shape
    along = np.linspace(0.0, 1.0, 20)
    half = slender * length * np.sin(np.pi * along**power) ** 0.9
    half *= 1.0 + serrated * np.where(np.arange(20) % 2 == 0, 1.0, -1.0)
    droop = rng.normal(0.0, 0.25) * along**2 * length
    forward = np.array([np.cos(angle), np.sin(angle)])
    aside = np.array([-forward[1], forward[0]])
    rib = base + along[:, None] * length * forward + droop[:, None] * aside
    # Seen at an angle, one half of a leaf is narrower.
    left = rib + (half * rng.uniform(0.4, 1.0))[:, None] * aside
    right = rib - (half * rng.uniform(0.4, 1.0))[:, None] * aside
    outline = np.concatenate([left, right[::-1]]).astype(np.float32)
    sheet.polygon(outline, tint)
    lit = np.concatenate([left, rib[::-1]]).astype(np.float32)
    sheet.shade(lit, _scaled(tint, float(rng.uniform(0.8, 1.25))))
    if length > 24:
        bright = _scaled(tint, float(rng.choice([0.75, 1.3])))
        sheet.vein(rib.astype(np.float32), bright)
        for index in range(3, 16, 3):
            ends = np.stack([left[index + 3], rib[index], right[index + 3]])
            sheet.vein((0.15 * rib[index] + 0.85 * ends).astype(np.float32), bright)


def leaves(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Branches with leaves, holes between them, sometimes with thick foliage behind."""
    extent = float(np.sqrt(height * width))
    sheet = Sheet(height, width)
    slender = float(rng.uniform(0.12, 0.4))
    shape = (slender, float(rng.uniform(0.6, 1.2)), float(rng.choice([0.0, rng.uniform(0, 0.12)])))
    size = float(np.exp(rng.uniform(np.log(0.08), np.log(0.3)))) * extent
    spread = float(rng.uniform(0.08, 0.35))
    bark = random_tint(rng, 0.4, 0.15)
    middle = rng.uniform(0.3, 0.7, 2) * (width, height)
    budget = int(np.clip(1.6 * (extent / size) ** 2 / slender * 0.35, 24, 150))
    branches = int(rng.integers(2, 7))
    for _ in range(branches):
        start = middle + rng.normal(0.0, 0.12, 2) * extent
        heading = float(rng.uniform(0, 2 * np.pi))
        reach = float(rng.uniform(0.35, 0.8)) * extent
        path, angles = _branch(rng, start.astype(np.float32), heading, reach, rng.normal(0, 0.6))
        thick = float(rng.uniform(1.5, 8.0))
        sheet.stem(path, thick, float(rng.uniform(0.5, 1.5)), bark)
        for number in range(budget // branches):
            at = int(rng.integers(0, 12))
            side = 1.0 if number % 2 else -1.0
            turn = angles[at] + side * rng.uniform(0.2, 1.4)
            stalk = rng.uniform(0.0, 0.25) * size * np.array([np.cos(turn), np.sin(turn)])
            end = (path[at] + stalk).astype(np.float32)
            sheet.stem(np.stack([path[at], end]), 1.2, 1.0, bark)
            length = size * float(rng.uniform(0.5, 1.2))
            tint = random_tint(rng, spread, 0.3 * spread)
            _leaf(rng, sheet, end, float(turn), length, shape, tint)
    layer = sheet.layer(material(rng, height, width, texture, 0.85))
    return _before_body(rng, layer, texture, 0.6)


def grass(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Blades and thin stems rising from a ground that fills one side of the frame."""
    extent = float(np.sqrt(height * width))
    sheet = Sheet(height, width)
    level = height * float(rng.uniform(0.65, 0.95))
    ground = level + 0.06 * extent * smooth_noise(rng, 1, width + 1, extent * 0.2)[0]
    columns = np.arange(width + 1) - 0.5
    top = np.stack([columns, ground], axis=1)
    bottom = np.array([[width + 4, height + 4], [-4, height + 4]])
    sheet.polygon(np.concatenate([top, bottom]).astype(np.float32), random_tint(rng, 0.2, 0.05))
    along = np.linspace(0.0, 1.0, 12)
    wind = float(rng.normal(0.0, 0.4))
    for _ in range(int(rng.integers(50, 160))):
        x = float(rng.uniform(-0.05, 1.05)) * width
        length = float(rng.gamma(5.0, 0.08)) * extent
        bend = (wind + rng.normal(0.0, 0.35)) * length
        lean = rng.normal(0.0, 0.12) * length
        path = np.stack(
            [x + lean * along + bend * along**2, level + 0.1 * extent - length * along], axis=1
        )
        wide = float(np.exp(rng.uniform(np.log(0.8), np.log(0.022 * extent + 1.0))))
        tint = random_tint(rng, 0.25, 0.08)
        half = 0.5 * wide * (1.0 - along) ** 0.6
        if wide < 1.6:
            sheet.stem(path.astype(np.float32), wide, 0.5, tint)
            continue
        aside = np.stack([half, 0.2 * half], axis=1)
        outline = np.concatenate([path + aside, (path - aside)[::-1]]).astype(np.float32)
        sheet.polygon(outline, tint)
        sheet.vein(path.astype(np.float32), _scaled(tint, 1.2))
    return sheet.layer(material(rng, height, width, texture, 0.8))


def feathers(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """One to four feathers: a quill, barbs dense enough to close up, splits and down."""
    size = (height, width)
    extent = float(np.sqrt(height * width))
    gain: NDArray[np.uint8] = np.full(size, NEUTRAL_GAIN, np.uint8)
    clear = np.ones(size, np.float32)
    for _ in range(int(rng.integers(1, 5))):
        start = (rng.uniform(0.1, 0.9, 2) * (width, height)).astype(np.float32)
        toward = np.array([width / 2, height / 2]) - start
        heading = float(np.arctan2(toward[1], toward[0]) + rng.normal(0.0, 0.5))
        length = float(rng.uniform(0.5, 1.0)) * extent
        path, angles = _branch(rng, start, heading, length, float(rng.normal(0, 0.5)))
        quill = Sheet(height, width)
        quill.stem(path, float(rng.uniform(2.0, 5.0)), 0.8, (110, 110, 110))
        vane = _vane(rng, size, path, angles, length, gain)
        for coverage in (vane, averaged(quill.coverage)):
            clear *= 1.0 - coverage
    base = material(rng, height, width, texture, 0.8)
    smooth = local_mean(base, max(4, min(size) // 24))
    brightness = np.asarray(cv2.GaussianBlur(gain, (3, 3), 0.6), np.float32) / NEUTRAL_GAIN
    colour = (0.5 * (base + smooth)) * brightness[..., None]
    layer = np.clip(colour, 0.0, 1.0, dtype=np.float32), 1.0 - clear
    return _before_body(rng, layer, texture, 0.75)


def _before_body(rng: np.random.Generator, layer: Layer, texture: Texture, chance: float) -> Layer:
    """With some probability an opaque thing (pot, trunk, bird) behind the fine parts."""
    if rng.random() >= chance:
        return layer
    height, width = layer[1].shape
    outline = random_contour(rng, height, width, (0.12, 0.4))
    colour = material(rng, height, width, texture)
    return over(layer, (colour, filled(height, width, [outline.points])))


def _vane(
    rng: np.random.Generator,
    size: tuple[int, int],
    path: FloatArray,
    angles: FloatArray,
    length: float,
    gain: NDArray[np.uint8],
) -> FloatArray:
    """Coverage (H, W) of a feather's two rows of barbs and the closed web between them."""
    style = StrandStyle(
        points=8,
        wander=0.3,
        curl=0.15,
        clump=int(rng.integers(8, 40)),
        pull=float(rng.uniform(0.0, 0.3)),
        widths=(0.6, 1.6),
        opacities=(0.5, 1.0),
        contrast=float(rng.uniform(0.05, 0.25)),
    )
    count = 420
    coverage = np.zeros(size, np.float32)
    broad = length * float(rng.uniform(0.1, 0.25))
    position = np.linspace(0.12, 1.0, count)
    profile = np.sin(np.pi * np.clip(position * 0.9 + 0.08, 0, 1)) ** 0.6
    knots = np.linspace(0.0, 1.0, len(path))
    roots = np.stack([np.interp(position, knots, path[:, axis]) for axis in (0, 1)], axis=1)
    course = np.interp(position, knots, angles)
    edges = []
    for side in (-1.0, 1.0):
        open_angle = np.interp(position, [0.0, 0.25, 1.0], [1.4, 0.9, 0.5])
        aim = (course + side * open_angle).astype(np.float32)
        # Barbs of the downy base are loose, the others lie parallel.
        loose = np.clip(0.35 - position, 0.0, 1.0) * 2.5
        aim = (aim + rng.normal(0.0, 1.0, count) * loose).astype(np.float32)
        lengths = (broad * profile * rng.uniform(0.85, 1.05, count)).astype(np.float32)
        paths = grow(rng, size, roots.astype(np.float32), aim, lengths, style)
        edges.append(paths[count // 4 :: 6, 5])
        paths = visible(paths, size)
        if len(paths):
            coverage += draw(rng, size, paths, style, gain) * (1.0 - coverage)
    web = local_mean(filled(*size, [np.concatenate([edges[0], edges[1][::-1]])]), 3)
    dense = np.float32(rng.choice([1.0, rng.uniform(0.6, 1.0)]))
    coverage += web * dense * (1.0 - coverage)
    return coverage


def bush(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """A dense mass of small leaves with a ragged border, leaves against leaves."""
    extent = float(np.sqrt(height * width))
    sheet = Sheet(height, width)
    contour = random_contour(rng, height, width, (0.2, 0.5), 0.2)
    sheet.polygon(contour.points, random_tint(rng, 0.3, 0.05))
    shape = (float(rng.uniform(0.12, 0.35)), float(rng.uniform(0.6, 1.1)), 0.0)
    size = float(rng.uniform(0.04, 0.12)) * extent
    spread = float(rng.uniform(0.1, 0.4))
    count = int(rng.integers(70, 140))
    picks = rng.integers(0, len(contour.points), count)
    inward = rng.uniform(0.0, 1.0, (count, 1)) ** 2
    roots = contour.points[picks] - inward * (contour.points[picks] - contour.centre)
    turned = np.arctan2(contour.normals[picks, 1], contour.normals[picks, 0])
    for root, angle in zip(roots, turned + rng.normal(0.0, 0.7, count), strict=True):
        tint = random_tint(rng, spread, 0.25 * spread)
        length = size * float(rng.uniform(0.6, 1.5))
        if rng.random() < 0.3:
            twig = length * np.array([np.cos(angle), np.sin(angle)])
            sheet.stem(np.stack([root, root + twig]).astype(np.float32), 1.5, 0.7, tint)
            root = root + twig
        _leaf(rng, sheet, root.astype(np.float32), float(angle), length, shape, tint)
    return sheet.layer(material(rng, height, width, texture, 0.7))
