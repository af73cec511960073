"""Yarn, ropes, wires, spider threads and bare twigs: single things much longer than wide."""

from __future__ import annotations

import numpy as np

from deepmatte.training.synthetic.bodies import before_body, body
from deepmatte.training.synthetic.fields import FloatArray, Layer, Texture, grain, over
from deepmatte.training.synthetic.paint import Colour, Sheet, band, natural, varied
from deepmatte.training.synthetic.strands import StrandStyle, grow


def _palette(rng: np.random.Generator, texture: Texture, count: int) -> list[Colour]:
    """Colours from one patch of the texture, and beside them."""
    patch = texture(rng, 16, 16).reshape(-1, 3)
    picked = patch[rng.integers(0, len(patch), count)]
    # Lighter than the patch as often as not: what hangs in front of a dark room is often lit.
    return [varied(rng, colour ** np.float32(rng.uniform(0.4, 1.2)), 0.3, 0.2) for colour in picked]


def _yarn(
    rng: np.random.Generator, sheet: Sheet, path: FloatArray, half: float, colour: Colour
) -> None:
    """One round twisted thread: dark borders, a lit middle, ticks across where it turns."""
    ends = half * np.clip(np.linspace(12.0, 0.6, len(path)), 0.3, 1.0)
    sheet.ribbon(path, ends, colour * np.float32(0.55))
    if half < 1.2:
        return
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-6
    aside = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    light = (path + aside * (0.25 * half)).astype(np.float32)
    sheet.ribbon(light, 0.62 * ends, colour * np.float32(0.85))
    length = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
    count = int(min(160, length / (1.3 * half + 1.0)))
    at = np.linspace(0.0, len(path) - 1.001, max(2, count))
    low = at.astype(np.intp)
    middle = path[low] + (at - low)[:, None] * (path[low + 1] - path[low])
    across = 0.75 * half * (aside[low] + 0.7 * tangent[low])
    ticks = np.stack([middle - across, middle + across], axis=1).astype(np.float32)
    sheet.lines(ticks, 0.5 * half, varied(rng, colour, 0.1, 0.02) * np.float32(1.1))


