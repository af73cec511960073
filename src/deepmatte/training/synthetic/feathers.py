"""Feathers: a quill, barbs dense enough to close up, splits and down."""

from __future__ import annotations

import numpy as np

from deepmatte.training.synthetic.bodies import before_body
from deepmatte.training.synthetic.fields import FloatArray, Layer, Texture, grain, over
from deepmatte.training.synthetic.paint import Colour, Sheet, natural, varied
from deepmatte.training.synthetic.strands import StrandStyle, grow, paint


def _quill(
    rng: np.random.Generator, start: FloatArray, angle: float, length: float
) -> tuple[FloatArray, FloatArray]:
    """A curved path (12, 2) and its directions (12,)."""
    bend = np.cumsum(rng.normal(0.0, 0.05, 12)) + np.linspace(0.0, rng.normal(0, 0.6), 12)
    angles = angle + bend
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1) * length / 11
    path = start + np.concatenate([np.zeros((1, 2)), np.cumsum(steps[:-1], axis=0)])
    return path.astype(np.float32), angles.astype(np.float32)


def _vane(
    rng: np.random.Generator,
    size: tuple[int, int],
    sheets: tuple[Sheet, Sheet],
    quill: tuple[FloatArray, FloatArray],
    length: float,
    colour: Colour,
) -> None:
    """Both rows of barbs, and the closed web between them, on the sharp sheet and a faint one."""
    path, angles = quill
    sharp, faint = sheets
    style = StrandStyle(
        points=8,
        wander=0.3,
        curl=0.15,
        clump=int(rng.integers(8, 40)),
        pull=float(rng.uniform(0.0, 0.35)),
        widths=(0.5, float(rng.uniform(0.8, 1.6))),
        contrast=float(rng.uniform(0.04, 0.15)),
        depth=float(rng.uniform(0.0, 0.3)),
    )
    count = 380
    downy = float(rng.choice([0.3, 0.3, 1.2]))
    broad = length * float(rng.uniform(0.08, 0.25))
    position = np.linspace(0.12, 1.0, count)
    profile = np.sin(np.pi * np.clip(position * 0.9 + 0.08, 0, 1)) ** 0.6
    knots = np.linspace(0.0, 1.0, len(path))
    roots = np.stack([np.interp(position, knots, path[:, axis]) for axis in (0, 1)], axis=1)
    course = np.interp(position, knots, angles)
    light = float(rng.uniform(0.75, 1.25))
    for side, factor in ((-1.0, light), (1.0, 2.0 - light)):
        narrower = float(rng.uniform(0.5, 1.0))
        open_angle = np.interp(position, [0.0, 0.25, 1.0], [1.4, 0.9, 0.5])
        # Barbs of the downy base are loose, the others lie parallel.
        loose = np.clip(downy - position, 0.0, 1.0) * 1.5
        aim = (course + side * open_angle + rng.normal(0.0, 1.0, count) * loose).astype(np.float32)
        lengths = (narrower * broad * profile * rng.uniform(0.85, 1.05, count)).astype(np.float32)
        tone = colour * np.float32(factor)
        closed = position > downy
        if closed.any():
            tips = roots + 0.8 * lengths[:, None] * np.stack([np.cos(aim), np.sin(aim)], axis=1)
            web = np.concatenate([roots[closed], tips[closed][::-1]]).astype(np.float32)
            sharp.polygon(web, tone * np.float32(0.9))
        paths = grow(rng, size, roots.astype(np.float32), aim, lengths, style)
        paint(rng, faint if downy > 1.0 else sharp, paths, style, tone, 9)


def feathers(rng: np.random.Generator, height: int, width: int, texture: Texture) -> Layer:
    """One to five feathers, closed or downy, some striped."""
    size = (height, width)
    extent = float(np.sqrt(height * width))
    mean, gain = grain(rng, height, width, texture)
    colour = natural(rng, "hair") if rng.random() < 0.4 else mean
    sharp, faint = Sheet(*size), Sheet(*size)
    for _ in range(int(rng.integers(1, 6))):
        start = (rng.uniform(0.0, 1.0, 2) * (width, height)).astype(np.float32)
        toward = np.array([width / 2, height / 2]) - start
        heading = float(np.arctan2(toward[1], toward[0]) + rng.normal(0.0, 0.5))
        length = float(rng.uniform(0.4, 1.1)) * extent
        quill = _quill(rng, start, heading, length)
        tone = varied(rng, colour, 0.2, 0.05)
        _vane(rng, size, (sharp, faint), quill, length, tone)
        thick = np.linspace(float(rng.uniform(1.0, 2.5)), 0.4, 12)
        sharp.ribbon(quill[0], thick, varied(rng, tone, 0.4, 0.05))
    layer = over(sharp.layer(gain), faint.layer(gain, float(rng.uniform(0.4, 0.9))))
    return before_body(rng, layer, texture, 0.5)
