"""How right are soft edges? Mean error of mattes of out-of-focus edges, by width.

    python tools/soft_edges.py [--photos DIR]... [--method lite]... [--sides 400 800 1600]

A disc with a blurred edge lies over textured ground: patches of photos, or drawn textures where
there are none. Its alpha takes 2 to 80 pixels from 10 to 90 %. The trimap is unknown where it is
soft, and some pixels further. Methods are those of `deepmatte evaluate`; the mean is over unknown
pixels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.evaluation.methods import Predictions, open_methods, predict
from deepmatte.training.pictures import Pictures
from deepmatte.training.scenes import Sources
from deepmatte.trimap import BACKGROUND, FOREGROUND, UNKNOWN

WIDTHS = (2, 5, 10, 20, 41, 80)
"""Pixels that alpha takes from 10 to 90 %."""
# Of a Gaussian's integral: so many standard deviations lie between 10 and 90 %.
_SIGMAS = 2.563


def scene(
    sources: Sources, side: int, width: float, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    """Picture, alpha and trimap of a disc with a soft edge, ``side`` pixels square."""
    rng = np.random.default_rng((seed, side, round(10 * width)))
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    distance = np.hypot(rows - side * 0.5, columns - side * 0.5) - side * 0.28
    sigma = width / _SIGMAS
    solid = np.clip(0.5 - distance, 0, 1)
    alpha = np.asarray(cv2.GaussianBlur(solid, (0, 0), sigma), np.float32)
    foreground, background = (sources.texture(rng, side, side) for _ in range(2))
    image = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    image = np.rint(image.clip(0, 1) * 255).astype(np.float32) / np.float32(255)
    margin = 2 * sigma + 4
    trimap = np.full(alpha.shape, UNKNOWN, np.uint8)
    trimap[distance < -margin], trimap[distance > margin] = FOREGROUND, BACKGROUND
    return image, alpha, trimap


def main() -> None:
    """Print a table of mean errors, one row a method and size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, action="append", default=[])
    parser.add_argument("--method", action="append", default=[])
    parser.add_argument("--sides", type=int, nargs="+", default=[400, 800, 1600])
    parser.add_argument("--seeds", type=int, default=4, help="pictures of each width and size")
    arguments = parser.parse_args()
    sources = Sources(Pictures([]), Pictures(arguments.photos))
    print("| method | side |" + "".join(f" {width} px |" for width in WIDTHS))
    print("|---|---|" + "---|" * len(WIDTHS))
    for method in open_methods(arguments.method or ["lite", "lite-high", "closed-form"]):
        assert not isinstance(method, Predictions)  # there are no files of mattes here
        for side in arguments.sides:
            cells = []
            for width in WIDTHS:
                errors = []
                for seed in range(arguments.seeds):
                    image, alpha, trimap = scene(sources, side, width, seed)
                    predicted, _ = predict(method, image, trimap)
                    unknown = trimap == UNKNOWN
                    errors.append(np.abs(predicted / 255 - alpha)[unknown].mean())
                cells.append(f" {np.mean(errors):.3f} |")
            print(f"| {method.name} | {side} |" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
