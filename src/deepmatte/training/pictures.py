"""Folders of pictures to train on, without conversion.

Any picture counts, in sub-folders too: cut-outs are pictures with transparency (RGBA), and COCO's
``train2014`` is a folder of photos. Where a folder has the sub-folders ``fg`` and ``alpha``, as in
Adobe's data set of Xu et al. 2017 (``Combined_Dataset/Training_set/Other/{fg,alpha}``), its
foregrounds are the files of ``fg``, each with the alpha of the same name in ``alpha``; anything
else beside them, such as ``trimaps``, is left out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepmatte.datasets.layouts import open_dataset
from deepmatte.errors import DataError
from deepmatte.foreground import estimate_foreground
from deepmatte.images import open_alpha, open_image, resize

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"}


@dataclass(frozen=True)
class _Entry:
    """A picture, and the file of its alpha where that is another."""

    path: Path
    alpha: Path | None


class Pictures:
    """All pictures below some folders.

    Args:
        folders: where to look; none gives no pictures.
        longest: longer pictures are shrunk to this side, and kept in memory once they are read;
            None reads all of them anew and whole.

    Raises:
        DataError: if a folder holds no pictures, or a colour file of the layout above has no alpha.
    """

    def __init__(self, folders: Sequence[Path], longest: int | None = 1024) -> None:
        self.longest = longest
        self._entries: list[_Entry] = []
        for folder in folders:
            if not folder.is_dir():
                raise DataError(f"{folder} is not a folder; expected a folder of pictures.")
            found = list(_find(folder))
            if not found:
                raise DataError(f"no pictures ({', '.join(sorted(SUFFIXES))}) below {folder}")
            self._entries += found

    def __len__(self) -> int:
        return len(self._entries)

    def draw(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """A random picture, uint8 ``(H, W, 4)`` where it has transparency, else ``(H, W, 3)``."""
        entry = self._entries[rng.integers(len(self._entries))]
        return _read(entry) if self.longest is None else _read_shrunk(entry, self.longest)


@dataclass(frozen=True)
class MattedPhoto:
    """A photo with its true alpha, and the subject's own colours.

    Attributes:
        image: ``(H, W, 3)`` uint8.
        foreground: ``(H, W, 3)`` uint8, estimated from the photo and its alpha.
        alpha: ``(H, W)`` uint8.
        softness: share of the subject that is half transparent, 0..1.
    """

    image: NDArray[np.uint8]
    foreground: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    softness: float


class MattedPhotos:
    """Photos with true alphas, in folders that `deepmatte evaluate` reads too.

    Args:
        folders: each in one of `deepmatte.datasets.layouts.LAYOUTS`; none gives no photos.
        longest: longer photos are shrunk to this side, and kept in memory once they are read.

    Raises:
        DataError: a folder has another layout, or files are missing in it.
    """

    def __init__(self, folders: Sequence[Path], longest: int = 1024) -> None:
        self.longest = longest
        self._samples = [s for folder in folders for s in open_dataset(folder).samples]

    def __len__(self) -> int:
        return len(self._samples)

    def draw(self, rng: np.random.Generator) -> MattedPhoto:
        """A random photo; in half of the draws the softest of three.

        Glass, nets and seed heads are few among photos, and where the networks fail.
        """
        candidates = 3 if rng.random() < 0.5 else 1
        chosen = (self._samples[i] for i in rng.integers(len(self._samples), size=candidates))
        photos = [_read_matted(sample.image, sample.alpha, self.longest) for sample in chosen]
        return max(photos, key=lambda photo: photo.softness)


@functools.lru_cache(maxsize=600)
def _read_matted(image: Path, alpha: Path, longest: int) -> MattedPhoto:
    pixels = _shrunk(_pixels(_Entry(image, alpha)), longest)
    colours, opacity = np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3])
    foreground = estimate_foreground(colours, opacity)
    planes = (colours, foreground, opacity)
    softness = np.mean((opacity > 0.05) & (opacity < 0.95)) / max(np.mean(opacity > 0.05), 1e-6)
    levels = [(plane.clip(0, 1) * 255 + 0.5).astype(np.uint8) for plane in planes]
    return MattedPhoto(levels[0], levels[1], levels[2], float(softness))


def _find(folder: Path) -> Iterator[_Entry]:
    is_folder = functools.cache(Path.is_dir)
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        above = path.parent.parent
        if not (is_folder(above / "fg") and is_folder(above / "alpha")):
            yield _Entry(path, None)
        elif path.parent.name == "fg":
            yield _Entry(path, _alpha_of(path))


def _alpha_of(path: Path) -> Path:
    """The alpha of a colour file: the same name, or the same stem with another suffix."""
    folder = path.parent.parent / "alpha"
    for name in (path.name, *(path.stem + suffix for suffix in sorted(SUFFIXES))):
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{path} has no alpha: expected {folder / path.name}")


def _read(entry: _Entry) -> NDArray[np.uint8]:
    return (_pixels(entry) * 255 + 0.5).astype(np.uint8)


# Bounded: 1500 pictures of a megapixel are 4.5 GB, all that a worker should hold.
@functools.lru_cache(maxsize=1500)
def _read_shrunk(entry: _Entry, longest: int) -> NDArray[np.uint8]:
    return (_shrunk(_pixels(entry), longest) * 255 + 0.5).astype(np.uint8)


def _shrunk(pixels: NDArray[np.float32], longest: int) -> NDArray[np.float32]:
    """The pixels with the longer side no more than ``longest``."""
    size = resize.limited(pixels.shape, longest)
    return pixels if size == pixels.shape[:2] else resize.shrink(pixels, size)


def _pixels(entry: _Entry) -> NDArray[np.float32]:
    """float32 ``(H, W, 3 or 4)``, 0..1."""
    picture = open_image(entry.path)
    alpha = picture.alpha
    if entry.alpha is not None:
        alpha = open_alpha(entry.alpha)
        if alpha.shape != picture.shape:
            raise DataError(
                f"{entry.path} is {picture.shape[1]} x {picture.shape[0]} pixels but "
                f"{entry.alpha} {alpha.shape[1]} x {alpha.shape[0]}; expected the same size"
            )
    return picture.rgb if alpha is None else np.concatenate([picture.rgb, alpha[..., None]], axis=2)
