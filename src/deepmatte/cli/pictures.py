"""`deepmatte batch`: pictures one after another, on this machine."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from deepmatte.cli import sources as reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deepmatte.batch.jobs import Job, Pairing, Sources
    from deepmatte.batch.run import Run
    from deepmatte.batch.settings import Settings


@dataclass(frozen=True)
class Wishes:
    """How a batch is to be run on this machine; see the options of these names."""

    processes: int | None
    threads: int | None
    memory: int | None
    skip_missing: bool
    fail_fast: bool
    watch: bool
    report: str | None


def go(sources: Sources, settings: Settings, wishes: Wishes) -> bool:
    """Matte what is left; tells whether everything asked for is done."""
    from deepmatte.batch.resources import choose_resources
    from deepmatte.batch.run import Run

    reading.check_local(sources)
    pairing = reading.pair_all(sources, wishes.skip_missing, wishes.watch)
    reading.check_settings(settings, wishes.report)
    resources = choose_resources(wishes.processes, wishes.threads, wishes.memory)
    run = Run(sources.out, settings, resources, fail_fast=wishes.fail_fast)
    try:
        _matte(run, sources, pairing, wishes.watch)
    finally:
        _finish(run, pairing, wishes.report)
    return run.tally.is_complete


def _matte(run: Run, sources: Sources, pairing: Pairing, watch: bool) -> None:
    from rich.console import Console

    from deepmatte.batch.progress import Meter
    from deepmatte.batch.watch import watch as watch_folder

    console = Console(stderr=True)

    def matte(jobs: Sequence[Job]) -> None:
        left = run.left_to_do(jobs)
        if left:
            with Meter(len(left), console) as meter:
                run.matte(left, meter.count)

    if not watch:
        matte(pairing.jobs)
        return
    with contextlib.suppress(KeyboardInterrupt):  # which is how it ends
        watch_folder(sources, matte, until=lambda: run.tally.stopped is not None)


def _finish(run: Run, pairing: Pairing, report: str | None) -> None:
    """Say what the run has come to, whether it ended or was interrupted."""
    from deepmatte.batch.progress import summary
    from deepmatte.batch.report import write_report

    try:
        for line in summary(run.tally, len(pairing.unpaired)):
            typer.echo(line, err=True)
        if report is not None:
            write_report(report, run.ledger, pairing)
    finally:
        run.close()
