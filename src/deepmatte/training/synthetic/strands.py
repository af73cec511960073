"""Strands of hair: how they grow out of a border and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.training.synthetic.fields import (
    SHIFT,
    SUPERSAMPLE,
    Contour,
    FloatArray,
    averaged,
    fixed_point,
    new_canvas,
    smooth_noise,
)

NEUTRAL_GAIN = 128
"""Grey level of the brightness canvas that leaves a colour as it is."""


@dataclass(frozen=True)
class StrandStyle:
    """How strands look; lengths and widths in pixels, angles in radians.

    Attributes:
        points: vertices of one strand.
        wander: how far the common direction field turns a strand along its way.
        curl: spread of the constant turn of single strands along their way.
        wave: size of the sinusoidal turn; all strands of one clump share its phase.
        clump: strands that share a clump; their tips are drawn together by ``pull`` (0..1).
        widths: thinnest and thickest strand at its root.
        opacities: lowest and highest opacity of single strands.
        contrast: spread of the brightness between strands.
    """

    points: int = 12
    wander: float = 0.8
    curl: float = 0.6
    wave: float = 0.0
    clump: int = 8
    pull: float = 0.5
    widths: tuple[float, float] = (0.4, 1.5)
    opacities: tuple[float, float] = (0.4, 1.0)
    contrast: float = 0.25


def grow(
    rng: np.random.Generator,
    size: tuple[int, int],
    roots: FloatArray,
    angles: FloatArray,
    lengths: FloatArray,
    style: StrandStyle,
) -> FloatArray:
    """Paths (N, points, 2) of strands from ``roots`` (N, 2), sorted so that neighbours clump."""
    height, width = size
    count = len(roots)
    cell = float(rng.uniform(0.15, 0.5)) * max(height, width)
    rows, columns = height // 4 + 1, width // 4 + 1
    field = smooth_noise(rng, rows, columns, cell / 4) * np.float32(style.wander)
    clumps = np.arange(count) // max(1, style.clump)
    leaders = clumps * max(1, style.clump)
    turn = rng.normal(0.0, style.curl, count)
    turn = 0.3 * turn + 0.7 * turn[leaders]
    phase = rng.uniform(0, 2 * np.pi, count)[leaders] + rng.normal(0, 0.3, count)
    pace = rng.uniform(4.0, 12.0)
    paths = np.empty((count, style.points, 2), np.float32)
    position = roots.astype(np.float64)
    step = lengths / (style.points - 1)
    for index in range(style.points):
        paths[:, index] = position
        along = index / (style.points - 1)
        row = np.clip(position[:, 1] / 4, 0, rows - 1).astype(np.intp)
        column = np.clip(position[:, 0] / 4, 0, columns - 1).astype(np.intp)
        angle = angles + field[row, column] * along + turn * along
        angle += style.wave * np.sin(pace * along + phase)
        position = position + step[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    together = np.linspace(0, 1, style.points, dtype=np.float32)[:, None] ** 1.5
    strength = np.float32(style.pull) * rng.uniform(0.6, 1.0, (count, 1, 1)).astype(np.float32)
    gathered: FloatArray = paths + strength * together * (paths[leaders] - paths)
    return gathered


def draw(
    rng: np.random.Generator,
    size: tuple[int, int],
    paths: FloatArray,
    style: StrandStyle,
    gain: NDArray[np.uint8],
) -> FloatArray:
    """Coverage (H, W) of tapering strands; paints their brightness into ``gain`` (H, W).

    Strands are dealt to a few bins, each of one width, opacity and brightness, so that OpenCV
    draws hundreds of them in a call; bins are laid over each other.
    """
    if not len(paths):
        return np.zeros(size, np.float32)
    bins = 8
    clear = np.ones(size, np.float32)
    clumps = np.arange(len(paths)) // max(1, style.clump)
    # Two neighbouring brightnesses in a clump: clumps differ more than the strands inside one.
    dealt = (rng.permutation(int(clumps.max()) + 1)[clumps] + rng.integers(0, 3, len(paths))) % bins
    widths = rng.permutation(np.geomspace(*style.widths, bins))
    opacities = rng.permutation(np.linspace(*style.opacities, bins))
    gains = rng.permutation(np.linspace(-1.0, 1.0, bins)) * style.contrast
    third = style.points // 3
    sections = ((2 * third, style.points, 0.4), (third, 2 * third + 1, 0.7), (0, third + 1, 1.0))
    for chosen in range(bins):
        lines = paths[dealt == chosen]
        if not len(lines):
            continue
        canvas = new_canvas(*size)
        on_canvas = fixed_point(lines)
        on_gain = fixed_point(lines, 1.0)
        level = int(np.clip(NEUTRAL_GAIN * (1.0 + gains[chosen]), 0, 255))
        thick = max(2, round(float(widths[chosen])) + 1)
        cv2.polylines(gain, list(on_gain), False, level, thick, cv2.LINE_8, SHIFT)
        # Tips first: they are fainter and must not cut into the roots of others.
        for first, last, taper in sections:
            wide = float(widths[chosen]) * taper * SUPERSAMPLE
            thickness = max(1, round(wide))
            strength = int(255 * min(1.0, wide / thickness))
            section = list(np.ascontiguousarray(on_canvas[:, first:last]))
            cv2.polylines(canvas, section, False, strength, thickness, cv2.LINE_AA, SHIFT)
        clear *= 1.0 - np.float32(opacities[chosen]) * averaged(canvas)
    return 1.0 - clear


def border_roots(
    rng: np.random.Generator, contour: Contour, count: int, inset: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Roots (N, 2) just inside the contour and outward angles (N,), ordered along it."""
    position = np.sort(rng.uniform(0, len(contour.points), count))
    low = position.astype(np.intp) % len(contour.points)
    high = (low + 1) % len(contour.points)
    part = (position % 1.0)[:, None]
    points = contour.points[low] * (1 - part) + contour.points[high] * part
    normals = contour.normals[low] * (1 - part) + contour.normals[high] * part
    depth = rng.uniform(*inset, (count, 1))
    roots = points - normals * depth
    return roots.astype(np.float32), np.arctan2(normals[:, 1], normals[:, 0]).astype(np.float32)


def visible(paths: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Only the strands of which some vertex lies in the frame."""
    x, y = paths[..., 0], paths[..., 1]
    inside = (x > -2) & (x < size[1] + 2) & (y > -2) & (y < size[0] + 2)
    return paths[inside.any(axis=1)]
