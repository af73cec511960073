"""How smooth is painting in the studio, and how soon does the cut-out follow?

    python benchmarks/studio.py [--quick] [--json FILE]

A person's strokes in headless Chromium, which draws by software, against the real server on the
same machine. Frames a second are those that the browser shows while a stroke is painted for three
seconds. Milliseconds are from the end of a stroke of 200 pixels of the screen to the frame with
its new matte, the median of several strokes, while the rest of the picture is still being worked
on. The whole is settled once the page says so, after a stroke of its own.
"""

from __future__ import annotations

import itertools
import math
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import measuring
from measuring import Benchmark, Results, say, table
from processes import alone

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTH, HEIGHT = 1280, 720
PAINTING = 3.0  # seconds
STROKES = 7
STROKE = 200  # CSS pixels

FRAMES = """() => {
  window.frames_seen = [];
  window.watching = true;
  const tick = (now) => {
    window.frames_seen.push(now);
    if (window.watching) requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}"""
STOP = "() => { window.watching = false; return window.frames_seen; }"
SETTLED = "The cut-out is up to date"
MARKS = "() => performance.getEntriesByType('mark').map((mark) => [mark.name, mark.startTime])"


class Case(NamedTuple):
    """Megapixels of a picture, and how many of them are unknown."""

    megapixels: float
    unknown: float


CASES = (Case(2.5, 0.3), Case(24.0, 1.5))
QUICK = (Case(0.1, 0.01),)


class Way(NamedTuple):
    """A way of painting: its name, keys that choose the view, the brush on the screen, pixels."""

    name: str
    keys: tuple[str, ...]
    brush: int


WAYS = (
    Way("marks, whole picture", ("1", "0"), 20),
    Way("marks, whole picture, large brush", ("1", "0"), 150),
    Way("marks, 100 %", ("1", "z"), 60),
    Way("cut-out, whole picture", ("2", "0"), 40),
    Way("matte, whole picture", ("7", "0"), 40),
)


def measure(quick: bool) -> Results:
    """A row a picture: frames a second of each way, milliseconds of each stroke."""
    rows = []
    with studio() as address, chromium() as browser:
        for case in QUICK if quick else CASES:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.set_default_timeout(300_000)
            page.on("filechooser", lambda _: None)  # so that none is missed
            with tempfile.TemporaryDirectory() as name:
                photo, trimap = alone(save, Path(name), case)
                open_picture(page, address, photo, trimap)
            ways = [{"name": way.name, **painted(page, way)} for way in WAYS]
            answers = [answered(page, index) for index in range(2 if quick else STROKES)]
            settled = whole(page)
            page.close()
            rows.append(
                {
                    "megapixels": case.megapixels,
                    "ways": ways,
                    "answers": answers,
                    "settled": settled,
                }
            )
            median = statistics.median(answers)
            say(f"{case.megapixels:g} MP: an answer in {median:.0f} ms")
    return {"rows": rows}


def save(folder: Path, case: Case) -> tuple[Path, Path]:
    """Write a photo and its trimap."""
    import scenes

    return scenes.save_files(folder, case.megapixels, case.unknown)


@contextmanager
def studio() -> Iterator[str]:
    """The address of a server of its own."""
    command = [sys.executable, "-m", "deepmatte", "studio", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found
        try:
            yield found[0]
        finally:
            process.terminate()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next(filter(None, map(shutil.which, names)))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program)
        yield browser
        browser.close()


def open_picture(page: Page, address: str, photo: Path, trimap: Path) -> None:
    """Open a picture and its trimap, and wait for the cut-out."""
    page.goto(address)
    for menu, entry, file in (("Open", "Photo…", photo), ("Trimap", "Load a trimap", trimap)):
        page.get_by_role("button", name=menu, exact=True).click()
        with page.expect_file_chooser() as chooser:
            page.locator(":popover-open").get_by_role("button", name=entry).click()
        chooser.value.set_files(file)
        page.get_by_role("heading", name="photo.jpg").wait_for()
    page.get_by_text(SETTLED).wait_for()


