"""`deepmatte batch --engine ray`: the work shared out on a cluster."""

from __future__ import annotations

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

    from deepmatte.batch import cluster
    from deepmatte.batch.progress import Meter, summary
    from deepmatte.batch.tally import Tally

    others = (wishes.watch, wishes.fail_fast, wishes.report, wishes.memory, wishes.threads)
    if any(others):
        raise typer.BadParameter(
            "works without --watch, --fail-fast, --report, --memory and --threads.",
            param_hint="--engine ray",
        )
    reading.check_settings(settings, None)
    remaining = cluster.find(sources)
    reading.refuse_gaps(
        remaining.pairing, sources, wishes.skip_missing, shards=remaining.has_shards
    )
    tally = Tally(known=remaining.known)
    if remaining.jobs or remaining.shards:
        cores = cluster.connect(address)
        began = time.monotonic()
        with Meter(len(remaining.jobs) or None, Console(stderr=True)) as meter:
            found = cluster.matte_on_ray(remaining, settings, wishes.processes or cores)
            for name, finding in found:
                tally.count(name, finding)
                meter.count(name, finding)
        tally.seconds = time.monotonic() - began
    for line in summary(tally, len(remaining.pairing.unpaired)):
        typer.echo(line, err=True)
    return tally.is_complete
