"""Defocus and motion blur of a foreground, on premultiplied colours and alpha."""

from __future__ import annotations

import cv2
import numpy as np

from deepmatte.training.synthetic.fields import FloatArray, Layer, local_mean, smooth_noise


def line_kernel(length: float, angle: float) -> FloatArray:
    """The path of a shaken camera: a line of ``length`` pixels, sums to 1."""
    size = int(np.ceil(length)) | 1
    kernel = np.zeros((size, size), np.uint8)
    middle = (size - 1) / 2
    offset = np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
    ends = np.round((np.array([middle - offset, middle + offset])) * 16).astype(np.int32)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 255, 1, cv2.LINE_AA, 4)
    return (kernel / max(1, int(kernel.sum()))).astype(np.float32)


def disc_kernel(radius: float) -> FloatArray:
    """The image of a point through a round aperture out of focus, sums to 1."""
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0.0, 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)


def unpremultiplied(premultiplied: FloatArray, alpha: FloatArray, fallback: FloatArray) -> Layer:
    """Straight colours from premultiplied ones; ``fallback`` where nothing is covered."""
    little = np.float32(1e-3)
    colour = (premultiplied + little * fallback) / (alpha + little)[..., None]
    return np.clip(colour, 0.0, 1.0), np.clip(alpha, 0.0, 1.0)


def _filtered(layer: Layer, kernel: FloatArray) -> tuple[FloatArray, FloatArray]:
    colour, alpha = layer
    stacked = np.dstack([colour * alpha[..., None], alpha])
    blurred = cv2.filter2D(stacked, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred[..., :3], np.float32), np.asarray(blurred[..., 3], np.float32)


def motion_blur(rng: np.random.Generator, layer: Layer) -> Layer:
    """A straight shake of 3 to 17 pixels."""
    kernel = line_kernel(float(rng.uniform(3.0, 17.0)), float(rng.uniform(0, np.pi)))
    premultiplied, alpha = _filtered(layer, kernel)
    return unpremultiplied(premultiplied, alpha, local_mean(layer[0], 8))


def defocus(rng: np.random.Generator, layer: Layer) -> Layer:
    """A disc of 0.7 to 9 pixels over all of the frame, or growing from sharp to blurred."""
    radius = float(np.exp(rng.uniform(np.log(0.7), np.log(9.0))))
    premultiplied, alpha = _filtered(layer, disc_kernel(radius))
    if rng.random() < 0.5:
        height, width = alpha.shape
        ramp = smooth_noise(rng, height, width, max(height, width) * 0.7)
        share = np.clip(0.5 + 1.5 * ramp, 0.0, 1.0)
        sharp = layer[0] * layer[1][..., None]
        premultiplied = sharp + share[..., None] * (premultiplied - sharp)
        alpha = layer[1] + share * (alpha - layer[1])
    return unpremultiplied(premultiplied, alpha, local_mean(layer[0], 8))