def choose(page: Page, way: Way) -> None:
    """The view and the brush."""
    for key in way.keys:
        page.keyboard.press(key)
    page.keyboard.press("u")
    zoom = int(page.locator("#zoom").inner_text().split()[0]) / 100
    size = min(1000, max(1, way.brush / zoom))
    page.locator("[data-setting=size]").fill(str(round(math.log10(size), 2)))
    page.wait_for_timeout(500)


def painted(page: Page, way: Way) -> dict[str, float]:
    """Frames a second while painting, and the longest wait between two of them."""
    choose(page, way)
    page.evaluate(FRAMES)
    page.mouse.move(640, 300)
    page.mouse.down()
    began = time.monotonic()
    while (passed := time.monotonic() - began) < PAINTING:
        x = 640 + 250 * math.sin(4.1 * passed)
        y = 350 + 180 * math.cos(3.3 * passed)
        page.mouse.move(x, y)
    frames = page.evaluate(STOP)
    page.mouse.up()
    page.keyboard.press("Control+z")
    waits = [after - before for before, after in itertools.pairwise(frames)]
    return {"frames": 1000 * len(waits) / (frames[-1] - frames[0]), "longest": max(waits)}


def whole(page: Page) -> float:
    """Milliseconds from the end of a stroke until the whole cut-out is up to date."""
    page.get_by_text(SETTLED).wait_for()
    answer = answered(page, STROKES)  # where no stroke has been: the same again changes nothing
    drawn = page.evaluate("() => performance.now()")
    page.get_by_text(SETTLED).wait_for()
    return answer + float(page.evaluate("() => performance.now()") - drawn)


def answered(page: Page, index: int) -> float:
    """Milliseconds from the end of a stroke to its new matte on the screen."""
    choose(page, Way("", ("2", "0"), 20))
    page.evaluate("() => performance.clearMarks()")
    x, y = 480 + 20 * index, 180 + 55 * index
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + STROKE, y, steps=20)
    page.mouse.up()
    while True:
        marks = page.evaluate(MARKS)
        ended = [at for name, at in marks if name == "stroke end"]
        drawn = [at for name, at in marks if name == "answer drawn" and ended and at > ended[0]]
        if drawn:
            return float(drawn[0] - ended[0])
        page.wait_for_timeout(50)


def report(results: Results) -> str:
    """A row a way of painting, a column a picture."""
    pictures = [f"{row['megapixels']:g} MP" for row in results["rows"]]
    rows = [
        (
            f"frames a second: {way.name}",
            *(f"{row['ways'][index]['frames']:.0f}" for row in results["rows"]),
        )
        for index, way in enumerate(WAYS)
    ]
    longest = [max(way["longest"] for way in row["ways"]) for row in results["rows"]]
    medians = [statistics.median(row["answers"]) for row in results["rows"]]
    slowest = [max(row["answers"]) for row in results["rows"]]
    rows.append(("longest wait for a frame", *(f"{wait:.0f} ms" for wait in longest)))
    rows.append((f"answer to a stroke of {STROKE} px", *(f"{wait:.0f} ms" for wait in medians)))
    rows.append(("the slowest of them", *(f"{wait:.0f} ms" for wait in slowest)))
    settled = [row["settled"] / 1000 for row in results["rows"]]
    rows.append(("the whole settled after a stroke", *(f"{wait:.1f} s" for wait in settled)))
    frames = min(way["frames"] for row in results["rows"] for way in row["ways"])
    said = f"At least {frames:.0f} frames a second; an answer takes {max(medians):.0f} ms."
    return f"{said}\n\n" + table(("", *pictures), rows)


BENCHMARK = Benchmark("studio", __doc__, measure, report)

if __name__ == "__main__":
    measuring.main(BENCHMARK)
