"""Every benchmark runs, at sizes that say nothing, and writes the figures that it promises."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("pymatting")
pytest.importorskip("torch")

FOLDER = Path(__file__).parent.parent / "benchmarks"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc"),
    pytest.mark.skipif(not FOLDER.is_dir(), reason="an sdist has no benchmarks"),
]
# The slowest ones come first.
FIGURES = {
    "dim": {"parameters", "rows"},
    "training": {"settings", "rates"},
    "foreground": {"scenes_of_a_kind", "megapixels", "rows"},
    "growth": {"by_picture", "by_unknown", "whole", "crop"},
    "memory": {"matted", "saved", "tiles", "budgets", "run"},
    "classical": {"limit", "rows"},
    "convolutions": {"side", "gigaflop", "dense", "seconds", "operators"},
    "startup": {"rows"},
    "stages": {"rows"},
}
DOCUMENT = {"name", "question", "quick", "date", "machine", "busy", "duration", "results"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmarks")


@pytest.fixture(scope="module")
def printed(folder: Path) -> Iterator[dict[str, Future[str]]]:
    """What each script prints. As many run at a time as there are cores, each on its own: threads
    that wait for each other on busy cores take minutes.
    """
    cores = sorted(os.sched_getaffinity(0))
    with ThreadPoolExecutor(
        len(cores), initializer=lambda: os.sched_setaffinity(0, {cores.pop()})
    ) as pool:
        yield {
            name: pool.submit(run, f"{name}.py", "--json", str(folder / f"{name}.json"))
            for name in FIGURES
        }
        pool.shutdown(cancel_futures=True)


def run(script: str, *words: str) -> str:
    command = [sys.executable, str(FOLDER / script), "--quick", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", FIGURES)
def test_a_script_prints_a_table_and_writes_its_figures(
    name: str, folder: Path, printed: dict[str, Future[str]]
) -> None:
    text = printed[name].result()

    document = json.loads((folder / f"{name}.json").read_text())
    assert set(document) == DOCUMENT
    assert document["name"] == name
    assert document["quick"]
    assert {"processor", "cores", "memory", "versions"} <= set(document["machine"])
    assert set(document["results"]) == FIGURES[name]
    assert document["machine"]["processor"] in text
    assert "A smoke run" in text  # nobody may take these figures for real ones
    assert "\n| -" in text  # a table


def test_the_page_has_what_was_found_now_and_before(
    folder: Path, printed: dict[str, Future[str]]
) -> None:
    for future in printed.values():
        future.result()
    before = {name: json.loads((folder / f"{name}.json").read_text()) for name in FIGURES}
    before["startup"]["results"]["rows"] = []  # is not measured now, but outdated
    (folder / "performance").mkdir()
    measured = folder / "performance" / "measured.json"
    measured.write_text(json.dumps(before))

    run("performance.py", "startup", "--docs", str(folder))

    after = json.loads(measured.read_text())
    assert after["startup"]["results"]["rows"]
    assert {name: after[name] for name in after if name != "startup"} == {
        name: before[name] for name in before if name != "startup"
    }
    page = (folder / "performance.md").read_text()
    for name, document in after.items():
        assert f"## {document['question']}\n\n`python benchmarks/{name}.py`" in page
    plots = sorted((folder / "performance").glob("*.svg"))
    assert plots
    for plot in plots:
        assert f"](performance/{plot.name})" in page
        assert "nan" not in plot.read_text()
        ElementTree.parse(plot)


def test_a_question_that_nobody_asks_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "performance.py"), "speed", "--docs", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 2
    assert "no benchmark speed" in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_takes_too_long_is_stopped_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    from processes import cost

    found = cost(functools.partial, time.sleep, 600, seconds=0.2)

    assert found.seconds is None
    assert found.stopped == "stopped at 0 s"
    assert found.peak >= found.loaded > 0


def test_the_peak_is_that_of_the_measured_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    from processes import cost

    large = b"x" * 300_000_000
    found = cost(functools.partial, os.urandom, 100_000_000, repeat=1)

    assert len(large) == 300_000_000
    assert found.seconds is not None
    assert 0.09 < found.peak - found.loaded < 0.15
    assert found.peak < 0.3


def test_a_failure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    from processes import cost

    assert cost(functools.partial, int, "x").stopped.startswith("ValueError: invalid literal")
