"""How wrong may a segmenter's mask be? Masks damaged on purpose, and the error of their mattes.

    python benchmarks/subject.py IMAGES ALPHAS [--pictures 12] [--side 1000]

The folders hold photos and their true alphas, named alike. A true alpha, halved at 0.5, is the
mask; it is eroded, dilated, smoothed and shifted by some pixels. The true alpha itself is a soft
mask. Each of them is matted with the equally wide band of `trimap.from_mask`, with the one that
`matte_mask` fits to the picture, and with that of `matte_subject`. SAD is of the whole picture, in
thousands.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from measuring import say, table
from numpy.typing import NDArray

import deepmatte
from deepmatte import trimap
from deepmatte.images import Picture, open_alpha, open_image
from deepmatte.subject import fit_trimap, mask_trimap

Mask = NDArray[np.float32]

DAMAGES = (
    ("none", 0),
    ("soft", 0),
    *((how, by) for how in ("erode", "dilate", "smooth", "shift") for by in (2, 5, 10, 20)),
)


def damaged(mask: Mask, how: str, by: int) -> Mask:
    """A mask (H, W) of 0 and 1, wrong by so many pixels."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    if how == "erode":
        return np.asarray(cv2.erode(mask, disc), np.float32)
    if how == "dilate":
        return np.asarray(cv2.dilate(mask, disc), np.float32)
    if how == "smooth":
        return (np.asarray(cv2.GaussianBlur(mask, (0, 0), by)) >= 0.5).astype(np.float32)
    if how == "shift":
        there = np.array([[1, 0, 0.6 * by], [0, 1, 0.8 * by]], np.float32)
        size = (mask.shape[1], mask.shape[0])
        moved = cv2.warpAffine(mask, there, size, borderMode=cv2.BORDER_REPLICATE)
        return (np.asarray(moved) >= 0.5).astype(np.float32)
    return mask


def shrunk(picture: Picture, alpha: Mask, side: int) -> tuple[Picture, Mask]:
    """Both at no more pixels than a square of this side has."""
    height, width = alpha.shape
    scale = min(1.0, side / math.sqrt(height * width))
    size = (round(width * scale), round(height * scale))
    levels = cv2.resize(picture.levels, size, interpolation=cv2.INTER_AREA)
    return Picture(np.asarray(levels)), np.asarray(
        cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32
    )


def _mean(errors: dict[tuple[str, tuple[str, int]], list[float]], name: str) -> float:
    """Of all pictures and damages so far."""
    return float(
        np.mean([error for (of, _), found in errors.items() if of == name for error in found])
    )


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("alphas", type=Path)
    parser.add_argument("--pictures", type=int, default=12, help="so many, evenly chosen")
    parser.add_argument("--side", type=int, default=1000, help="of a square of as many pixels")
    arguments = parser.parse_args()
    files = sorted(arguments.images.iterdir())
    step = max(1, len(files) // arguments.pictures)
    files = files[::step][: arguments.pictures]
    matter = deepmatte.Matter()
    bands: dict[str, Callable[[Picture, Mask], trimap.Trimap]] = {
        "from_mask": lambda picture, mask: trimap.from_mask(mask),
        "mask_trimap": lambda picture, mask: mask_trimap(picture, mask, matter),
        "fit_trimap": lambda picture, mask: fit_trimap(picture, mask, matter),
    }
    errors: dict[tuple[str, tuple[str, int]], list[float]] = {
        (name, damage): [] for name in bands for damage in DAMAGES
    }
    spent = dict.fromkeys(bands, 0.0)
    for file in files:
        truth = open_alpha(next(arguments.alphas.glob(f"{file.stem}.*")))
        picture, truth = shrunk(open_image(file), truth, arguments.side)
        for how, by in DAMAGES:
            exact = truth if how == "soft" else (truth >= 0.5).astype(np.float32)
            mask = damaged(exact, how, by)
            for name, band in bands.items():
                started = time.perf_counter()
                labels = band(picture, mask)
                spent[name] += time.perf_counter() - started
                alpha = matter(picture, labels).predicted
                errors[name, (how, by)].append(float(np.abs(alpha - truth).sum()) / 1000)
        say(f"{file.name}: {', '.join(f'{name} {_mean(errors, name):.2f}' for name in bands)}")
    rows = [
        [
            f"{how} {by}" if by else how,
            *(f"{np.mean(errors[name, (how, by)]):.2f}" for name in bands),
        ]
        for how, by in DAMAGES
    ]
    rows.append(["mean", *(f"{_mean(errors, name):.2f}" for name in bands)])
    count = len(files) * len(DAMAGES)
    rows.append(["s a trimap", *(f"{spent[name] / count:.2f}" for name in bands)])
    print(table(["mask", *bands], rows))


if __name__ == "__main__":
    main()
