"""Render the sample picture of `deepmatte demo`: a furry animal in front of a blurred garden.

Everything is drawn by this file, strand by strand, so the picture is free of anybody's rights and
its alpha is known exactly; the trimap is derived from it. Run from the root of a clone:

    python tools/make_sample.py src/deepmatte/samples
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepmatte.images import save_image
from deepmatte.trimap import from_alpha

Floats = NDArray[np.float32]

HEIGHT, WIDTH = 900, 1200
SCALE = 3  # strands are drawn this much larger and averaged down
SHIFT = 3  # fractional bits of the coordinates that OpenCV draws with
POINTS = 9  # vertices of a strand

DARK = np.array([92, 58, 36], np.float32)
WARM = np.array([196, 128, 70], np.float32)
CREAM = np.array([240, 222, 190], np.float32)


@dataclass(frozen=True)
class Part:
    """An ellipse covered with fur; pixels of the final picture.

    Attributes:
        centre: x, y.
        radii: x, y.
        tilt: turn of the ellipse, degrees.
        whorl: the point that the fur grows away from.
        lengths: shortest and longest strand.
        density: strands a pixel.
        droop: how much gravity bends the strands.
        pale: how much of the cream colour is mixed in.
    """

    centre: tuple[float, float]
    radii: tuple[float, float]
    tilt: float
    whorl: tuple[float, float]
    lengths: tuple[float, float]
    density: float
    droop: float
    pale: float


PARTS = (
    Part((590, 860), (310, 330), 0, (590, 330), (60, 150), 0.10, 0.9, 0.15),
    Part((590, 800), (150, 210), 0, (590, 480), (50, 95), 0.10, 0.8, 0.75),
    Part((402, 235), (62, 105), -28, (440, 330), (34, 96), 0.30, 0.0, 0.1),
    Part((778, 235), (62, 105), 28, (740, 330), (34, 96), 0.30, 0.0, 0.1),
    Part((590, 425), (248, 215), 0, (590, 450), (40, 104), 0.16, 0.25, 0.2),
    Part((590, 520), (130, 92), 0, (590, 470), (22, 44), 0.22, 0.3, 0.85),
)
EYES = ((500, 425), (680, 425))
NOSE = (590, 492)


def garden(rng: np.random.Generator) -> Floats:
    """Leaves and lights far out of focus: float32 (H, W, 3), 0..255."""
    down = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]
    picture = (1 - down) * np.array([150, 172, 120], np.float32) + down * np.array(
        [52, 74, 44], np.float32
    )
    picture = np.ascontiguousarray(np.broadcast_to(picture, (HEIGHT, WIDTH, 3)))
    for _ in range(420):
        centre = rng.integers((0, 0), (WIDTH, HEIGHT)).tolist()
        axes = rng.integers(14, 90, 2).tolist()
        tone = rng.choice([[38, 62, 30], [84, 118, 58], [126, 150, 84], [170, 150, 92]])
        colour = (tone * rng.uniform(0.6, 1.3)).tolist()
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1)
    blurred = cv2.filter2D(picture, -1, _disc(34), borderType=cv2.BORDER_REFLECT)
    picture = np.asarray(blurred, np.float32)
    for _ in range(46):
        spot = np.zeros((HEIGHT, WIDTH), np.float32)
        centre = (int(rng.integers(0, WIDTH)), int(HEIGHT * rng.beta(1.3, 2.2)))
        cv2.circle(spot, centre, int(rng.integers(14, 42)), 1.0, -1, cv2.LINE_AA)
        rim = spot - cv2.erode(spot, np.ones((5, 5), np.uint8))
        light = cv2.GaussianBlur(spot + 0.5 * rim, (0, 0), 1.6)[..., None]
        glow = np.float32(rng.choice([[255, 244, 205], [235, 250, 215], [255, 226, 170]]))
        picture += light * np.float32(rng.uniform(0.08, 0.4)) * (glow - picture)
    return picture


def _disc(radius: int) -> Floats:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    inside = (np.hypot(x, y) <= radius).astype(np.float32)
    return np.asarray(inside / inside.sum(), np.float32)


def noise(rng: np.random.Generator, cell: float) -> Callable[[Floats], Floats]:
    """A smooth random field, about -1..1, to be read at points (N, 2)."""
    grid = rng.uniform(-1, 1, (round(HEIGHT / cell) + 6, round(WIDTH / cell) + 6))
    field = cv2.resize(grid.astype(np.float32), (WIDTH + 400, HEIGHT + 400), None, 0, 0, 2)

    def read(points: Floats) -> Floats:
        column = np.clip(points[:, 0] + 200, 0, WIDTH + 399).astype(int)
        row = np.clip(points[:, 1] + 200, 0, HEIGHT + 399).astype(int)
        return np.asarray(field[row, column], np.float32)

    return read


class Canvas:
    """Premultiplied RGBA, `SCALE` times too large; drawing lays things over what is there."""

    def __init__(self) -> None:
        self.pixels = np.zeros((HEIGHT * SCALE, WIDTH * SCALE, 4), np.uint8)

    def fixed(self, points: Floats) -> NDArray[np.int32]:
        return np.asarray(np.rint(((points + 0.5) * SCALE - 0.5) * 2**SHIFT), np.int32)

    def strand(self, path: Floats, colour: Floats, thickness: int) -> None:
        """A strand that is dark and thick at its root, light and thin at its tip."""
        fixed = self.fixed(path)
        cuts = (0, POINTS // 3, 2 * POINTS // 3, POINTS - 1)
        steps = ((0.74, thickness), (0.95, max(1, thickness - 1)), (1.14, 1))
        for (gain, thick), start, stop in zip(steps, cuts, cuts[1:], strict=False):
            shade = (*np.clip(colour * gain, 0, 255).tolist(), 255)
            piece = [fixed[start : stop + 1]]
            cv2.polylines(self.pixels, piece, False, shade, thick, cv2.LINE_AA, SHIFT)

    def disc(self, centre: tuple[float, float], radius: float, colour: list[float]) -> None:
        middle = self.fixed(np.array(centre, np.float32)).tolist()
        reach = round(radius * SCALE * 2**SHIFT)
        cv2.circle(self.pixels, middle, reach, (*colour, 255), -1, cv2.LINE_AA, SHIFT)

    def ellipse(self, part: Part, shrink: float, colour: list[float]) -> None:
        middle = [round(value * SCALE) for value in part.centre]
        axes = [round((value - shrink) * SCALE) for value in part.radii]
        shade = (*colour, 255)
        cv2.ellipse(self.pixels, middle, axes, part.tilt, 0, 360, shade, -1, cv2.LINE_AA)

    def layer(self) -> tuple[Floats, Floats]:
        """Premultiplied colours (H, W, 3), 0..255, and alpha (H, W), 0..1, as a lens draws them."""
        small = cv2.resize(self.pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(small.astype(np.float32), (0, 0), 0.55)
        return np.asarray(soft[..., :3]), np.asarray(soft[..., 3] / 255, np.float32)


def fur(rng: np.random.Generator, canvas: Canvas, part: Part) -> None:
    """Cover a part with strands, the outermost first."""
    canvas.ellipse(part, 6, (DARK * 0.8).tolist())
    count = round(part.density * np.pi * part.radii[0] * part.radii[1] * 1.35)
    spread = np.sqrt(rng.uniform(0, 1.06, count))
    turn = rng.uniform(0, 2 * np.pi, count)
    unit = np.stack([spread * np.cos(turn), spread * np.sin(turn)], axis=1)
    angle = np.deg2rad(part.tilt)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    roots = (unit * part.radii @ rotation + part.centre).astype(np.float32)
    away = roots - np.array(part.whorl, np.float32)
    roots = roots[np.argsort(-np.hypot(*away.T))]
    paths = grow(rng, roots, part)
    colours = coats(rng, roots, part)
    for path, colour, thick in zip(paths, colours, rng.integers(1, 5, count), strict=True):
        canvas.strand(path, colour, int(thick))


def grow(rng: np.random.Generator, roots: Floats, part: Part) -> Floats:
    """Paths (N, POINTS, 2) of strands that leave the whorl, sway together and droop."""
    count = len(roots)
    away = roots - np.array(part.whorl, np.float32)
    angle = np.arctan2(away[:, 1], away[:, 0]) + 0.5 * noise(rng, 70)(roots)
    angle += rng.normal(0, 0.13, count).astype(np.float32) + 0.35 * noise(rng, 16)(roots)
    bend = 0.7 * noise(rng, 40)(roots) + rng.normal(0, 0.35, count).astype(np.float32)
    # A few are strays: longer and out of line.
    stray = rng.random(count) < 0.03
    lengths = rng.uniform(*part.lengths, count) * np.where(stray, 1.6, 1.0)
    angle = angle + np.where(stray, rng.normal(0, 0.5, count), 0).astype(np.float32)
    step = (lengths / (POINTS - 1)).astype(np.float32)
    paths = np.empty((count, POINTS, 2), np.float32)
    position = roots.copy()
    for index in range(POINTS):
        paths[:, index] = position
        along = index / (POINTS - 1)
        direction = np.stack([np.cos(angle + bend * along), np.sin(angle + bend * along)], axis=1)
        direction[:, 1] += part.droop * along
        position = position + step[:, None] * direction
    return paths


def coats(rng: np.random.Generator, roots: Floats, part: Part) -> Floats:
    """Colours (N, 3), 0..255: tabby stripes, a pale chest and muzzle, light from the upper left."""
    stripes = np.sin(roots[:, 0] / 26 + 3.2 * noise(rng, 130)(roots)) + 0.5 * noise(rng, 45)(roots)
    dark = np.clip(0.5 * stripes, 0, 0.75)[:, None] * (1 - part.pale)
    colour = WARM + dark * (DARK - WARM)
    normal = (roots - np.array(part.centre, np.float32)) / np.array(part.radii, np.float32)
    fade = np.clip(2.6 * (1.0 - np.hypot(*normal.T)), 0.1, 1)
    pale = np.clip(part.pale * fade + 0.25 * noise(rng, 60)(roots), 0, 1)[:, None]
    colour = colour + pale * (CREAM - colour)
    light = 0.86 - 0.20 * normal[:, 0] - 0.22 * normal[:, 1]
    gain = light * rng.normal(1, 0.13, len(roots))
    return np.asarray(np.clip(colour * gain[:, None], 8, 252), np.float32)


def face(rng: np.random.Generator, canvas: Canvas) -> None:
    """Eyes with their lids of short fur, a nose, whiskers."""
    for x, y in EYES:
        canvas.disc((x, y), 47, [26.0, 17.0, 12.0])
        for ring in range(24):  # the iris: dark at its rim, lit from below
            bright = (
                np.array([58, 40, 14], np.float32) + np.array([5.2, 4.0, 1.3], np.float32) * ring
            )
            canvas.disc((x, y + ring / 5), 43 - 0.75 * ring, bright.tolist())
        canvas.disc((x, y + 2), 27, [10.0, 9.0, 8.0])
        canvas.disc((x - 13, y - 15), 8, [236.0, 242.0, 248.0])
        canvas.disc((x + 12, y + 16), 4, [92.0, 96.0, 84.0])
        lid(rng, canvas, (x, y))
    for x, y, radius in ((-13, -3, 13), (13, -3, 13), (0, 4, 14)):
        canvas.disc((NOSE[0] + x, NOSE[1] + y), radius, [126.0, 70.0, 62.0])
    canvas.disc((NOSE[0] - 8, NOSE[1] - 8), 4, [206.0, 158.0, 148.0])
    for side in (-1, 1):
        for index in range(7):
            root = np.array(
                [NOSE[0] + side * (34 + 7 * (index % 3)), NOSE[1] + 20 + 6 * index], np.float32
            )
            reach = rng.uniform(290, 430)
            rise = -0.42 + 0.13 * index + rng.normal(0, 0.04)
            along = np.linspace(0, 1, POINTS, dtype=np.float32)
            path = np.stack(
                [
                    root[0] + side * reach * along,
                    root[1] + reach * (rise * along + 0.22 * along**2),
                ],
                axis=1,
            )
            canvas.strand(path.astype(np.float32), np.array([222, 216, 204], np.float32), 3)


def lid(rng: np.random.Generator, canvas: Canvas, eye: tuple[float, float]) -> None:
    """Short hairs around an eye that hang over its rim."""
    for turn in rng.uniform(0, 2 * np.pi, 900):
        outward = np.array([np.cos(turn), np.sin(turn)], np.float32)
        lean = outward * rng.uniform(0.3, 1.0) + rng.normal(0, 0.35, 2).astype(np.float32)
        root = np.array(eye, np.float32) + outward * np.float32(rng.uniform(43, 56))
        along = np.linspace(0, 1, POINTS, dtype=np.float32)[:, None]
        path = root + along * lean * np.float32(rng.uniform(12, 26))
        colour = (DARK + rng.uniform(0, 0.7) * (WARM - DARK)).astype(np.float32)
        canvas.strand(path.astype(np.float32), colour, int(rng.integers(1, 4)))


def render(seed: int) -> tuple[Floats, Floats]:
    """The picture, float32 (H, W, 3), 0..1, and its exact alpha, float32 (H, W), 0..1."""
    rng = np.random.default_rng(seed)
    behind = garden(rng)
    canvas = Canvas()
    for part in PARTS:
        fur(rng, canvas, part)
    face(rng, canvas)
    colours, alpha = canvas.layer()
    picture = colours + (1 - alpha[..., None]) * behind
    grain = cv2.GaussianBlur(np.asarray(rng.normal(0, 4.0, picture.shape), np.float32), (0, 0), 0.6)
    return np.clip((picture + grain) / 255, 0, 1), alpha


def main() -> None:
    """Write the sample and its trimap into a folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    picture, alpha = render(arguments.seed)
    encoded = io.BytesIO()
    pixels = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    pixels.save(encoded, "JPEG", quality=90, subsampling=0)
    (arguments.folder / "fur.jpg").write_bytes(encoded.getvalue())
    save_image(arguments.folder / "fur.trimap.png", from_alpha(alpha, erode=12, dilate=12))


if __name__ == "__main__":
    main()
