"""A canvas for coloured lines and shapes, painted back to front with exact coverage."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.training.synthetic.fields import (
    SHIFT,
    SUPERSAMPLE,
    FloatArray,
    Layer,
    fixed_point,
    lit,
    tinted,
)

Colour = NDArray[np.float32]
"""One RGB colour (3,) in 0..1."""

Half = float | NDArray[np.floating[Any]]
"""Half a width in pixels: one, or one for each point."""

THINNEST = 1.37 / SUPERSAMPLE
"""Width in pixels of the thinnest line that OpenCV draws on the supersampled canvas; measured."""


class Sheet:
    """A canvas of premultiplied colours that everything painted later lies in front of.

    OpenCV's anti-aliased drawing mixes all four channels towards the new colour by its coverage,
    which for premultiplied colours is exactly the over operator.
    """

    def __init__(self, height: int, width: int) -> None:
        self.canvas = np.zeros((height * SUPERSAMPLE, width * SUPERSAMPLE, 4), np.uint8)

    def polygon(self, outline: FloatArray, colour: Colour) -> None:
        """Fills an outline (N, 2)."""
        self.shapes([outline], colour)

    def shapes(self, outlines: list[FloatArray], colour: Colour) -> None:
        """Fills outlines of one colour; where two of them overlap there is a hole."""
        points = [fixed_point(outline) for outline in outlines]
        cv2.fillPoly(self.canvas, points, _scalar(colour), cv2.LINE_AA, SHIFT)

    def lines(self, paths: FloatArray, width: float, colour: Colour) -> None:
        """Draws paths (N, points, 2) of one width in pixels, at least `THINNEST`."""
        wide = width * SUPERSAMPLE
        # Thickness 1 is 1.4 canvas pixels wide, 2 is 3.4, odd ones are 2.4 wider than their number.
        thickness = 1 if wide < 2.4 else 2 if wide < 4.4 else 2 * round((wide - 3.4) / 2) + 1
        points = list(fixed_point(paths))
        cv2.polylines(self.canvas, points, False, _scalar(colour), thickness, cv2.LINE_AA, SHIFT)

    def line(self, path: FloatArray, width: float, colour: Colour) -> None:
        """Draws one path (points, 2)."""
        self.lines(path[None], width, colour)

    def ribbon(self, path: FloatArray, half: Half, colour: Colour) -> None:
        """Draws a path (points, 2) whose half width in pixels, a number or (points,), changes."""
        self.polygon(band(path, half), colour)

    def layer(self, gain: FloatArray | None = None, opacity: float = 1.0) -> Layer:
        """What was painted, its colours times ``gain`` (H, W, 1 or 3), its alpha times a factor."""
        height, width = (side // SUPERSAMPLE for side in self.canvas.shape[:2])
        small = cv2.resize(self.canvas, (width, height), interpolation=cv2.INTER_AREA)
        alpha = small[..., 3] * np.float32(1 / 255)
        *average, covered = cv2.mean(small)
        # A little of the mean colour where 8 bits hold hardly any, or nothing was painted.
        little = 0.01
        mean = np.array(average, np.float32) * np.float32(255 * little / max(covered, 0.02))
        painted = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGRA2BGR), np.float32)
        colour = tinted(painted, np.ones(3, np.float32), mean)
        if gain is not None:
            colour = np.asarray(cv2.multiply(colour, gain), np.float32)
        straight = lit(colour, np.float32(1 / 255) / (alpha + np.float32(little)))
        return straight, alpha * np.float32(opacity)


def band(path: FloatArray, half: Half) -> FloatArray:
    """The outline (2 * points, 2) of a band around a path (points, 2)."""
    tangent = np.gradient(path, axis=0)
    aside = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    aside /= np.sqrt((aside**2).sum(axis=1, keepdims=True)) + 1e-6
    # Filling adds about a third of a pixel on each side.
    aside *= np.maximum(np.asarray(half) - 0.34, 0.05).reshape(-1, 1)
    return np.concatenate([path + aside, (path - aside)[::-1]]).astype(np.float32)


def _scalar(colour: Colour) -> tuple[int, int, int, int]:
    red, green, blue = (max(0, min(255, int(255 * value + 0.5))) for value in colour.tolist())
    return red, green, blue, 255


NATURAL = {
    "hair": (
        (0.06, 0.045, 0.04),
        (0.2, 0.12, 0.07),
        (0.42, 0.27, 0.15),
        (0.72, 0.56, 0.36),
        (0.5, 0.2, 0.08),
        (0.6, 0.58, 0.55),
        (0.85, 0.82, 0.76),
    ),
    "leaf": (
        (0.16, 0.28, 0.07),
        (0.28, 0.42, 0.12),
        (0.12, 0.2, 0.1),
        (0.42, 0.5, 0.2),
        (0.5, 0.42, 0.14),
        (0.4, 0.2, 0.1),
        (0.3, 0.4, 0.28),
    ),
    "bark": ((0.2, 0.14, 0.1), (0.32, 0.27, 0.22), (0.12, 0.1, 0.08), (0.45, 0.4, 0.35)),
    "petal": (
        (0.85, 0.3, 0.08),
        (0.9, 0.75, 0.15),
        (0.85, 0.2, 0.3),
        (0.92, 0.9, 0.88),
        (0.6, 0.3, 0.7),
        (0.95, 0.6, 0.65),
    ),
    "metal": ((0.55, 0.55, 0.56), (0.2, 0.2, 0.21), (0.35, 0.3, 0.25), (0.75, 0.75, 0.75)),
}
"""Colours, RGB in 0..1, that things of a kind mostly have."""  # fmt: skip


def natural(rng: np.random.Generator, kind: str) -> Colour:
    """A colour near one of those in `NATURAL`, in a random light."""
    choices = NATURAL[kind]
    colour = np.array(choices[int(rng.integers(len(choices)))])
    light = np.exp(rng.normal(0.0, 0.25)) * np.exp(rng.normal(0.0, 0.1, 3))
    return np.asarray(np.clip(colour * light, 0.01, 0.97), np.float32)


def varied(rng: np.random.Generator, colour: Colour, brightness: float, hue: float) -> Colour:
    """A colour beside another: a common factor and a smaller one for each channel."""
    factor = np.exp(rng.normal(0.0, brightness)) * np.exp(rng.normal(0.0, hue, 3))
    return np.asarray(np.clip(colour * factor, 0.0, 1.0), np.float32)
