"""Results of an evaluation: one `Row` per method, kind of trimap and picture.

`deepmatte.evaluation.evaluate` makes it, `deepmatte.evaluation.report` shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from deepmatte.datasets.layouts import Groupings

METRICS = ("sad", "mse", "gradient", "connectivity")
"""The metrics by name, in the order of every table; lower is better."""


@dataclass(frozen=True)
class Row:
    """One method on one picture with one trimap.

    Attributes:
        method: the method's name.
        trimap: the kind of trimap, "Trimap1".
        picture: the picture's name in its data set, without suffix.
        unknown: number of unknown pixels of the trimap; 0 if it could not be read.
        foreground, background: number of known pixels of each side.
        errors: the metrics by name (`METRICS`), or None where the method failed.
        seconds: CPU time on one core, without decoding; None if it is unknown (ready mattes) or the
            method failed.
        failure: why there is no prediction, one sentence; None if there is one.
        image, alpha, shown_trimap, prediction: the files, for display; ``prediction`` is
            None where the method failed. ``shown_trimap`` may be a generated one.
    """

    method: str
    trimap: str
    picture: str
    unknown: int
    foreground: int
    background: int
    errors: dict[str, float] | None
    seconds: float | None
    failure: str | None
    image: Path
    alpha: Path
    shown_trimap: Path
    prediction: Path | None


@dataclass(frozen=True)
class Evaluation:
    """All rows of one run, and how to repeat it.

    ``methods``, ``trimaps`` and ``pictures`` are in the order in which they were asked for;
    ``rows`` holds every combination once. ``groupings`` has the group of each picture by the name
    of the grouping; see `deepmatte.datasets.groups`.
    """

    dataset: str
    methods: tuple[str, ...]
    trimaps: tuple[str, ...]
    pictures: tuple[str, ...]
    rows: tuple[Row, ...]
    command: str
    machine: str
    date: str
    version: str
    groupings: Groupings = field(default_factory=dict)
