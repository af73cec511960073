"""`deepmatte batch shot.####.png`: the frames of a shot, in order."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from deepmatte.batch.jobs import Sources
    from deepmatte.batch.ledger import Finding
    from deepmatte.batch.settings import Settings

_CUT = "cut"


def is_sequence(source: str) -> bool:
    """Whether a name says that it is a shot; see `deepmatte.batch.sequence.is_sequence`."""
    from deepmatte.batch import sequence

    return sequence.is_sequence(source)


def go(sources: Sources, settings: Settings, threads: int | None, steady: bool) -> bool:
    """Matte a shot; tells whether all of its frames are done."""
    from rich.console import Console

    from deepmatte.batch.progress import Meter, summary
    from deepmatte.batch.sequence import Sequence, matte_sequence
    from deepmatte.batch.tally import Tally
    from deepmatte.errors import DataError
    from deepmatte.machine import usable_cores

    if len(sources.pictures) != 1:
        raise DataError("Several folders or files were given; --frames takes one shot.")
    sequence = Sequence(sources.pictures[0], sources.partners, sources.out, sources.patterns)
    tally = Tally()
    began = time.monotonic()
    with Meter(None, Console(stderr=True)) as meter:

        def tell(name: str, finding: Finding) -> None:
            tally.count(name, finding)
            meter.count(name, finding)
            for note in finding.notes:
                if _CUT in note:
                    typer.echo(f"{name}: {note}", err=True)

        matte_sequence(sequence, settings, threads or usable_cores(), tell, steady=steady)
    tally.seconds = time.monotonic() - began
    for line in summary(tally, 0):
        typer.echo(line, err=True)
    return tally.is_complete
