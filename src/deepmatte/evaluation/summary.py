"""Means and average ranks of an evaluation, overall and by group.

A mean over fewer pictures than asked for is marked, and never called the best. Otherwise a method
that fails on hard pictures would look good. In the ranks a failure counts as last.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from deepmatte.datasets.groups import NO_GROUP
from deepmatte.evaluation.results import METRICS, Evaluation, Row

KNOWN_FOREGROUND = "known foreground"
KNOWN_BACKGROUND = "known background"


@dataclass(frozen=True)
class Mean:
    """One method over all pictures, or those of a group, with one kind of trimap.

    Attributes:
        method, trimap: as in `Row`.
        pictures: how many there are.
        failed: on how many of them the method failed.
        errors, medians: mean and median of each metric over the pictures that did not fail; None if
            all failed.
        seconds: mean over the pictures with a known time; None if there is none.
        ranks: for each metric the mean over all pictures of the method's rank among the methods.
    """

    method: str
    trimap: str
    pictures: int
    failed: int
    errors: dict[str, float] | None
    medians: dict[str, float] | None
    seconds: float | None
    ranks: dict[str, float]


@dataclass(frozen=True)
class Group:
    """The pictures of a group, with one kind of trimap.

    Attributes:
        grouping: name of the grouping, "category".
        name: of the group, "animal".
        trimap: as in `Row`.
        pictures: in the order of the evaluation.
        means: of each method over these pictures.
    """

    grouping: str
    name: str
    trimap: str
    pictures: tuple[str, ...]
    means: tuple[Mean, ...]


def means(evaluation: Evaluation) -> tuple[Mean, ...]:
    """Summarise each method on each kind of trimap, in the evaluation's order."""
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
                    {m: median(errors[m] for errors in kept) for m in METRICS} if kept else None,
                    fmean(seconds) if seconds else None,
                    {m: fmean(places[index] for places in ranks[m]) for m in METRICS},
                )
            )
    return tuple(summary)


def groups(evaluation: Evaluation) -> tuple[Group, ...]:
    """Summarise each group of pictures with each kind of trimap.

    Beside the evaluation's own groupings there are always two, read from the trimaps: whether any
    foreground is known, and whether any background is. Groups are in the order of their names.
    """
    found = []
    for trimap in evaluation.trimaps:
        rows = [row for row in evaluation.rows if row.trimap == trimap]
        for grouping, group_of in {**evaluation.groupings, **_known(rows)}.items():
            for name in sorted({group_of[p] for p in evaluation.pictures}, key=_natural):
                inside = tuple(p for p in evaluation.pictures if group_of[p] == name)
                part = dataclasses.replace(
                    evaluation,
                    trimaps=(trimap,),
                    pictures=inside,
                    rows=tuple(row for row in rows if row.picture in inside),
                )
                found.append(Group(grouping, name, trimap, inside, means(part)))
    return tuple(found)


def _known(rows: Sequence[Row]) -> dict[str, dict[str, str]]:
    """Which sides the trimaps of these rows know, by picture; "-" if a trimap could not be read."""
    found: dict[str, dict[str, str]] = {KNOWN_FOREGROUND: {}, KNOWN_BACKGROUND: {}}
    for row in rows:
        if row.unknown + row.foreground + row.background == 0:
            for known in found.values():
                known.setdefault(row.picture, NO_GROUP)
        else:
            found[KNOWN_FOREGROUND][row.picture] = "yes" if row.foreground else "no"
            found[KNOWN_BACKGROUND][row.picture] = "yes" if row.background else "no"
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that puts "2 px" before "13 px"."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


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


def mean_ranks(evaluations: Sequence[Evaluation]) -> dict[str, dict[str, float]]:
    """For each method and metric the mean over data sets of the rank of the method's mean error.

    Each data set and kind of trimap counts once, regardless of its number of pictures. A method
    that failed on any picture is last there.

    Args:
        evaluations: of the same methods.
    """
    ranks: dict[str, dict[str, list[float]]] = {}
    for evaluation in evaluations:
        summary = means(evaluation)
        for trimap in evaluation.trimaps:
            of_kind = [mean for mean in summary if mean.trimap == trimap]
            for metric in METRICS:
                errors = [m.errors[metric] if m.errors and not m.failed else None for m in of_kind]
                for mean, place in zip(of_kind, rank(errors), strict=True):
                    ranks.setdefault(mean.method, {}).setdefault(metric, []).append(place)
    return {
        method: {metric: fmean(places) for metric, places in of_method.items()}
        for method, of_method in ranks.items()
    }


def rank(errors: Sequence[float | None]) -> list[float]:
    """The rank of each error, from 1; None, a failure, ranks behind every number.

    Equal values share the mean of their ranks: 2, 3, 3, None, None gives 1, 2.5, 2.5, 4.5, 4.5.
    """
    keys = [(error is None, error or 0.0) for error in errors]
    return [
        sum(other < key for other in keys) + (1 + sum(other == key for other in keys)) / 2
        for key in keys
    ]


def _error(row: Row, metric: str) -> float | None:
    return None if row.errors is None else row.errors[metric]
