"""Draws docs/studio.jpg and docs/studio-marks.jpg: the studio with the sample's hair cut out.

    python tools/studio_pictures.py docs

Starts `deepmatte studio` and works in it as a person does, in headless Chromium: a box, then a
stroke of Keep over the face and strokes of Find out over the whiskers.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE = 120_000  # milliseconds
BOX = ((150, 30), (1050, 910))  # beyond the lower edge, which cuts the subject
WHISKERS = (
    ((880, 430), (1040, 415)),
    ((900, 480), (1060, 480)),
    ((880, 570), (980, 620)),
    ((860, 620), (950, 700)),
    ((300, 490), (180, 450)),
    ((300, 560), (190, 610)),
)
FACE = ((656, 402), (660, 420), (581, 480), (585, 505))  # which the box was not sure of
STARTED = re.compile(r"http://127\.0\.0\.1:\d+/\S+")
# Places of the photo as places of the window.
PLACES = """async (places) => {
  const { studio } = await import("/app.js");
  const { left, top } = studio.stage.canvas.getBoundingClientRect();
  const { scale, x, y, ratio } = studio.view;
  return places.map(([right, down]) =>
    [left + (right * scale + x) / ratio, top + (down * scale + y) / ratio]);
}"""


def drag(page: Page, way: tuple[tuple[int, int], ...]) -> None:
    """Press at the first place of the photo, let go at the last; then wait for the cut-out."""
    first, *others = page.evaluate(PLACES, [list(place) for place in way])
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
    page.wait_for_timeout(1500)
    expect(page.locator("#status")).to_have_text("The cut-out is up to date", timeout=PATIENCE)


def draw(page: Page, folder: Path) -> None:
    """Cut the sample out and take both pictures."""
    page.get_by_role("button", name="Try the sample").click()
    expect(page.locator("#picture-name")).to_have_text("fur.jpg", timeout=PATIENCE)
    page.wait_for_timeout(1000)
    drag(page, BOX)
    page.keyboard.press("f")
    drag(page, FACE)
    page.keyboard.press("u")
    for way in WHISKERS:
        drag(page, way)
    page.get_by_title("Close this message").evaluate_all("all => all.map((one) => one.click())")
    page.mouse.move(*page.evaluate(PLACES, [[120, 520]])[0])
    page.keyboard.press("1")
    page.keyboard.press("0")
    page.wait_for_timeout(500)
    page.screenshot(path=folder / "studio-marks.jpg", type="jpeg", quality=88)
    page.keyboard.press("3")
    page.keyboard.press("s")
    page.wait_for_timeout(500)
    page.screenshot(path=folder / "studio.jpg", type="jpeg", quality=88)


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    command = [sys.executable, "-m", "deepmatte", "studio", "--no-browser", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = STARTED.search(server.stdout.readline())
        assert address is not None
        program = shutil.which("chromium") or shutil.which("google-chrome")
        with (
            sync_playwright() as driver,
            driver.chromium.launch(executable_path=program) as browser,
        ):
            page = browser.new_page(viewport={"width": 1280, "height": 720}, color_scheme="light")
            page.goto(address[0])
            draw(page, folder)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
