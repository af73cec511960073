"""Tasks in other processes, some of which die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepmatte.workers import Death, run

pytestmark = pytest.mark.slow


def square(number: int) -> int:
    """Dies of 3 as if the system had killed it, and of 4 by its own will."""
    if number == 3:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    if number == 4:
        os._exit(7)
    return number**2


def threads(_: int) -> tuple[int, int, str | None]:
    import cv2
    import numba

    return cv2.getNumThreads(), numba.get_num_threads(), os.environ.get("OMP_NUM_THREADS")


def mark_and_sleep(path: str) -> None:
    Path(path).touch()
    time.sleep(60)


def test_a_process_that_dies_costs_its_own_task_alone() -> None:
    found = dict(run(square, range(7), 2))

    assert [found[number] for number in (0, 1, 2, 5, 6)] == [0, 1, 4, 25, 36]
    assert found[4] == Death(7)
    assert str(found[4]) == "The process ended with exit code 7."
    if sys.platform != "win32":
        assert found[3] == Death(-signal.SIGKILL)
        assert "killed, as the system does where memory runs out" in str(found[3])


def test_every_process_has_one_thread() -> None:
    pytest.importorskip("numba", reason="needs deepmatte[baselines]")

    assert [answer for _, answer in run(threads, [0], 1)] == [(1, 1, "1")]


def test_no_tasks_need_no_process() -> None:
    assert list(run(square, [], 2)) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_no_process_outlives_the_first(ended_by: int, tmp_path: Path) -> None:
    marks = [str(tmp_path / name) for name in "ab"]
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from deepmatte.workers import run
from test_workers import mark_and_sleep
if __name__ == "__main__":
    list(run(mark_and_sleep, {marks!r}, 2))
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    with subprocess.Popen(
        [sys.executable, script], stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        while not all(map(os.path.exists, marks)):
            assert process.poll() is None
            time.sleep(0.05)
        if ended_by == signal.SIGINT:
            os.killpg(process.pid, ended_by)  # as a terminal does
        else:
            process.kill()
        # Its standard error is closed only when the last of its processes has ended.
        message = process.communicate(timeout=30)[1].decode()

    assert message.count("KeyboardInterrupt") == (ended_by == signal.SIGINT)


@pytest.mark.skipif(sys.platform == "win32", reason="no process groups to interrupt")
def test_ctrl_c_while_processes_start_is_answered_by_the_first_alone(tmp_path: Path) -> None:
    # The idle thread is there because the system may hand the signal to any thread of a process.
    script = tmp_path / "script.py"
    script.write_text(f"""
import sys, threading, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from deepmatte.workers import run
from test_workers import square
if __name__ == "__main__":
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    print("begun", flush=True)
    list(run(square, [0, 1, 2] * 1000, 4))
""")
    for milliseconds in range(0, 30, 2):
        with subprocess.Popen(
            [sys.executable, script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(milliseconds / 1000)
            os.killpg(process.pid, signal.SIGINT)
            message = process.communicate(timeout=30)[1]

        assert message.count("Traceback") == 1, message
        assert message.endswith("KeyboardInterrupt\n")


def test_tasks_are_taken_one_by_one_as_processes_become_free() -> None:
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for number in (0, 1, 2, 5):
            taken.append(number)
            yield number

    answers = run(square, tasks(), 1)

    assert next(answers) == (0, 0)
    assert taken == [0, 1]  # the process is at the second while the first is looked at
    assert list(answers) == [(1, 1), (2, 4), (5, 25)]
