"""SAD and MSE of a network on photos in alphamatting.com's layout.

    python benchmarks/quality.py DATASET [--trimap Trimap1] [--model lite] [--json FILE]

DATASET holds ``images/*.png``, ``alphas/*.png`` and ``trimaps/<kind>/*.png``. Mattes are rounded to
8 bit, as a user gets them; errors count unknown pixels only. SAD is in thousands, MSE is of values
in 0..1 (Rhemann et al. 2009). Beside the network stands its own starting point, the prior.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import deepmatte
from deepmatte.engine import Engine
from deepmatte.images import open_alpha, open_image
from deepmatte.inputs import GUESS, network_inputs
from deepmatte.trimap import UNKNOWN, open_trimap


def errors(predicted: NDArray[np.float32], alpha: NDArray[np.float32]) -> tuple[float, float]:
    """SAD / 1000 and MSE of the unknown pixels of one picture."""
    difference = np.round(predicted * 255) / 255 - alpha
    return float(np.abs(difference).sum() / 1000), float(np.square(difference).mean())


def main() -> None:
    """Print a row per photo and the mean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--trimap", default="Trimap1")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    engine = Engine(arguments.model)
    rows = []
    print(f"{'photo':<12}{'prior SAD':>10}{'MSE':>9}{'network SAD':>13}{'MSE':>9}{'seconds':>9}")
    for path in sorted((arguments.dataset / "images").glob("*.png")):
        image = open_image(path).rgb
        trimap = open_trimap(
            arguments.dataset / "trimaps" / arguments.trimap / path.name, image.shape[:2]
        )
        unknown = trimap == UNKNOWN
        truth = open_alpha(arguments.dataset / "alphas" / path.name)[unknown]
        prior = errors(network_inputs(image, trimap)[GUESS][unknown], truth)
        began = time.perf_counter()
        network = errors(engine(image, trimap)[unknown], truth)
        rows.append((*prior, *network, time.perf_counter() - began))
        print_row(path.stem, rows[-1])
    mean = tuple(np.mean(rows, axis=0).tolist())
    print_row("mean", mean)
    if arguments.json:
        names = ("prior_sad", "prior_mse", "sad", "mse", "seconds")
        report = {
            "trimap": arguments.trimap,
            "model": arguments.model,
            "version": deepmatte.__version__,
            "machine": platform.processor() or platform.machine(),
            "mean": dict(zip(names, mean, strict=True)),
        }
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


def print_row(name: str, row: tuple[float, ...]) -> None:
    """One line of the table."""
    prior_sad, prior_mse, sad, mse, seconds = row
    print(f"{name:<12}{prior_sad:>10.2f}{prior_mse:>9.4f}{sad:>13.2f}{mse:>9.4f}{seconds:>9.2f}")


if __name__ == "__main__":
    main()
