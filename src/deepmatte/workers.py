"""A pool of processes. If one is killed, only its own task is lost.

`concurrent.futures` gives up all tasks when the system kills one process for lack of memory, and
does not say which task needed it. pebble 5.2 gives up every task once all processes died, and its
processes outlive the first one if that is killed. Here every process has its own pipe.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")
Pipe = Any  # a Connection, or on Windows a PipeConnection

# One thread per process for OpenMP, NumPy's BLAS, numba and OpenCV.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


@dataclass(frozen=True)
class Death:
    """The outcome of a task whose process died.

    Attributes:
        exit_code: of the process; -N where signal N killed it.
    """

    exit_code: int | None

    def __str__(self) -> str:
        if self.exit_code == -getattr(signal, "SIGKILL", 9):
            return "The process was killed, as the system does where memory runs out."
        if self.exit_code is not None and self.exit_code < 0:
            return f"The process was ended by signal {-self.exit_code}."
        return f"The process ended with exit code {self.exit_code}."


def run(
    function: Callable[[Task], Answer], tasks: Iterable[Task], processes: int
) -> Generator[tuple[Task, Answer | Death], None, None]:
    """Run tasks in other processes, each with one thread; yield results as they finish.

    Args:
        function: a module-level function, because it is found by name; must not raise.
        tasks: started in this order, each as soon as a process is free; asked for as many ahead as
            there are processes.
        processes: how many tasks run at a time.

    The processes end with the iteration, however it ends, and also if this process is killed.
    As with any use of `multiprocessing`, a script must call this under ``if __name__ ==
    "__main__"``.
    """
    waiting = iter(tasks)
    ahead: deque[Task] = deque()
    crew: dict[Pipe, BaseProcess] = {}
    idle: list[Pipe] = []
    busy: dict[Pipe, Task] = {}
    answered: list[tuple[Task, Answer | Death]] = []
    try:
        while True:
            while len(busy) < processes:
                ahead.extend(itertools.islice(waiting, 0 if ahead else 1))
                if not ahead:
                    break
                task = ahead.popleft()
                connection = idle.pop() if idle else _start(crew)
                busy[connection] = task
                with contextlib.suppress(OSError):  # it died meanwhile: handled below
                    connection.send((function, task))
            yield from answered  # while the processes work on the next tasks
            answered = []
            if not busy:
                return
            # So that no process waits while its next task is made.
            ahead.extend(itertools.islice(waiting, processes - len(ahead)))
            for ready in wait(list(busy)):
                answer = _answer(ready, crew)
                if not isinstance(answer, Death):
                    idle.append(ready)
                answered.append((busy.pop(ready), answer))
    finally:
        for connection, process in crew.items():
            connection.close()
            process.terminate()
            process.join()


def _start(crew: dict[Pipe, BaseProcess]) -> Pipe:
    """Start a process; spawned, because a fork would copy locks that threads hold."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    with _interrupts_deferred():
        process.start()
    theirs.close()  # so that the pipe closes when the process ends
    crew[ours] = process
    return ours


def _answer(connection: Pipe, crew: dict[Pipe, BaseProcess]) -> Any:
    try:
        return connection.recv()
    except (EOFError, OSError):
        connection.close()
        process = crew.pop(connection)
        process.join()
        return Death(process.exitcode)


@contextlib.contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Start a process that never receives Ctrl-C, without being interrupted half-way.

    A signal blocked here stays blocked in the child: Ctrl-C is for this process, which ends its
    children. Blocking does not protect this process, because another thread can take the signal and
    the main thread handles it. So the handler waits until the child has all that it needs to start;
    a child that is cut off half-way prints a traceback.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers neither run nor can be set here
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    blocking = hasattr(signal, "pthread_sigmask")  # not on Windows: there `_serve` alone protects
    if blocking:
        resource_tracker.ensure_running()  # otherwise the first start would unblock the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if blocking:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _end_with_parent() -> None:
    """End at once if the parent is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _serve(connection: Pipe) -> None:
    """The main loop of a process, until its pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in _THREADS:  # before anything reads them on import
        os.environ[name] = "1"
    warnings.simplefilter("ignore")
    with open(os.devnull, "w", encoding="utf-8") as sys.stdout:  # pymatting prints warnings
        while True:
            try:
                function, task = connection.recv()
            except (EOFError, OSError):
                return
            answer = function(task)
            try:
                connection.send(answer)
            except OSError:
                return
