"""What an evaluation says kind by kind: a table, and a sheet of each kind's worst picture.

    python tools/by_kind.py REPORT [--sheet OUT.jpg --kinds basket glass ...]

REPORT is a folder that `deepmatte evaluate` wrote for composites of tools/drawn_cutouts.py.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean
from typing import Any

from deepmatte.evaluation.results import METRICS
from deepmatte.images import open_image, save_image
from deepmatte.sheet import contact_sheet


def kind_of(row: dict[str, object]) -> str:
    """The kind is what a cut-out's name begins with."""
    return str(row["picture"]).split("-")[0]


def table(rows: list[dict[str, Any]]) -> str:
    """Mean SAD and MSE of each method, a line a kind."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    heads = ["kind", *(f"{method}, SAD / MSE" for method in methods)]
    lines = [heads, ["---"] * len(heads)]
    for kind in [*dict.fromkeys(map(kind_of, rows)), "mean"]:
        cells = []
        for method in methods:
            errors = [
                row["errors"]
                for row in rows
                if row["method"] == method and kind in (kind_of(row), "mean")
            ]
            sad, mse = (fmean(error[name] for error in errors) for name in METRICS[:2])
            cells.append(f"{sad:.2f} / {mse:.4f}")
        lines.append([kind, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Print the table, write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--kinds", nargs="+", default=[], help="whose worst pictures are shown")
    arguments = parser.parse_args()
    rows = json.loads((arguments.report / "report.json").read_text(encoding="utf-8"))["rows"]
    failed = {row["picture"] for row in rows if row["errors"] is None}
    rows = [row for row in rows if row["picture"] not in failed]
    kinds = list(dict.fromkeys(map(kind_of, rows)))
    for kind in arguments.kinds:
        if kind not in kinds:
            parser.error(f"no {kind} among the pictures: expected some of {', '.join(kinds)}")
    print(table(rows))
    if failed:
        print(f"without {len(failed)} pictures on which a method failed")
    if arguments.sheet is None:
        return
    panels = []
    for kind in arguments.kinds:
        own = [row for row in rows if row["method"] == "lite" and kind_of(row) == kind]
        worst = max(own, key=lambda row: row["errors"]["sad"])
        label = f"{kind}, SAD {worst['errors']['sad']:.1f}"
        for name, file in (
            (label, "image"),
            ("trimap", "shown_trimap"),
            ("true alpha", "alpha"),
            ("matte", "prediction"),
        ):
            panels.append((name, open_image(arguments.report / worst[file]).levels))
    save_image(arguments.sheet, contact_sheet(panels, columns=4, width=300))


if __name__ == "__main__":
    main()
