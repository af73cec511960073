"""How much memory does a matte take, and does it stay at that over many pictures?

    python benchmarks/memory.py [--quick] [--pictures 300] [--json FILE]

First what a pixel of the picture and of a tile adds to the peak: the figures from which `--memory`
chooses its tiles. Then whether the command keeps within what it is given. Then one process that
mattes pictures of many sizes, one after the other, the largest early: what it holds afterwards must
not grow.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import measuring
import plot
from measuring import Benchmark, Results, line_through, say, seconds, table
from processes import Ways, held_memory, peak_memory, ways
from stages import matte_command

PICTURES = 300
SMALLEST, LARGEST = 0.05, 4.0  # megapixels of those
SIZES = (6.0, 24.0, 54.0)  # megapixels of pictures with the same small subject
SUBJECT = 0.3  # megapixels of that
TILES = (640, 960, 1280)
BUDGETS = ((24.0, 3.0, None), (24.0, 3.0, 1.5), (24.0, 3.0, 1.2), (100.0, 12.5, 4.0))
"""Megapixels, how many of them are unknown, and the memory that is asked for, GB."""


def measure(quick: bool, pictures: int = PICTURES) -> Results:
    """Peaks by pixels and by tile, budgets, and a long run."""
    sizes, subject = ((0.04, 0.06), 0.02) if quick else (SIZES, SUBJECT)
    sides = (64, 96) if quick else TILES
    budgets = ((0.02, 0.003, 1.0),) if quick else BUDGETS
    way = ways(quick)
    return {
        "matted": [_of_picture(size, subject, way, saved=False) for size in sizes],
        "saved": [_of_picture(size, subject, way, saved=True) for size in sizes],
        "tiles": [_of_tile(side, way) for side in sides],
        "budgets": [_budget(way, *budget) for budget in budgets],
        "run": _long_run(3 if quick else pictures, 0.02 if quick else LARGEST, way),
    }


def _of_picture(megapixels: float, subject: float, way: Ways, *, saved: bool) -> dict[str, float]:
    """The peak for a picture, matted only or by the command that also writes three files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo, trimap = way.run(save, folder, megapixels, subject / 3, subject)
        if saved:
            found = way.command(*matte_command(photo, trimap, folder))
        else:
            found = way.cost(prepare_files, photo, trimap, repeat=1)
    say(f"{megapixels:g} MP, {'saved' if saved else 'matted'}: {found.peak:.2f} GB")
    return {"megapixels": megapixels, "peak": found.peak}


def save(
    folder: Path, megapixels: float, unknown: float, subject: float | None = None
) -> tuple[Path, Path]:
    """Write a photo and its trimap."""
    import scenes

    return scenes.save_files(folder, megapixels, unknown, subject)


def prepare_files(photo: Path, trimap: Path) -> Callable[[], object]:
    """Matting from files, without what comes after."""
    from deepmatte import Matter

    matter = Matter()
    return lambda: matter(photo, trimap)


def _of_tile(side: int, way: Ways) -> dict[str, float]:
    found = way.cost(prepare_tile, side, repeat=1)
    say(f"a tile of {side} x {side}: {found.peak:.2f} GB")
    return {"megapixels": side**2 / 1e6, "peak": found.peak}


def prepare_tile(side: int) -> Callable[[], object]:
    """One tile that is unknown all over: half of a picture."""
    import numpy as np

    from deepmatte.solver.engine import Engine

    engine = Engine(tile=max(TILES))
    image = np.random.default_rng(0).integers(0, 256, (2 * side, 2 * side, 3), np.uint8)
    return lambda: engine(image, np.full(image.shape[:2], 128, np.uint8))


