"""Training samples by composition (Xu et al. 2017, section 3): I = alpha F + (1 - alpha) B.

`compose` is the whole recipe, from drawing a foreground to the degraded picture, in order. All
arrays are float32, pictures ``(H, W, 3)`` in 0..1, alphas ``(H, W)`` in 0..1. All randomness comes
from the generator that is passed in.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.images import resize
from deepmatte.training.pictures import MattedPhoto, MattedPhotos, Pictures
from deepmatte.training.synthetic import Kind, noise_texture, random_kind, synthetic_foreground
from deepmatte.training.synthetic.fields import Layer

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

    With neither ``cutouts`` nor ``matted`` photos all foregrounds are procedural, with no
    ``photos`` all textures and backgrounds are.
    """

    cutouts: Pictures
    photos: Pictures
    matted: MattedPhotos = field(default_factory=lambda: MattedPhotos(()))
    cutout_share: float = 1.0
    """Share of composites whose foreground is one of ``cutouts``, not a procedural one."""
    matted_share: float = 0.0
    """Share of foregrounds that come from ``matted`` photos."""
    real_share: float = 0.0
    """Share of scenes that are ``matted`` photos as they are."""

    def foreground(self, rng: np.random.Generator, size: int, kind: Kind | None) -> Layer:
        """Colours and alpha of a random foreground, ``size`` square.

        Args:
            rng: the source of randomness.
            size: side, pixels.
            kind: of a procedural foreground; None takes a random one of all sources.
        """
        if kind is None and len(self.matted) and rng.random() < self.matted_share:
            photo = self.matted.draw(rng)
            return _place(rng, photo.foreground, photo.alpha, size)
        if kind is None and len(self.cutouts) and rng.random() < self.cutout_share:
            cutout = self.cutouts.draw(rng)
            opaque = np.full(cutout.shape[:2], 255, np.uint8)
            alpha = cutout[..., 3] if cutout.shape[2] == 4 else opaque
            return _place(rng, cutout[..., :3], alpha, size)
        kind = kind or random_kind(rng)
        return synthetic_foreground(rng, size, size, self.texture, kind)

    def texture(self, rng: np.random.Generator, height: int, width: int) -> Array:
        """A patch of a photo, often enlarged: most real foregrounds are homogeneous."""
        if not len(self.photos):
            return noise_texture(rng, height, width)
        zoom = 2.0 ** rng.uniform(0, 3.5)
        return patch(rng, self.photos.draw(rng)[..., :3], height, width, zoom)

    def background(self, rng: np.random.Generator, size: int) -> Array:
        """A patch of a photo, out of focus in half of the pictures, as photos of things are."""
        zoom = 2.0 ** rng.uniform(0, 1.5)
        if not len(self.photos):
            return noise_texture(rng, size, size)
        window = patch(rng, self.photos.draw(rng)[..., :3], size, size, zoom)
        if rng.random() < 0.5:
            sigma = size / 512 * 2.0 ** rng.uniform(0, 4)
            return _blurred(window, sigma)
        return window


def compose(rng: np.random.Generator, sources: Sources, size: int) -> Scene:
    """Draw a scene, ``size`` pixels square, degraded as by a camera."""
    if len(sources.matted) and rng.random() < sources.real_share:
        scene = _real(rng, sources.matted.draw(rng), size)
    else:
        scene = _composed(rng, sources, size)
    return dataclasses.replace(scene, image=_degrade(rng, scene.image))


def _composed(rng: np.random.Generator, sources: Sources, size: int) -> Scene:
    drawn = int(size * rng.choice([1.0, 1.25], p=[0.7, 0.3]))
    foreground, alpha = sources.foreground(rng, drawn, None)
    if rng.random() < 0.25:
        other = sources.foreground(rng, drawn, None)
        foreground, alpha = _combine(foreground, alpha, *other)
    if rng.random() < 0.25:
        foreground, alpha = _defocused(rng, foreground, alpha)
        if rng.random() < 0.4:
            # A sharp texture with a soft edge, as retouching leaves it.
            foreground = sources.texture(rng, drawn, drawn)
    background = sources.background(rng, drawn)
    if rng.random() < 0.12:
        background = _crowd(rng, background, *sources.foreground(rng, drawn, None))
    foreground = _jitter(rng, foreground)
    background = _jitter(rng, background)
    if rng.random() < 0.2:
        background = _approach(background, foreground, alpha, rng.uniform(0.4, 1.0))
    return composite(foreground, alpha, background, size)


# Filters that pictures are resized with, by whoever made them smaller or larger.
_FILTERS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)


