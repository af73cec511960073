"""Seconds of each stage from picture to cut-out, per picture size and share of unknown pixels.

    python benchmarks/speed.py [--repeat 3] [--json FILE]

The picture is drawn: soft stripes that cross a band of the height that is asked for, so that the
share of unknown pixels is exact. Each figure is the fastest of the repeats; memory is the peak of
the process so far, from case to case.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepmatte.engine import Engine, usable_cores
from deepmatte.foreground import estimate_foreground
from deepmatte.inputs import NetworkInputs

CASES = (
    (600, 800, 0.25),
    (1000, 1000, 0.25),
    (1000, 1000, 1.0),
    (1600, 2500, 0.25),
    (4000, 6000, 0.125),
)


def scene(height: int, width: int, share: float) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Picture (H, W, 3) and trimap (H, W) with ``share`` of its rows unknown."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    alpha = (np.sin(columns / 6 + 3 * np.sin(rows / 40)) * 0.5 + 0.5)[..., None]
    band = np.abs(rows / height - 0.5) < share / 2
    alpha = np.where(band[..., None], alpha, (rows < height / 2)[..., None])
    image = alpha * np.float32([0.8, 0.6, 0.2]) + (1 - alpha) * np.float32([0.2, 0.4, 0.5])
    image = image + rng.normal(0, 0.02, image.shape)
    trimap = np.where(band, 128, np.where(rows < height / 2, 255, 0))
    return image.clip(0, 1).astype(np.float32), trimap.astype(np.uint8)


def fastest(repeat: int, action: Callable[[], object]) -> float:
    """Seconds of the fastest of some runs."""
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def main() -> None:
    """Print a row per case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    began = time.perf_counter()
    engine = Engine()
    print(f"{platform.machine()}, {usable_cores()} cores; loading the network ", end="")
    print(f"{time.perf_counter() - began:.2f} s")
    names = ("priors", "alpha", "foreground", "total")
    print(f"{'picture':<13}{'unknown':>8}" + "".join(f"{n:>12}" for n in (*names, "peak")))
    rows = []
    for height, width, share in CASES:
        image, trimap = scene(height, width, share)
        alpha = engine(image, trimap)
        priors = fastest(arguments.repeat, lambda: NetworkInputs(image, trimap))  # noqa: B023
        whole = fastest(arguments.repeat, lambda: engine(image, trimap))  # noqa: B023
        colours = fastest(arguments.repeat, lambda: estimate_foreground(image, alpha))  # noqa: B023
        row = (priors, whole, colours, whole + colours)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kB on Linux
        seconds = "".join(f"{value:>10.2f} s" for value in row)
        print(f"{width} x {height:<6}{share:>8.0%}{seconds}{peak:>9.2f} GB")
        rows.append(
            {"width": width, "height": height, "unknown": share}
            | dict(zip(names, row, strict=True))
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
