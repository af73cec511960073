"""How many strokes does a good cut-out take in the studio?

    python benchmarks/studio_photos.py DATA [--out FOLDER] [--only NAME] [--most 10]

DATA holds `aim500/dev` (photos, alphas and trimaps) and `backgrounds/dreambooth` (photos). A person
is played in headless Chromium, against the real server: a box around the subject, then strokes
where the cut-out is wrong.

Where alpha is known, the person looks for the largest spot that is wrong, and paints along its
middle: Keep, Remove, or Find out where the truth lies between. The cut-out is good once its SAD, of
the whole photo, is at most 1.3 times that with the trimap that comes with the photo. Where alpha is
not known, box and strokes were chosen by eye, and the cut-outs are saved to be looked at.
"""

from __future__ import annotations

import argparse
import io
import math
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from studio import chromium, studio

import deepmatte
from deepmatte.images import open_alpha

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTH, HEIGHT = 1600, 1000
GOOD = 1.3
STOPS = 8  # places on the way of a stroke
KNOWN = ("o_0530e2e7", "o_0c33063a", "o_1a9abc07", "o_1f836c45", "o_3a9a5e7c")


@dataclass(frozen=True)
class Stroke:
    """A mark's key (F, B or U), the brush in pixels of the photo, and its way."""

    key: str
    size: int
    way: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class ByEye:
    """A photo without a known alpha: a box and strokes, in shares of width and height.

    Without a box the subject is found from the strokes.
    """

    name: str
    box: tuple[float, float, float, float] | None
    strokes: tuple[tuple[str, float, tuple[tuple[float, float], ...]], ...]


BY_EYE = (
    ByEye(
        "006_backpack_dog__00.jpg",
        (0.29, 0.19, 0.78, 0.80),
        (
            ("f", 0.05, ((0.45, 0.36), (0.62, 0.42), (0.66, 0.54))),
            ("f", 0.05, ((0.36, 0.60), (0.55, 0.68), (0.64, 0.72))),
        ),
    ),
    ByEye(
        "011_bear_plushie__00.jpg",
        (0.37, 0.13, 0.76, 0.59),
        (
            ("f", 0.02, ((0.42, 0.50), (0.45, 0.52))),
            ("f", 0.02, ((0.67, 0.54), (0.71, 0.51))),
            ("f", 0.02, ((0.58, 0.28), (0.62, 0.30))),
        ),
    ),
    ByEye(
        "038_cat__00.jpg",
        None,
        (
            ("f", 0.04, ((0.22, 0.27), (0.19, 0.50), (0.38, 0.60), (0.55, 0.70))),
            ("b", 0.04, ((0.20, 0.06), (0.48, 0.20), (0.45, 0.45), (0.70, 0.62), (0.92, 0.70))),
            ("b", 0.015, ((0.03, 0.10), (0.03, 0.38))),
            ("b", 0.03, ((0.05, 0.92), (0.50, 0.92), (0.75, 0.86), (0.95, 0.90))),
            ("f", 0.015, ((0.65, 0.73), (0.80, 0.775), (0.97, 0.79))),
            ("f", 0.015, ((0.10, 0.68), (0.14, 0.80), (0.20, 0.70), (0.29, 0.70), (0.31, 0.82))),
        ),
    ),
    ByEye(
        "054_dog2__00.jpg",
        (0.29, 0.26, 0.74, 0.97),
        (
            ("f", 0.02, ((0.505, 0.55), (0.525, 0.57))),
            ("b", 0.012, ((0.685, 0.775), (0.655, 0.825))),
        ),
    ),
    ByEye(
        "101_grey_sloth_plushie__00.jpg",
        (0.15, 0.18, 0.63, 0.67),
        (("f", 0.03, ((0.35, 0.31), (0.435, 0.32))),),
    ),
)


