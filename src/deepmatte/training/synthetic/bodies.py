"""Outlines of bodies, and the light on them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.training.synthetic.fields import (
    FloatArray,
    Layer,
    Texture,
    filled,
    lit,
    material,
    over,
    resized,
    smooth_noise,
)


@dataclass(frozen=True)
class Contour:
    """A closed smooth outline: points (N, 2) as x, y in pixels, outward unit normals (N, 2)."""

    points: FloatArray
    normals: FloatArray
    centre: FloatArray


def random_contour(
    rng: np.random.Generator,
    height: int,
    width: int,
    coverage: tuple[float, float] = (0.15, 0.55),
    roughness: float = 0.12,
) -> Contour:
    """A smooth blob, often leaving the frame, that covers a share of the frame in ``coverage``."""
    angles = np.linspace(0.0, 2.0 * np.pi, 256, endpoint=False)
    extent = np.sqrt(height * width)
    contour = None
    for _ in range(12):
        radius = np.ones_like(angles)
        for harmonic in range(2, 9):
            size = rng.normal(0.0, roughness / (harmonic - 1) ** 0.8)
            radius += size * np.cos(harmonic * angles + rng.uniform(0, 2 * np.pi))
        radius = np.clip(radius, 0.25, 2.0) * extent * rng.uniform(0.25, 0.62)
        centre = rng.uniform(0.0, 1.0, 2) * (width, height)
        stretch = np.array([1.0, rng.uniform(0.6, 1.5)])
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        points = (centre + radius[:, None] * circle * stretch).astype(np.float32)
        tangent = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
        normals = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + np.float32(1e-6)
        contour = Contour(points, normals, centre.astype(np.float32))
        thumbnail = np.zeros((48, 48), np.uint8)
        scaled = points * np.float32(48) / np.array([width, height], np.float32)
        cv2.fillPoly(thumbnail, [np.round(scaled).astype(np.int32)], 1)
        if coverage[0] <= float(thumbnail.mean()) <= coverage[1]:
            break
    assert contour is not None
    return contour


def figure(
    rng: np.random.Generator, height: int, width: int, coverage: tuple[float, float] = (0.15, 0.55)
) -> Contour:
    """The outline of several blobs grown together, as of a toy's head, ears and limbs."""
    side, pad = 96, 24
    contour = random_contour(rng, height, width, coverage, float(rng.uniform(0.03, 0.15)))
    if rng.random() < 0.35:
        return contour
    scale = np.array([side / width, side / height])
    canvas = np.zeros((side + 2 * pad, side + 2 * pad), np.uint8)
    body = contour.points * scale + pad
    cv2.fillPoly(canvas, [np.round(body).astype(np.int32)], 255)
    middle = contour.centre * scale + pad
    for _ in range(int(rng.integers(1, 5))):
        edge = body[int(rng.integers(len(body)))]
        root = edge + (middle - edge) * rng.uniform(0.0, 0.35)
        axes = np.exp(rng.uniform(np.log(4.0), np.log(22.0), 2))
        cv2.ellipse(
            canvas,
            (round(float(root[0])), round(float(root[1]))),
            (round(float(axes[0])), round(float(axes[1]))),
            float(rng.uniform(0, 180)), 0, 360, 255, -1,
        )  # fmt: skip
    soft = cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(1.0, 3.5)))
    outlines, _ = cv2.findContours(
        (soft > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    if not outlines:
        return contour
    longest = max(outlines, key=len)[:, 0].astype(np.float64)
    return _smooth_contour((longest - pad) / scale, 256)


def _smooth_contour(outline: NDArray[np.float64], count: int) -> Contour:
    """An outline (N, 2) of whole pixels, smoothed and sampled anew at equal distances."""
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2.5) ** 2)
    kernel /= kernel.sum()
    padded = np.concatenate([outline[-6:], outline, outline[:6]])
    smooth = np.stack([np.convolve(padded[:, axis], kernel, "valid") for axis in (0, 1)], axis=1)
    closed = np.concatenate([smooth, smooth[:1]])
    walked = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.linspace(0.0, walked[-1], count, endpoint=False)
    points = np.stack([np.interp(at, walked, closed[:, axis]) for axis in (0, 1)], axis=1)
    tangent = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    normals = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-6
    # Outward, whichever way round the outline runs.
    area = np.sum(
        points[:, 0] * np.roll(points[:, 1], -1) - points[:, 1] * np.roll(points[:, 0], -1)
    )
    normals *= np.sign(area) or 1.0
    return Contour(
        points.astype(np.float32), normals.astype(np.float32), points.mean(0).astype(np.float32)
    )


