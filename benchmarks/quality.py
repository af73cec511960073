"""SAD and MSE on photos in alphamatting.com's layout: the network beside simpler methods.

    python benchmarks/quality.py DATASET [--trimap Trimap1] [--model lite] [--closed-form]

DATASET holds ``images/*.png``, ``alphas/*.png`` and ``trimaps/<kind>/*.png``. Mattes are rounded to
8 bit, as a user gets them; errors count unknown pixels only. SAD is in thousands, MSE is of values
in 0..1 (Rhemann et al. 2009). Beside the network stands its own starting point, the prior, and
with ``--closed-form`` pymatting's closed-form matting.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import deepmatte
from deepmatte.engine import Engine
from deepmatte.images import open_alpha, open_image
from deepmatte.inputs import GUESS, network_inputs
from deepmatte.trimap import FOREGROUND, UNKNOWN, open_trimap

Method = Callable[[NDArray[np.float32], NDArray[np.uint8]], NDArray[np.float32]]


def prior(image: NDArray[np.float32], trimap: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The guess that the network corrects."""
    return network_inputs(image, trimap)[GUESS]


def closed_form(image: NDArray[np.float32], trimap: NDArray[np.uint8]) -> NDArray[np.float32]:
    """pymatting's closed-form matting (Levin et al. 2008) with its defaults."""
    from pymatting import estimate_alpha_cf

    known = np.where(trimap == UNKNOWN, 0.5, trimap == FOREGROUND)
    return np.asarray(estimate_alpha_cf(image.astype(np.float64), known), np.float32)


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
    parser.add_argument("--closed-form", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    methods: dict[str, Method] = {arguments.model: Engine(arguments.model), "prior": prior}
    if arguments.closed_form:
        methods["closed form"] = closed_form
    print(f"{'':<8}" + "".join(f"{name + ': SAD':>18}{'MSE':>8}{'s':>6}" for name in methods))
    rows = []
    for path in sorted((arguments.dataset / "images").glob("*.png")):
        image = open_image(path).rgb
        trimap = open_trimap(
            arguments.dataset / "trimaps" / arguments.trimap / path.name, image.shape[:2]
        )
        unknown = trimap == UNKNOWN
        truth = open_alpha(arguments.dataset / "alphas" / path.name)[unknown]
        row: list[float] = []
        for method in methods.values():
            began = time.perf_counter()
            predicted = method(image, trimap)
            seconds = time.perf_counter() - began
            row += [*errors(predicted[unknown], truth), seconds]
        rows.append(row)
        print_row(path.stem, row)
    mean = np.mean(rows, axis=0).tolist()
    print_row("mean", mean)
    if arguments.json:
        report = {
            "trimap": arguments.trimap,
            "version": deepmatte.__version__,
            "machine": platform.processor() or platform.machine(),
            "mean": {
                name: dict(zip(("sad", "mse", "seconds"), mean[3 * i : 3 * i + 3], strict=True))
                for i, name in enumerate(methods)
            },
        }
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


def print_row(name: str, row: list[float]) -> None:
    """One line of the table."""
    triples = zip(row[0::3], row[1::3], row[2::3], strict=True)
    print(f"{name:<8}" + "".join(f"{sad:>18.2f}{mse:>8.4f}{s:>6.2f}" for sad, mse, s in triples))


if __name__ == "__main__":
    main()
