"""How much of the machine's convolution peak does the default network reach, and where does it go?

    python benchmarks/convolutions.py [--quick] [--json FILE]

The peak is the best that ONNX Runtime or torch reaches here, in the same run, with dense 3 x 3
convolutions of several sizes: nothing that a network is made of is faster. Operations are those of
the network's convolutions, two for each multiplication and addition; its time is all of its time.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import measuring
import plot
from measuring import Benchmark, Results, say, table
from processes import fastest, ways

TILE = 1280
DENSE = ((64, 256), (128, 128), (256, 64), (256, 128), (512, 64))
"""Channels, and side of the picture, of the dense convolutions."""
LAYERS = 4  # of those in a row, so that what happens once a network counts little
REPEAT = 5


@dataclass(frozen=True)
class Operator:
    """All calls of one kind of operator in one run of the network."""

    kind: str
    calls: int
    seconds: float
    gigaflop: float


def measure(quick: bool) -> Results:
    """The peak, the network, and its operators."""
    side, way = 64 if quick else TILE, ways(quick)
    dense = []
    for channels, extent in ((16, 16),) if quick else DENSE:
        gigaflop = LAYERS * 2 * 9 * channels**2 * extent**2 / 1e9
        for name, function in (("ONNX Runtime", dense_onnx), ("torch", dense_torch)):
            rate = gigaflop / way.run(function, channels, extent)
            say(f"{channels} channels, {extent} x {extent}, {name}: {rate:.0f} GFLOP/s")
            dense.append({"runtime": name, "channels": channels, "side": extent, "rate": rate})
    operators = way.run(profile, side)
    gigaflop = sum(operator.gigaflop for operator in operators)
    seconds = way.run(network, side)
    say(f"the network: {gigaflop / seconds:.0f} GFLOP/s")
    return {
        "side": side,
        "gigaflop": gigaflop,
        "dense": dense,
        "seconds": seconds,
        "operators": [asdict(operator) for operator in operators],
    }


def dense_torch(channels: int, side: int) -> float:
    """Seconds of `LAYERS` dense 3 x 3 convolutions in torch, in its faster memory layout."""
    import torch

    from deepmatte.machine import usable_cores

    torch.set_num_threads(usable_cores())
    layers = [torch.nn.Conv2d(channels, channels, 3, padding=1) for _ in range(LAYERS)]
    best = float("inf")
    for layout in (torch.contiguous_format, torch.channels_last):
        network = torch.nn.Sequential(*layers).to(memory_format=layout)  # type: ignore[call-overload]
        inputs = torch.rand(1, channels, side, side).to(memory_format=layout)
        with torch.inference_mode():
            network(inputs)
            best = min(best, fastest(lambda: network(inputs), REPEAT))  # noqa: B023
    return best


def dense_onnx(channels: int, side: int) -> float:
    """Seconds of the same in ONNX Runtime."""
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    from deepmatte.machine import usable_cores

    rng = np.random.default_rng(0)
    shape = (1, channels, side, side)
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("0", str(LAYERS))
    ]
    weights = [
        rng.normal(0, 0.01, (channels, channels, 3, 3)).astype(np.float32) for _ in range(LAYERS)
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", [str(i), f"w{i}"], [str(i + 1)], pads=[1, 1, 1, 1])
            for i in range(LAYERS)
        ],
        "dense",
        values[:1],
        values[1:],
        [numpy_helper.from_array(weight, f"w{i}") for i, weight in enumerate(weights)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    inputs = {"0": rng.random(shape, np.float32)}
    session.run(None, inputs)
    return fastest(lambda: session.run(None, inputs), REPEAT)


def network(side: int) -> float:
    """Seconds of the default network on one window, as the engine runs it."""
    import sessions

    sessions.watch()
    matte = on_noise(side)
    session = sessions.Watched.latest
    best = float("inf")
    for _ in range(REPEAT):
        session.seconds = 0.0
        matte()
        best = min(best, session.seconds)
    return best


def profile(side: int) -> list[Operator]:
    """Where ONNX Runtime's time goes when the engine runs the default network on one window."""
    import sessions

    with tempfile.TemporaryDirectory() as folder:
        sessions.watch(Path(folder) / "profile")
        on_noise(side)()
        record = Path(sessions.Watched.latest.end_profiling())
        events = json.loads(record.read_text(encoding="utf-8"))
    last = max(event["ts"] for event in events if event["name"] == "model_run")
    nodes = [event for event in events if event.get("cat") == "Node" and event["ts"] >= last]
    return _by_kind([node for node in nodes if node["name"].endswith("_kernel_time")])


