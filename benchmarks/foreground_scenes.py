"""Composites whose true foreground is known, for `foreground.py`.

Subjects are hair, defocused shapes, veils and, from a folder of RGBA pictures, real cut-outs;
subjects and backgrounds carry textures, of photos if there are any. One background in four is a
bright green screen. Pictures get sensor noise and 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

GREEN_SCREEN = np.array([0.05, 0.9, 0.15], np.float32)
NOISE = 0.006  # of a decent camera, in units of full white


@dataclass(frozen=True)
class Scene:
    """A composite and its truth: pictures (H, W, 3), mattes (H, W), all 0..1."""

    kind: str
    image: Array
    alpha: Array
    distorted_alpha: Array
    foreground: Array
    green_screen: bool


def make_scenes(cutouts: Path | None, photos: Path | None, count: int, side: int) -> list[Scene]:
    """`count` square scenes of each kind, always the same ones."""
    random = np.random.default_rng(0)
    photo_files = pictures_in(photos) if photos else []
    cutout_files = [file for file in pictures_in(cutouts) if is_soft(file)] if cutouts else []
    shapes = {"hair": hair, "defocus": defocus, "veil": veil}
    kinds = [*shapes, "cut-out"] if cutout_files else [*shapes]
    scenes = []
    for kind in kinds:
        for index in range(count):
            background = texture(random, photo_files, side)
            if index % 4 == 3:
                background = np.broadcast_to(GREEN_SCREEN, background.shape)
            if kind == "cut-out":
                foreground, alpha = read_cutout(random, cutout_files, side)
            else:
                foreground, alpha = texture(random, photo_files, side), shapes[kind](random, side)
                if index % 2:  # real hair and cloth have less texture than a whole photo
                    smooth = cv2.GaussianBlur(foreground, (0, 0), 8)
                    foreground = (0.25 * foreground + 0.75 * smooth).astype(np.float32)
            opacity = alpha[..., None]
            image = opacity * foreground + (1 - opacity) * background
            image = np.clip(image + random.normal(0, NOISE, image.shape), 0, 1)
            scenes.append(
                Scene(
                    kind=kind,
                    image=(np.round(255 * image) / 255).astype(np.float32),
                    alpha=alpha,
                    distorted_alpha=distort(random, alpha),
                    foreground=foreground,
                    green_screen=index % 4 == 3,
                )
            )
    return scenes


def texture(random: np.random.Generator, files: list[Path], side: int) -> Array:
    """A square piece of a photo, or without photos a sum of random waves of several sizes."""
    if files:
        image = read_picture(files[random.integers(len(files))])[..., :3]
        scale = max(1.5 * side / min(image.shape[:2]), 0.5)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        photo = cv2.resize(image, None, fx=scale, fy=scale, interpolation=method)
        top = random.integers(photo.shape[0] - side + 1)
        left = random.integers(photo.shape[1] - side + 1)
        return np.asarray(photo[top : top + side, left : left + side], np.float32)
    waves = np.full((side, side, 3), random.uniform(0.2, 0.8, 3))
    for cells, strength in ((3, 0.25), (12, 0.12), (60, 0.06), (side, 0.03)):
        grid = random.normal(0, strength, (cells, cells, 3))
        waves += cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(waves, 0, 1), np.float32)


def hair(random: np.random.Generator, side: int) -> Array:
    """A head with strands of many widths and opacities, drawn four times larger and reduced."""
    large = 4 * side
    drawing = np.zeros((large, large), np.uint8)
    radius = large / 5
    cv2.circle(drawing, (large // 2, large // 2), int(radius), 255, -1)
    for _ in range(350):
        angle = random.uniform(0, 2 * np.pi)
        root = large / 2 + 0.9 * radius * np.array([np.cos(angle), np.sin(angle)])
        headings = angle + random.normal(0, 0.4) + random.normal(0, 0.02) * np.arange(40)
        steps = random.uniform(8, 16, (40, 1)) * np.column_stack(
            [np.cos(headings), np.sin(headings)]
        )
        points = (root + steps.cumsum(axis=0)).astype(np.int32)
        opacity, width = int(random.integers(120, 255)), int(random.integers(1, 7))
        cv2.polylines(drawing, [points], False, opacity, width, cv2.LINE_AA)
    small = cv2.resize(drawing, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small / 255, np.float32)


def defocus(random: np.random.Generator, side: int) -> Array:
    """A polygon out of focus."""
    corners = random.uniform(0.2 * side, 0.8 * side, (9, 2)).astype(np.int32)
    alpha = np.zeros((side, side), np.float32)
    cv2.fillPoly(alpha, [cv2.convexHull(corners)], 1.0)
    blurred = cv2.GaussianBlur(alpha, (0, 0), random.uniform(3, 12))
    return np.asarray(np.clip(blurred, 0, 1), np.float32)


def veil(random: np.random.Generator, side: int) -> Array:
    """A disc of slowly varying transparency around a small opaque core."""
    centre = (side // 2, side // 2)
    disc = np.zeros((side, side), np.float32)
    cv2.circle(disc, centre, side // 3, 1.0, -1)
    density = cv2.resize(random.random((9, 9)), (side, side), interpolation=cv2.INTER_CUBIC)
    alpha = np.clip(0.15 + 0.8 * density, 0, 1) * cv2.GaussianBlur(disc, (0, 0), 2)
    cv2.circle(alpha, centre, side // 10, 1.0, -1)
    return np.asarray(np.clip(alpha, 0, 1), np.float32)


def distort(random: np.random.Generator, alpha: Array) -> Array:
    """A matte with smooth mistakes of a network's size: most at 0.5, none at 0 and 1."""
    waves = random.normal(0, 1, (24, 24))
    mistakes = cv2.resize(waves, alpha.shape[::-1], interpolation=cv2.INTER_CUBIC)
    distorted = alpha + 0.5 * mistakes * alpha * (1 - alpha)
    return np.asarray(np.clip(distorted, 0, 1), np.float32)