def main() -> None:
    """Play both kinds of persons and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", help="a part of the names of the photos to play")
    parser.add_argument("--most", type=int, default=10, help="strokes, the box not counted")
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp())
    out.mkdir(parents=True, exist_ok=True)
    counts: list[float] = []
    print("| photo | strokes until good | SAD | with its trimap | ratio | seconds |")
    print("|---|---|---|---|---|---|")
    with studio() as address, chromium() as browser:
        wanted = arguments.only or ""
        for name in filter(lambda name: wanted in name, KNOWN):
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            counts.append(play_known(page, address, arguments.data, name, arguments.most, out))
            page.close()
        for photo in filter(lambda photo: wanted in photo.name, BY_EYE):
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            counts.append(play_by_eye(page, address, arguments.data, photo, out))
            page.close()
    print(f"\nMedian of {len(counts)} photos: {statistics.median(counts):g} strokes.")


def play_known(page: Page, address: str, data: Path, name: str, most: int, out: Path) -> float:
    """Box and strokes by the known alpha; the number of strokes, infinite if it never was good."""
    folder = data / "aim500" / "dev"
    photo = next((folder / "images").glob(f"{name}.*"))
    truth = open_alpha(folder / "alphas" / f"{name}.png")
    given = deepmatte.matte(photo, folder / "trimaps" / f"{name}.png").alpha
    bound = GOOD * sad(given, truth)
    began = time.monotonic()
    open_photo(page, address, photo)
    height, width = truth.shape
    rows, columns = np.nonzero(truth > 0.05)
    margin = 0.015 * max(height, width)
    drag(
        page,
        (
            (columns.min() - margin, rows.min() - margin),
            (columns.max() + margin, rows.max() + margin),
        ),
    )
    settle(page)
    painted: list[Stroke] = []
    found = alpha_of(page)
    while sad(found, truth) > bound and len(painted) < most:
        stroke = next_stroke(found, truth, painted)
        if stroke is None:
            break
        paint(page, stroke)
        painted.append(stroke)
        found = alpha_of(page)
    strokes = len(painted)
    reached = sad(found, truth)
    page.keyboard.press("3")
    page.screenshot(path=out / f"{name}.png")
    print(
        f"| {name} | {strokes if reached <= bound else f'not in {strokes}'} | {reached:.2f}"
        f" | {bound / GOOD:.2f} | {reached / bound * GOOD:.2f} | {time.monotonic() - began:.0f} |",
        flush=True,
    )
    return strokes if reached <= bound else math.inf


def play_by_eye(page: Page, address: str, data: Path, photo: ByEye, out: Path) -> float:
    """Box and strokes as they were chosen by eye; their number."""
    file = data / "backgrounds" / "dreambooth" / photo.name
    with Image.open(file) as image:
        width, height = image.size
    began = time.monotonic()
    open_photo(page, address, file)
    if photo.box is not None:
        left, top, right, bottom = photo.box
        drag(page, ((left * width, top * height), (right * width, bottom * height)))
        settle(page)
    for key, size, way in photo.strokes:
        places = tuple((x * width, y * height) for x, y in way)
        stroke = Stroke(key, round(size * math.hypot(width, height)), places)
        paint(page, stroke, begun=photo.box is not None)
    if photo.box is None:
        page.keyboard.press("Enter")
        settle(page)
    page.keyboard.press("3")
    page.screenshot(path=out / f"{Path(photo.name).stem}.png")
    seconds = time.monotonic() - began
    print(f"| {photo.name} | {len(photo.strokes)}, by eye | | | | {seconds:.0f} |", flush=True)
    return len(photo.strokes)


def next_stroke(
    found: NDArray[np.float32], truth: NDArray[np.float32], painted: list[Stroke]
) -> Stroke | None:
    """Over the largest spot that is wrong; None if there is none worth it.

    Where Find out was painted before and has not helped, Keep or Remove says what is there. Where
    these have not helped, the next spot has its turn.
    """
    wrong = (np.abs(found - truth) > 0.25).astype(np.uint8)
    wrong = np.asarray(cv2.morphologyEx(wrong, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(wrong)
    for part in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA]):
        if stats[part, cv2.CC_STAT_AREA] < 30:
            break
        stroke = stroke_over(np.asarray(parts) == part, truth, painted)
        if stroke is not None:
            return stroke
    return None


def stroke_over(
    spot: NDArray[np.bool_], truth: NDArray[np.float32], painted: list[Stroke]
) -> Stroke | None:
    """Along the middle of a spot; None if Keep or Remove was painted there already."""
    depth = cv2.distanceTransform(np.pad(spot.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    deepest = np.unravel_index(int(depth.argmax()), depth.shape)
    before = {stroke.key for stroke in painted if covers(stroke, deepest)}
    if before & {"f", "b"}:
        return None
    middle = depth > 0.5 * depth.max()
    inside = truth[middle].mean()
    key = "f" if inside > 0.85 else "b" if inside < 0.15 else "u"
    if key == "u" and before:
        key = "f" if inside > 0.5 else "b"
    way, thin = along(depth, middle)
    size = max(3, round(1.4 * thin * (1.6 if key == "u" else 1)))
    return Stroke(key, size, way)


def along(
    depth: NDArray[Any], middle: NDArray[np.bool_]
) -> tuple[tuple[tuple[float, float], ...], float]:
    """A way through the middle of a spot, from one end to the other, and its usual depth there."""
    rows, columns = np.nonzero(middle)
    places = np.stack([columns, rows], axis=1).astype(np.float64)  # (N, 2)
    places -= places.mean(axis=0)
    axis = np.linalg.eigh(places.T @ places)[1][:, -1]
    onward = places @ axis
    bins = np.clip(
        (STOPS * (onward - onward.min()) / max(np.ptp(onward), 1)).astype(int), 0, STOPS - 1
    )
    deep = depth[rows, columns]
    stops = [np.flatnonzero(bins == stop) for stop in range(STOPS)]
    best = [found[deep[found].argmax()] for found in stops if found.size]
    way = tuple((float(columns[index]), float(rows[index])) for index in best)
    return (way if len(way) > 1 else (*way, *way)), float(np.median(deep[best]))


def covers(stroke: Stroke, place: tuple[np.intp, ...]) -> bool:
    """Whether a stroke goes over a place (row, column), or passes close by."""
    point = np.array([place[1], place[0]], np.float64)
    way = np.array(stroke.way, np.float64)  # (N, 2)
    ways = np.diff(way, axis=0)
    lengths = np.maximum((ways**2).sum(axis=1), 1e-6)
    along_each = np.clip(((point - way[:-1]) * ways).sum(axis=1) / lengths, 0, 1)
    nearest = way[:-1] + along_each[:, None] * ways
    return bool(np.hypot(*(nearest - point).T).min() < max(stroke.size, 12) / 2)


def sad(alpha: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Of the whole photo, in thousands."""
    return float(np.abs(alpha - truth).sum()) / 1000


