"""The pictures that the benchmarks are run on: the shipped sample at any size.

Its animal stands at the bottom of the frame. Enlarged it is smoother than a photo, so it gets the
noise of a camera, without which it would also be stored in far fewer bytes.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import deepmatte
from deepmatte.images import encode_image, open_image, open_levels
from deepmatte.trimap import BACKGROUND, FOREGROUND, UNKNOWN

__all__ = ["UNKNOWN", "load_arrays", "save_arrays", "save_files", "scene", "small"]

Image = NDArray[np.uint8]
Trimap = NDArray[np.uint8]

SAMPLE = Path(deepmatte.__file__).parent / "samples"
WIDE, HIGH = 4, 3
"""Of the sample, and of all pictures made of it."""

_NOISE = 2.0  # levels of 255


def size_of(megapixels: float) -> tuple[int, int]:
    """(height, width) of a picture of the sample's shape and about so many megapixels."""
    unit = (megapixels * 1e6 / (WIDE * HIGH)) ** 0.5
    return round(HIGH * unit), round(WIDE * unit)


def scene(megapixels: float, unknown: float, subject: float | None = None) -> tuple[Image, Trimap]:
    """Picture (H, W, 3) and trimap (H, W).

    Args:
        megapixels: of the whole picture.
        unknown: megapixels that are unknown: those nearest to the subject's edge.
        subject: megapixels of the sample in the picture, the rest is more background; all of it.
    """
    height, width = size_of(subject or megapixels)
    # Where the sample's trimap is unknown, the edge is halfway between its two sides.
    labels = open_levels(SAMPLE / "fur.trimap.png")
    sides = [_distance(labels == label) for label in (FOREGROUND, BACKGROUND)]
    signed = cv2.resize(sides[0] - sides[1], (width, height), interpolation=cv2.INTER_LINEAR)
    sample = open_image(SAMPLE / "fur.jpg").levels
    subject_alone = cv2.resize(sample, (width, height), interpolation=cv2.INTER_CUBIC)

    rows, columns = size_of(megapixels)
    top, left = rows - height, (columns - width) // 2
    around = (top, 0, left, columns - width - left)
    image = np.asarray(cv2.copyMakeBorder(subject_alone, *around, cv2.BORDER_REFLECT), np.uint8)
    trimap = np.where(signed < 0, FOREGROUND, BACKGROUND).astype(np.uint8)
    count = min(round(unknown * 1e6), trimap.size) - 1
    if count >= 0:
        away = np.abs(signed)
        trimap[away <= np.partition(away, count, axis=None)[count]] = UNKNOWN
    trimap = np.pad(trimap, ((top, 0), (left, around[3])), constant_values=BACKGROUND)
    _add_noise(image)
    return image, trimap


def _distance(there: NDArray[np.bool_]) -> NDArray[np.float32]:
    distance = cv2.distanceTransform((~there).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(distance, np.float32)


def _add_noise(image: Image) -> None:
    """Add noise in place, some rows at a time; it repeats itself where nobody sees it."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, _NOISE, (256, image.shape[1], 3)).astype(np.float32)
    for top in range(0, len(image), 256):
        rows = image[top : top + 256]
        noisy = rows + np.roll(noise, top * 7, axis=1)[: len(rows)]
        np.copyto(rows, np.clip(noisy + np.float32(0.5), 0, 255).astype(np.uint8))


def save_arrays(
    folder: Path, megapixels: float, unknown: float, subject: float | None = None
) -> float:
    """Write a scene to be read by `load_arrays`; the megapixels that are really unknown."""
    image, trimap = scene(megapixels, unknown, subject)
    np.save(folder / "image.npy", image)
    np.save(folder / "trimap.npy", trimap)
    return float((trimap == UNKNOWN).sum() / 1e6)


def load_arrays(folder: Path) -> tuple[Image, Trimap]:
    """What `save_arrays` wrote."""
    return np.load(folder / "image.npy"), np.load(folder / "trimap.npy")


def save_files(
    folder: Path, megapixels: float, unknown: float, subject: float | None = None
) -> tuple[Path, Path]:
    """Write a scene as a camera and a person would: a JPEG and a PNG; their paths."""
    image, trimap = scene(megapixels, unknown, subject)
    photo, labels = folder / "photo.jpg", folder / "trimap.png"
    photo.write_bytes(encode_image(image, ".jpg"))
    labels.write_bytes(encode_image(trimap, ".png"))
    return photo, labels


def small() -> tuple[Image, Trimap]:
    """A scene of 64 x 48 pixels, to warm up with."""
    return scene(64 * 48 / 1e6, 0.001)
