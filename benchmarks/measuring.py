"""What every benchmark shares: one `main`, the machine, tables, JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any, TypeAlias

from processes import total_memory

import deepmatte  # noqa: F401 (before any benchmark loads ONNX Runtime: it switches telemetry off)

Results: TypeAlias = dict[str, Any]

_PACKAGES = (
    "deepmatte",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "onnxruntime",
    "torch",
    "pymatting",
    "numba",
)


@dataclass(frozen=True)
class Benchmark:
    """One question.

    Attributes:
        name: of the script, without suffix.
        description: the script's docstring; its first line is the question.
        measure: ``measure(quick)`` gives all figures, as JSON can hold them; quick is a smoke run
            at sizes that say nothing.
        report: the figures as Markdown: the answer in a sentence, then tables.
        plots: the figures as SVG documents by name.
    """

    name: str
    description: str
    measure: Callable[[bool], Results]
    report: Callable[[Results], str]
    plots: Callable[[Results], dict[str, str]] = lambda _: {}

    @property
    def question(self) -> str:
        """What it answers."""
        return self.description.splitlines()[0]


@dataclass(frozen=True)
class Line:
    """The straight line of least squares through some points."""

    slope: float
    intercept: float
    r_squared: float


# --- one script ---------------------------------------------------------------------------------


def parser(benchmark: Benchmark) -> argparse.ArgumentParser:
    """The options that all scripts have."""
    parser = argparse.ArgumentParser(description=benchmark.question)
    parser.add_argument("--quick", action="store_true", help="a smoke run at tiny sizes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser


def main(benchmark: Benchmark, arguments: argparse.Namespace | None = None) -> None:
    """What a script does when it is run: measure, print, and write JSON if that is asked for."""
    arguments = arguments or parser(benchmark).parse_args()
    document = run(benchmark, arguments.quick)
    print(describe_machine(document["machine"]), describe_run(document), sep="\n")
    print(f"\n{benchmark.report(document['results'])}")
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def run(benchmark: Benchmark, quick: bool) -> Results:
    """The figures of a benchmark, and where, when and in what time they were found."""
    before, began = _core_seconds(), time.monotonic()
    results = benchmark.measure(quick)
    duration = time.monotonic() - began
    offered, used, own = (now - then for now, then in zip(_core_seconds(), before, strict=True))
    return {
        "name": benchmark.name,
        "question": benchmark.question,
        "quick": quick,
        "date": date.today().isoformat(),
        "machine": machine(),
        "busy": round(max(0.0, used - own) / offered, 3),
        "duration": round(duration, 1),
        # What was measured comes back as JSON gives it, be it fresh or from a file.
        "results": json.loads(json.dumps(results)),
    }


def say(line: str) -> None:
    """Show that work goes on."""
    print(f"  {line}", file=sys.stderr, flush=True)


# --- the machine --------------------------------------------------------------------------------


def machine() -> Results:
    """What the figures depend on."""
    from deepmatte.machine import usable_cores

    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in cpu)}
    flags = fields.get("flags", "").split()
    wide = ("amx_tile", "avx512f", "avx2")
    return {
        "processor": fields.get("model name", platform.processor() or platform.machine()),
        "instructions": next((name for name in wide if name in flags), platform.machine()),
        "cores": usable_cores(),
        "memory": round(total_memory(), 1),
        "system": platform.system(),
        "versions": {"Python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _core_seconds() -> tuple[float, float, float]:
    """Since the machine and this process began: what all cores offered, what was used of it, and
    what this process and those that it has waited for used.
    """
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    user, nice, system, idle, waiting, *rest = (
        int(field) / os.sysconf("SC_CLK_TCK") for field in fields
    )
    used = user + nice + system + sum(rest)
    return used + idle + waiting, used, sum(os.times()[:4])


# --- words and tables ---------------------------------------------------------------------------


def describe_machine(found: Results) -> str:
    """One line of what `machine` found."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return (
        f"{found['processor']} ({found['instructions']}), {found['cores']} cores, "
        f"{found['memory']:.0f} GB, {found['system']}; {versions}."
    )


def describe_run(document: Results) -> str:
    """When a document's figures were found, and whether they can be relied on."""
    text = f"{document['date']}, {document['duration'] / 60:.1f} minutes."
    if document["busy"] > 0.1:
        text += (
            f" **Other programs used {document['busy']:.0%} of the cores: these figures are not to"
            " be relied on.**"
        )
    if document["quick"]:
        text += " **A smoke run at tiny sizes: these figures say nothing.**"
    return text


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table that also reads well in a terminal; the first column is the rows' names."""
    cells = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = [
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(padded)} |")
    rule = ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    return "\n".join([lines[0], f"| {' | '.join(rule)} |", *lines[1:]])


def line_through(x: Sequence[float], y: Sequence[float]) -> Line:
    """The line of least squares."""
    slope, intercept = statistics.linear_regression(x, y)
    mean = statistics.fmean(y)
    spread = sum((value - mean) ** 2 for value in y)
    left = sum((v - slope * u - intercept) ** 2 for u, v in zip(x, y, strict=True))
    return Line(slope, intercept, 1 - left / spread if spread else 1.0)


def as_rows(values: Sequence[Any]) -> list[Results]:
    """Dataclasses as JSON holds them."""
    return [asdict(value) for value in values]


def seconds(value: float | None) -> str:
    """Three digits: 0.123 s, 1.23 s, 123 s."""
    if value is None:
        return "-"
    return f"{value:.{3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0}f} s"
