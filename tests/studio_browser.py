"""A browser, the studio's server and what a person does with both, for the tests of its page."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deepmatte.trimap import open_trimap

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("uvicorn", reason="the studio's packages are not installed")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

expect = sync_api.expect

WIDTH, HEIGHT = 360, 270
CENTRE, RADIUS = (170, 130), 75
SETTLED = "The cut-out is up to date"
PATIENCE = 60_000  # milliseconds; other processes may have the cores for a while


class Server:
    """`deepmatte studio` as people start it."""

    def __init__(self, *arguments: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "deepmatte", "studio", "--no-browser", "--port", str(port)]
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\S+", line)
        assert found, line or self.process.communicate()[1]
        self.address, self.port = found[0], int(found[1])

    def end(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.communicate(timeout=30)


@dataclass(frozen=True)
class Scene:
    """A furry disc before a smooth background, and what is known of it."""

    file: Path
    alpha: NDArray[np.float32]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    down, right = rows - CENTRE[1], columns - CENTRE[0]
    angle = np.arctan2(down, right)
    fur = RADIUS + 7 * np.sin(37 * angle) + 4 * np.sin(61 * angle + 1)
    alpha = np.clip((fur - np.hypot(down, right)) / 5, 0, 1).astype(np.float32)
    subject = np.stack(
        [0.85 - 0.1 * np.sin(columns / 9), 0.5 + 0.1 * np.sin(rows / 7), 0.1 + 0 * rows]
    )
    behind = np.stack([0.1 + 0.1 * rows / HEIGHT, 0.25 + 0 * rows, 0.5 + 0.2 * columns / WIDTH])
    mixed = np.moveaxis(alpha * subject + (1 - alpha) * behind, 0, 2)
    file = tmp_path_factory.mktemp("scene") / "furry disc.png"
    Image.fromarray(np.rint(mixed * 255).astype(np.uint8)).save(file, dpi=(300, 300))
    return Scene(file, alpha)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.end()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that keeps nothing of other tests; the page must not complain in it."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    context.close()
    assert complaints == []


@pytest.fixture
def page(context: BrowserContext, server: Server) -> Page:
    page = context.new_page()
    page.on("filechooser", lambda _: None)  # from now on: choosers are otherwise sometimes missed
    page.goto(server.address)
    return page


# --- what a person does -------------------------------------------------------------------------


def drop(page: Page, *files: Path) -> None:
    """Drop files on the page."""
    transfer = page.evaluate_handle("new DataTransfer()")
    for file in files:
        page.locator("#file").evaluate("input => { input.onchange = null }")
        page.locator("#file").set_input_files(file)
        page.locator("#file").evaluate(
            "(input, transfer) => { transfer.items.add(input.files[0]) }", transfer
        )
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})


def open_file(page: Page, file: Path, size: tuple[int, int] | None = None) -> None:
    drop(page, file)
    expect(page.locator("#picture-name")).to_have_text(file.name, timeout=PATIENCE)
    if size is not None:
        expect(page.locator("#picture-size")).to_have_text("{} \u00d7 {}".format(*size))


def on_screen(page: Page, *places: tuple[float, float]) -> list[tuple[float, float]]:
    """Places of the picture as places of the window."""
    script = """async (places) => {
      const { studio } = await import("/app.js");
      const { left, top } = studio.stage.canvas.getBoundingClientRect();
      const { scale, x, y, ratio } = studio.view;
      return places.map(([right, down]) => [
        left + (right * scale + x) / ratio,
        top + (down * scale + y) / ratio,
      ]);
    }"""
    return [(x, y) for x, y in page.evaluate(script, [list(place) for place in places])]


def drag(page: Page, *places: tuple[float, float]) -> None:
    """Press at the first place of the picture, let go at the last."""
    first, *others = on_screen(page, *places)
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def paint(page: Page, key: str, size: int, *places: tuple[float, float]) -> None:
    """A stroke with the brush of a key (F, B, U, E)."""
    page.keyboard.press(key)
    page.locator("[data-setting=size]").evaluate(
        "(slider, size) => { slider.value = Math.log10(size);"
        " slider.dispatchEvent(new Event('input')) }",
        size,
    )
    drag(page, *places)


def draw_box(page: Page) -> None:
    drag(page, (60, 20), (280, 240))
    settled(page)


def settled(page: Page) -> None:
    expect(page.locator("#status")).to_have_text(SETTLED, timeout=PATIENCE)


def download(page: Page, command: str, folder: Path) -> Path:
    page.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download(timeout=PATIENCE) as event:
        page.locator(f"#save-menu [data-command={command}]").click()
    path = folder / event.value.suggested_filename
    event.value.save_as(path)
    return path


def trimap_of(page: Page, folder: Path) -> NDArray[np.uint8]:
    return open_trimap(download(page, "saveTrimap", folder))


def ring(radius: float) -> list[tuple[float, float]]:
    """Places around the scene's disc."""
    angles = np.linspace(0, 2 * np.pi, 13)
    x, y = CENTRE[0] + radius * np.cos(angles), CENTRE[1] + radius * np.sin(angles)
    return [(float(right), float(down)) for right, down in zip(x, y, strict=True)]


def eventually(holds: Callable[[], bool], pause: float = 0.1) -> None:
    """Look again and again, with so many seconds in between."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(pause)


def colour_at(page: Page, place: tuple[float, float]) -> tuple[int, ...]:
    """What the screen shows at a place of the picture."""
    page.mouse.move(2, 400)  # the brush out of the way
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    ((x, y),) = on_screen(page, place)
    part = sync_api.FloatRect(x=int(x), y=int(y), width=1, height=1)
    colour = Image.open(io.BytesIO(page.screenshot(clip=part))).convert("RGB").getpixel((0, 0))
    assert isinstance(colour, tuple)
    return colour
