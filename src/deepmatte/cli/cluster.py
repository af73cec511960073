"""`deepmatte batch --engine ray`: the work distributed over a cluster."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import TYPE_CHECKING

import typer

from deepmatte.cli import sources as reading

if TYPE_CHECKING:
    from deepmatte.batch.jobs import Sources
    from deepmatte.batch.settings import Settings
    from deepmatte.cli.pictures import Wishes


def go(sources: Sources, settings: Settings, wishes: Wishes, address: str | None) -> bool:
    """Share the work out on a cluster; tells whether all of it is done.

    Raises:
        typer.BadParameter: it is to be run as no cluster runs it.
        DataError: there is nothing to do, or no cluster.
    """
    from rich.console import Console

    from deepmatte.batch.cluster import inventory, ray_job
    from deepmatte.batch.cluster.out_ledger import OutLedger
    from deepmatte.batch.cluster.run import ClusterRun
    from deepmatte.batch.progress import Meter, summary
    from deepmatte.batch.tally import Tally

    others = (wishes.watch, wishes.fail_fast, wishes.report, wishes.memory, wishes.threads)
    if any(others):
        raise typer.BadParameter(
            "works without --watch, --fail-fast, --report, --memory and --threads.",
            param_hint="--engine ray",
        )
    reading.check_settings(settings, None)
    sources = _absolute(sources)
    found = inventory.find(sources)
    reading.refuse_gaps(found.pairing, sources, wishes.skip_missing, shards=bool(found.shards))
    tally = Tally()
    began = time.monotonic()
    with OutLedger(sources.out) as kept:
        run = ClusterRun(found, settings, kept, tally)
        left = run.left_to_do()
        if left:
            cores = ray_job.connect(address)
            total = None if found.shards else len(left)
            with Meter(total, Console(stderr=True)) as meter:
                run.matte(left, wishes.processes or cores, meter.count)
    tally.seconds = time.monotonic() - began
    for line in summary(tally, len(found.pairing.unpaired)):
        typer.echo(line, err=True)
    return tally.is_complete


def _absolute(sources: Sources) -> Sources:
    """Paths of this machine in full: workers run in folders of their own."""
    from deepmatte.batch.addresses import is_remote

    def full(name: str) -> str:
        return name if is_remote(name) else os.path.abspath(name)

    return dataclasses.replace(
        sources,
        pictures=tuple(map(full, sources.pictures)),
        partners=None if sources.partners is None else full(sources.partners),
        out=full(sources.out),
    )
