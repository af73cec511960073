"""What does Deep Image Matting cost, in the engine and in torch on the whole picture?

    python benchmarks/dim.py [--quick] [--json FILE]

The paper's network with random weights, which change neither figure. Pictures are squares of noise
that are unknown all over. torch takes them in one piece; so does the engine up to the size of its
tiles, above which it works in tiles that overlap.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import measuring
import plot
from measuring import Benchmark, Results, line_through, say, seconds, table
from processes import total_memory, ways

SIZES = (320, 640, 960, 1280, 2048)
RUNTIMES = ("torch", "engine")
LIMIT = 150.0


def measure(quick: bool) -> Results:
    """A row a size: what torch and the engine cost."""
    rows = []
    way = ways(quick)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parameters = way.run(write_network, folder, 0.05 if quick else 1.0)
        for size in (32,) if quick else SIZES:
            costs = {}
            for runtime in RUNTIMES:
                found = way.cost(
                    prepare,
                    runtime,
                    folder,
                    size,
                    repeat=2,
                    seconds=LIMIT,
                    memory=0.75 * total_memory(),
                )
                costs[runtime] = asdict(found)
                took = seconds(found.seconds) if found.seconds else found.stopped
                say(f"{size} x {size}, {runtime}: {took}, {found.peak:.2f} GB")
            rows.append({"size": size, "costs": costs})
    return {"parameters": parameters, "rows": rows}


def write_network(folder: Path, width: float) -> int:
    """Write the network as safetensors and as ONNX; its number of parameters."""
    from deepmatte import networks
    from deepmatte.networks.dim import DeepImageMatting, DimConfig
    from deepmatte.networks.export import export

    module = DeepImageMatting(DimConfig(width=width)).eval()
    networks.save(module, folder / "dim.safetensors")
    export(module, folder / "dim.onnx")
    return sum(parameter.numel() for parameter in module.parameters())


def prepare(runtime: str, folder: Path, size: int) -> Callable[[], object]:
    """The action that is measured."""
    import numpy as np

    from deepmatte.machine import usable_cores
    from deepmatte.solver.engine import Engine

    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (size, size, 3), np.uint8)
    trimap = np.full((size, size), 128, np.uint8)
    if runtime == "engine":
        engine = Engine(folder / "dim.onnx")
        engine(image[:32, :32], trimap[:32, :32])
        return lambda: engine(image, trimap)
    import torch

    from deepmatte import networks

    torch.set_num_threads(usable_cores())
    network = networks.load(folder / "dim.safetensors")
    floats = image / np.float32(255)
    network.infer(floats[:32, :32], trimap[:32, :32])
    return lambda: network.infer(floats, trimap)


def report(results: Results) -> str:
    """A row a size, with torch's cost over the engine's."""
    rows = []
    for row in results["rows"]:
        cells = [f"{row['size']} x {row['size']}"]
        costs = [row["costs"][runtime] for runtime in RUNTIMES]
        finished = all(found["seconds"] is not None for found in costs)
        for key, unit in (("seconds", "s"), ("peak", "GB")):
            for found in costs:
                if found["seconds"] is None:
                    cells.append(found["stopped"])
                else:
                    value = found[key]
                    cells.append(seconds(value) if unit == "s" else f"{value:.2f} GB")
            ratio = costs[0][key] / costs[1][key] if finished else None
            cells.append(f"{ratio:.2f} x" if ratio is not None else "")
        rows.append(cells)
    heads = ("picture", "torch", "engine", "ratio", "torch, memory", "engine, memory", "ratio")
    sentence = (
        f"{results['parameters']:,} parameters. Memory is the most that the process ever held, "
        "weights and libraries included; ratios are torch's figure over the engine's."
    )
    return f"{sentence}\n\n{table(heads, rows)}\n\n{_bytes_a_pixel(results)}"


def _bytes_a_pixel(results: Results) -> str:
    """How the engine's memory grows while the picture is one tile."""
    points = [
        (row["size"] ** 2 / 1e6, 1000 * row["costs"]["engine"]["peak"])
        for row in results["rows"]
        if row["size"] <= 1280 and row["costs"]["engine"]["seconds"] is not None
    ]
    # Below, the peak is that of loading the weights.
    rising = [point for point in points if point[1] > 1.02 * points[0][1]]
    if len(rising) < 2:
        return ""
    fit = line_through(*zip(*rising, strict=True))
    return f"The engine takes {fit.slope:.0f} bytes a pixel of a tile."


def plots(results: Results) -> dict[str, str]:
    """Seconds against megapixels."""
    drawn = []
    for runtime in RUNTIMES:
        points = [
            (row["size"] ** 2 / 1e6, row["costs"][runtime]["seconds"])
            for row in results["rows"]
            if row["costs"][runtime]["seconds"] is not None
        ]
        if points:
            drawn.append(plot.Curve(runtime, points))
    title = "The paper's network, all pixels unknown"
    return {"dim": plot.curves(title, "megapixels", "seconds", drawn)}


BENCHMARK = Benchmark("dim", __doc__, measure, report, plots)

if __name__ == "__main__":
    measuring.main(BENCHMARK)
