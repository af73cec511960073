"""Prints the progress of a long matte on standard error."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from deepmatte.cli import outputs

if TYPE_CHECKING:
    from deepmatte.solver.runtime import Progress

_MOMENT = 2.0
# Seconds between two looks: on a terminal, and in a log.
_TERMINAL, _LOG = 0.2, 10.0


@contextlib.contextmanager
def told(name: str) -> Iterator[Progress]:
    """A progress that is told to the user from two seconds on: a bar, or lines in a log.

    Args:
        name: of the picture.
    """
    from deepmatte.solver.runtime import Progress

    progress, done = Progress(), threading.Event()
    tell = _bar if sys.stderr is not None and sys.stderr.isatty() else _lines

    def tell_later() -> None:
        if not done.wait(_MOMENT):
            tell(name, progress, done)

    teller = threading.Thread(target=tell_later, daemon=True)
    teller.start()
    try:
        yield progress
    finally:
        done.set()
        teller.join()


def _lines(name: str, progress: Progress, done: threading.Event) -> None:
    while True:
        share = f", {progress.share:.0%}" if 0 < progress.share < 1 else ""
        outputs.log(f"{name}: {_stage(progress)}{share}")
        if done.wait(_LOG):
            return


def _bar(name: str, progress: Progress, done: threading.Event) -> None:
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(_stage(progress), total=1.0)
        while not done.wait(_TERMINAL):
            bar.update(task, completed=progress.share, description=_stage(progress))


def _stage(progress: Progress) -> str:
    if progress.share <= 0:
        return "working"
    return "matting" if progress.share < 1 else "colours and files"