def _real(rng: np.random.Generator, photo: MattedPhoto, size: int) -> Scene:
    """A square window of a photo with its own alpha, half to all of the shorter side."""
    shape = np.array(photo.alpha.shape)
    side = int(min(shape) * (1.0 if rng.random() < 0.25 else rng.uniform(0.45, 1.0)))
    centre = _soft_pixel(rng, photo.alpha) if rng.random() < 0.6 else rng.uniform(0, shape)
    top, left = np.clip(np.asarray(centre, np.int64) - side // 2, 0, shape - side)
    window = slice(top, top + side), slice(left, left + side)
    # Larger pictures were mostly made smaller by areas; smaller ones come blurred from anywhere.
    way = cv2.INTER_AREA if side > 1.2 * size else int(rng.choice(_FILTERS))
    image, foreground, alpha = (
        np.asarray(
            cv2.resize(
                np.ascontiguousarray(layer[window], np.float32) / np.float32(255),
                (size, size),
                interpolation=way,
            ),
            np.float32,
        ).clip(0, 1)
        for layer in (photo.image, photo.foreground, photo.alpha)
    )
    # What equation 1 leaves for the background; where nearly all is foreground it says nothing.
    behind = _times(image - _times(foreground, alpha), 1 / np.maximum(1 - alpha, np.float32(0.1)))
    shared = rng.integers(2**32)
    image, foreground, background = (
        _jitter(np.random.default_rng(shared), layer.clip(0, 1))
        for layer in (image, foreground, behind)
    )
    return Scene(image, alpha, foreground, background)


def composite(foreground: Array, alpha: Array, background: Array, size: int) -> Scene:
    """Equation 1 on square layers of the same size, and then resizing to ``size`` pixels.

    Composition comes before resizing, as in a camera: mixing happens in the light, not between
    the pixels of the final picture.
    """
    in_front = _times(foreground, alpha)
    behind = _times(background, 1 - alpha)
    if len(alpha) != size:
        in_front, behind, alpha, foreground, background = (
            np.asarray(resize.shrink(layer, (size, size)), np.float32)
            for layer in (in_front, behind, alpha, foreground, background)
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


def _place(
    rng: np.random.Generator, colours: NDArray[np.uint8], alpha: NDArray[np.uint8], size: int
) -> Layer:
    """A foreground in a scene of ``size`` pixels: whole, or a part of it from close by."""
    height, width = alpha.shape
    if rng.random() < 0.5:
        box = cv2.boundingRect((alpha > 5).astype(np.uint8))  # left, top, width, height
        scale = size * rng.uniform(0.5, 1.15) / max(*box[2:], 16)
        centre = np.array([box[1] + box[3] / 2, box[0] + box[2] / 2])
        target = size * (0.5 + rng.uniform(-0.2, 0.2, 2))
    else:
        scale = size / min(height, width) * 2.0 ** rng.uniform(0, 1.5)
        centre = _soft_pixel(rng, alpha)
        target = size * rng.uniform(0.25, 0.75, 2)
    opacity = alpha / np.float32(255)
    unit = _joined(_times(colours / np.float32(255), opacity), opacity)
    if scale < 1:
        smaller = resize.shrink(unit, (max(1, round(height * scale)), max(1, round(width * scale))))
        centre = centre * (np.array(smaller.shape[:2]) / (height, width))
        unit, scale = smaller, 1.0
    turn, shear = np.radians(rng.normal(0, 12)), np.radians(rng.normal(0, 4))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    stretch = 2.0 ** rng.normal(0, 0.08)
    matrix = scale * np.array(
        [
            [mirror * np.cos(turn) * stretch, -np.sin(turn + shear)],
            [mirror * np.sin(turn) * stretch, np.cos(turn + shear)],
        ]
    )
    offset = target[::-1] - matrix @ centre[::-1]
    placed = cv2.warpAffine(
        unit,
        np.column_stack([matrix, offset]),
        (size, size),
        flags=int(rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC))),
    ).clip(0, 1)
    premultiplied, opacity = _split(placed)
    average = np.array(cv2.mean(placed)[:3]) * size**2 / max(float(opacity.sum()), 1)
    everywhere = np.full((size, size, 3), average, np.float32)
    return _straight(premultiplied, opacity, everywhere), opacity


