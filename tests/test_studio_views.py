"""What the studio's page shows at the same time, and where the subject stands in what is saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from studio_browser import (  # noqa: F401 (fixtures)
    CENTRE,
    PATIENCE,
    RADIUS,
    WIDTH,
    Scene,
    colour_at,
    context,
    download,
    drag,
    draw_box,
    eventually,
    expect,
    on_screen,
    open_file,
    page,
    paint,
    scene,
    server,
    settled,
    trimap_of,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


def slide(page: Page, setting: str, value: float) -> None:
    page.locator(f"[data-setting={setting}]").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')) }",
        value,
    )


def pixels(image: Image.Image) -> NDArray[np.int64]:
    return np.asarray(image).astype(np.int64)


def test_marks_and_result_side_by_side_take_strokes(
    page: Page, scene: Scene, tmp_path: Path
) -> None:
    open_file(page, scene.file)
    draw_box(page)
    page.keyboard.press("3")
    page.keyboard.press("d")
    beside = page.locator("#marks")
    expect(beside).to_be_visible()
    (x, y), (corner, _) = on_screen(page, CENTRE, (0, 0))
    left, right = beside.bounding_box(), page.locator("#stage").bounding_box()
    assert left is not None
    assert right is not None
    assert left["width"] == right["width"]
    away = right["x"] - left["x"]
    page.keyboard.press("b")
    page.mouse.move(x - away - 15, y)  # on the marks
    page.mouse.down()
    page.mouse.move(x - away + 15, y, steps=4)
    page.mouse.up()
    settled(page)
    assert trimap_of(page, tmp_path)[CENTRE[1], CENTRE[0]] == 0
    assert colour_at(page, (2, 2)) == (0, 0, 0)  # the result, on black
    page.keyboard.press("1")
    assert colour_at(page, (2, 2)) == (0, 0, 0)  # the marks are beside it
    page.keyboard.press("d")
    expect(beside).to_be_hidden()
    assert on_screen(page, (0, 0))[0][0] < corner


def test_the_magnifier_shows_what_is_beneath_the_pointer(page: Page, scene: Scene) -> None:
    open_file(page, scene.file)
    draw_box(page)
    page.keyboard.press("7")
    page.keyboard.press("n")
    magnifier = page.locator("#magnifier")
    middle = """() => {
      const canvas = document.querySelector("#magnifier canvas");
      return [...canvas.getContext("2d").getImageData(
        canvas.width / 2, canvas.height / 2, 1, 1).data];
    }"""
    for place, grey in ((CENTRE, 255), ((20, 20), 0)):
        page.mouse.move(*on_screen(page, place)[0])
        expect(magnifier).to_be_visible()
        shown = f"({middle})()[0] === {grey}"
        page.wait_for_function(shown, timeout=PATIENCE)
    page.keyboard.press("n")
    expect(magnifier).to_be_hidden()


def test_the_box_is_adjusted_by_its_handles(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_file(page, scene.file)
    drag(page, (60, 20), (180, 240))  # half of it
    settled(page)
    assert (trimap_of(page, tmp_path)[:, 182:] == 0).all()
    page.keyboard.press("m")
    expect(page.locator("#box")).to_be_visible()
    drag(page, (180, 130), (280, 130))
    eventually(lambda: trimap_of(page, tmp_path)[130, 200] == 255)
    labels = trimap_of(page, tmp_path)
    assert (labels[:, 282:] == 0).all()
    assert (labels[:19] == 0).all()
    paint(page, "u", 8, (160, 130), (170, 130))
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    page.keyboard.press("m")
    expect(page.locator("#box")).to_be_hidden()  # strokes are not to be lost by a handle


def test_boxes_add_and_subtract(page: Page, scene: Scene, tmp_path: Path) -> None:
    one = np.asarray(Image.open(scene.file))
    Image.fromarray(np.hstack([one, one])).save(tmp_path / "two discs.png")
    open_file(page, tmp_path / "two discs.png")
    first, second = CENTRE, (CENTRE[0] + WIDTH, CENTRE[1])
    wanted = [
        ("", "Box", first, (255, 0)),
        ("Shift", "Box added", second, (255, 255)),
        ("Alt", "Box subtracted", first, (0, 255)),
    ]
    for number, (key, name, (x, y), expected) in enumerate(wanted, 1):
        page.keyboard.press("m")
        if key:
            page.keyboard.down(key)
        drag(page, (x - 110, y - 110), (x + 110, y + 110))
        if key:
            page.keyboard.up(key)
        step = f"{number}. {name}"
        page.get_by_role("button", name="History").click()
        expect(page.locator("#steps-menu [aria-current]")).to_have_text(step, timeout=PATIENCE)
        page.keyboard.press("Escape")
        labels = trimap_of(page, tmp_path)
        assert (labels[first[::-1]], labels[second[::-1]]) == expected
    expect(page.get_by_role("dialog", name="What is this box for?")).to_be_hidden()


def test_the_edge_brush_lays_a_band_along_the_edge(
    page: Page, scene: Scene, tmp_path: Path
) -> None:
    open_file(page, scene.file)
    mask = np.zeros(scene.alpha.shape, np.uint8)  # its edge lies too far inside
    rows, columns = np.indices(mask.shape)
    mask[np.hypot(columns - CENTRE[0], rows - CENTRE[1]) < RADIUS - 22] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    page.locator("#file").evaluate("input => { input.onchange = null }")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Trimap", exact=True).click()
        page.locator("#trimap-menu").get_by_role("button", name="Load a mask").click()
    chooser.value.set_files(tmp_path / "mask.png")
    settled(page)
    line = slice(CENTRE[0] + RADIUS - 30, CENTRE[0] + RADIUS + 20)
    assert (trimap_of(page, tmp_path)[CENTRE[1], line] == 0).mean() > 0.5
    x = CENTRE[0] + RADIUS - 8
    paint(page, "r", 60, (x, CENTRE[1] - 25), (x, CENTRE[1] + 25))
    true_edge = int(np.abs(scene.alpha[CENTRE[1], line] - 0.5).argmin()) + line.start

    def follows() -> bool:
        row = trimap_of(page, tmp_path)[CENTRE[1]]
        return bool(
            row[true_edge] == 128 and row[true_edge - 28] == 255 and row[true_edge + 15] == 0
        )

    eventually(follows)
    page.keyboard.press("Control+z")
    eventually(lambda: (trimap_of(page, tmp_path)[CENTRE[1], line] == 0).mean() > 0.5)


def test_a_moved_subject_and_its_shadow_are_saved_as_they_are_seen(
    page: Page, scene: Scene, tmp_path: Path
) -> None:
    open_file(page, scene.file)
    draw_box(page)
    page.get_by_role("button", name="Background…").click()
    page.get_by_role("button", name="Cream").click()
    slide(page, "shadow", 80)
    below = (CENTRE[0], CENTRE[1] + RADIUS + 12)
    cream = colour_at(page, (350, 10))
    eventually(lambda: sum(colour_at(page, below)) < sum(cream) - 12)
    onto = {place: colour_at(page, place) for place in (CENTRE, below, (350, 10))}
    saved = Image.open(download(page, "saveCompositePng", tmp_path))
    for place, seen in onto.items():
        assert np.abs(np.subtract(seen, pixels(saved)[place[1], place[0]])).max() < 8
    page.get_by_role("button", name="Background…").click()
    page.get_by_role("button", name="Move the subject").click()
    drag(page, CENTRE, (CENTRE[0] + 60, CENTRE[1] - 20))
    page.mouse.move(*on_screen(page, CENTRE)[0])
    page.mouse.wheel(0, 120)  # smaller, about its own middle
    frame = "import('/app.js').then(({ studio }) => studio.project.layers.frame.subject)"
    eventually(lambda: page.evaluate(frame)["scale"] < 0.9)
    place = page.evaluate(frame)
    saved = Image.open(download(page, "saveCompositePng", tmp_path))

    def moved(at: tuple[float, float]) -> tuple[int, int]:
        return (
            int(place["left"] + at[0] * place["scale"]),
            int(place["top"] + at[1] * place["scale"]),
        )

    assert abs(moved(CENTRE)[0] - CENTRE[0] - 60) < 3
    for at in (CENTRE, below, (CENTRE[0] - RADIUS - 20, CENTRE[1])):
        seen = colour_at(page, at)
        x, y = moved(at)
        assert np.abs(np.subtract(seen, pixels(saved)[y, x])).max() < 10
    page.reload()
    settled(page)
    assert page.evaluate(frame)["scale"] == place["scale"]
    page.get_by_role("button", name="Background…").click()
    page.get_by_role("button", name="Reset").click()
    assert page.evaluate(frame) is None


def test_onion_skin_shows_the_photo_and_is_not_saved(
    page: Page, scene: Scene, tmp_path: Path
) -> None:
    open_file(page, scene.file)
    draw_box(page)
    page.keyboard.press("3")
    assert colour_at(page, (20, 20)) == (0, 0, 0)
    slide(page, "onion", 100)
    photo = np.asarray(Image.open(scene.file))[20, 20]
    eventually(lambda: np.abs(np.subtract(colour_at(page, (20, 20)), photo)).max() < 8)
    saved = Image.open(download(page, "saveCompositePng", tmp_path))
    assert saved.getpixel((20, 20)) == (0, 0, 0)
