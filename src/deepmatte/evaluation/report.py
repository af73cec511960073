"""What an evaluation found, for people and programs: terminal, JSON, Markdown and a web page.

Every table is made once, by `deepmatte.evaluation.summary`, so that all four say the same.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepmatte.evaluation.plot import dilation_plot, dilations
from deepmatte.evaluation.results import METRICS, Evaluation
from deepmatte.evaluation.summary import (
    DECIMALS,
    LABELS,
    Cell,
    Table,
    average_ranks,
    means,
    tables,
)
from deepmatte.evaluation.worst_crops import SIDE, worst_crops
from deepmatte.images.files import write_files

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

CROPS_LIMIT = 12_000_000
"""Characters that the crops may add to the page: it still opens at once and goes by mail."""
PLOT = "dilation.svg"

_ERRORS_NOTE = (
    "Errors count the trimap's unknown pixels only; lower is better. SAD, Grad and Conn are in"
    " thousands. Seconds are per picture."
)
_STAR_NOTE = "A star marks the best."
_FAILED_NOTE = (
    "In parentheses: the mean over the pictures on which the method did not fail. No table marks as"
    " its best a method that failed on one of its pictures."
)
_RANKS_NOTE = (
    "Ranks: for each picture and kind of trimap the methods are ranked by each metric, from 1 for"
    " the best; equals share the mean of their places, a failure counts as last. The ranks are"
    " averaged over the pictures and then over the kinds of trimap."
)


def print_tables(evaluation: Evaluation, console: Console) -> None:
    """Print the means for each kind of trimap, and the average ranks where methods compete.

    The best is bold; where the console has no styles, as in a pipe, a star marks it instead.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    styled = console.color_system is not None
    for table in tables(evaluation):
        shown = RichTable(
            title=Text(table.title), title_justify="left", title_style="bold", box=SIMPLE_HEAD
        )
        for index, column in enumerate(table.columns):
            first = index == 0
            shown.add_column(
                column, justify="left" if first else "right", no_wrap=not first, overflow="fold"
            )
        for row in table.rows:
            shown.add_row(*(_text(cell, styled) for cell in row))
        console.print(shown)
    for note in (*([] if styled else [_STAR_NOTE]), *_notes(evaluation)):
        console.print(Text(note))


def write_report(evaluation: Evaluation, folder: Path) -> None:
    """Write ``report.json``, ``report.md`` and ``report.html`` into an existing folder.

    Where the trimaps are of three or more dilations, ``dilation.svg`` is written too. The page
    needs no other file and asks for none. Paths in the JSON are relative to the folder.

    Raises:
        ImageError: a file cannot be written; then none is.
    """
    several = len(dilations(evaluation)) >= 3
    plots = {metric: dilation_plot(evaluation, metric) for metric in METRICS} if several else {}
    contents = {
        "report.json": _json(evaluation, folder),
        "report.md": _markdown(evaluation, plots),
        "report.html": _page(evaluation, plots),
    }
    if plots:
        contents[PLOT] = plots["sad"]
    # Names of files that are no valid Unicode still give a valid document.
    write_files([(folder / name, text.encode(errors="replace")) for name, text in contents.items()])


def _text(cell: Cell, styled: bool) -> Text:
    from rich.text import Text

    if not cell.best:
        return Text(cell.text)
    return Text(cell.text, style="bold") if styled else Text(f"*{cell.text}")


def _notes(evaluation: Evaluation) -> Iterator[str]:
    """What one has to know to read the tables of this evaluation."""
    yield _ERRORS_NOTE
    if any(row.failure is not None for row in evaluation.rows):
        yield _FAILED_NOTE
    if len(evaluation.methods) > 1:
        yield _RANKS_NOTE


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
        "rows": rows,
    }
    return json.dumps(document, indent=1) + "\n"


def _relative(path: Path, folder: Path) -> str:
    """How one gets from a folder to a file; the whole path where that is on another drive."""
    real = os.path.join(os.path.realpath(path.parent), path.name)
    try:
        return Path(os.path.relpath(real, os.path.realpath(folder))).as_posix()
    except ValueError:
        return Path(real).as_posix()


# --- Markdown -----------------------------------------------------------------------------------


def _markdown(evaluation: Evaluation, plots: dict[str, str]) -> str:
    lines = [
        f"# Evaluation: {_escape(evaluation.dataset)}",
        "",
        *(f"- {name}: {_escape(value)}" for name, value in _facts(evaluation)),
        "",
        "```sh",
        " ".join(evaluation.command.split()),
        "```",
    ]
    for table in tables(evaluation):
        lines += ["", f"## {_escape(table.title)}", "", *_markdown_table(table)]
    if plots:
        lines += ["", f"![SAD against the trimap's dilation]({PLOT})"]
    lines += ["", *(f"{note}  " for note in _notes(evaluation))]
    failed = [row for row in evaluation.rows if row.failure is not None]
    if failed:
        lines += ["", "## Failures", ""]
    for row in failed:
        where = f"{row.method}, {row.trimap}, {row.picture}"
        lines.append(f"- {_escape(where)}: {_escape(row.failure or '')}")
    return "\n".join(lines) + "\n"


def _facts(evaluation: Evaluation) -> tuple[tuple[str, str], ...]:
    return (
        ("pictures", str(len(evaluation.pictures))),
        ("trimaps", ", ".join(evaluation.trimaps)),
        ("machine", evaluation.machine),
        ("date", evaluation.date),
        ("deepmatte", evaluation.version),
    )


def _markdown_table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.columns)} |"
    yield "|---" + "|---:" * (len(table.columns) - 1) + "|"
    for row in table.rows:
        texts = [_escape(cell.text) for cell in row]
        marked = [f"**{t}**" if cell.best else t for t, cell in zip(texts, row, strict=True)]
        yield f"| {' | '.join(marked)} |"


def _escape(text: str) -> str:
    """Text on one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>|~#&$])", r"\\\1", " ".join(text.split()))


# --- the page -----------------------------------------------------------------------------------


def _page(evaluation: Evaluation, plots: dict[str, str]) -> str:
    """The template with everything that it shows as one JSON document in it."""
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
        "notes": list(_notes(evaluation)),
        "plots": {metric: _data_uri(svg) for metric, svg in plots.items()},
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
    # Inside a script element only "<" could end or hide anything; JSON may spell it by its number.
    payload = json.dumps(document).replace("<", "\\u003c")
    template = resources.files("deepmatte.evaluation").joinpath("report.html")
    return template.read_text(encoding="utf-8").replace("EVALUATION", payload, 1)


def _data_uri(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
