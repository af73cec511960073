"""Reports of an evaluation: terminal, JSON, Markdown and a web page.

All four show the tables of `deepmatte.evaluation.tables`.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.evaluation import plot, text
from deepmatte.evaluation.results import METRICS, Evaluation
from deepmatte.evaluation.summary import average_ranks, groups, means
from deepmatte.evaluation.tables import DECIMALS, LABELS, tables
from deepmatte.evaluation.worst_crops import SIDE, worst_crops
from deepmatte.evaluation.worst_sheet import COUNT, side_by_side, worst_sheets
from deepmatte.images import encode_image
from deepmatte.images.files import write_files

if TYPE_CHECKING:
    from rich.console import Console

CROPS_LIMIT = 12_000_000
"""Characters that the crops may add to the page: it still opens at once and goes by mail."""
PLOT = "dilation.svg"
WORST = "worst.jpg"

_RANKS_NOTE = (
    "Ranks: for each picture and kind of trimap the methods are ranked by each metric, from 1 for"
    " the best; equals share the mean of their places, a failure counts as last. The ranks are"
    " averaged over the pictures and then over the kinds of trimap."
)
_WORST_TITLE = f"The worst {COUNT} pictures of each method"
_WORST_NOTE = "Picture, trimap, true alpha and the method's alpha with its SAD, the largest first."


def print_tables(evaluation: Evaluation, console: Console) -> None:
    """Print the means for each kind of trimap and group, and ranks if there are several methods.

    The best is bold; a star marks it if the console has no styles, as in a pipe.
    """
    text.print_tables(tables(evaluation), _notes(evaluation), console)


def write_report(evaluation: Evaluation, folder: Path) -> None:
    """Write ``report.json``, ``report.md``, ``report.html`` and ``worst.jpg`` into a folder.

    ``worst.jpg`` shows the worst ten pictures of each method. With three or more dilations and
    matplotlib, ``dilation.svg`` is written too. The page loads no other file. Paths in the JSON are
    relative to the folder, which must exist.

    Raises:
        ImageError: a file cannot be written; then none is.
    """
    plots = {}
    if _has_plot(evaluation) and plot.is_installed():
        plots = {metric: plot.dilation_plot(evaluation, metric) for metric in METRICS}
    sheets = worst_sheets(evaluation)
    contents = {
        "report.json": _json(evaluation, folder),
        "report.md": _markdown(evaluation, plots, sheets),
        "report.html": _page(evaluation, plots, sheets),
    }
    if plots:
        contents[PLOT] = plots["sad"]
    # File names that are not valid Unicode still give a valid document.
    files = [(folder / name, page.encode(errors="replace")) for name, page in contents.items()]
    if sheets:
        sheet = encode_image(side_by_side(list(sheets.values())), ".jpg")
        files.append((folder / WORST, sheet))
    write_files(files)


def _notes(evaluation: Evaluation) -> list[str]:
    """Notes on the tables, and why a plot is missing."""
    missing = _has_plot(evaluation) and not plot.is_installed()
    return [*text.notes([evaluation], _RANKS_NOTE), *([plot.MISSING] if missing else [])]


def _has_plot(evaluation: Evaluation) -> bool:
    return len(plot.dilations(evaluation)) >= 3


# --- JSON ---------------------------------------------------------------------------------------


def _json(evaluation: Evaluation, folder: Path) -> str:
    rows = []
    for row in evaluation.rows:
        document = dataclasses.asdict(row)
        for name, value in document.items():
            if isinstance(value, Path):
                document[name] = _relative(value, folder)
        rows.append(document)
    summary = means(evaluation)
    document = {
        **dataclasses.asdict(evaluation),
        "metrics": METRICS,
        "means": [dataclasses.asdict(mean) for mean in summary],
        "average_ranks": average_ranks(summary),
        "groups": [dataclasses.asdict(group) for group in groups(evaluation)],
        "rows": rows,
    }
    return json.dumps(document, indent=1) + "\n"


def _relative(path: Path, folder: Path) -> str:
    """The relative path from a folder to a file; absolute if it is on another drive."""
    real = os.path.join(os.path.realpath(path.parent), path.name)
    try:
        return Path(os.path.relpath(real, os.path.realpath(folder))).as_posix()
    except ValueError:
        return Path(real).as_posix()


# --- Markdown -----------------------------------------------------------------------------------


def _markdown(
    evaluation: Evaluation, plots: dict[str, str], sheets: dict[str, NDArray[np.uint8]]
) -> str:
    lines = [
        f"# Evaluation: {text.escape(evaluation.dataset)}",
        "",
        *(f"- {name}: {text.escape(value)}" for name, value in _facts(evaluation)),
        *text.markdown_command(evaluation),
        *text.markdown_tables(tables(evaluation)),
    ]
    if plots:
        lines += ["", f"![SAD against the trimap's dilation]({PLOT})"]
    lines += ["", *(f"{note}  " for note in _notes(evaluation))]
    if sheets:
        lines += ["", f"## {_WORST_TITLE}", "", f"![{_WORST_NOTE}]({WORST})"]
    failed = [row for row in evaluation.rows if row.failure is not None]
    if failed:
        lines += ["", "## Failures", ""]
    for row in failed:
        where = f"{row.method}, {row.trimap}, {row.picture}"
        lines.append(f"- {text.escape(where)}: {text.escape(row.failure or '')}")
    return "\n".join(lines) + "\n"


def _facts(evaluation: Evaluation) -> tuple[tuple[str, str], ...]:
    return (
        ("pictures", str(len(evaluation.pictures))),
        ("trimaps", ", ".join(evaluation.trimaps)),
        *text.run_facts(evaluation),
    )


# --- the page -----------------------------------------------------------------------------------


def _page(
    evaluation: Evaluation, plots: dict[str, str], sheets: dict[str, NDArray[np.uint8]]
) -> str:
    """The template with all its data as one JSON document inside."""
    document: dict[str, Any] = {
        "dataset": evaluation.dataset,
        "command": evaluation.command,
        "facts": _facts(evaluation),
        "methods": evaluation.methods,
        "trimaps": evaluation.trimaps,
        "metrics": [
            {"name": name, "label": LABELS[name], "decimals": DECIMALS[name]} for name in METRICS
        ],
        "tables": [dataclasses.asdict(table) for table in tables(evaluation)],
        "notes": _notes(evaluation),
        "plots": {metric: _data_uri(svg.encode(), "svg+xml") for metric, svg in plots.items()},
        "worst": {
            "title": _WORST_TITLE,
            "note": _WORST_NOTE,
            "sheets": [
                {"method": method, "image": _data_uri(encode_image(sheet, ".jpg"), "jpeg")}
                for method, sheet in sheets.items()
            ],
        },
        "rows": [
            {
                "method": row.method,
                "trimap": row.trimap,
                "picture": row.picture,
                "unknown": row.unknown,
                "errors": row.errors,
                "failure": row.failure,
            }
            for row in evaluation.rows
        ],
        "side": SIDE,
        "crops": [dataclasses.asdict(crop) for crop in worst_crops(evaluation, CROPS_LIMIT)],
    }
    # Inside a script element only "<" is dangerous; JSON may escape it.
    payload = json.dumps(document).replace("<", "\\u003c")
    template = resources.files("deepmatte.evaluation").joinpath("report.html")
    return template.read_text(encoding="utf-8").replace("EVALUATION", payload, 1)


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
