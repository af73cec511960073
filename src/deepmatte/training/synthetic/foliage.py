"""Plants: leaves in several layers, flowers and grass."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deepmatte.training.synthetic.bodies import before_body, figure
from deepmatte.training.synthetic.fields import FloatArray, Layer, Texture, grain, smooth_noise
from deepmatte.training.synthetic.paint import Colour, Sheet, natural, varied


@dataclass(frozen=True)
class _Blade:
    """The shape of a plant's leaves or petals.

    Attributes:
        slender: half width to length.
        power: where it is widest: below 1 near the tip, above 1 near its foot.
        teeth: how deep its edge is cut, to its half width.
        lobes: how deep its waves are, to its half width.
        bend: spread of its sideways droop, to its length.
        veins: whether the rib and side veins can be seen.
    """

    slender: float
    power: float
    teeth: float
    lobes: float
    bend: float
    veins: bool


def _random_blade(rng: np.random.Generator) -> _Blade:
    return _Blade(
        slender=float(np.exp(rng.uniform(np.log(0.05), np.log(0.45)))),
        power=float(rng.uniform(0.55, 1.3)),
        teeth=float(rng.choice([0.0, 0.0, rng.uniform(0.04, 0.15)])),
        lobes=float(rng.choice([0.0, 0.0, 0.0, rng.uniform(0.1, 0.4)])),
        bend=float(rng.uniform(0.05, 0.35)),
        veins=rng.random() < 0.7,
    )


def _leaf(
    rng: np.random.Generator,
    sheet: Sheet,
    base: FloatArray,
    angle: float,
    length: float,
    blade: _Blade,
    colour: Colour,
) -> None:
    """Two halves that the light meets differently, a rib and side veins."""
    points, gap = (61, 6) if blade.teeth else (31, 3)
    along = np.linspace(0.0, 1.0, points)
    half = blade.slender * length * np.sin(np.pi * along**blade.power).clip(0.0, 1.0) ** 0.9
    half *= 1.0 + blade.teeth * np.where(np.arange(points) % 2 == 0, 1.0, -1.0)
    half *= 1.0 + blade.lobes * np.sin(along * 2 * np.pi * 2.5)
    bend = rng.normal(0.0, blade.bend) * along**2 * length
    forward = np.array([np.cos(angle), np.sin(angle)])
    aside = np.array([-forward[1], forward[0]])
    # Leaves that point towards the viewer are foreshortened, turned ones are narrower.
    shorter = float(rng.uniform(0.45, 1.0))
    rib = base + (along * length * shorter)[:, None] * forward + bend[:, None] * aside
    left = rib - (half * rng.uniform(0.1, 1.0))[:, None] * aside
    right = rib + (half * rng.uniform(0.5, 1.0))[:, None] * aside
    light = float(rng.uniform(0.7, 1.0))
    whole = np.concatenate([left, right[::-1]]).astype(np.float32)
    sheet.polygon(whole, colour * np.float32(light))
    if length * blade.slender > 3.0:
        lit = np.concatenate([rib, right[::-1]]).astype(np.float32)
        sheet.polygon(lit, colour * np.float32(light * rng.uniform(1.05, 1.4)))
    if blade.veins and length * blade.slender > 6.0:
        pale = colour * np.float32(rng.choice([0.75, 1.35]))
        sheet.line(rib[:-2].astype(np.float32), 0.7, pale)
        at = np.arange(gap, points - 2 * gap, gap)
        for side in (left, right):
            ends = rib[at] + 0.85 * (side[at + gap] - rib[at])
            sheet.lines(np.stack([rib[at], ends], axis=1).astype(np.float32), 0.7, pale)


def _stem(
    rng: np.random.Generator, start: FloatArray, angle: float, length: float, bend: float
) -> tuple[FloatArray, FloatArray]:
    """A curved path (14, 2) and its directions (14,)."""
    angles = angle + np.cumsum(rng.normal(0.0, 0.08, 14)) + np.linspace(0.0, bend, 14)
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1) * length / 13
    path = start + np.concatenate([np.zeros((1, 2)), np.cumsum(steps[:-1], axis=0)])
    return path.astype(np.float32), angles.astype(np.float32)


def _leaf_colour(rng: np.random.Generator, mean: Colour) -> Colour:
    return natural(rng, "leaf") if rng.random() < 0.7 else mean


def plant(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Stems with leaves from a common foot, dark ones behind lit ones, with holes between."""
    extent = float(np.sqrt(height * width))
    sheet = Sheet(height, width)
    mean, gain = grain(rng, height, width, texture)
    blade = _random_blade(rng)
    colour, bark = (_leaf_colour(rng, mean), natural(rng, "bark" if rng.random() < 0.5 else "leaf"))
    size = float(np.exp(rng.uniform(np.log(0.06), np.log(0.35)))) * extent
    foot = np.array([rng.uniform(0.25, 0.75) * width, rng.uniform(0.5, 1.0) * height])
    heading, opening = -np.pi / 2, float(rng.uniform(0.5, 1.6))
    if rng.random() < 0.3:
        # A branch from the side, or a tangle that grows from all over the frame.
        heading, opening = (float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.5, 3.1)))
        foot = rng.uniform(0.1, 0.9, 2) * (width, height)
    budget = int(np.clip((extent / size) ** 2 / (3 * blade.slender), 60, 340))
    pairs = rng.random() < 0.4
    stems = int(rng.integers(7, 26))
    spread = float(rng.uniform(0.06, 0.25))
    outer = float(rng.uniform(0.0, 0.6))
    turn = float(rng.uniform(0.3, 1.2))
    for number in range(stems):
        # The hindmost stand in the shade of the others.
        near = number / max(1, stems - 1)
        shade = colour * np.float32(0.35 + 0.75 * near)
        start = (foot + rng.normal(0.0, 0.04, 2) * extent).astype(np.float32)
        angle = heading + opening * float(rng.uniform(-1, 1))
        reach = float(rng.uniform(0.4, 1.0)) * extent
        path, angles = _stem(rng, start, angle, reach, float(rng.normal(0, 0.6)))
        thick = float(np.exp(rng.uniform(np.log(0.6), np.log(3.0))))
        taper = np.linspace(thick, 0.5, 14)
        sheet.ribbon(path, taper, bark * np.float32(0.4 + 0.6 * near))
        for index in range(max(2, budget // (stems + stems * pairs))):
            at = float(rng.uniform(outer, 1.0)) * 13
            low = min(12, int(at))
            place = path[low] + (at - low) * (path[low + 1] - path[low])
            for side in (-1.0, 1.0) if pairs else ((-1.0) ** index,):
                aim = angles[low] + side * turn * rng.uniform(0.4, 1.3)
                stalk = rng.uniform(0.0, 0.2) * size * np.array([np.cos(aim), np.sin(aim)])
                end = (place + stalk).astype(np.float32)
                sheet.line(np.stack([place, end]).astype(np.float32), 0.8, bark)
                tint = varied(rng, shade, spread, 0.25 * spread)
                _leaf(rng, sheet, end, float(aim), size * rng.uniform(0.5, 1.2), blade, tint)
    return before_body(rng, sheet.layer(gain), texture, 0.4)


def bush(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """A crown of small leaves, twigs looking out and the sky looking through, leaf on leaf."""
    extent = float(np.sqrt(height * width))
    sheet = Sheet(height, width)
    mean, gain = grain(rng, height, width, texture)
    contour = figure(rng, height, width, (0.25, 0.6))
    blade = _random_blade(rng)
    blade = replace(blade, slender=max(0.16, blade.slender))
    colour = _leaf_colour(rng, mean)
    size = float(np.exp(rng.uniform(np.log(0.03), np.log(0.13)))) * extent
    if rng.random() < 0.5:
        # The dark inside, ragged itself.
        inset = float(rng.uniform(0.3, 1.5)) + rng.uniform(-0.7, 0.7, (256, 1))
        inner = contour.points - inset * size * contour.normals
        sheet.polygon(inner.astype(np.float32), colour * np.float32(0.35))
    count = int(rng.integers(180, 420))
    picks = rng.integers(0, len(contour.points), count)
    # Denser in some places than in others: leaves grow in bunches.
    bunches = rng.random((max(3, count // int(rng.integers(4, 20))), 1)) ** 0.7
    inward = bunches[rng.integers(0, len(bunches), count)] + rng.normal(0, 0.05, (count, 1))
    roots = contour.centre + inward * (contour.points[picks] - contour.centre)
    normals = np.arctan2(contour.normals[picks, 1], contour.normals[picks, 0])
    for root in roots[:: int(rng.integers(12, 40))]:
        bark = colour * np.float32(rng.uniform(0.25, 0.5))
        sheet.line(np.stack([contour.centre, root]).astype(np.float32), 1.5, bark)
    spread = float(rng.uniform(0.1, 0.3))
    angles = normals + rng.normal(0.0, 0.8, count)
    twig = rng.random(count) < 0.2
    for index in range(count):
        root, angle = roots[index], float(angles[index])
        near = index / count
        tint = varied(rng, colour * np.float32(0.4 + 0.7 * near), spread, 0.25 * spread)
        length = size * float(rng.uniform(0.5, 1.4))
        if twig[index]:
            tip = root + 1.5 * length * np.array([np.cos(angle), np.sin(angle)])
            sheet.line(np.stack([root, tip]).astype(np.float32), 0.8, tint * np.float32(0.6))
            root = tip
        _leaf(rng, sheet, root.astype(np.float32), angle, length, blade, tint)
    return before_body(rng, sheet.layer(gain), texture, 0.15)


def flowers(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Blossoms with one to three rings of petals on stems, leaves below."""
    extent = float(np.sqrt(height * width))
    sheet = Sheet(height, width)
    mean, gain = grain(rng, height, width, texture)
    petal, blade = _random_blade(rng), _random_blade(rng)
    petal = replace(petal, slender=max(0.12, petal.slender))
    colour = natural(rng, "petal") if rng.random() < 0.7 else mean
    green = natural(rng, "leaf")
    size = float(np.exp(rng.uniform(np.log(0.12), np.log(0.5)))) * extent
    foot = np.array([rng.uniform(0.3, 0.7) * width, 1.05 * height])
    number = int(np.clip(0.35 * extent / size, 1, 9)) + int(rng.integers(0, 3))
    heads = rng.uniform(0.1, 0.9, (number, 2)) * (width, 0.8 * height)
    for head in heads:
        bend = np.linspace(0.0, 1.0, 14)[:, None]
        path = foot + bend * (head - foot) + 0.08 * extent * np.sin(np.pi * bend) * rng.normal(0, 1)
        sheet.ribbon(path.astype(np.float32), float(rng.uniform(0.0015, 0.008)) * extent, green)
        for _ in range(int(rng.integers(0, 6))):
            at = int(rng.integers(0, 12))
            tint = varied(rng, green, 0.3, 0.05)
            aim = float(rng.uniform(-np.pi, 0.0))
            _leaf(rng, sheet, path[at], aim, size * rng.uniform(0.5, 1.5), blade, tint)
    for head in heads:
        tilt = np.array([1.0, rng.uniform(0.4, 1.0)])
        for ring in range(int(rng.integers(1, 4)), 0, -1):
            petals = int(rng.integers(5, 22))
            for index in range(petals):
                aim = 2 * np.pi * index / petals + rng.normal(0.0, 0.12)
                way = np.array([np.cos(aim), np.sin(aim)]) * tilt
                length = size * (0.25 + 0.25 * ring) * float(rng.uniform(0.8, 1.1))
                tint = varied(rng, colour * np.float32(1.15 - 0.12 * ring), 0.12, 0.04)
                angle = float(np.arctan2(way[1], way[0]))
                reach = length * float(np.hypot(*way))
                _leaf(rng, sheet, (head + 0.08 * size * way), angle, reach, petal, tint)
        disc = np.linspace(0, 2 * np.pi, 20)
        rim = head + 0.14 * size * np.stack([np.cos(disc), np.sin(disc)], axis=1) * tilt
        sheet.polygon(rim.astype(np.float32), varied(rng, mean, 0.4, 0.2))
    return before_body(rng, sheet.layer(gain), texture, 0.25)


def grass(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Blades, thin stems and ears rising from a ground that fills one side of the frame."""
    extent = float(np.sqrt(height * width))
    sheet = Sheet(height, width)
    mean, gain = grain(rng, height, width, texture)
    colour = _leaf_colour(rng, mean)
    level = height * float(rng.uniform(0.65, 1.0))
    ground = level + 0.06 * extent * smooth_noise(rng, 1, width + 1, extent * 0.2)[0]
    top = np.stack([np.arange(width + 1) - 0.5, ground], axis=1)
    bottom = np.array([[width + 4, height + 4], [-4, height + 4]])
    sheet.polygon(np.concatenate([top, bottom]).astype(np.float32), colour * np.float32(0.4))
    along = np.linspace(0.0, 1.0, 14)
    wind = float(rng.normal(0.0, 0.4))
    tallest = float(rng.uniform(0.2, 0.7)) * extent
    widest = float(np.exp(rng.uniform(np.log(1.0), np.log(0.025 * extent + 2.0))))
    count = int(rng.integers(120, 420))
    eared = rng.random() < 0.4
    for index in range(count):
        near = index / count
        length = float(rng.gamma(6.0, 1 / 6)) * tallest
        bend = (wind + rng.normal(0.0, 0.35)) * length
        lean = float(rng.normal(0.0, 0.15)) * length
        x = float(rng.uniform(-0.05, 1.05)) * width + lean * along + bend * along**2
        drop = max(0.0, abs(bend) / length - 0.3) * 0.5 * length * along**3
        path = np.stack([x, level + 0.1 * extent - length * along + drop], axis=1)
        wide = widest * float(rng.uniform(0.3, 1.0))
        tint = varied(rng, colour * np.float32(0.45 + 0.65 * near), 0.2, 0.06)
        if wide < 1.2:
            sheet.line(path.astype(np.float32), wide, tint)
        else:
            sheet.ribbon(path.astype(np.float32), 0.5 * wide * (1.0 - along) ** 0.6, tint)
            sheet.line(path[:9].astype(np.float32), 0.7, tint * np.float32(1.25))
        if eared and rng.random() < 0.25:
            spikes = path[9:, None] + rng.normal(0.0, 0.02 * extent, (5, 6, 2))
            start = np.broadcast_to(path[9:, None], spikes.shape)
            hairs = np.stack([start, spikes], axis=2).reshape(-1, 2, 2).astype(np.float32)
            sheet.lines(hairs, 0.7, tint * np.float32(1.2))
    return sheet.layer(gain)
