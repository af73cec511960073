"""`deepmatte batch --engine ray`: the work shared out on a cluster."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from deepmatte.batch.cluster import Remaining
    from deepmatte.batch.pairing import Sources
    from deepmatte.batch.work import Settings


def find(sources: Sources) -> Remaining:
    """What is left to do; see `deepmatte.batch.cluster.find`."""
    from deepmatte.batch import cluster

    return cluster.find(sources)


def go(
    remaining: Remaining, settings: Settings, address: str | None, processes: int | None
) -> bool:
    """Share the work out on a cluster; tells whether all of it is done."""
    from rich.console import Console

    from deepmatte.batch.cluster import connect, matte_on_ray
    from deepmatte.batch.progress import Meter, summary
    from deepmatte.batch.run import Tally

    tally = Tally(known=remaining.known)
    if remaining.jobs or remaining.shards:
        cores = connect(address)
        began = time.monotonic()
        with Meter(len(remaining.jobs) or None, Console(stderr=True)) as meter:
            for name, finding in matte_on_ray(remaining, settings, processes or cores):
                tally.count(name, finding)
                meter.count(name, finding)
        tally.seconds = time.monotonic() - began
    for line in summary(tally, len(remaining.pairing.unpaired)):
        typer.echo(line, err=True)
    return tally.is_complete
