"""How long does a command take that has hardly anything to do?

    python benchmarks/startup.py [--quick] [--json FILE]

From the shell to the command's end, the middle of several runs, with all files in the system's
cache. Python alone, and Python with the libraries that any matte needs, are there to compare with.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import measuring
from measuring import Benchmark, Results, say, seconds, table
from processes import Cost, ways
from stages import deepmatte_command

RUNS = 11
MEGAPIXELS = 0.12  # 400 x 300


@dataclass(frozen=True)
class Start:
    """One command: seconds of the middle, fastest and slowest run; GB."""

    name: str
    median: float
    fastest: float
    slowest: float
    peak: float


def measure(quick: bool) -> Results:
    """A row a command."""
    with tempfile.TemporaryDirectory() as name:
        way = ways(quick)
        photo, trimap = way.run(save, Path(name))
        libraries = "import numpy, cv2, PIL.Image, onnxruntime"
        commands = {
            "python -c ''": [sys.executable, "-c", ""],
            f"python -c '{libraries}'": [sys.executable, "-c", libraries],
            "deepmatte --help": [*deepmatte_command(), "--help"],
            "deepmatte matte, 400 x 300": [*deepmatte_command(), "matte", str(photo), str(trimap)],
        }
        runs = 1 if quick else RUNS
        rows = [
            start(name, [way.command(*words) for _ in range(runs)])
            for name, words in commands.items()
        ]
    return {"rows": measuring.as_rows(rows)}


def save(folder: Path) -> tuple[Path, Path]:
    """Write a small photo and its trimap."""
    import scenes

    return scenes.save_files(folder, MEGAPIXELS, MEGAPIXELS / 4)


def start(name: str, costs: list[Cost]) -> Start:
    """Sum up the runs of a command."""
    taken = [found.seconds or 0.0 for found in costs]
    found = Start(
        name, statistics.median(taken), min(taken), max(taken), max(cost.peak for cost in costs)
    )
    say(f"{name}: {seconds(found.median)}")
    return found


def report(results: Results) -> str:
    """A row a command, with its ratio to Python alone."""
    bare = results["rows"][0]["median"]
    rows = [
        (
            f"`{row['name']}`",
            seconds(row["median"]),
            f"{row['median'] / bare:.1f} x",
            seconds(row["fastest"]),
            seconds(row["slowest"]),
            f"{row['peak']:.2f} GB",
        )
        for row in results["rows"]
    ]
    said = [f"`{row['name']}` takes {seconds(row['median'])}" for row in results["rows"][2:]]
    return f"{', '.join(said)}.\n\n" + table(
        ("command", "median", "ratio", "fastest", "slowest", "memory"), rows
    )


BENCHMARK = Benchmark("startup", __doc__, measure, report)

if __name__ == "__main__":
    measuring.main(BENCHMARK)
