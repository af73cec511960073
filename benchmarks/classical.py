"""How fast is the default network beside the classical methods, and how much memory do they take?

    python benchmarks/classical.py [--quick] [--json FILE]

Arrays in, alpha out; all cores; pymatting with its own settings. A method is stopped after
`LIMIT` seconds, or when it takes most of the memory. It is not tried where its time on a smaller
picture of the same kind, grown with the pixels, is above the limit already.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import measuring
import plot
from measuring import Benchmark, Results, say, seconds, table
from processes import Cost, total_memory, ways

LIMIT = 100.0
METHODS = ("lite", "closed-form", "knn")
RIVALS = ("closed-form", "knn")


class Case(NamedTuple):
    """A picture: its megapixels, and the share of them that is unknown."""

    megapixels: float
    share: float


CASES = (
    Case(0.48, 0.125),
    Case(0.48, 0.5),
    Case(1.0, 0.125),
    Case(2.5, 0.125),
    Case(2.5, 0.5),
    Case(6.0, 0.125),
    Case(12.0, 0.125),
    Case(24.0, 0.125),
)
QUICK = (Case(0.02, 0.125),)


def measure(quick: bool) -> Results:
    """A row a picture: what each method cost."""
    rows: list[Results] = []
    way = ways(quick)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case in QUICK if quick else CASES:
            unknown = way.run(save, folder, case)
            costs = {}
            for method in METHODS:
                hopeless = _hopeless(rows, method, case)
                if hopeless:
                    found = Cost(None, 0, 0, hopeless)
                else:
                    memory = 0.75 * total_memory()
                    found = way.cost(prepare, method, folder, seconds=LIMIT, memory=memory)
                took = seconds(found.seconds) if found.seconds else found.stopped
                say(f"{case.megapixels} MP, {case.share:.1%} unknown, {method}: {took}")
                costs[method] = asdict(found)
            rows.append({**case._asdict(), "unknown": unknown, "costs": costs})
    return {"limit": LIMIT, "rows": rows}


def _hopeless(rows: list[Results], method: str, case: Case) -> str:
    """Why a method need not be tried, or ""."""
    for row in rows:
        if row["share"] == case.share:
            before = row["costs"][method]
            if before["seconds"] is None:
                return "not tried"
            if before["seconds"] * case.megapixels / row["megapixels"] > LIMIT:
                return "not tried"
    return ""


def save(folder: Path, case: Case) -> float:
    """Write the picture; its unknown megapixels."""
    import scenes

    return scenes.save_arrays(folder, case.megapixels, case.megapixels * case.share)


def prepare(method: str, folder: Path) -> Callable[[], object]:
    """The action that is measured."""
    import numpy as np
    import scenes

    from deepmatte.evaluation.methods import Classical
    from deepmatte.solver.engine import Engine

    image, trimap = scenes.load_arrays(folder)
    small_image, small_trimap = scenes.small()
    if method == "lite":
        engine = Engine()
        engine(small_image, small_trimap)
        return lambda: engine(image, trimap)
    matting = Classical(method, "").load()
    matting(small_image / np.float32(255), small_trimap)
    floats = image / np.float32(255)
    return lambda: matting(floats, trimap)


def report(results: Results) -> str:
    """A table of seconds and one of gigabytes, with the ratios to the network."""
    names = [f"{name} (pymatting)" for name in RIVALS]
    heads = ["picture", "unknown", "lite", *(head for name in names for head in (name, "ratio"))]
    tables = []
    for key, unit in (("seconds", "s"), ("peak", "GB")):
        rows = []
        for row in results["rows"]:
            own = row["costs"]["lite"][key]
            cells = [
                f"{row['megapixels']:g} MP",
                f"{row['share']:.1%}",
                _amount(own, unit),
            ]
            for name in RIVALS:
                found = row["costs"][name]
                finished = found["seconds"] is not None
                cells.append(_amount(found[key], unit) if finished else found["stopped"])
                cells.append(f"{found[key] / own:.1f} x" if finished else "")
            rows.append(cells)
        tables.append(table(heads, rows))
    sentence = (
        "Time from arrays to alpha, without foreground colours; then the most memory that the "
        f"process ever held. The limit is {results['limit']:.0f} s; a method is not tried where "
        "its time on a smaller picture, grown with the pixels, is above it."
    )
    return "\n\n".join([_best(results), sentence, *tables])


def _best(results: Results) -> str:
    said = []
    for row in results["rows"]:
        rival, own = row["costs"]["closed-form"]["seconds"], row["costs"]["lite"]["seconds"]
        if rival is not None:
            picture = f"{row['megapixels']:g} megapixels, {row['share']:.1%} unknown"
            said.append(f"{rival / own:.1f} times as long at {picture}")
    return f"Closed-form takes {', '.join(said)}."


def _amount(value: float, unit: str) -> str:
    return seconds(value) if unit == "s" else f"{value:.2f} {unit}"


def plots(results: Results) -> dict[str, str]:
    """Seconds against megapixels, for pictures of the smallest share of unknown pixels."""
    share = min(row["share"] for row in results["rows"])
    rows = [row for row in results["rows"] if row["share"] == share]
    drawn = []
    for method in METHODS:
        points = [
            (row["megapixels"], row["costs"][method]["seconds"])
            for row in rows
            if row["costs"][method]["seconds"] is not None
        ]
        if points:
            drawn.append(plot.Curve(method, points))
    title = f"From arrays to alpha, {share:.1%} of the picture unknown"
    return {"classical": plot.curves(title, "megapixels", "seconds", drawn, logarithmic=True)}


BENCHMARK = Benchmark("classical", __doc__, measure, report, plots)

if __name__ == "__main__":
    measuring.main(BENCHMARK)
