"""Where do the seconds of `deepmatte matte` go, from a JPEG to three PNGs?

    python benchmarks/stages.py [--quick] [--json FILE]

Each stage in one process that has matted something small before, and beside them the command
itself, from the shell to its end. It writes the alpha matte, the foreground and the cut-out.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import measuring
import plot
from measuring import Benchmark, Results, say, seconds, table
from processes import ways

if TYPE_CHECKING:
    from collections.abc import Iterator


class Case(NamedTuple):
    """Megapixels of a picture, and how many of them are unknown; how often it is matted."""

    megapixels: float
    unknown: float
    repeat: int


CASES = (Case(2.5, 0.6, 3), Case(24.0, 3.0, 3), Case(100.0, 12.5, 1))
QUICK = (Case(0.02, 0.003, 1),)
OUTPUTS = ("alpha", "foreground", "cutout")


def measure(quick: bool) -> Results:
    """A row a picture: seconds of each stage, and of the whole command with its peak memory."""
    way = ways(quick)
    rows = []
    for case in QUICK if quick else CASES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            photo, trimap = way.run(save, folder, case)
            stages = way.run(time_stages, photo, trimap, case.repeat)
            whole = way.command(*matte_command(photo, trimap, folder))
        say(f"{case.megapixels:g} MP: {seconds(whole.seconds)}, {whole.peak:.2f} GB")
        rows.append(
            {
                "megapixels": case.megapixels,
                "unknown": case.unknown,
                "stages": stages,
                "command": whole.seconds,
                "peak": whole.peak,
            }
        )
    return {"rows": rows}


def save(folder: Path, case: Case) -> tuple[Path, Path]:
    """Write the photo and its trimap."""
    import scenes

    return scenes.save_files(folder, case.megapixels, case.unknown)


def matte_command(photo: Path, trimap: Path, folder: Path) -> list[str]:
    """`deepmatte matte` with all three outputs."""
    outputs = [word for name in OUTPUTS for word in (f"--{name}", str(folder / f"{name}.png"))]
    return [*deepmatte_command(), "matte", str(photo), str(trimap), *outputs]


def deepmatte_command() -> list[str]:
    """The command that was installed beside this Python."""
    installed = Path(sys.executable).with_name("deepmatte")
    return (
        [str(installed)] if os.access(installed, os.X_OK) else [sys.executable, "-m", "deepmatte"]
    )


def time_stages(photo: Path, trimap: Path, repeat: int) -> dict[str, float]:
    """Seconds of each stage, of the fastest of some runs."""
    import scenes
    import sessions

    from deepmatte.solver.engine import Engine

    sessions.watch()
    engine = Engine()
    engine(*scenes.small())
    runs = [dict(_stages(engine, photo, trimap)) for _ in range(repeat)]
    return min(runs, key=lambda run: sum(run.values()))


def _stages(engine: object, photo: Path, trimap: Path) -> Iterator[tuple[str, float]]:
    import numpy as np
    import sessions

    from deepmatte import Matte
    from deepmatte.images import encode_image, open_image
    from deepmatte.trimap import open_trimap

    began = time.perf_counter()

    def lap() -> float:
        nonlocal began
        before, began = began, time.perf_counter()
        return began - before

    picture = open_image(photo)
    yield "decode", lap()
    labels = open_trimap(trimap, picture.shape)
    yield "trimap", lap()
    session = sessions.Watched.latest
    session.seconds = 0.0
    predicted = engine(picture.levels, labels)  # type: ignore[operator]
    whole = lap()
    yield "inputs", whole - session.seconds
    yield "network", session.seconds
    matte = Matte(picture, labels, predicted)
    colours = matte.colours
    yield "foreground", lap()
    encode_image(matte.alpha, ".png")
    yield "encode alpha", lap()
    encode_image(colours, ".png")
    yield "encode foreground", lap()
    encode_image(np.asarray(matte.cutout()), ".png")
    yield "encode cut-out", lap()


def report(results: Results) -> str:
    """A row a stage, a column a picture."""
    rows = results["rows"]
    totals = [sum(row["stages"].values()) for row in rows]
    body = []
    for stage in rows[0]["stages"]:
        cells = [stage]
        for row, total in zip(rows, totals, strict=True):
            part = row["stages"][stage]
            cells += [seconds(part), f"{part / total:.0%}"]
        body.append(cells)
    for name, values in (
        ("all stages", [seconds(total) for total in totals]),
        ("**the command**", [seconds(row["command"]) for row in rows]),
        ("its peak memory", [f"{row['peak']:.2f} GB" for row in rows]),
    ):
        body.append([name, *(cell for value in values for cell in (value, ""))])
    heads = ["stage"]
    for row in rows:
        heads += [f"{row['megapixels']:g} MP, {row['unknown']:g} unknown", "of all"]
    said = [
        f"{row['megapixels']:g} megapixels with {row['unknown']:g} unknown take "
        f"{seconds(row['command'])} and {row['peak']:.2f} GB"
        for row in rows
    ]
    return f"From the shell to three PNGs: {'; '.join(said)}.\n\n{table(heads, body)}"


def plots(results: Results) -> dict[str, str]:
    """The stages of each picture, as a share of its time."""
    rows = []
    for row in results["rows"]:
        total = sum(row["stages"].values())
        parts = {stage: 100 * part / total for stage, part in row["stages"].items()}
        rows.append((f"{row['megapixels']:g} MP", parts))
    return {"stages": plot.bars("Where the time goes", "percent of all stages", rows)}


BENCHMARK = Benchmark("stages", __doc__, measure, report, plots)

if __name__ == "__main__":
    measuring.main(BENCHMARK)