# --- what a person does -------------------------------------------------------------------------


def open_photo(page: Page, address: str, photo: Path) -> None:
    """From the start page."""
    page.set_default_timeout(300_000)
    page.on("filechooser", lambda _: None)
    page.goto(address)
    page.get_by_role("button", name="Open", exact=True).click()
    with page.expect_file_chooser() as chooser:
        page.locator(":popover-open").get_by_role("button", name="Photo…").click()
    chooser.value.set_files(photo)
    page.get_by_role("heading", name=photo.name).wait_for()


def on_screen(page: Page, way: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    """Places of the photo as places of the window."""
    script = """async (places) => {
      const { studio } = await import("/app.js");
      const { left, top } = studio.stage.canvas.getBoundingClientRect();
      const { scale, x, y, ratio } = studio.view;
      return places.map(([right, down]) => [
        left + (right * scale + x) / ratio, top + (down * scale + y) / ratio]);
    }"""
    return [(x, y) for x, y in page.evaluate(script, [list(map(float, place)) for place in way])]


def drag(page: Page, way: tuple[tuple[float, float], ...]) -> None:
    """Press at the first place, let go at the last."""
    first, *others = on_screen(page, way)
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def paint(page: Page, stroke: Stroke, begun: bool = True) -> None:
    """A stroke, and its answer where a cut-out is begun."""
    page.keyboard.press(stroke.key)
    page.locator("[data-setting=size]").evaluate(
        "(slider, size) => { slider.value = Math.log10(size);"
        " slider.dispatchEvent(new Event('input')) }",
        max(1, min(1000, stroke.size)),
    )
    drag(page, stroke.way)
    if begun:
        page.wait_for_timeout(1500)  # the edge is looked for again
        settle(page)


def settle(page: Page) -> None:
    """Wait for the cut-out."""
    page.get_by_text("The cut-out is up to date").wait_for()


def alpha_of(page: Page) -> NDArray[np.float32]:
    """The matte as it would be saved."""
    page.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download() as event:
        page.locator("#save-menu [data-command=saveAlpha]").click()
    data = Path(event.value.path()).read_bytes()
    levels = np.asarray(Image.open(io.BytesIO(data)), np.float32)
    return np.asarray(levels / np.float32(255))


if __name__ == "__main__":
    main()