def _budget(way: Ways, megapixels: float, unknown: float, budget: float | None) -> Results:
    """The command with ``--memory``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo, trimap = way.run(save, folder, megapixels, unknown)
        words = matte_command(photo, trimap, folder)
        found = way.command(*words, *(() if budget is None else ("--memory", f"{budget}GB")))
    say(f"{megapixels:g} MP in {budget or 'any'} GB: {found.peak:.2f} GB")
    return {"megapixels": megapixels, "unknown": unknown, "budget": budget, **asdict(found)}


def _long_run(pictures: int, largest: float, way: Ways) -> Results:
    with tempfile.TemporaryDirectory() as name:
        sizes = way.run(save_pictures, Path(name), pictures, largest)
        held, peak = way.run(matte_pictures, Path(name), pictures)
    say(f"{pictures} pictures: {held[-1]:.2f} GB held at the end, {peak:.2f} GB at most")
    return {"megapixels": sizes, "held": held, "peak": peak}


def save_pictures(folder: Path, count: int, largest: float) -> list[float]:
    """Write pictures of many sizes, the largest as the third; their megapixels."""
    import numpy as np

    rng = np.random.default_rng(0)
    smallest = min(SMALLEST, largest / 2)
    sizes = [float(size) for size in np.exp(rng.uniform(np.log(smallest), np.log(largest), count))]
    sizes.insert(2, sizes.pop(sizes.index(max(sizes))))
    for index, size in enumerate(sizes):
        own = folder / str(index)
        own.mkdir()
        save(own, size, size * rng.uniform(0.05, 0.4))
    return sizes


def matte_pictures(folder: Path, count: int) -> tuple[list[float], float]:
    """GB held after each picture was matted and encoded, and at most."""
    import numpy as np

    from deepmatte import Matter
    from deepmatte.images import encode_image

    matter = Matter()
    held = []
    for index in range(count):
        own = folder / str(index)
        result = matter(own / "photo.jpg", own / "trimap.png")
        encode_image(np.asarray(result.cutout()), ".png")
        del result
        held.append(held_memory())
    return held, peak_memory()


def least_held(held: list[float]) -> tuple[float, float]:
    """The least GB held after any picture of the first third, and of the last.

    What is held after one goes with its size. The least does not, and nothing lies below a leak.
    """
    third = max(1, len(held) // 3)
    return min(held[:third]), min(held[-third:])


def report(results: Results) -> str:
    """Bytes a pixel, budgets, and the long run."""
    run = results["run"]
    held = run["held"]
    added = table(
        ("what adds to the peak", "bytes a pixel", "and always"),
        [
            (name, f"{1000 * fit.slope:.0f}", f"{fit.intercept:.2f} GB")
            for name, fit in (
                (name, line_through(*_columns(results[key])))
                for name, key in (
                    ("the picture, while it is matted", "matted"),
                    ("the picture, while it is saved", "saved"),
                    ("a tile", "tiles"),
                )
            )
        ],
    )
    budgets = table(
        ("picture", "unknown", "--memory", "peak", "time"),
        [
            (
                f"{row['megapixels']:g} MP",
                f"{row['unknown']:g} MP",
                "not given" if row["budget"] is None else f"{row['budget']:g} GB",
                f"{row['peak']:.2f} GB",
                seconds(row["seconds"]),
            )
            for row in results["budgets"]
        ],
    )
    first, last = least_held(held)
    sentence = (
        f"{len(held)} pictures of {min(run['megapixels']):.2f} to {max(run['megapixels']):.1f} "
        f"megapixels in one process: after each of them between {min(held):.2f} and "
        f"{max(held):.2f} GB held, **at least {first:.3f} GB in the first third and {last:.3f} GB "
        f"in the last**; {run['peak']:.2f} GB at most."
    )
    return f"{sentence}\n\n{added}\n\n{budgets}"


def _columns(rows: list[Results]) -> tuple[list[float], list[float]]:
    """Megapixels and GB; so a slope is 1000 bytes a pixel."""
    return [row["megapixels"] for row in rows], [row["peak"] for row in rows]


def plots(results: Results) -> dict[str, str]:
    """What is held after each picture."""
    run = results["run"]
    points = [(index + 1.0, held) for index, held in enumerate(run["held"])]
    peak = [(1.0, run["peak"]), (float(len(points)), run["peak"])]
    drawn = [plot.Curve("held", points), plot.Curve("at most", peak, dashed=True)]
    title = "Memory of one process over many pictures"
    return {"memory": plot.curves(title, "pictures matted", "GB", drawn)}


BENCHMARK = Benchmark("memory", __doc__, measure, report, plots)

if __name__ == "__main__":
    parser = measuring.parser(BENCHMARK)
    parser.add_argument("--pictures", type=int, default=PICTURES, help="of the long run")
    options = parser.parse_args()
    chosen = functools.partial(measure, pictures=options.pictures)
    measuring.main(Benchmark("memory", __doc__, chosen, report, plots), options)
