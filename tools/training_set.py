"""Collects the pictures that the default network is trained on, and holds some of them out.

    python tools/training_set.py OUT [--photos DIR TERMS] [--cutouts DIR TERMS] [--matted DIR TERMS]

Needs Debian's or Ubuntu's `apt-get` and `dpkg-deb`; packages are unpacked, not installed. OUT gets

    train/cutouts, train/photos          what `deepmatte train` is given
    train/matted/images, .../alphas      photos with their true alphas
    held-out/cutouts, held-out/photos    never trained on: for `deepmatte compose set`
    manifest.json                        of every picture its source, terms and SHA-256
    terms/                               the copyright files of the packages

`--photos` and `--cutouts` add folders of one's own, with a word on their terms; both may be
repeated. Whether a picture is held out, about one in twenty, depends on its name alone: whoever
collects the same pictures holds out the same ones. Of photos that look alike only one is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.datasets.layouts import open_dataset
from deepmatte.errors import MattingError
from deepmatte.images import encode_image, open_image
from deepmatte.images.files import write_bytes

STAMPS = "tuxpaint-stamps-default"
WALLPAPERS = (
    "plasma-workspace-wallpapers",
    "gnome-backgrounds",
    "mate-backgrounds",
    "lomiri-wallpapers-16.04",
    "lomiri-wallpapers-20.04",
    "ukui-wallpapers",
)
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}

LONGEST = 1024  # pixels: a training scene is never larger
SMALLEST_CUTOUT = 180  # pixels, its longer side
SMALLEST_PHOTO = 400  # pixels, its shorter side
# Different colours for each opaque pixel: photographs have 0.12 and more, drawings less.
PHOTOGRAPHIC = 0.15
# Mean absolute Laplacian in grey levels: skies and gradients have nothing to learn from.
TEXTURED = 2.0
# Mean difference in grey levels of thumbnails of 16 x 16 pixels, below which two photos are one.
ALIKE = 4.0
HELD_OUT = 20  # one in so many


@dataclass(frozen=True)
class Found:
    """A picture file, where it came from, and on which terms."""

    path: Path
    name: str
    source: str
    terms: str


def main() -> None:
    """Collect all, then write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    for kind in ("photos", "cutouts", "matted"):
        parser.add_argument(
            f"--{kind}", nargs=2, action="append", default=[], metavar=("DIR", "TERMS")
        )
    arguments = parser.parse_args()
    if (arguments.out / "manifest.json").exists():
        sys.exit(f"{arguments.out} holds a training set already; choose another folder.")
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder)
        stamps = list(unpack(STAMPS, unpacked, arguments.out))
        wallpapers = [f for name in WALLPAPERS for f in unpack(name, unpacked, arguments.out)]
        cutouts = [*stamps, *added(arguments.cutouts)]
        photos = [*wallpapers, *added(arguments.photos)]
        entries = [
            *collect_cutouts(cutouts, arguments.out),
            *collect_photos(photos, arguments.out),
            *collect_matted(arguments.matted, arguments.out),
        ]
    text = json.dumps(entries, indent=1, ensure_ascii=False) + "\n"
    write_bytes(arguments.out / "manifest.json", text.encode())
    for side in ("train", "held-out"):
        for kind in ("cutouts", "photos", "matted"):
            count = sum(entry["file"].startswith(f"{side}/{kind}/") for entry in entries)
            print(f"{side}/{kind}: {count}")


def unpack(package: str, folder: Path, out: Path) -> Iterator[Found]:
    """Download a Debian package, unpack it, keep its terms; yields its pictures."""
    try:
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True, timeout=900)
        (archive,) = folder.glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, folder / package], check=True)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        sys.exit(f"{package} could not be fetched with apt-get and unpacked with dpkg-deb: {error}")
    terms = folder / package / "usr/share/doc" / package / "copyright"
    (out / "terms").mkdir(parents=True, exist_ok=True)
    shutil.copy(terms, out / "terms" / package)
    for path in pictures(folder / package):
        name = path.relative_to(folder / package).as_posix()
        yield Found(path, name, archive.stem, f"terms/{package}")