def relief(rng: np.random.Generator, mask: FloatArray) -> FloatArray:
    """The light (H, W), about 1, on a body that bulges inside its mask (H, W)."""
    height, width = mask.shape
    rows, columns = max(8, height // 4), max(8, width // 4)
    small = resized(mask, rows, columns, cv2.INTER_AREA)
    # The frame's edge is no border of the body.
    padded = cv2.copyMakeBorder((small > 0.5).astype(np.uint8), 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    distance = np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 3), np.float32)[2:-2, 2:-2]
    reach = np.float32(rng.uniform(0.12, 0.5) * min(rows, columns))
    near = 1.0 - np.minimum(distance / reach, 1.0)
    dome = np.sqrt(np.maximum(1.0 - near**2, 0.0)) * reach
    bumps = np.float32(rng.uniform(0.0, 0.15) * reach) * smooth_noise(rng, rows, columns, reach)
    surface = cv2.GaussianBlur(dome + bumps, (0, 0), 1.0 + 0.2 * float(reach))
    slope_x = cv2.Sobel(surface, cv2.CV_32F, 1, 0, scale=1 / 8)
    slope_y = cv2.Sobel(surface, cv2.CV_32F, 0, 1, scale=1 / 8)
    around, up = rng.normal(-np.pi / 2, 0.9), rng.uniform(0.3, 1.2)
    sun_x, sun_y = np.cos(up) * np.cos(around), np.cos(up) * np.sin(around)
    facing = (np.sin(up) - sun_x * slope_x - sun_y * slope_y) / np.sqrt(1 + slope_x**2 + slope_y**2)
    shadow = np.float32(rng.uniform(0.2, 0.8))
    light = (1.0 - shadow + shadow * np.maximum(facing, 0.0) / np.sin(up)).astype(np.float32)
    return resized(np.clip(light, 0.15, 1.35), height, width, cv2.INTER_LINEAR)


def polygon(rng: np.random.Generator, height: int, width: int, size: float = 1.0) -> FloatArray:
    """A star, polygon, rod or rounded box (N, 2) somewhere in the frame, sharp or rounded."""
    extent = float(np.sqrt(height * width))
    corners = int(rng.integers(3, 11))
    angles = np.sort(rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(corners) / corners)
    angles = angles + rng.normal(0.0, 0.12, corners)
    radius = size * extent * rng.uniform(0.28, 0.55) * rng.uniform(0.8, 1.1, corners)
    if corners >= 5 and rng.random() < 0.4:
        radius[::2] *= rng.uniform(0.3, 0.8)
    centre = rng.uniform(0.1, 0.9, 2) * (width, height)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    shape = radius[:, None] * circle
    if rng.random() < 0.35:
        # Pens, boards, legs: pressed flat, then turned.
        shape[:, 1] *= rng.uniform(0.05, 0.6)
        turn = rng.uniform(0, np.pi)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        shape = shape @ rotation.T
    outline: FloatArray = (centre + shape).astype(np.float32)
    if rng.random() < 0.4:
        return _rounded(outline)
    return outline


def _rounded(outline: FloatArray) -> FloatArray:
    """Corners cut off three times (Chaikin), which rounds them."""
    for _ in range(3):
        following = np.roll(outline, -1, axis=0)
        pair = np.stack([0.75 * outline + 0.25 * following, 0.25 * outline + 0.75 * following], 1)
        outline = pair.reshape(-1, 2)
    return outline.astype(np.float32)


def before_body(rng: np.random.Generator, layer: Layer, texture: Texture, chance: float) -> Layer:
    """With some probability an opaque thing (pot, trunk, head) behind the layer."""
    if rng.random() >= chance:
        return layer
    height, width = layer[1].shape
    return over(layer, body(rng, height, width, texture, (0.1, 0.4)))


def body(
    rng: np.random.Generator,
    height: int,
    width: int,
    texture: Texture,
    coverage: tuple[float, float],
) -> Layer:
    """An opaque thing of one material with light and shadow on it."""
    if rng.random() < 0.3:
        outline = polygon(rng, height, width, 1.2 * float(np.sqrt(rng.uniform(*coverage))))
    else:
        outline = figure(rng, height, width, coverage).points
    mask = filled(height, width, [outline])
    colour = material(rng, height, width, texture)
    if rng.random() < 0.7:
        colour = lit(colour, relief(rng, mask))
    return colour, mask
