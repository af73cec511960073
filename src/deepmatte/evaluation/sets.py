"""The same methods on several data sets: their means and mean ranks."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from deepmatte.datasets.layouts import Dataset
from deepmatte.errors import DataError
from deepmatte.evaluation import text
from deepmatte.evaluation.results import METRICS, Evaluation
from deepmatte.evaluation.summary import mean_ranks, means
from deepmatte.evaluation.tables import set_name, tables_of_sets
from deepmatte.images.files import write_files

if TYPE_CHECKING:
    from rich.console import Console

_RANKS_NOTE = (
    "Ranks: in each set, which is a data set with one kind of trimap, the methods are ranked by"
    " their means of each metric, from 1 for the best; equals share the mean of their places, a"
    " method that failed on a picture comes last. The ranks are averaged over the sets, each of"
    " which counts once; the last column is the mean over the metrics."
)


def folders_of_sets(datasets: Sequence[Dataset], out: Path) -> list[Path]:
    """The folder of each data set's report: `out` itself if there is only one.

    Raises:
        DataError: two data sets have the same name.
    """
    if len(datasets) == 1:
        return [out]
    names = [set_name(dataset.name) for dataset in datasets]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"Two data sets are called {name}; rename or link one of the folders.")
    return [out / name for name in names]


def print_tables_of_sets(evaluations: Sequence[Evaluation], console: Console) -> None:
    """Print the means of each data set and the mean ranks, like `report.print_tables`."""
    text.print_tables(tables_of_sets(evaluations), text.notes(evaluations, _RANKS_NOTE), console)


def write_ranks(evaluations: Sequence[Evaluation], folder: Path) -> None:
    """Write the methods' ranks over several data sets: ``ranks.json`` and ``ranks.md``.

    Raises:
        ImageError: a file cannot be written; then none is.
    """
    first = evaluations[0]
    document = {
        "command": first.command,
        "machine": first.machine,
        "date": first.date,
        "version": first.version,
        "methods": first.methods,
        "metrics": METRICS,
        "sets": [
            {"dataset": each.dataset, "means": [dataclasses.asdict(mean) for mean in means(each)]}
            for each in evaluations
        ],
        "mean_ranks": {
            method: {**places, "mean": fmean(places.values())}
            for method, places in mean_ranks(evaluations).items()
        },
    }
    lines = [
        f"# Evaluation: {text.escape(', '.join(set_name(each.dataset) for each in evaluations))}",
        "",
        *(f"- {name}: {text.escape(value)}" for name, value in text.run_facts(first)),
        *text.markdown_command(first),
        *text.markdown_tables(tables_of_sets(evaluations)),
        "",
        *(f"{note}  " for note in text.notes(evaluations, _RANKS_NOTE)),
    ]
    contents = {
        "ranks.json": json.dumps(document, indent=1) + "\n",
        "ranks.md": "\n".join(lines) + "\n",
    }
    # File names that are not valid Unicode still give a valid document.
    write_files(
        [(folder / name, content.encode(errors="replace")) for name, content in contents.items()]
    )
