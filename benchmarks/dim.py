"""Time and peak memory of Deep Image Matting, torch eager beside ONNX Runtime.

    python benchmarks/dim.py [--sizes 320 640 960 1280] [--repeat 2] [--network FILE] [--json FILE]

Without --network, a file of `deepmatte convert` or `deepmatte train dim`, the paper's network is
taken with random weights, which changes neither figure. Pictures are squares of noise that are
unknown all over, matted in one piece on all cores. Each row is a process of its own: seconds are
the fastest of the repeats after a first small picture, memory is the most that the process ever
held, weights and libraries included, and 'loaded' what it held before the large picture.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepmatte.engine import Engine, usable_cores

Matting = Callable[[NDArray[np.float32], NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Row:
    """One measurement; memory in gigabytes."""

    runtime: str
    size: int
    seconds: float
    loaded: float
    peak: float


def prepare(network: Path | None, folder: Path) -> int:
    """Write the network as safetensors and as ONNX; its number of parameters."""
    from deepmatte import networks
    from deepmatte.networks.dim import DeepImageMatting
    from deepmatte.networks.export import export

    module = networks.load(network) if network else DeepImageMatting().eval()
    networks.save(module, folder / "dim.safetensors")
    export(module, folder / "dim.onnx")
    return sum(parameter.numel() for parameter in module.parameters())


def open_matting(runtime: str, folder: Path, size: int) -> Matting:
    """The network, ready to run."""
    if runtime == "ONNX Runtime":
        return Engine(folder / "dim.onnx", tile=max(size, 1280))
    import torch

    from deepmatte import networks

    torch.set_num_threads(usable_cores())
    return networks.load(folder / "dim.safetensors").infer


def measure(runtime: str, folder: Path, size: int, repeat: int) -> Row:
    """One row; to be called in a fresh process."""
    matting = open_matting(runtime, folder, size)
    rng = np.random.default_rng(0)
    image, trimap = rng.random((size, size, 3), np.float32), np.full((size, size), 128, np.uint8)
    matting(image[:32, :32], trimap[:32, :32])
    loaded = peak()
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        matting(image, trimap)
        seconds.append(time.perf_counter() - began)
    return Row(runtime, size, min(seconds), loaded, peak())


def peak() -> float:
    """The most memory that this process ever held, gigabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kB on Linux


def main() -> None:
    """Print a row per size and runtime."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[320, 640, 960, 1280])
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--network", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    # A forked process would inherit this one's peak, and a used one its own.
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name, context.Pool(1, maxtasksperchild=1) as pool:
        folder = Path(name)
        parameters = pool.apply(prepare, (arguments.network, folder))
        print(f"{platform.machine()}, {usable_cores()} cores, {parameters:,} parameters")
        print(f"{'picture':<14}{'runtime':<14}{'time':>10}{'loaded':>10}{'peak':>10}")
        for size in arguments.sizes:
            for runtime in ("torch", "ONNX Runtime"):
                row = pool.apply(measure, (runtime, folder, size, arguments.repeat))
                print(
                    f"{f'{size} x {size}':<14}{runtime:<14}{row.seconds:>8.2f} s"
                    f"{row.loaded:>7.2f} GB{row.peak:>7.2f} GB",
                    flush=True,
                )
                rows.append(asdict(row))
    if arguments.json:
        document = {
            "machine": platform.machine(),
            "cores": usable_cores(),
            "parameters": parameters,
            "rows": rows,
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