def _soft_pixel(rng: np.random.Generator, alpha: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Row and column of a random half transparent pixel, or of any where there is none."""
    soft = np.flatnonzero((alpha > 12) & (alpha < 243))
    if not len(soft):
        return rng.uniform(0, alpha.shape)
    return np.array(np.unravel_index(soft[rng.integers(len(soft))], alpha.shape), np.float64)


def _defocused(rng: np.random.Generator, foreground: Array, alpha: Array) -> Layer:
    """A foreground out of focus, its edges up to 80 pixels wide; in large scenes up to 160."""
    sigma = 2.0 ** rng.uniform(0, 5) * rng.uniform(1, max(1, len(alpha) / 800))
    premultiplied = _blurred(_times(foreground, alpha), sigma)
    softened = _blurred(alpha, sigma)
    return _straight(premultiplied, softened, foreground), softened


def _blurred(layer: Array, sigma: float) -> Array:
    """A Gaussian blur; a wide one of a smaller copy, which nobody can tell from it."""
    shape = layer.shape[1::-1]
    if sigma <= 4:
        return np.asarray(cv2.GaussianBlur(layer, (0, 0), sigma), np.float32)
    scale = 2 ** int(np.log2(sigma / 2))
    small = resize.shrink(layer, (-(-shape[1] // scale), -(-shape[0] // scale)))
    small = cv2.GaussianBlur(small, (0, 0), sigma / scale)
    return np.asarray(cv2.resize(small, shape, interpolation=cv2.INTER_CUBIC), np.float32)


def _combine(
    foreground: Array, alpha: Array, other: Array, other_alpha: Array
) -> tuple[Array, Array]:
    """One foreground over another: Tang et al. 2019, section 4.1."""
    behind = (1 - alpha) * other_alpha
    both = alpha + behind
    mixed = _times(foreground, alpha) + _times(other, behind)
    return _straight(mixed, both, foreground), both


def _crowd(rng: np.random.Generator, background: Array, other: Array, alpha: Array) -> Array:
    """The background with another thing of the foreground's kind in it, further off.

    Leaves before leaves: neither colour nor texture alone tells the two apart.
    """
    crowded = background + _times(other - background, alpha)
    return _blurred(crowded, len(alpha) / 512 * 2.0 ** rng.uniform(-2, 3))


def _times(colours: Array, weights: Array) -> Array:
    """``colours`` times ``weights`` ``(H, W)``; NumPy's broadcasting takes three times as long."""
    weighted: Array = colours * cv2.merge((weights, weights, weights))
    return weighted


def _joined(colours: Array, opacity: Array) -> Array:
    """Four channels ``(H, W, 4)``."""
    return np.asarray(cv2.merge((*cv2.split(colours), opacity)), np.float32)


def _split(layers: Array) -> Layer:
    """What `_joined` joined."""
    red, green, blue, opacity = (np.asarray(plane, np.float32) for plane in cv2.split(layers))
    return np.asarray(cv2.merge((red, green, blue)), np.float32), opacity


def _straight(premultiplied: Array, alpha: Array, otherwise: Array) -> Array:
    """Colours from colours times alpha; ``otherwise`` where alpha is (nearly) 0."""
    floor = np.maximum(alpha, np.float32(1e-3))
    spread = cv2.merge((floor, floor, floor))
    straight = np.asarray(cv2.divide(premultiplied, spread), np.float32)
    cv2.copyTo(otherwise, (alpha <= 1e-3).view(np.uint8), straight)
    return np.clip(straight, 0, 1, out=straight)


def _jitter(rng: np.random.Generator, colours: Array) -> Array:
    """Gamma, exposure, contrast, white balance and saturation, each drawn around identity."""
    gamma = 2 ** rng.normal(0, 0.25)
    gains = 2 ** rng.normal(0, 0.2) * 2 ** rng.normal(0, 0.08, 3)
    saturation = 2 ** rng.normal(0, 0.35)
    mixed = saturation * np.eye(3) + (1 - saturation) / 3  # grey plus the saturated rest
    jittered = np.asarray(cv2.transform(colours, gains[:, None] * mixed), np.float32)
    return np.asarray(cv2.pow(np.clip(jittered, 0, 1, out=jittered), gamma), np.float32)


def _approach(background: Array, foreground: Array, alpha: Array, strength: float) -> Array:
    """The background with (partly) the foreground's mean and spread of colours.

    These are the pictures where colour alone fails, the paper's reason to learn structure.
    """
    inside = (alpha > 0.5).view(np.uint8)
    if cv2.countNonZero(inside) < 16:
        return background
    (wanted, width), (mean, spread) = (
        [np.ravel(values) for values in cv2.meanStdDev(*layer)]
        for layer in ((foreground, None, None, inside), (background,))
    )
    # A share, strength, of the way from b to (b - mean) / spread * width + wanted.
    scale = 1 + strength * (width / (spread + 1e-3) - 1)
    shift = strength * (wanted - mean * width / (spread + 1e-3))
    moved = cv2.transform(background, np.column_stack([np.diag(scale), shift]))
    return np.asarray(moved, np.float32).clip(0, 1)


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