def fringe(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Threads of yarn that hang side by side from a cloth, with gaps and crossings between."""
    size = (height, width)
    extent = float(np.sqrt(height * width))
    half = float(np.exp(rng.uniform(np.log(0.6), np.log(0.018 * extent + 1.0))))
    top = float(rng.uniform(-0.1, 0.45)) * height
    slope = float(rng.normal(0.0, 0.2))
    left, right = np.sort(rng.uniform(-0.3, 1.3, 2))
    if right - left < 0.5:
        left, right = -0.1, 1.1
    spacing = half * float(rng.uniform(1.2, 3.2))
    count = int(np.clip((right - left) * width / spacing, 6, 110))
    x = np.sort(rng.uniform(left, right, count)) * width
    roots = np.stack([x, top + slope * (x - width / 2)], axis=1).astype(np.float32)
    style = StrandStyle(
        points=22,
        wander=float(rng.uniform(0.1, 0.7)),
        curl=float(rng.uniform(0.05, 0.4)),
        wave=float(rng.uniform(0.0, 0.25)),
        pace=float(rng.uniform(4.0, 14.0)),
        clump=int(rng.integers(1, 6)),
        pull=float(rng.uniform(0.0, 0.6)),
    )
    lengths = (rng.uniform(0.25, 1.1) * extent * rng.uniform(0.75, 1.0, count)).astype(np.float32)
    angles = rng.normal(np.pi / 2, 0.1, count).astype(np.float32)
    paths = grow(rng, size, roots, angles, lengths, style)
    colours = _palette(rng, texture, int(rng.choice([1, 2, 5, 9])))
    sheet = Sheet(*size)
    for index in rng.permutation(len(paths)):
        colour = colours[int(rng.integers(len(colours)))]
        shade = varied(rng, colour, 0.2, 0.03)
        _yarn(rng, sheet, paths[index], half * float(rng.uniform(0.75, 1.25)), shade)
    edge = np.array([[left * width - 4, -8], [right * width + 4, -8]])
    edge = np.concatenate([edge, roots[::-1] + np.array([0.0, 2.0 + half])])
    if top > -0.05 * height:
        sheet.polygon(edge.astype(np.float32), colours[0])
        for stripe in range(int(rng.integers(0, 8))):
            line = roots[[0, -1]] - np.array([0.0, 3.0 * half * (stripe + 0.5)])
            sheet.line(line.astype(np.float32), 2.5 * half, colours[stripe % len(colours)])
    _, gain = grain(rng, height, width, texture)
    layer = sheet.layer(gain)
    if rng.random() < 0.7 and half > 1.5:
        fuzz = np.repeat(paths, 3, axis=0)
        fuzz = fuzz + rng.normal(0.0, 0.8 * half, fuzz.shape).astype(np.float32)
        hairs = Sheet(*size)
        hairs.lines(fuzz.astype(np.float32), 0.7, colours[-1])
        layer = over(layer, hairs.layer(opacity=float(rng.uniform(0.15, 0.5))))
    return layer


def _sag(first: FloatArray, middle: FloatArray, last: FloatArray) -> FloatArray:
    """A thread (7, 2) from first to last by way of the middle, curved."""
    at = np.linspace(0.0, 1.0, 7)[:, None]
    bow = 4 * at * (1 - at) * (middle - 0.5 * (first + last))
    return np.asarray(first + at * (last - first) + bow, np.float32)


def _web(rng: np.random.Generator, size: tuple[int, int]) -> list[FloatArray]:
    """Spokes and a sagging spiral, as polylines."""
    height, width = size
    extent = float(np.sqrt(height * width))
    hub = rng.uniform(0.2, 0.8, 2) * (width, height)
    spokes = int(rng.integers(9, 26))
    angles = np.sort(2 * np.pi * np.arange(spokes) / spokes + rng.normal(0, 0.09, spokes))
    reach = extent * float(rng.uniform(0.3, 0.9))
    squeeze = np.array([1.0, rng.uniform(0.5, 1.0)])
    outward = np.stack([np.cos(angles), np.sin(angles)], axis=1) * squeeze
    lines = [np.stack([hub, hub + 1.3 * reach * way]) for way in outward]
    turns = int(rng.integers(8, 26))
    radius = np.linspace(0.08, 1.0, turns)[:, None] * reach * rng.normal(1, 0.02, (turns, spokes))
    rings = hub + radius[..., None] * outward
    torn = rng.random((turns, spokes)) < rng.uniform(0.0, 0.2)
    for ring, gaps in zip(rings, torn, strict=True):
        following = np.roll(ring, -1, axis=0)
        sagging = 0.5 * (ring + following) + 0.08 * (hub - 0.5 * (ring + following))
        lines += [_sag(ring[i], sagging[i], following[i]) for i in range(spokes) if not gaps[i]]
    return [line.astype(np.float32) for line in lines]


def _cables(rng: np.random.Generator, size: tuple[int, int]) -> list[FloatArray]:
    """Wires across the frame: parallel or not, sagging, straight or looped."""
    height, width = size
    extent = float(np.sqrt(height * width))
    heading = float(rng.uniform(0, np.pi))
    parallel = rng.random() < 0.5
    along = np.linspace(0.0, 1.0, 60)[:, None]
    lines = []
    for _ in range(int(rng.integers(3, 28))):
        angle = heading + (0.03 if parallel else 0.8) * rng.normal()
        way = np.array([np.cos(angle), np.sin(angle)])
        middle = rng.uniform(0.0, 1.0, 2) * (width, height)
        reach = extent * (0.9 if rng.random() < 0.6 else float(rng.uniform(0.1, 0.5)))
        sag = float(rng.normal(0.0, 0.12)) * reach
        path = middle + (2 * along - 1) * reach * way
        path = path + 4 * along * (1 - along) * np.array([-way[1], way[0]]) * sag
        if rng.random() < 0.2:
            turn = 2 * np.pi * float(rng.uniform(1, 4)) * along
            path = path + 0.1 * reach * np.concatenate([np.cos(turn), np.sin(turn)], axis=1)
        lines.append(path.astype(np.float32))
    return lines


def wires(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Spider webs, cables, ropes and strings, from half a pixel to a few wide."""
    size = (height, width)
    colour = natural(rng, "metal") if rng.random() < 0.5 else _palette(rng, texture, 1)[0]
    _, gain = grain(rng, height, width, texture)
    sheet = Sheet(*size)
    opacity = 1.0
    if rng.random() < 0.4:
        for line in _web(rng, size):
            sheet.line(line, 0.7, varied(rng, colour, 0.3, 0.03))
        opacity = float(rng.uniform(0.35, 1.0))
    else:
        widest = float(np.exp(rng.uniform(np.log(0.8), np.log(6.0))))
        for line in _cables(rng, size):
            wide = widest * float(rng.uniform(0.5, 1.0))
            shade = varied(rng, colour, 0.25, 0.05)
            if wide < 2.0:
                sheet.line(line, wide, shade)
                continue
            sheet.ribbon(line, 0.5 * wide, shade * np.float32(0.6))
            sheet.line(line - np.float32(0.15 * wide), 0.4 * wide, shade * np.float32(1.3))
    layer = sheet.layer(gain, opacity)
    thing = body(rng, height, width, texture, (0.15, 0.45))
    return over(layer, thing) if rng.random() < 0.6 else over(thing, layer)


def twigs(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """Bare branches that fork again and again, down to twigs of half a pixel."""
    extent = float(np.sqrt(height * width))
    sheet = Sheet(height, width)
    colour = natural(rng, "bark") if rng.random() < 0.7 else _palette(rng, texture, 1)[0]
    limbs = []
    for _ in range(int(rng.integers(1, 5))):
        start = np.array([rng.uniform(0.0, 1.0) * width, height * 1.02])
        heading = -np.pi / 2 + rng.normal(0.0, 0.4)
        if rng.random() < 0.4:
            start = np.array([-4.0, rng.uniform(0.1, 0.9) * height])
            heading = rng.normal(0.0, 0.5)
        limbs.append((start, float(heading), float(rng.uniform(4.0, 0.04 * extent + 6.0))))
    angular = float(rng.uniform(0.08, 0.3))
    fork = float(rng.uniform(0.4, 0.9))
    shrink = float(rng.uniform(0.9, 0.96))
    pieces: list[tuple[float, FloatArray]] = []
    while limbs and len(pieces) < 420:
        place, angle, wide = limbs.pop(0)
        count = int(rng.integers(5, 12))
        turns = angle + np.cumsum(rng.normal(0.0, angular, count))
        step = extent * (0.012 + 0.0035 * wide)
        moves = np.stack([np.cos(turns), np.sin(turns)], axis=1) * step
        path = np.concatenate([place[None], place + np.cumsum(moves, axis=0)])
        widths = wide * shrink ** np.arange(count + 1)
        pieces.append((wide, band(path, 0.5 * widths) if wide > 2.0 else path.astype(np.float32)))
        if widths[-1] < 0.45:
            continue
        split = fork * rng.uniform(0.4, 1.0)
        share = float(rng.uniform(0.5, 0.95))
        limbs.append((path[-1], float(turns[-1] + (1 - share) * split), float(widths[-1] * share)))
        limbs.append((path[-1], float(turns[-1] - split), float(widths[-1] * (1.15 - 0.5 * share))))
        for at in np.flatnonzero(rng.random(count) < 0.3):
            aside = turns[at] + rng.choice([-1, 1]) * rng.uniform(0.5, 1.2)
            limbs.append((path[at], float(aside), float(max(0.4, 0.35 * widths[at]))))
    for wide, shape in pieces[::-1]:
        shade = varied(rng, colour, 0.2, 0.04)
        if wide > 2.0:
            sheet.polygon(shape, shade)
        else:
            sheet.line(shape, wide, shade)
    _, gain = grain(rng, height, width, texture)
    return before_body(rng, sheet.layer(gain), texture, 0.5)