def added(folders: list[list[str]]) -> Iterator[Found]:
    """The pictures of folders that were named, each with its terms."""
    for folder, terms in folders:
        for path in pictures(Path(folder)):
            yield Found(path, path.relative_to(folder).as_posix(), Path(folder).name, terms)


def pictures(folder: Path) -> list[Path]:
    """All picture files below a folder; links lead to files that are found anyway."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def collect_cutouts(found: list[Found], out: Path) -> Iterator[dict[str, Any]]:
    """Keep photographic pictures that are transparent somewhere."""
    digests: set[str] = set()
    for item in found:
        pixels = read(item.path)
        if pixels is None or pixels.shape[2] == 3 or max(pixels.shape[:2]) < SMALLEST_CUTOUT:
            continue
        opaque = pixels[pixels[..., 3] > 250][:, :3]
        colours = np.unique(opaque.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32))
        # Glows have no opaque pixels, and are no drawings.
        if len(opaque) and len(colours) < PHOTOGRAPHIC * len(opaque):
            continue
        digest = hashlib.sha256(pixels.tobytes()).hexdigest()
        if digest not in digests:
            digests.add(digest)
            yield keep(item, pixels, "cutouts", ".png", out)


def collect_photos(found: list[Found], out: Path) -> Iterator[dict[str, Any]]:
    """Keep opaque, textured pictures, of those that look alike the one found first."""
    thumbnails: list[NDArray[Any]] = []
    for item in found:
        pixels = read(item.path)
        if pixels is None or pixels.shape[2] == 4:
            continue
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        if np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean() < TEXTURED:
            continue
        thumbnail = cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32)
        if any(np.abs(thumbnail - other).mean() < ALIKE for other in thumbnails):
            continue
        thumbnails.append(thumbnail)
        yield keep(item, pixels, "photos", ".jpg", out)


def collect_matted(folders: list[list[str]], out: Path) -> Iterator[dict[str, Any]]:
    """Copy photos and their alphas as they are; what to hold out is another folder."""
    for folder, terms in folders:
        for sample in open_dataset(Path(folder)).samples:
            for kind, path in (("images", sample.image), ("alphas", sample.alpha)):
                file = Path("train/matted") / kind / path.name
                (out / file).parent.mkdir(parents=True, exist_ok=True)
                data = path.read_bytes()
                write_bytes(out / file, data)
                yield entry_of(file, Path(folder).name, path.name, terms, data)


def read(path: Path) -> NDArray[np.uint8] | None:
    """A picture in 8 bit, (H, W, 3 or 4), no longer than `LONGEST`; None if unreadable or small."""
    try:
        picture = open_image(path)
    except MattingError as error:
        print(f"left out: {error}", file=sys.stderr)
        return None
    pixels = picture.rgb
    if picture.alpha is None and min(pixels.shape[:2]) < SMALLEST_PHOTO:
        return None
    if picture.alpha is not None:
        alpha = picture.alpha[..., None]
        pixels = np.concatenate([pixels * alpha, alpha], axis=2)
    scale = LONGEST / max(pixels.shape[:2])
    if scale < 1:
        size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    if picture.alpha is not None:
        pixels = pixels.copy()
        pixels[..., :3] /= np.maximum(pixels[..., 3:], np.float32(1e-3))
    levels: NDArray[np.uint8] = np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)
    return levels


def keep(
    item: Found, pixels: NDArray[np.uint8], kind: str, suffix: str, out: Path
) -> dict[str, Any]:
    """Write a picture to its side; returns its entry in the manifest."""
    digest = hashlib.sha256(item.name.encode()).hexdigest()
    side = "held-out" if int(digest[:8], 16) % HELD_OUT == 0 else "train"
    file = Path(side) / kind / f"{item.path.stem}-{digest[:8]}{suffix}"
    (out / file).parent.mkdir(parents=True, exist_ok=True)
    data = encode_image(pixels, suffix)
    write_bytes(out / file, data)
    return entry_of(file, item.source, item.name, item.terms, data)


def entry_of(file: Path, source: str, name: str, terms: str, data: bytes) -> dict[str, Any]:
    """What the manifest says of a picture."""
    return {
        "file": file.as_posix(),
        "source": source,
        "name": name,
        "terms": terms,
        "sha256": hashlib.sha256(data).hexdigest(),
    }


if __name__ == "__main__":
    main()
