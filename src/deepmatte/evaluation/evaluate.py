"""Evaluates every method on every picture with every kind of trimap.

Results are kept, so a stopped run continues: see `deepmatte.evaluation.job`.
"""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from deepmatte.datasets.layouts import Dataset
from deepmatte.datasets.trimaps import check_kind
from deepmatte.errors import DataError
from deepmatte.evaluation.job import Answer, Job, run_job
from deepmatte.evaluation.methods import Method
from deepmatte.evaluation.results import Evaluation, Row
from deepmatte.machine import usable_cores
from deepmatte.version import __version__
from deepmatte.workers import run


def evaluate(
    dataset: Dataset,
    methods: Sequence[Method],
    kinds: Sequence[str],
    out: Path,
    *,
    workers: int | None = None,
    command: str = "",
    console: Console | None = None,
) -> Evaluation:
    """Measure methods, one process per core, each with one thread.

    A failure affects only its own row, which says why.

    Args:
        dataset: the pictures.
        methods: from `open_methods`.
        kinds: of trimaps; see `deepmatte.datasets.trimaps`.
        out: folder for the results; created if missing.
        workers: how many processes; None takes the cores of this one.
        command: for the report: the command that repeats this.
        console: shows the progress; by default on standard error.

    Raises:
        DataError: there is nothing to measure, or a kind of trimap is unknown.
        OSError: `out` cannot be created.

    Example:
        if __name__ == "__main__":  # other processes import this file
            dataset = open_dataset(Path("Test_set"))
            evaluate(dataset, open_methods(["lite"]), dataset.kinds, Path("report"))
    """
    if not (dataset.samples and methods and kinds):
        raise DataError("There is nothing to measure; expected pictures, methods and trimaps.")
    for kind in kinds:
        check_kind(kind, dataset.kinds)
    out.mkdir(parents=True, exist_ok=True)
    workers = workers or usable_cores()
    # Picture by picture: methods differ in speed, and so the remaining time is known early.
    jobs = [
        Job(method, sample, kind, out)
        for sample in dataset.samples
        for kind in kinds
        for method in methods
    ]
    rows = _measured(jobs, workers, console or Console(stderr=True))
    names = [method.name for method in methods]
    pictures = [sample.name for sample in dataset.samples]
    return Evaluation(
        dataset=dataset.name,
        methods=tuple(names),
        trimaps=tuple(kinds),
        pictures=tuple(pictures),
        rows=tuple(rows[m, k, p] for m in names for k in kinds for p in pictures),
        command=command,
        machine=f"{_processor()}, {usable_cores()} cores, {workers} processes",
        date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        version=__version__,
        groupings=dataset.groupings,
    )


def _measured(
    jobs: Sequence[Job], workers: int, console: Console
) -> dict[tuple[str, str, str], Row]:
    """The rows of all jobs, by method, kind of trimap and picture; shows the progress."""
    rows = {}
    left = len(jobs)
    with _progress(console) as progress, closing(run(run_job, jobs, workers)) as answers:
        bar = progress.add_task("measuring", total=left)
        for job, answer in answers:
            row = answer.row if isinstance(answer, Answer) else job.row(failure=str(answer))
            rows[row.method, row.trimap, row.picture] = row
            if isinstance(answer, Answer) and answer.known:
                # No advance: kept results say nothing about the speed of the others.
                left -= 1
                known = f"measuring, {len(jobs) - left} known"
                progress.update(bar, total=left, description=known)
            else:
                progress.advance(bar)
    return rows


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        speed_estimate_period=600,  # methods take from a tenth of a second to minutes
    )


def _processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
