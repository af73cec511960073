"""One picture of a batch, from its files to its files: what each process of a run does."""

from __future__ import annotations

import errno
import functools
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deepmatte.batch import addresses
from deepmatte.batch.jobs import Job
from deepmatte.batch.ledger import Finding
from deepmatte.batch.measures import described
from deepmatte.batch.settings import Settings
from deepmatte.batch.steps import (
    Opened,
    encoder,
    load_matter,
    matte_opened,
    open_both,
)
from deepmatte.errors import MattingError
from deepmatte.matted import framed
from deepmatte.solver.runtime import Progress

if TYPE_CHECKING:
    from deepmatte.matting import Matte, Matter

STAGES = ("decode", "priors", "network", "colours", "encode", "write")
"""Of a picture, in the order in which they come; "priors" are what the network is given, and what
makes alpha of full size of its answer."""

# The storage itself has failed, not this picture: whatever came next would fail likewise.
_STORAGE_ERRORS = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "ESTALE", "ENOTCONN", "EHOSTDOWN", "ENODEV", "ENXIO")
    if hasattr(errno, name)
)


@dataclass(frozen=True)
class Task:
    """A job, and what the process may take for it.

    Attributes:
        job: the picture.
        settings: of the batch.
        threads: of the network.
        memory: bytes; a picture that needs more is left alone.
        is_tight: whether the tiles too are made to fit the memory.
    """

    job: Job
    settings: Settings
    threads: int
    memory: int
    is_tight: bool


@dataclass(frozen=True)
class PictureResult:
    """What came of a task.

    Attributes:
        finding: for the ledger.
        stages: seconds of each of `STAGES`.
        stopped: a sentence where the storage failed, so that going on makes no sense, else None.
        least: bytes that the picture needs, where that is more than the task allowed, else 0.
    """

    finding: Finding
    stages: dict[str, float] = field(default_factory=dict)
    stopped: str | None = None
    least: int = 0


def matte_one(task: Task) -> PictureResult:
    """Matte one picture and write its outputs, all of them or none; raises nothing."""
    stages = dict.fromkeys(STAGES, 0.0)
    began = time.perf_counter()
    shape = (0, 0)
    try:
        with _timed(stages, "network"):
            matter = load_matter(
                task.settings, task.threads, task.memory if task.is_tight else None
            )
        with _timed(stages, "decode"):
            opened = _opened(task, matter)
            shape = opened.picture.shape
        clock = _NetworkClock()
        with _timed(stages, "priors"):
            matte = matte_opened(matter, opened, task.settings, clock)
        stages["network"] += clock.seconds
        stages["priors"] -= clock.seconds
        _write(task, matte, stages)
        finding = described(matte, time.perf_counter() - began)
    except _TooLargeError as error:
        return PictureResult(Finding(), least=error.least)
    except (MattingError, MemoryError) as error:
        sentence = str(error) or "There is not enough memory for this picture."
        if _is_of_storage(error):
            return PictureResult(Finding(), stopped=sentence)
        finding = Finding(sentence, time.perf_counter() - began, width=shape[1], height=shape[0])
    except Exception as error:  # a fault of deepmatte's own must not end the run
        finding = Finding(f"{task.job.picture}: {type(error).__name__}: {error}")
    return PictureResult(finding, stages)


class _NetworkClock(Progress):
    """Tells how long the network itself has run."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    @contextmanager
    def stopped_by(self, stop: Callable[[], None]) -> Iterator[None]:
        """As its parent's, which is entered for as long as the network runs."""
        with super().stopped_by(stop):
            began = time.perf_counter()
            try:
                yield
            finally:
                self.seconds += time.perf_counter() - began


class _TooLargeError(MattingError):
    """A picture needs more memory than its process may take."""

    def __init__(self, least: int) -> None:
        super().__init__(f"{least} bytes are needed")
        self.least = least


def _opened(task: Task, matter: Matter) -> Opened:
    """A job's files, whose sizes are checked before their pixels are decoded."""

    def admit(shape: tuple[int, ...]) -> None:
        least = matter.least_memory(shape)
        if least > task.memory:
            raise _TooLargeError(least)

    picture, partner = task.job.picture, task.job.partner
    return open_both(
        addresses.source(picture),
        None if partner is None else addresses.source(partner),
        partner or "",
        task.settings,
        matter,
        admit,
    )


def matte_in_process(task: Task) -> PictureResult:
    """`matte_one` in a process that does nothing else."""
    _end_in_order()
    return matte_one(task)


@functools.cache
def _end_in_order() -> None:
    """Let a process that is told to end remove what it has half written."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _write(task: Task, matte: Matte, stages: dict[str, float]) -> None:
    contents = []
    with _timed(stages, "colours"):
        result = framed(matte, task.settings.framing)
    for kind, target in task.job.outputs:
        with _timed(stages, "colours"):
            encode = encoder(result, kind, target, task.settings)
        with _timed(stages, "encode"):
            contents.append((target, encode()))
    with _timed(stages, "write"):
        addresses.write(contents)


def _is_of_storage(error: BaseException) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _STORAGE_ERRORS


@contextmanager
def _timed(stages: dict[str, float], stage: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        stages[stage] += time.perf_counter() - began
