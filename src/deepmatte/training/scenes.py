"""Training samples by composition (Xu et al. 2017, section 3): I = alpha F + (1 - alpha) B.

`compose` is the whole recipe, from drawing a foreground to the degraded picture, in order. All
arrays are float32, pictures ``(H, W, 3)`` in 0..1, alphas ``(H, W)`` in 0..1. All randomness comes
from the generator that is passed in.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.training.pictures import Pictures
from deepmatte.training.synthetic import Kind, noise_texture, random_kind, synthetic_foreground

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """A composite with its truth; ``image`` may be degraded, the other three are exact."""

    image: Array
    alpha: Array
    foreground: Array
    background: Array


@dataclass(frozen=True)
class Sources:
    """Where foregrounds and backgrounds come from.

    With no ``cutouts`` all foregrounds are procedural, with no ``photos`` all textures and
    backgrounds are.
    """

    cutouts: Pictures
    photos: Pictures
    cutout_share: float = 0.2
    """Share of foregrounds taken from ``cutouts``; the rest is procedural."""

    def kind(self, rng: np.random.Generator) -> Kind | None:
        """A random kind of foreground; None is a cut-out."""
        if len(self.cutouts) and rng.random() < self.cutout_share:
            return None
        return random_kind(rng)

    def foreground(
        self, rng: np.random.Generator, size: int, kind: Kind | None
    ) -> tuple[Array, Array]:
        """Colours and alpha of a random foreground of a kind, ``size`` square."""
        if kind is None:
            return _place_cutout(rng, self.cutouts.draw(rng), size)
        return synthetic_foreground(rng, size, size, self.texture, kind)

    def texture(self, rng: np.random.Generator, height: int, width: int) -> Array:
        """A patch of a photo, often enlarged: most real foregrounds are homogeneous."""
        if not len(self.photos):
            return noise_texture(rng, height, width)
        zoom = 2.0 ** rng.uniform(0, 3.5)
        return patch(rng, self.photos.draw(rng)[..., :3], height, width, zoom)

    def background(self, rng: np.random.Generator, size: int) -> Array:
        """A patch of a photo, out of focus in three of five pictures, as photos of things are."""
        zoom = 2.0 ** rng.uniform(0, 1.5)
        if not len(self.photos):
            return noise_texture(rng, size, size)
        window = patch(rng, self.photos.draw(rng)[..., :3], size, size, zoom)
        if rng.random() < 0.6:
            sigma = size / 512 * 2.0 ** rng.uniform(0, 4)
            return np.asarray(cv2.GaussianBlur(window, (0, 0), sigma), np.float32)
        return window


def compose(rng: np.random.Generator, sources: Sources, size: int) -> Scene:
    """Draw a scene, ``size`` pixels square, degraded as by a camera."""
    drawn = int(size * rng.choice([1.0, 1.25, 1.6], p=[0.5, 0.3, 0.2]))
    kind = sources.kind(rng)
    foreground, alpha = sources.foreground(rng, drawn, kind)
    if rng.random() < 0.12:
        other = sources.foreground(rng, drawn, sources.kind(rng))
        foreground, alpha = _combine(foreground, alpha, *other)
    background = sources.background(rng, drawn)
    if rng.random() < 0.12:
        background = _crowd(rng, background, *sources.foreground(rng, drawn, kind))
    foreground = _jitter(rng, foreground)
    background = _jitter(rng, background)
    if rng.random() < 0.2:
        background = _approach(background, foreground, alpha, rng.uniform(0.4, 1.0))
    scene = composite(foreground, alpha, background, size)
    return dataclasses.replace(scene, image=_degrade(rng, scene.image))


def composite(foreground: Array, alpha: Array, background: Array, size: int) -> Scene:
    """Equation 1 on square layers of the same size, and then resizing to ``size`` pixels.

    Composition comes before resizing, as in a camera: mixing happens in the light, not between
    the pixels of the final picture.
    """
    in_front = alpha[..., None] * foreground
    behind = (1 - alpha[..., None]) * background
    if len(alpha) != size:
        in_front, behind, alpha, foreground, background = (
            _fit(layer, size, size) for layer in (in_front, behind, alpha, foreground, background)
        )
        # The resized layers are premultiplied: only so does equation 1 still hold exactly.
        foreground = _straight(in_front, alpha, foreground)
        background = _straight(behind, 1 - alpha, background)
    # Resizing and combining may overshoot 1 by a rounding error.
    return Scene(in_front + behind, np.minimum(alpha, 1), foreground, background)


def patch(
    rng: np.random.Generator, photo: NDArray[np.uint8], height: int, width: int, zoom: float
) -> Array:
    """A random window of the photo, flipped at random, enlarged at least ``zoom`` times."""
    zoom = max(zoom, height / photo.shape[0], width / photo.shape[1])
    rows, columns = max(1, int(height / zoom)), max(1, int(width / zoom))
    top = rng.integers(photo.shape[0] - rows + 1)
    left = rng.integers(photo.shape[1] - columns + 1)
    window = photo[top : top + rows, left : left + columns]
    if rng.random() < 0.5:
        window = window[:, ::-1]
    enlarged = cv2.resize(np.ascontiguousarray(window), (width, height))
    scaled: Array = np.asarray(enlarged, np.float32) / np.float32(255)
    return scaled


def _place_cutout(
    rng: np.random.Generator, cutout: NDArray[np.uint8], size: int
) -> tuple[Array, Array]:
    """A cut-out at a random scale, angle and place, about as large as the scene."""
    if cutout.shape[2] == 3:
        cutout = np.dstack([cutout, np.full(cutout.shape[:2], 255, np.uint8)])
    if rng.random() < 0.5:
        cutout = np.ascontiguousarray(cutout[:, ::-1])
    pixels = cutout.astype(np.float32) / np.float32(255)
    premultiplied: Array = np.dstack([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]])
    scale = size * rng.uniform(0.5, 1.3) / max(pixels.shape[:2])
    if scale < 1:
        premultiplied, scale = _shrink(premultiplied, scale), 1.0
    height, width = premultiplied.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 15), scale)
    matrix[:, 2] += size / 2 + rng.uniform(-0.25, 0.25, 2) * size - (width / 2, height / 2)
    placed = np.asarray(cv2.warpAffine(premultiplied, matrix, (size, size)), np.float32)
    alpha = placed[..., 3].clip(0, 1)
    average = placed[..., :3].sum((0, 1)) / np.maximum(alpha.sum(), np.float32(1))
    everywhere = np.broadcast_to(average, (size, size, 3))
    return _straight(placed[..., :3], alpha, everywhere), alpha


def _combine(
    foreground: Array, alpha: Array, other: Array, other_alpha: Array
) -> tuple[Array, Array]:
    """One foreground over another: Tang et al. 2019, section 4.1."""
    behind = (1 - alpha) * other_alpha
    both = alpha + behind
    mixed = alpha[..., None] * foreground + behind[..., None] * other
    return _straight(mixed, both, foreground), both


def _crowd(rng: np.random.Generator, background: Array, other: Array, alpha: Array) -> Array:
    """The background with another thing of the foreground's kind in it, further off.

    Leaves before leaves: neither colour nor texture alone tells the two apart.
    """
    crowded: Array = background + alpha[..., None] * (other - background)
    sigma = len(alpha) / 512 * 2.0 ** rng.uniform(-2, 3)
    return np.asarray(cv2.GaussianBlur(crowded, (0, 0), sigma), np.float32)


def _straight(premultiplied: Array, alpha: Array, otherwise: Array) -> Array:
    """Colours from colours times alpha; ``otherwise`` where alpha is (nearly) 0."""
    straight = premultiplied / np.maximum(alpha, np.float32(1e-3))[..., None]
    return np.asarray(np.where(alpha[..., None] > 1e-3, straight, otherwise).clip(0, 1), np.float32)


def _shrink(pixels: Array, scale: float) -> Array:
    return _fit(pixels, *(max(1, round(side * scale)) for side in pixels.shape[:2]))


def _fit(pixels: Array, height: int, width: int) -> Array:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _jitter(rng: np.random.Generator, colours: Array) -> Array:
    """Gamma, exposure, contrast, white balance and saturation, each drawn around identity."""
    gamma = np.float32(2 ** rng.normal(0, 0.25))
    gains = (2 ** rng.normal(0, 0.2) * 2 ** rng.normal(0, 0.08, 3)).astype(np.float32)
    saturation = np.float32(2 ** rng.normal(0, 0.35))
    grey = colours.mean(axis=2, keepdims=True)
    jittered = (grey + (colours - grey) * saturation) * gains
    return np.asarray(jittered.clip(0, 1) ** gamma, np.float32)


def _approach(background: Array, foreground: Array, alpha: Array, strength: float) -> Array:
    """The background with (partly) the foreground's mean and spread of colours.

    These are the pictures where colour alone fails, the paper's reason to learn structure.
    """
    inside = foreground[alpha > 0.5]
    if len(inside) < 16:
        return background
    mean, spread = background.mean((0, 1)), background.std((0, 1)) + 1e-3
    moved = (background - mean) / spread * inside.std(0) + inside.mean(0)
    approached = background + np.float32(strength) * (moved - background)
    return np.asarray(approached.clip(0, 1), np.float32)


def _degrade(rng: np.random.Generator, image: Array) -> Array:
    """What a camera adds: sensor noise, some sharpening, JPEG, 8 bit."""
    image = image.clip(0, 1)
    if rng.random() < 0.5:
        sigma = 2.0 ** rng.uniform(-9, -5.3)
        noise = rng.standard_normal(image.shape, np.float32)
        image = image + noise * (np.float32(sigma) * (0.5 + np.sqrt(image)))
    if rng.random() < 0.2:
        blurred = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.7, 1.5))
        image = image + np.float32(rng.uniform(0.2, 0.8)) * (image - blurred)
    pixels = (image.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 98))]
        encoded = cv2.imencode(".jpg", pixels, quality)[1]
        pixels = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    degraded: Array = np.asarray(pixels, np.float32) / np.float32(255)
    return degraded
