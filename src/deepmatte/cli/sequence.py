"""`deepmatte batch shot.####.png`: the frames of a shot, in order."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from deepmatte.cli import sources as reading

if TYPE_CHECKING:
    from deepmatte.batch.jobs import Sources
    from deepmatte.batch.ledger import Finding
    from deepmatte.batch.settings import Settings
    from deepmatte.cli.pictures import Wishes

_CUT = "cut"


def is_sequence(source: str) -> bool:
    """Whether a name says that it is a shot; see `deepmatte.batch.sequence.frames.is_sequence`."""
    from deepmatte.batch.sequence import frames

    return frames.is_sequence(source)


def go(sources: Sources, settings: Settings, wishes: Wishes, *, steady: bool) -> bool:
    """Matte a shot; tells whether all of its frames are done.

    Raises:
        typer.BadParameter: it is to be run as no shot is run.
        MattingError: it cannot be matted.
    """
    from rich.console import Console

    from deepmatte.batch.progress import Meter, summary
    from deepmatte.batch.sequence.run import Sequence, matte_sequence
    from deepmatte.batch.tally import Tally
    from deepmatte.errors import DataError
    from deepmatte.machine import usable_cores

    if wishes.watch or wishes.fail_fast or wishes.report or wishes.processes:
        raise typer.BadParameter(
            "the frames of a shot are matted in order: without --watch, --fail-fast, --report and"
            " --processes."
        )
    if len(sources.pictures) != 1:
        raise DataError("Several folders or files were given; --frames takes one shot.")
    reading.check_settings(settings, None)
    sequence = Sequence(
        source=sources.pictures[0],
        partners=sources.partners,
        out=sources.out,
        patterns=sources.patterns,
        settings=settings,
        steady=steady,
        threads=wishes.threads or usable_cores(),
        memory=wishes.memory,
    )
    tally = Tally()
    began = time.monotonic()
    with Meter(None, Console(stderr=True)) as meter:

        def tell(name: str, finding: Finding) -> None:
            meter.count(name, finding)
            for note in finding.notes:
                if _CUT in note:
                    typer.echo(f"{name}: {note}", err=True)

        matte_sequence(sequence, tally, tell)
    tally.seconds = time.monotonic() - began
    for line in summary(tally, 0):
        typer.echo(line, err=True)
    return tally.is_complete
