"""Shows the progress of a batch: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from deepmatte.batch.ledger import Finding
from deepmatte.batch.tally import Tally
from deepmatte.batch.work import STAGES

if TYPE_CHECKING:
    from rich.console import Console

# Seconds between two lines where there is no terminal.
_PERIOD = 30.0


class Meter:
    """Shows the rate, the time left and the failures so far.

    Args:
        total: pictures to do, or None where nobody knows.
        console: where to.

    Example:
        with Meter(len(jobs), Console(stderr=True)) as meter:
            run.matte(jobs, meter.count)
    """

    def __init__(self, total: int | None, console: Console) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._console = console
        self._total = total
        self._ended = self._failed = 0
        self._began = self._said = time.monotonic()
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failures]}"),
            console=console,
            disable=not console.is_terminal,
            speed_estimate_period=300,
        )
        self._task = self._bar.add_task("", total=total, rate="", failures="")

    def __enter__(self) -> Meter:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def count(self, name: str, finding: Finding) -> None:
        """A picture has ended."""
        self._ended += 1
        if finding.error is not None:
            self._failed += 1
            self._say(f"{name}: {finding.error}")
        now = time.monotonic()
        rate = f"{self._ended / max(now - self._began, 1e-3) * 60:.0f} a minute"
        failures = f"{self._failed} failed" if self._failed else ""
        self._bar.update(self._task, advance=1, rate=rate, failures=failures)
        if not self._console.is_terminal and now - self._said >= _PERIOD:
            self._said = now
            line = f"{self._ended} ended, {rate}, {self._failed} failed"
            if self._total is not None:
                left = (now - self._began) / self._ended * (self._total - self._ended)
                line += f", {self._total - self._ended} left, {duration(left)}"
            self._say(line)

    def _say(self, line: str) -> None:
        # Not as markup, and not wrapped: names of files may hold anything.
        self._console.print(_shown(line), markup=False, highlight=False, soft_wrap=True)


def summary(tally: Tally, skipped: int) -> list[str]:
    """A summary of a run, in lines for people."""
    parts = [f"{tally.done} done"]
    if tally.known:
        parts.append(f"{tally.known} done before")
    parts.append(f"{len(tally.failures)} failed")
    if skipped:
        parts.append(f"{skipped} skipped")
    if tally.left:
        parts.append(f"{tally.left} left")
    line = f"{', '.join(parts)}; {duration(tally.seconds)}"
    if tally.done:
        line += f", {tally.done / max(tally.seconds, 1e-3) * 60:.0f} pictures a minute"
    lines = [f"{line}."]
    total = sum(tally.stages.values())
    if tally.done and total:
        shares = ", ".join(f"{name} {tally.stages[name] / total:.0%}" for name in STAGES)
        lines.append(f"Where the time went: {shares}.")
    if tally.stopped is not None:
        lines.append(f"Stopped: {tally.stopped.rstrip('.')}. The same command goes on from here.")
    return [_shown(line) for line in lines]


def duration(seconds: float) -> str:
    """3.2 s, 4 min 10 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _shown(line: str) -> str:
    """A line that any terminal takes, whatever bytes the name of a file holds."""
    return line.encode("utf-8", "backslashreplace").decode()
