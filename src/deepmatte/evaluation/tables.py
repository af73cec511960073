"""Tables of an evaluation's results.

The terminal, the Markdown and the page all show these.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal, TypeAlias

from deepmatte.evaluation.results import METRICS, Evaluation
from deepmatte.evaluation.summary import Group, Mean, average_ranks, groups, mean_ranks, means

LABELS = {"sad": "SAD", "mse": "MSE", "gradient": "Grad", "connectivity": "Conn"}
"""What the literature calls the metrics."""
DECIMALS = {"sad": 2, "mse": 4, "gradient": 2, "connectivity": 2}
"""How many decimals a table shows of each."""
NONE = "-"

Statistic: TypeAlias = tuple[Literal["errors", "medians"], str]
"""Means or medians, and of which metric."""
_MEANS: tuple[Statistic, ...] = (
    ("errors", "sad"),
    ("medians", "sad"),
    *(("errors", metric) for metric in METRICS[1:]),
)
_GROUPS: tuple[Statistic, ...] = tuple(
    (statistic, metric) for metric in ("sad", "mse") for statistic in ("errors", "medians")
)


@dataclass(frozen=True)
class Cell:
    """The text of a cell, and whether it is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table for people.

    Attributes:
        title: what it is about.
        trimap: the kind of trimap; None for all.
        names: number of columns from the left that hold names; the others hold numbers.
        columns: their headings.
        rows: a cell for each column.
    """

    title: str
    trimap: str | None
    names: int
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def tables(evaluation: Evaluation) -> tuple[Table, ...]:
    """The tables of one evaluation.

    For each kind of trimap a table of means, and one by group if there are several groups; with
    several methods a table of average ranks.
    """
    summary, found = means(evaluation), groups(evaluation)
    shown = []
    for trimap in evaluation.trimaps:
        shown.append(_means_table(trimap, [mean for mean in summary if mean.trimap == trimap]))
        divided = [
            group
            for group in found
            if group.trimap == trimap and len(group.pictures) < len(evaluation.pictures)
        ]
        if divided:
            shown.append(_groups_table(trimap, divided))
    if len(evaluation.methods) > 1:
        shown.append(_ranks_table("Average ranks", average_ranks(summary), _whole(summary)))
    return tuple(shown)


def tables_of_sets(evaluations: Sequence[Evaluation]) -> tuple[Table, ...]:
    """The tables of the same methods on several data sets: means, and mean ranks of the means."""
    found = [
        (f"{set_name(evaluation.dataset)}, {trimap}", [m for m in summary if m.trimap == trimap])
        for evaluation, summary in ((each, means(each)) for each in evaluations)
        for trimap in evaluation.trimaps
    ]
    rows = [
        (Cell(title), Cell(mean.method), *cells)
        for title, summary in found
        for mean, cells in zip(summary, _error_cells(summary, _MEANS), strict=True)
    ]
    columns = ("Set", "Method", *_headings(_MEANS))
    shown = [Table("Means by data set", None, 2, columns, tuple(rows))]
    if len(evaluations[0].methods) > 1:
        every = [mean for _, summary in found for mean in summary]
        title = f"Mean rank over {_count(len(found), 'set')}"
        shown.append(_ranks_table(title, mean_ranks(evaluations), _whole(every)))
    return tuple(shown)


def set_name(dataset: str) -> str:
    """A data set's name among others: that of its folder."""
    return Path(os.path.abspath(dataset)).name


def format_error(metric: str, error: float) -> str:
    """The metric's usual decimals, or two significant digits for small values."""
    decimals = DECIMALS[metric]
    return (
        f"{error:.{decimals}f}" if error == 0 or error >= 10 ** (1 - decimals) else f"{error:.2g}"
    )


def _means_table(trimap: str, summary: Sequence[Mean]) -> Table:
    some_failed = any(mean.failed for mean in summary)
    columns = ("Method", *_headings(_MEANS), "Seconds", *(["Failed"] if some_failed else []))
    rows = []
    for mean, errors in zip(summary, _error_cells(summary, _MEANS), strict=True):
        cells = [Cell(mean.method), *errors]
        cells.append(Cell(NONE if mean.seconds is None else f"{mean.seconds:.2f}"))
        if some_failed:
            cells.append(Cell(f"{mean.failed} of {mean.pictures}" if mean.failed else NONE))
        rows.append(tuple(cells))
    pictures = summary[0].pictures
    title = f"{trimap}: mean of {_count(pictures, 'picture')}"
    return Table(title, trimap, 1, columns, tuple(rows))


def _groups_table(trimap: str, found: Sequence[Group]) -> Table:
    rows = []
    for group in found:
        title = f"{group.grouping}: {group.name} ({len(group.pictures)})"
        for mean, errors in zip(group.means, _error_cells(group.means, _GROUPS), strict=True):
            rows.append((Cell(title), Cell(mean.method), *errors))
    columns = ("Group (pictures)", "Method", *_headings(_GROUPS))
    return Table(f"{trimap}: by group", trimap, 2, columns, tuple(rows))


def _headings(statistics: Sequence[Statistic]) -> list[str]:
    return [LABELS[metric] if kind == "errors" else "median" for kind, metric in statistics]


def _error_cells(summary: Sequence[Mean], statistics: Sequence[Statistic]) -> list[list[Cell]]:
    """The cells of some methods' errors, the lowest of each column marked."""
    columns = []
    for kind, metric in statistics:
        values = [mean.errors if kind == "errors" else mean.medians for mean in summary]
        errors = [None if value is None else value[metric] for value in values]
        whole = [e for e, mean in zip(errors, summary, strict=True) if not mean.failed]
        lowest = min((error for error in whole if error is not None), default=None)
        cells = []
        for error, mean in zip(errors, summary, strict=True):
            if error is None:
                cells.append(Cell(NONE))
            elif mean.failed:
                cells.append(Cell(f"({format_error(metric, error)})"))
            else:
                cells.append(Cell(format_error(metric, error), error == lowest))
        columns.append(cells)
    return [list(cells) for cells in zip(*columns, strict=True)]


def _ranks_table(title: str, ranks: dict[str, dict[str, float]], whole: set[str]) -> Table:
    """The ranks by method and metric, and their mean; only a method of `whole` is the best."""
    columns = {metric: {method: ranks[method][metric] for method in ranks} for metric in METRICS}
    columns["mean"] = {method: fmean(ranks[method].values()) for method in ranks}
    lowest = {
        name: min((places[method] for method in whole), default=None)
        for name, places in columns.items()
    }
    rows = []
    for method in ranks:
        cells = [
            Cell(f"{places[method]:.2f}", method in whole and places[method] == lowest[name])
            for name, places in columns.items()
        ]
        rows.append((Cell(method), *cells))
    return Table(title, None, 1, ("Method", *LABELS.values(), "mean"), tuple(rows))


def _whole(summary: Sequence[Mean]) -> set[str]:
    """The methods that never failed."""
    return {mean.method for mean in summary} - {mean.method for mean in summary if mean.failed}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