def on_noise(side: int) -> Callable[[], object]:
    """The engine on one window, which it has seen once already.

    Strips of known pixels keep it from looking at half the size first, which would be a second run.
    """
    import numpy as np

    from deepmatte.solver.engine import Engine

    engine = Engine(tile=TILE)
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    trimap = np.full((side, side), 128, np.uint8)
    for row in (0, 1):
        trimap[row::40] = 0
    engine(image, trimap)
    return lambda: engine(image, trimap)


def _by_kind(nodes: list[dict[str, Any]]) -> list[Operator]:
    calls: dict[str, int] = defaultdict(int)
    seconds: dict[str, float] = defaultdict(float)
    gigaflop: dict[str, float] = defaultdict(float)
    for node in nodes:
        kind, operations = _convolution(node["args"])
        calls[kind] += 1
        seconds[kind] += node["dur"] / 1e6
        gigaflop[kind] += operations / 1e9
    kinds = sorted(seconds, key=lambda kind: seconds[kind], reverse=True)
    return [Operator(kind, calls[kind], seconds[kind], gigaflop[kind]) for kind in kinds]


def _convolution(node: dict[str, Any]) -> tuple[str, float]:
    """What an operator is called in the table, and how many operations it does."""
    name = node["op_name"]
    if not name.endswith("Conv"):  # FusedConv is one, too
        return name, 0
    (_, weights, *_), (output, *_) = (
        [next(iter(tensor.values())) for tensor in node[f"{side}_type_shape"]]
        for side in ("input", "output")
    )
    each = prod(weights[1:])  # multiplications for each output
    groups = "depthwise" if weights[1] == 1 else "dense"
    return f"Conv {weights[2]} x {weights[3]}, {groups}", 2 * each * prod(output)


def report(results: Results) -> str:
    """The share of the peak, and a row an operator."""
    best = max(results["dense"], key=lambda row: row["rate"])
    peak, gigaflop = best["rate"], results["gigaflop"]
    rates = [
        (
            f"{row['channels']} channels, {row['side']} x {row['side']}, {row['runtime']}",
            row["rate"],
        )
        for row in results["dense"]
    ]
    reached = gigaflop / results["seconds"]
    rates.append(("**the network**", reached))
    shares = table(
        ("", "GFLOP/s", "of the peak"),
        [(name, f"{rate:.0f}", f"{rate / peak:.0%}") for name, rate in rates],
    )
    total = sum(row["seconds"] for row in results["operators"])
    operators = table(
        ("operator", "calls", "time", "of all", "GFLOP", "GFLOP/s"),
        [
            (
                row["kind"],
                row["calls"],
                f"{1000 * row['seconds']:.1f} ms",
                f"{row['seconds'] / total:.1%}",
                f"{row['gigaflop']:.2f}" if row["gigaflop"] else "",
                f"{row['gigaflop'] / row['seconds']:.0f}" if row["gigaflop"] else "",
            )
            for row in results["operators"]
        ],
    )
    megapixels = results["side"] ** 2 / 1e6
    sentence = (
        f"**{reached / peak:.0%}** of the peak of {peak:.0f} GFLOP/s, on a window of "
        f"{results['side']} x {results['side']} pixels, for which the network needs "
        f"{gigaflop:.1f} GFLOP: {gigaflop / megapixels:.0f} a megapixel."
    )
    return f"{sentence}\n\n{shares}\n\nONNX Runtime's time by operator:\n\n{operators}"


def plots(results: Results) -> dict[str, str]:
    """Time of each kind of operator."""
    rows = [(row["kind"], {"time": 1000 * row["seconds"]}) for row in results["operators"][:10]]
    return {"convolutions": plot.bars("Where the network's time goes", "milliseconds", rows)}


BENCHMARK = Benchmark("convolutions", __doc__, measure, report, plots)

if __name__ == "__main__":
    measuring.main(BENCHMARK)
