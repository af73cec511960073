"""Strands of hair and thread: how they grow and how they are painted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from deepmatte.training.synthetic.bodies import Contour
from deepmatte.training.synthetic.fields import FloatArray, resized, smooth_noise
from deepmatte.training.synthetic.paint import THINNEST, Colour, Sheet, varied


@dataclass(frozen=True)
class StrandStyle:
    """How strands look; lengths and widths in pixels, angles in radians.

    Attributes:
        points: vertices of one strand.
        wander: how far the common direction field turns a strand along its way.
        curl: spread of the constant turn of single strands along their way.
        wave: size of the sinusoidal turn; all strands of one clump share its phase.
        pace: radians that the sinusoidal turn runs through along a strand.
        clump: strands that share a clump; their tips are drawn together by ``pull`` (0..1).
        widths: thinnest and thickest strand at its root.
        contrast: spread of the brightness between strands.
        depth: how much darker the hindmost strands are than the foremost (0..1).
    """

    points: int = 12
    wander: float = 0.8
    curl: float = 0.6
    wave: float = 0.0
    pace: float = 8.0
    clump: int = 8
    pull: float = 0.5
    widths: tuple[float, float] = (0.7, 1.5)
    contrast: float = 0.25
    depth: float = 0.3


def grow(
    rng: np.random.Generator,
    size: tuple[int, int],
    roots: FloatArray,
    angles: FloatArray,
    lengths: FloatArray,
    style: StrandStyle,
) -> FloatArray:
    """Paths (N, points, 2) of strands from ``roots`` (N, 2), sorted so that neighbours clump.

    Only those of which some vertex lies in the frame.
    """
    height, width = size
    count = len(roots)
    cell = float(rng.uniform(0.15, 0.5)) * max(height, width)
    rows, columns = height // 4 + 1, width // 4 + 1
    field = smooth_noise(rng, rows, columns, cell / 4) * np.float32(style.wander)
    leaders = np.arange(count) // max(1, style.clump) * max(1, style.clump)
    turn = rng.normal(0.0, style.curl, count)
    turn = 0.3 * turn + 0.7 * turn[leaders]
    phase = rng.uniform(0, 2 * np.pi, count)[leaders] + rng.normal(0, 0.3, count)
    paths = np.empty((count, style.points, 2), np.float32)
    position = roots.astype(np.float64)
    step = lengths / (style.points - 1)
    for index in range(style.points):
        paths[:, index] = position
        along = index / (style.points - 1)
        row = np.clip(position[:, 1] / 4, 0, rows - 1).astype(np.intp)
        column = np.clip(position[:, 0] / 4, 0, columns - 1).astype(np.intp)
        angle = angles + field[row, column] * along + turn * along
        angle += style.wave * np.sin(style.pace * along + phase)
        position = position + step[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    together = np.linspace(0, 1, style.points, dtype=np.float32)[:, None] ** 1.5
    strength = np.float32(style.pull) * rng.uniform(0.6, 1.0, (count, 1, 1)).astype(np.float32)
    gathered = paths + strength * together * (paths[leaders] - paths)
    x, y = gathered[..., 0], gathered[..., 1]
    inside = (x > -2) & (x < width + 2) & (y > -2) & (y < height + 2)
    return np.asarray(gathered[inside.any(axis=1)], np.float32)


def paint(
    rng: np.random.Generator,
    sheet: Sheet,
    paths: FloatArray,
    style: StrandStyle,
    colour: Colour,
    groups: int = 14,
) -> None:
    """Paints strands that taper towards their tips, the hindmost and darkest first.

    They are dealt to groups, each of one width and colour, so that OpenCV draws hundreds in a call.
    """
    if not len(paths):
        return
    clumps = np.arange(len(paths)) // max(1, style.clump)
    # Neighbouring groups within a clump: clumps differ more than the strands inside one.
    dealt = rng.permutation(int(clumps.max()) + 1)[clumps] + rng.integers(0, 3, len(paths))
    dealt = dealt % groups
    thin, thick = style.widths
    third = style.points // 3
    sections = ((2 * third, style.points, 0.4), (third, 2 * third + 1, 0.75), (0, third + 1, 1.0))
    for group in range(groups):
        lines = paths[dealt == group]
        if not len(lines):
            continue
        # Thick strands are rarer than thin ones.
        width = thin + (thick - thin) * float(rng.random()) ** 1.7
        nearness = 1.0 - style.depth * (1.0 - group / (groups - 1))
        shade = varied(rng, colour * np.float32(nearness), style.contrast, 0.1 * style.contrast)
        widths = [max(THINNEST, width * taper) for _, _, taper in sections]
        for (first, last, _), wide in zip(sections, widths, strict=True):
            if widths[0] == widths[2]:
                sheet.lines(lines, wide, shade)
                break
            sheet.lines(np.ascontiguousarray(lines[:, first:last]), wide, shade)


def border_roots(
    rng: np.random.Generator, contour: Contour, count: int, inset: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Roots (N, 2) just inside the contour and outward angles (N,), ordered along it."""
    return arc_roots(rng, contour, count, inset, (0.0, 1.0))


def arc_roots(
    rng: np.random.Generator,
    contour: Contour,
    count: int,
    inset: tuple[float, float],
    arc: tuple[float, float],
) -> tuple[FloatArray, FloatArray]:
    """As `border_roots`, on a part of the contour: its first and last turn, 0..1 (or beyond)."""
    position = np.sort(rng.uniform(*arc, count)) * len(contour.points)
    low = np.floor(position).astype(np.intp) % len(contour.points)
    high = (low + 1) % len(contour.points)
    part = (position % 1.0)[:, None]
    points = contour.points[low] * (1 - part) + contour.points[high] * part
    normals = contour.normals[low] * (1 - part) + contour.normals[high] * part
    roots = points - normals * rng.uniform(*inset, (count, 1))
    return roots.astype(np.float32), np.arctan2(normals[:, 1], normals[:, 0]).astype(np.float32)


def streaks(
    rng: np.random.Generator,
    size: tuple[int, int],
    angles: FloatArray,
    reach: float,
    cell: float = 1.0,
) -> FloatArray:
    """Noise (H, W), spread about 1, drawn out along directions of any size: hair side by side.

    Each pass averages the noise with itself moved along the directions, twice as far as before
    (line integral convolution, Cabral and Leedom 1993, by doubling).
    """
    rows, columns = angles.shape
    if cell > 1.2:
        noise = smooth_noise(rng, rows, columns, cell)
    else:
        noise = rng.standard_normal((rows, columns), np.float32)
    along_x, along_y = np.cos(angles), np.sin(angles)
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    step = 1.0
    while step < max(2.0, reach / 4):
        moved = cv2.remap(
            noise, x + np.float32(step) * along_x, y + np.float32(step) * along_y,
            cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT,
        )  # fmt: skip
        noise = 0.5 * (noise + np.asarray(moved, np.float32))
        step *= 2.0
    mean, spread = (float(value[0, 0]) for value in cv2.meanStdDev(noise))
    noise = (noise - np.float32(mean)) * np.float32(1.0 / (spread + 1e-6))
    return resized(noise, *size, cv2.INTER_CUBIC)
