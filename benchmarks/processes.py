"""Work in processes of its own: how long it takes, and the most memory that it holds.

What is compared runs one after the other, each in a process that nothing ran in before: so neither
memory nor compiled code of one helps or harms the next. This module is light on purpose, for every
such process imports it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

Answer = TypeVar("Answer")

# A forked process would inherit this one's memory, and the locks of its threads.
_SPAWN = multiprocessing.get_context("spawn")
# Seconds after which a repeatable piece of work is not begun again.
_PATIENCE = 10.0


@dataclass(frozen=True)
class Cost:
    """What one method took for one picture.

    Attributes:
        seconds: the fastest repeat; None where it did not come to an end.
        loaded: GB that the process held before, libraries, network and picture included.
        peak: the most GB that it ever held; until it was stopped, where it was.
        stopped: why it did not come to an end, or "".
    """

    seconds: float | None
    loaded: float
    peak: float
    stopped: str = ""


def alone(function: Callable[..., Answer], *arguments: object) -> Answer:
    """What a function of a module answers in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=_SPAWN) as process:
        return process.submit(function, *arguments).result()


def _here(function: Callable[..., Answer], *arguments: object) -> Answer:
    """What it answers in this process."""
    return function(*arguments)


def cost(
    prepare: Callable[..., Callable[[], object]],
    *arguments: object,
    repeat: int = 3,
    seconds: float = float("inf"),
    memory: float = float("inf"),
) -> Cost:
    """Time and memory of an action in a process of its own.

    Args:
        prepare: ``prepare(*arguments)`` loads whatever is needed, runs it once on something small,
            and returns the action.
        arguments: of ``prepare``.
        repeat: how often the action is run, unless `_PATIENCE` has passed.
        seconds: the process is stopped when the action has taken so long.
        memory: the process is stopped when it holds so many GB.
    """
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_serve_cost, args=(theirs, prepare, arguments, repeat))
    process.start()
    theirs.close()
    try:
        return _watch(process, ours, seconds, memory)
    finally:
        process.kill()
        process.join()


def _cost_here(
    prepare: Callable[..., Callable[[], object]],
    *arguments: object,
    repeat: int = 3,
    seconds: float = float("inf"),
    memory: float = float("inf"),
) -> Cost:
    """The same in this process: all that it holds counts, limits do not."""
    prepare, arguments = pickle.loads(pickle.dumps((prepare, arguments)))  # as if it were sent
    action = prepare(*arguments)
    loaded = peak_memory()
    return Cost(fastest(action, repeat), loaded, peak_memory())


def _watch(process: SpawnProcess, pipe: Connection, seconds: float, memory: float) -> Cost:
    began: float | None = None
    loaded = peak = 0.0
    while True:
        with contextlib.suppress(OSError):
            peak = max(peak, peak_memory(process.pid))
        try:
            message = pipe.recv() if pipe.poll(0.1) else None
        except EOFError:
            process.join()
            return Cost(None, loaded, peak, f"ended by itself with code {process.exitcode}")
        if isinstance(message, Cost):
            return message
        if message is not None:
            began, loaded = time.monotonic(), message
        if peak > memory:
            return Cost(None, loaded, peak, f"stopped at {memory:.0f} GB")
        if began is not None and time.monotonic() - began > seconds:
            return Cost(None, loaded, peak, f"stopped at {seconds:.0f} s")


def _serve_cost(
    pipe: Connection, prepare: Callable[..., Callable[[], object]], arguments: Any, repeat: int
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    loaded = 0.0
    try:
        action = prepare(*arguments)
        loaded = peak_memory()
        pipe.send(loaded)
        taken = fastest(action, repeat)
    except Exception as error:
        pipe.send(Cost(None, loaded, peak_memory(), f"{type(error).__name__}: {error}"))
    else:
        pipe.send(Cost(taken, loaded, peak_memory()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def command(*words: str) -> Cost:
    """Time, from the shell to its end, and peak memory of a command, which must succeed.

    The peak that the system keeps of a new process begins with that of the process that starts
    it, so a light one in between starts the command.
    """
    return alone(_command, words)


def _command_here(*words: str) -> Cost:
    """The same without the process in between: the peak may be this process's."""
    return _command(words)


def _command(words: Sequence[str]) -> Cost:
    began = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        complaints = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} failed: {complaints.decode(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(seconds, 0.0, used.ru_maxrss * unit / 1e9)


class Ways(NamedTuple):
    """How functions run, and how actions and commands are measured.

    Attributes:
        run: `alone`, or in this process.
        cost: `cost`, or in this process.
        command: `command`, or without the process in between.
    """

    run: Callable[..., Any]
    cost: Callable[..., Cost]
    command: Callable[..., Cost]


def ways(quick: bool) -> Ways:
    """In processes of their own, or here for a smoke run, where those take longest to start."""
    return Ways(_here, _cost_here, _command_here) if quick else Ways(alone, cost, command)


def fastest(action: Callable[[], object], repeat: int) -> float:
    """Seconds of the fastest of some runs; of fewer where they take long."""
    return min(_timed(action, repeat))


def median(action: Callable[[], object], repeat: int) -> float:
    """Seconds of the middle one of some runs; of fewer where they take long."""
    return statistics.median(_timed(action, repeat))


def _timed(action: Callable[[], object], repeat: int) -> Iterator[float]:
    first = time.perf_counter()
    for _ in range(repeat):
        began = time.perf_counter()
        action()
        ended = time.perf_counter()
        yield ended - began
        if ended - first > _PATIENCE:
            return


def peak_memory(process: int | None = None) -> float:
    """The most GB that a process, or this one, ever held."""
    return _memory("VmHWM", process)


def held_memory() -> float:
    """The GB that this process holds now."""
    return _memory("VmRSS", None)


def _memory(field: str, process: int | None) -> float:
    status = Path(f"/proc/{process or 'self'}/status").read_text(encoding="ascii", errors="replace")
    found = next((line for line in status.splitlines() if line.startswith(field)), f"{field} 0 kB")
    return int(found.split()[1]) * 1024 / 1e9


def total_memory() -> float:
    """GB of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
