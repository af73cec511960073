"""Means and average ranks of an evaluation, and the tables that show them.

A mean over fewer pictures than asked for never looks like a full one, and is never called the
best: easy pictures alone would make a method that fails on the hard ones look good. In the ranks
a failure counts as last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from deepmatte.evaluation.results import METRICS, Evaluation, Row

LABELS = {"sad": "SAD", "mse": "MSE", "gradient": "Grad", "connectivity": "Conn"}
"""What the literature calls the metrics."""
DECIMALS = {"sad": 2, "mse": 4, "gradient": 2, "connectivity": 2}
"""How many decimals a table shows of each."""
NONE = "-"


@dataclass(frozen=True)
class Mean:
    """One method over all pictures with one kind of trimap.

    Attributes:
        method, trimap: as in `Row`.
        pictures: how many there are.
        failed: on how many of them the method failed.
        errors: the mean of each metric over the pictures that did not fail; None where all did.
        seconds: the mean over the pictures for which the time is known; None where there is none.
        ranks: for each metric the mean over all pictures of the method's rank among the methods.
    """

    method: str
    trimap: str
    pictures: int
    failed: int
    errors: dict[str, float] | None
    seconds: float | None
    ranks: dict[str, float]


@dataclass(frozen=True)
class Cell:
    """What a table says in one place, and whether that is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table for people; ``trimap`` is the kind that it is about, None where about all."""

    title: str
    trimap: str | None
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def means(evaluation: Evaluation) -> tuple[Mean, ...]:
    """Sum up each method on each kind of trimap, in the order of both in the evaluation."""
    found = {(row.trimap, row.picture, row.method): row for row in evaluation.rows}
    summary = []
    for trimap in evaluation.trimaps:
        ranks = {
            metric: [
                rank([_error(found[trimap, picture, m], metric) for m in evaluation.methods])
                for picture in evaluation.pictures
            ]
            for metric in METRICS
        }
        for index, method in enumerate(evaluation.methods):
            rows = [found[trimap, picture, method] for picture in evaluation.pictures]
            kept = [row.errors for row in rows if row.errors is not None]
            seconds = [row.seconds for row in rows if row.seconds is not None]
            summary.append(
                Mean(
                    method,
                    trimap,
                    len(rows),
                    len(rows) - len(kept),
                    {m: fmean(errors[m] for errors in kept) for m in METRICS} if kept else None,
                    fmean(seconds) if seconds else None,
                    {m: fmean(places[index] for places in ranks[m]) for m in METRICS},
                )
            )
    return tuple(summary)


def average_ranks(summary: Sequence[Mean]) -> dict[str, dict[str, float]]:
    """For each method and metric the mean rank over the kinds of trimap; 1 is the best.

    Source: the tables of alphamatting.com, whose ranks are averaged over the pictures and then
    over the kinds of trimap.
    """
    return {
        method: {
            metric: fmean(mean.ranks[metric] for mean in summary if mean.method == method)
            for metric in METRICS
        }
        for method in dict.fromkeys(mean.method for mean in summary)
    }


def rank(errors: Sequence[float | None]) -> list[float]:
    """The place of each error among all, from 1; None, a failure, is behind every number.

    Equals share the mean of their places: 2, 3, 3, None, None gives 1, 2.5, 2.5, 4.5, 4.5.
    """
    keys = [(error is None, error or 0.0) for error in errors]
    return [
        sum(other < key for other in keys) + (1 + sum(other == key for other in keys)) / 2
        for key in keys
    ]


def tables(evaluation: Evaluation) -> tuple[Table, ...]:
    """A table of means for each kind of trimap; where methods compete, one of average ranks."""
    summary = means(evaluation)
    shown = [
        _means_table(trimap, [mean for mean in summary if mean.trimap == trimap])
        for trimap in evaluation.trimaps
    ]
    if len(evaluation.methods) > 1:
        shown.append(_ranks_table(summary))
    return tuple(shown)


def format_error(metric: str, error: float) -> str:
    """The usual decimals of the metric, or two significant digits where those would be lost."""
    decimals = DECIMALS[metric]
    return (
        f"{error:.{decimals}f}" if error == 0 or error >= 10 ** (1 - decimals) else f"{error:.2g}"
    )


def _error(row: Row, metric: str) -> float | None:
    return None if row.errors is None else row.errors[metric]


def _means_table(trimap: str, summary: Sequence[Mean]) -> Table:
    some_failed = any(mean.failed for mean in summary)
    columns = ("Method", *LABELS.values(), "Seconds", *(["Failed"] if some_failed else []))
    lowest = {
        metric: min(
            (mean.errors[metric] for mean in summary if mean.errors and not mean.failed),
            default=None,
        )
        for metric in METRICS
    }
    rows = []
    for mean in summary:
        cells = [Cell(mean.method)]
        for metric in METRICS:
            if mean.errors is None:
                cells.append(Cell(NONE))
            elif mean.failed:
                cells.append(Cell(f"({format_error(metric, mean.errors[metric])})"))
            else:
                error = mean.errors[metric]
                cells.append(Cell(format_error(metric, error), error == lowest[metric]))
        cells.append(Cell(NONE if mean.seconds is None else f"{mean.seconds:.2f}"))
        if some_failed:
            cells.append(Cell(f"{mean.failed} of {mean.pictures}" if mean.failed else NONE))
        rows.append(tuple(cells))
    pictures = summary[0].pictures
    return Table(f"{trimap}: mean of {_count(pictures, 'picture')}", trimap, columns, tuple(rows))


def _ranks_table(summary: Sequence[Mean]) -> Table:
    ranks = average_ranks(summary)
    whole = {method for method in ranks if not any(m.failed for m in summary if m.method == method)}
    lowest = {
        metric: min((ranks[method][metric] for method in whole), default=None) for metric in METRICS
    }
    rows = tuple(
        (
            Cell(method),
            *(
                Cell(f"{places[m]:.2f}", method in whole and places[m] == lowest[m])
                for m in METRICS
            ),
        )
        for method, places in ranks.items()
    )
    return Table("Average ranks", None, ("Method", *LABELS.values()), rows)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
