"""A run over a batch: which pictures are left to do, by how many processes, and how far it is."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from deepmatte.batch.ledger import NAME, Finding, Ledger
from deepmatte.batch.pairing import Job
from deepmatte.batch.work import PictureResult, Settings, Task, fingerprint, matte_in_process
from deepmatte.machine import available_memory, usable_cores
from deepmatte.solver.budget import MEMORY
from deepmatte.workers import run as run_workers

# Bytes that a process takes at least, network and libraries included, for a photo of a few
# megapixels in small tiles.
_LEAST = 600_000_000
# Of the memory that is free, if nothing is said.
_SHARE_OF_FREE = 0.75
# Seconds between two looks at what another run is doing.
_LOOK = 0.5


@dataclass(frozen=True)
class Resources:
    """What a run takes of the machine.

    Attributes:
        processes: pictures that are worked on at a time.
        threads: of each process.
        memory: bytes that all of them may take together.
        is_tight: whether the user named the memory; then tiles are made to fit it.
    """

    processes: int
    threads: int
    memory: int
    is_tight: bool

    def task(self, job: Job, settings: Settings) -> Task:
        """A job for one of the processes."""
        return Task(job, settings, self.threads, self.memory // self.processes, self.is_tight)

    def with_processes(self, processes: int) -> Resources:
        """The same cores and memory for another number of processes."""
        threads = max(self.threads, self.processes * self.threads // processes)
        return Resources(processes, threads, self.memory, self.is_tight)


def choose_resources(
    processes: int | None = None, threads: int | None = None, memory: int | None = None
) -> Resources:
    """One process a core with one thread, as far as the memory goes.

    Decoding, encoding and the colours use one core each; a process a core keeps all of them busy
    whatever each process is at.

    Args:
        processes: at a time, or None to choose.
        threads: of each process, or None to choose.
        memory: bytes for all together, or None for three quarters of what is free.
    """
    cores = usable_cores()
    most = memory or round(available_memory() * _SHARE_OF_FREE)
    if processes is None:
        each = _LEAST if memory else MEMORY
        processes = max(1, min(cores // (threads or 1), most // each))
    return Resources(processes, threads or max(1, cores // processes), most, memory is not None)


@dataclass
class Tally:
    """What a run has come to.

    Attributes:
        done: pictures matted by this run.
        known: pictures that were done already, or by another run meanwhile.
        failures: sentences by the pictures' names.
        left: pictures that were neither done nor failed when the run ended.
        stages: seconds of all processes by stage.
        seconds: that the run has taken.
        stopped: why the run ended before its end, or None.
    """

    done: int = 0
    known: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    left: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    stopped: str | None = None

    def count(self, name: str, finding: Finding) -> None:
        """A picture has ended, by this run."""
        self.failures.pop(name, None)  # of before it changed
        if finding.error is not None:
            self.failures[name] = finding.error
        else:
            self.done += 1

    @property
    def is_complete(self) -> bool:
        """Whether everything asked for is done."""
        return not self.failures and not self.left and self.stopped is None


Watcher = Callable[[str, Finding], None]


class Run:
    """One run over a batch, with its ledger open; see `Ledger` for several at a time.

    Args:
        out: the folder of the outputs and of the ledger; is made if missing.
        settings: of the batch.
        resources: what it may take of the machine.
        fail_fast: whether the first failure ends it.

    Raises:
        DataError: the ledger cannot be used.
        OSError: the folder cannot be made.
    """

    def __init__(
        self, out: str, settings: Settings, resources: Resources, *, fail_fast: bool = False
    ) -> None:
        os.makedirs(out, exist_ok=True)
        self.ledger = Ledger(os.path.join(out, NAME))
        self.tally = Tally()
        self._settings = settings
        self._resources = resources
        self._fail_fast = fail_fast
        # What the pictures that are worked on were when they were claimed: files may change under
        # a run, and what is written down must be what was read.
        self._made_of: dict[str, tuple[str, str]] = {}

    def close(self) -> None:
        """Give up what is claimed."""
        self.ledger.close()

    def left_to_do(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs that are missing, changed or failed, these last; the others count as known."""
        ended = {
            entry.name: (entry.state, (entry.inputs, entry.settings))
            for entry in self.ledger.entries()
        }

        def is_done(job: Job) -> bool:
            return ended.get(key(job.name)) == ("done", self._look_at(job)) and all(
                os.path.exists(target) for _, target in job.outputs
            )

        left = [job for job in jobs if not is_done(job)]
        left.sort(key=lambda job: ended.get(key(job.name), ("",))[0] == "failed")
        self.tally.known += len(jobs) - len(left)
        return left

    def matte(self, jobs: Sequence[Job], watcher: Watcher) -> None:
        """Matte pictures, in other processes, and write down what came of each.

        Args:
            jobs: what is left to do.
            watcher: is told the name of each picture that has ended, and how, as they end.

        Raises:
            DataError: the ledger cannot be written.
        """
        began = time.monotonic()
        for folder in {os.path.dirname(target) for job in jobs for _, target in job.outputs}:
            os.makedirs(folder, exist_ok=True)
        if self.ledger.is_alone():
            _remove_remains(jobs, self.ledger.began)
        self.tally.left += len(jobs)
        try:
            waiting = list(jobs)
            while waiting:
                waiting = self._share_out(waiting, watcher)
                if waiting:
                    time.sleep(_LOOK)
        except _EndedError as error:
            self.tally.stopped = str(error)
        finally:
            self.tally.seconds += time.monotonic() - began

    def _share_out(self, jobs: Sequence[Job], watcher: Watcher) -> list[Job]:
        """Matte what no other run is at, and return the rest."""
        theirs: list[Job] = []
        resources = self._resources
        while jobs:
            large, least = [], 0
            claimed = self._claimed(jobs, theirs, watcher)
            tasks = (resources.task(job, self._settings) for job in claimed)
            with closing(run_workers(matte_in_process, tasks, resources.processes)) as answers:
                for task, answer in answers:
                    outcome = (
                        answer
                        if isinstance(answer, PictureResult)
                        else PictureResult(Finding(str(answer)))
                    )
                    if outcome.least and resources.processes > 1:
                        large.append(task.job)
                        least = max(least, outcome.least)
                    else:
                        self._end(task, outcome, watcher)
            jobs = large
            if large:  # fewer at a time, with more memory each
                fewer = max(1, min(resources.processes - 1, resources.memory // least))
                resources = resources.with_processes(fewer)
        return theirs

    def _claimed(self, jobs: Iterable[Job], theirs: list[Job], watcher: Watcher) -> Iterator[Job]:
        """The jobs that become this run's, each claimed when a process is free for it."""
        for job in jobs:
            made_of = self._look_at(job)
            claim = self.ledger.claim(key(job.name), *made_of)
            if claim == "mine":
                self._made_of[job.name] = made_of
                yield job
            elif claim == "theirs":
                theirs.append(job)
            else:
                self._count(job, self.ledger.find(key(job.name)) or Finding(), watcher, mine=False)

    def _end(self, task: Task, outcome: PictureResult, watcher: Watcher) -> None:
        if outcome.stopped is not None:
            raise _EndedError(outcome.stopped)
        finding = outcome.finding
        if outcome.least:
            finding = Finding(
                f"{task.job.picture} needs at least {outcome.least / 1e9:.2f} GB of memory; there"
                f" are {task.memory / 1e9:.2f} GB for it."
            )
        self.tally.stages.update(outcome.stages)
        name = task.job.name
        self.ledger.write(key(name), *self._made_of.pop(name), _printable(finding))
        self._count(task.job, finding, watcher)

    def _count(self, job: Job, finding: Finding, watcher: Watcher, *, mine: bool = True) -> None:
        self.tally.left -= 1
        if mine or finding.error is not None:
            self.tally.count(job.name, finding)
        else:
            self.tally.known += 1
        watcher(job.name, finding)
        if finding.error is not None and self._fail_fast:
            raise _EndedError("the first failure ends it (--fail-fast)")

    def _look_at(self, job: Job) -> tuple[str, str]:
        return fingerprint(job), self._settings.fingerprint(job)


class _EndedError(Exception):
    """The run is to end here."""


def key(name: str) -> str:
    """A picture's name in the ledger, which holds Unicode only; names of files may be no such."""
    return name.encode("utf-8", "backslashreplace").decode()


def _printable(finding: Finding) -> Finding:
    return finding if finding.error is None else replace(finding, error=key(finding.error))


def _remove_remains(jobs: Sequence[Job], before: float) -> None:
    """Remove the temporary files that processes left which were killed before some time."""
    for folder in {os.path.dirname(target) for job in jobs for _, target in job.outputs}:
        for path in Path(folder).glob(".deepmatte-*.part"):
            with contextlib.suppress(OSError):  # another process has removed it
                if path.stat().st_mtime < before:
                    path.unlink()