def pictures_in(folder: Path) -> list[Path]:
    """Picture files of a folder and its subfolders, in a fixed order."""
    return sorted(file for file in folder.rglob("*") if file.suffix in (".png", ".jpg", ".jpeg"))


def read_picture(file: Path) -> Array:
    """RGB or RGBA, (H, W, 3 or 4), 0..1."""
    picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise SystemExit(f"{file.name} is not a picture that OpenCV reads")
    white = 65535 if picture.dtype == np.uint16 else 255
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    code = cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return (cv2.cvtColor(picture, code) / white).astype(np.float32)


def is_soft(file: Path) -> bool:
    """A cut-out of 100 to 900 pixels with at least 3 % soft pixels."""
    picture = read_picture(file)
    sides = picture.shape[:2]
    if picture.shape[2] != 4 or min(sides) < 100 or max(sides) > 900:
        return False
    alpha = picture[..., 3]
    return bool(((alpha > 0) & (alpha < 1)).mean() > 0.03)


def read_cutout(random: np.random.Generator, files: list[Path], side: int) -> tuple[Array, Array]:
    """Foreground and alpha of a cut-out, fitted into the square with premultiplied resampling."""
    picture = read_picture(files[random.integers(len(files))])
    picture[..., :3] *= picture[..., 3:]
    scale = min(0.9 * side / max(picture.shape[:2]), 1.5)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method)
    height, width = fitted.shape[:2]
    top, left = (side - height) // 2, (side - width) // 2
    canvas = np.zeros((side, side, 4), np.float32)
    canvas[top : top + height, left : left + width] = fitted
    alpha = canvas[..., 3]
    foreground = np.clip(canvas[..., :3] / np.maximum(alpha, 1e-3)[..., None], 0, 1)
    alpha = np.where(alpha > 0.998, 1, np.where(alpha < 0.002, 0, alpha))
    return foreground.astype(np.float32), alpha.astype(np.float32)
