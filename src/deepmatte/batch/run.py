"""A run over a batch: mattes the pictures that are left to do, and records the results."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from deepmatte.batch.jobs import Job
from deepmatte.batch.ledger import NAME, Claim, Finding, Ledger, Made, key
from deepmatte.batch.resources import Resources
from deepmatte.batch.settings import Settings, fingerprint
from deepmatte.batch.tally import Tally, Watcher
from deepmatte.batch.work import PictureResult, Task, matte_in_process
from deepmatte.workers import run as run_workers

# Seconds between two looks at what another run is doing.
_LOOK = 0.5


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
        self._made: dict[str, Made] = {}

    def close(self) -> None:
        """Give up what is claimed."""
        self.ledger.close()

    def left_to_do(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs that are missing, changed or failed, these last; the others count as known.

        Removes what runs that were killed have left beside the outputs of any of the jobs.
        """
        if self.ledger.is_alone():
            remove_remains(_folders(jobs), self.ledger.began)
        left = self.ledger.left(jobs, self._look_at, _has_outputs)
        self.tally.known += len(jobs) - len(left)
        return left

    def matte(self, jobs: Sequence[Job], watcher: Watcher) -> None:
        """Matte pictures, in other processes, and write down what came of each.

        Args:
            jobs: what is left to do.
            watcher: is told of each picture as it ends.

        Raises:
            DataError: the ledger cannot be written.
        """
        began = time.monotonic()
        for folder in _folders(jobs):
            os.makedirs(folder, exist_ok=True)
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
                    outcome = _outcome(answer)
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
        """The jobs that become this run's, each claimed when a process is about to need it."""
        for job in jobs:
            made = self._look_at(job)
            (claim,) = self.ledger.claim([made])
            if claim == "mine":
                self._made[job.name] = made
                yield job
            elif claim == "theirs":
                theirs.append(job)
            else:
                self._count(job, self.ledger.find(made.name) or Finding(), watcher, claim)

    def _end(self, task: Task, outcome: PictureResult, watcher: Watcher) -> None:
        if outcome.stopped is not None:
            raise _EndedError(outcome.stopped)
        finding = _too_large(task, outcome.least) if outcome.least else outcome.finding
        self.tally.stages.update(outcome.stages)
        self.ledger.write([(self._made.pop(task.job.name), finding)])
        self._count(task.job, finding, watcher, "mine")

    def _count(self, job: Job, finding: Finding, watcher: Watcher, claim: Claim) -> None:
        self.tally.left -= 1
        if claim == "done":
            self.tally.known += 1
        else:
            self.tally.count(job.name, finding)
        watcher(job.name, finding)
        if finding.error is not None and self._fail_fast:
            raise _EndedError("the first failure ends it (--fail-fast)")

    def _look_at(self, job: Job) -> Made:
        return Made(key(job.name), fingerprint(job), self._settings.fingerprint(job.outputs))


class _EndedError(Exception):
    """The run is to end here."""


def _outcome(answer: object) -> PictureResult:
    """What a process has answered; of one that died, why."""
    return answer if isinstance(answer, PictureResult) else PictureResult(Finding(str(answer)))


def _too_large(task: Task, least: int) -> Finding:
    return Finding(
        f"{task.job.picture} needs at least {least / 1e9:.2f} GB of memory; there are"
        f" {task.memory / 1e9:.2f} GB for it."
    )


def _folders(jobs: Iterable[Job]) -> set[str]:
    """The folders of the jobs' outputs."""
    return {os.path.dirname(target) for job in jobs for _, target in job.outputs}


def _has_outputs(job: Job) -> bool:
    return all(os.path.exists(target) for _, target in job.outputs)


def remove_remains(folders: Iterable[str], before: float) -> None:
    """Remove the temporary files that processes left which were killed before some time."""
    for folder in folders:
        for path in Path(folder).glob(".deepmatte-*.part"):
            with contextlib.suppress(OSError):  # another process has removed it
                if path.stat().st_mtime < before:
                    path.unlink()
