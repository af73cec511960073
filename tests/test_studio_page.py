"""The studio's page in a real browser, against the real server."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image
from studio_browser import (  # noqa: F401 (fixtures)
    CENTRE,
    HEIGHT,
    PATIENCE,
    RADIUS,
    WIDTH,
    Scene,
    Server,
    colour_at,
    context,
    download,
    drag,
    draw_box,
    drop,
    eventually,
    expect,
    on_screen,
    open_file,
    page,
    paint,
    ring,
    scene,
    server,
    settled,
    trimap_of,
)
from typer.testing import CliRunner

import deepmatte
from deepmatte.cli.app import app
from deepmatte.evaluation.metrics import sad
from deepmatte.images import open_alpha
from deepmatte.matting import Matter
from deepmatte.trimap import BACKGROUND, UNKNOWN, open_trimap

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.slow

SAMPLES = Path(deepmatte.__file__).parent / "samples"

# --- from a picture to a cut-out ----------------------------------------------------------------


def test_a_box_and_a_stroke_make_what_the_library_makes(
    page: Page, scene: Scene, tmp_path: Path
) -> None:
    expect(page.get_by_role("heading", name="Drop a photo here")).to_be_visible()
    open_file(page, scene.file, (WIDTH, HEIGHT))
    expect(page.locator("#start")).to_be_visible()
    draw_box(page)
    paint(page, "u", 30, *ring(RADIUS))
    settled(page)

    trimap = download(page, "saveTrimap", tmp_path)
    assert trimap.name == "furry disc.trimap.png"
    labels = open_trimap(trimap)
    assert all(labels[round(y), round(x)] == 128 for x, y in ring(RADIUS))
    names = {"cutout": "saveCutoutPng", "alpha": "saveAlpha", "foreground": "saveForeground"}
    wanted = [f"--{kind}={tmp_path / kind}.png" for kind in names]
    colour = ["--over=#00b140", f"--composite={tmp_path / 'composite.png'}"]
    arguments = ["matte", str(scene.file), str(trimap), *wanted, *colour]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    for kind, command in names.items():
        expected = (tmp_path / f"{kind}.png").read_bytes()
        assert download(page, command, tmp_path).read_bytes() == expected
    page.keyboard.press("5")
    composite = download(page, "saveCompositePng", tmp_path)
    assert composite.read_bytes() == (tmp_path / "composite.png").read_bytes()
    alpha = open_alpha(tmp_path / "alpha.png")
    assert sad(alpha, scene.alpha, np.full_like(labels, 128)) < 0.4


def test_strokes_of_both_kinds_find_the_subject(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_file(page, scene.file)
    paint(page, "f", 12, (130, 130), (210, 130))
    find = page.get_by_role("button", name="Find the subject")
    expect(find).to_be_disabled()
    paint(page, "b", 12, (20, 20), (340, 20))
    expect(find).to_be_enabled()
    page.keyboard.press("Enter")
    settled(page)

    labels = trimap_of(page, tmp_path)
    assert labels[130, 130] == 255
    assert labels[20, 300] == 0
    known = labels != 128
    assert (np.abs(labels / 255 - scene.alpha)[known] > 0.5).mean() < 0.01
    assert 0.02 < (~known).mean() < 0.3


def test_fur_in_a_box_and_a_stroke_along_it(page: Page, tmp_path: Path) -> None:
    photo = np.asarray(Image.open(SAMPLES / "fur.jpg"))[::2, ::2]
    given = open_trimap(SAMPLES / "fur.trimap.png")[::2, ::2]
    rows, columns = np.nonzero(given != BACKGROUND)
    (outline, *_), _ = cv2.findContours(
        (given != BACKGROUND).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    middle = [(columns.mean() + 0.95 * (x - columns.mean()), y) for x, y in outline[::40, 0]]
    file = tmp_path / "fur.png"
    Image.fromarray(photo).save(file)
    open_file(page, file)
    left, right, top, bottom = (int(end(at)) for at in (columns, rows) for end in (np.min, np.max))
    drag(page, (left - 5, top - 5), (right + 5, bottom + 5))
    settled(page)
    paint(page, "u", 44, *((float(x), float(y)) for x, y in middle))
    settled(page)

    painted = open_alpha(download(page, "saveAlpha", tmp_path))
    best = Matter()(photo, given).alpha
    assert np.abs(painted - best)[given == UNKNOWN].mean() < 0.05


def test_every_way_in(page: Page, context: BrowserContext, scene: Scene, server: Server) -> None:
    page.get_by_role("button", name="Try the sample").click()
    expect(page.locator("#picture-name")).to_have_text("fur.jpg", timeout=PATIENCE)
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Control+o")
    chooser.value.set_files(scene.file)
    expect(page.locator("#picture-name")).to_have_text(scene.file.name, timeout=PATIENCE)
    draw_box(page)

    pasted = """async (bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "pasted.png", { type: "image/png" }));
      dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
    }"""
    page.evaluate(pasted, list(scene.file.read_bytes()))
    use = page.get_by_role("dialog", name="What is pasted.png for?")
    use.get_by_role("button", name="A new photo").click()
    expect(page.locator("#picture-name")).to_have_text("pasted.png", timeout=PATIENCE)

    # What was painted before is not lost: a new tab offers it.
    other = context.new_page()
    other.goto(server.address)
    other.get_by_title("Continue with furry disc.png where you left it").click()
    expect(other.locator("#picture-name")).to_have_text(scene.file.name, timeout=PATIENCE)
    settled(other)


def test_the_picture_of_the_command_line(browser: Browser, scene: Scene) -> None:
    server = Server(str(scene.file))
    try:
        page = browser.new_page()
        page.goto(server.address)
        expect(page.locator("#picture-name")).to_have_text(scene.file.name, timeout=PATIENCE)
        assert "token" not in page.url
        page.close()
    finally:
        server.end()


# --- painting -----------------------------------------------------------------------------------


def test_undo_redo_and_the_eraser(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_file(page, scene.file)
    page.keyboard.press("a")  # strokes mark just what they cover
    draw_box(page)
    states = [trimap_of(page, tmp_path)]
    paint(page, "b", 21, (100, 60), (240, 60))
    paint(page, "u", 33, (120, 200), (220, 200))
    states.append(trimap_of(page, tmp_path))
    paint(page, "e", 27, (100, 60), (240, 60))  # a little wider: no mark of it is left
    states.append(trimap_of(page, tmp_path))

    assert not np.array_equal(states[0], states[1])
    assert np.array_equal(states[2][:120], states[0][:120])
    assert np.array_equal(states[2][120:], states[1][120:])
    page.keyboard.press("Control+z")
    assert np.array_equal(trimap_of(page, tmp_path), states[1])
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert np.array_equal(trimap_of(page, tmp_path), states[0])
    for _ in range(3):
        page.keyboard.press("Control+Shift+z")
    assert np.array_equal(trimap_of(page, tmp_path), states[2])
    for _ in range(4):
        page.keyboard.press("Control+z")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    expect(page.locator("#start")).to_be_visible()  # not even a box was drawn
    page.keyboard.press("Control+y")
    settled(page)
    assert np.array_equal(trimap_of(page, tmp_path), states[0])


def test_a_stroke_is_a_disc_that_was_moved(page: Page, scene: Scene, tmp_path: Path) -> None:
    """No grey edges, no gaps, and the diameter that was chosen, at any zoom."""
    open_file(page, scene.file)
    draw_box(page)
    page.keyboard.press("z")
    page.keyboard.press("+")
    before = trimap_of(page, tmp_path)
    paint(page, "u", 19, (90.5, 40.5), (250.5, 40.5))
    painted = trimap_of(page, tmp_path)[31:50, 81:260]

    rows, columns = np.mgrid[31:50, 81:260]
    away = np.hypot(rows - 40, columns - np.clip(columns, 90, 250))
    expected = np.where(away <= 9.5, 128, before[31:50, 81:260])
    assert np.array_equal(painted, expected)


def test_fill_band_and_files(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_file(page, scene.file)
    draw_box(page)
    boxed = trimap_of(page, tmp_path)
    page.keyboard.press("b")
    page.keyboard.press("g")
    page.mouse.click(*on_screen(page, CENTRE)[0])
    filled = trimap_of(page, tmp_path)
    assert filled[CENTRE[1], CENTRE[0]] == 0
    assert np.array_equal(filled == 128, boxed == 128)
    page.keyboard.press("Control+z")

    slider = page.get_by_role("slider", name="Band width")

    def grown() -> int:
        return int((trimap_of(page, tmp_path) == 128).sum() - (boxed == 128).sum())

    slider.fill("8")
    eventually(lambda: grown() > 0)
    slider.fill("-3")
    eventually(lambda: grown() < 0)
    page.keyboard.press("Control+z")  # both moves of the slider are one step
    assert np.array_equal(trimap_of(page, tmp_path), boxed)

    mask = tmp_path / "mask.png"
    Image.fromarray(np.where(scene.alpha > 0.5, 255, 0).astype(np.uint8)).save(mask)
    drop(page, mask)
    page.get_by_role("button", name="A mask").click()
    expected = deepmatte.matte_mask(scene.file, mask).trimap
    eventually(lambda: np.array_equal(trimap_of(page, tmp_path), expected))
    Image.fromarray(boxed).save(tmp_path / "own.png")
    page.get_by_role("button", name="Trimap", exact=True).click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Load a trimap").click()
    chooser.value.set_files(tmp_path / "own.png")
    expect(page.locator("#waiting")).to_be_hidden()
    assert np.array_equal(trimap_of(page, tmp_path), boxed)


def test_pen_and_fingers(page: Page, context: BrowserContext, scene: Scene, tmp_path: Path) -> None:
    open_file(page, scene.file)
    draw_box(page)
    before = trimap_of(page, tmp_path)
    page.keyboard.press("u")
    page.locator("[data-setting=size]").fill(str(np.log10(40)))
    device = context.new_cdp_session(page)
    (x, y), (_, end) = on_screen(page, (30, 60), (30, 200))
    pen = {"x": x, "button": "left", "buttons": 1, "pointerType": "pen", "clickCount": 1}
    device.send("Input.dispatchMouseEvent", {**pen, "type": "mousePressed", "y": y, "force": 0.25})
    device.send("Input.dispatchMouseEvent", {**pen, "type": "mouseMoved", "y": end, "force": 1.0})
    device.send("Input.dispatchMouseEvent", {**pen, "type": "mouseReleased", "y": end})
    marked = (trimap_of(page, tmp_path) != before).sum(axis=1)
    assert marked[60] < 16 < 36 < marked[199]

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(places)]
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    zoom = page.get_by_title("Show the photo at 100 %")
    page.keyboard.press("z")
    assert zoom.inner_text() == "100 %"
    marks = trimap_of(page, tmp_path)
    ((x, y),) = on_screen(page, (300, 250))
    fingers("touchStart", (x, y))
    fingers("touchStart", (x, y), (x + 100, y))
    for step in range(1, 6):
        fingers("touchMove", (x - 10 * step, y), (x + 100 + 10 * step, y))
    fingers("touchEnd")
    assert zoom.inner_text() == "200 %"
    # A pinch paints nothing, nor does it leave anything for the next stroke around it.
    paint(page, "b", 3, (270, 225), (270, 265), (340, 265))
    assert np.array_equal(trimap_of(page, tmp_path), marks)


def test_a_stroke_finds_what_the_box_has_missed(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_file(page, scene.file)
    drag(page, (60, 20), (195, 240))  # a third of the disc is outside
    settled(page)
    boxed = trimap_of(page, tmp_path)
    assert (boxed[100:160, 215:235] == 0).all()
    paint(page, "f", 12, (215, 110), (215, 150))
    eventually(lambda: trimap_of(page, tmp_path)[130, 222] == 255)
    settled(page)
    found = trimap_of(page, tmp_path)
    known = found != 128
    wrong = np.abs(found / 255 - scene.alpha)[known] > 0.5
    assert wrong.mean() < 0.01
    assert found[130, 243] == 128  # the disc's own edge, and not the stroke's
    page.keyboard.press("Control+z")  # the stroke and what it has found are one step
    eventually(lambda: np.array_equal(trimap_of(page, tmp_path), boxed))
    page.keyboard.press("Control+y")
    eventually(lambda: np.array_equal(trimap_of(page, tmp_path), found))

    page.keyboard.press("a")
    paint(page, "f", 40, (310, 70), (310, 170))  # just what it covers: no subject is there
    eventually(lambda: (trimap_of(page, tmp_path)[60:180, 292:328] == 255).mean() > 0.9)
    page.keyboard.press("a")
    paint(page, "b", 12, (310, 100), (310, 140))  # too much: all that looks alike there goes
    eventually(lambda: (trimap_of(page, tmp_path)[60:180, 285:335] == 255).mean() < 0.05)
    assert (trimap_of(page, tmp_path)[:, :250] == found[:, :250]).mean() > 0.99


# --- looking ------------------------------------------------------------------------------------


def test_views_show_what_they_say(page: Page, scene: Scene) -> None:
    open_file(page, scene.file)
    photo = np.asarray(Image.open(scene.file))
    inside, outside = CENTRE, (20, 20)
    draw_box(page)  # the first cut-out shows itself
    subject = colour_at(page, inside)
    assert np.abs(np.subtract(subject, photo[inside[1], inside[0]])).max() < 8
    shown = {"2": {(255, 255, 255), (220, 220, 220)}, "3": {(0, 0, 0)}, "4": {(255, 255, 255)}}
    for key, colours in {**shown, "5": {(0, 177, 64)}}.items():
        page.keyboard.press(key)
        assert colour_at(page, outside) in colours
        assert colour_at(page, inside) == subject
    page.keyboard.press("7")
    assert (colour_at(page, outside), colour_at(page, inside)) == ((0, 0, 0), (255, 255, 255))
    page.keyboard.press("s")  # the divider is in the middle, right of both places
    page.get_by_role("slider", name="Before and after").press("End")
    photo_outside = photo[outside[1], outside[0]]
    assert np.abs(np.subtract(colour_at(page, outside), photo_outside)).max() < 8
    page.get_by_role("slider", name="Before and after").press("Home")
    assert colour_at(page, outside) == (0, 0, 0)
    page.keyboard.press("1")
    red, _, blue = np.subtract(colour_at(page, outside), photo_outside.astype(int))
    assert red > 30 > 0 > blue  # removed: tinted red


def test_a_background_of_ones_own(page: Page, scene: Scene, tmp_path: Path) -> None:
    beach = np.zeros((100, 200, 3), np.uint8)
    beach[:, :100], beach[:, 100:] = (250, 200, 100), (40, 90, 200)
    Image.fromarray(beach).save(tmp_path / "beach.png")
    open_file(page, scene.file)
    draw_box(page)
    drop(page, tmp_path / "beach.png")
    page.get_by_role("button", name="The background").click()
    expect(page.locator("#waiting")).to_be_hidden()
    # It covers: scaled to 540 x 270, the border of the colours in the middle.
    assert colour_at(page, (20, 20)) == (250, 200, 100)
    assert colour_at(page, (340, 20)) == (40, 90, 200)
    drag(page, (20, 20), (-120, 20))
    assert colour_at(page, (60, 20)) == (40, 90, 200)

    composite = np.asarray(Image.open(download(page, "saveCompositePng", tmp_path)))
    assert composite.shape == (HEIGHT, WIDTH, 3)
    assert tuple(composite[20, 60]) == (40, 90, 200)
    assert tuple(composite[20, 20]) == (250, 200, 100)
    page.wait_for_timeout(400)  # settings are kept once they rest
    page.reload()
    settled(page)
    eventually(lambda: colour_at(page, (60, 20)) == (40, 90, 200))


def test_keys_and_words_for_everyone(page: Page, scene: Scene) -> None:
    open_file(page, scene.file)
    controls = page.locator("button, [data-setting]:not([type=radio]), label, #stage").all()
    assert len(controls) > 50
    for control in controls:
        said = control.evaluate(
            "e => e.title || e.closest('[title]')?.title || e.getAttribute('aria-label')"
        )
        assert said, control.evaluate("e => e.outerHTML")
    for role in ("button", "radio", "slider", "checkbox"):
        for control in page.get_by_role(role).all():
            assert control.evaluate("e => e.ariaLabel || e.labels?.length || e.innerText.trim()")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="How it works")
    expect(dialog).to_be_visible()
    page.keyboard.press("b")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("radio", name="Keep")).to_be_checked()
    page.keyboard.press("x")
    expect(page.get_by_role("radio", name="Remove")).to_be_checked()
    size = page.locator("#brush-size")
    before = int(size.inner_text().split()[0])
    page.keyboard.press("]")
    assert int(size.inner_text().split()[0]) > before
    page.mouse.move(*on_screen(page, CENTRE)[0])
    page.mouse.wheel(0, 300)
    expect(size).not_to_have_text(f"{before} px")
    assert int(size.inner_text().split()[0]) < before
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    zoom = page.locator("#zoom")
    expect(zoom).not_to_have_text("100 %")
    page.keyboard.press("0")
    expect(zoom).not_to_have_text("100 %")  # a small photo is enlarged to the window
    page.keyboard.press("z")
    expect(zoom).to_have_text("100 %")
    page.keyboard.press("9")
    expect(zoom).to_have_text("200 %")
    page.keyboard.press("z")
    (place,) = on_screen(page, CENTRE)
    page.keyboard.down(" ")
    drag(page, CENTRE, (CENTRE[0] + 50, CENTRE[1] + 20))
    page.keyboard.up(" ")
    assert on_screen(page, CENTRE) == [(place[0] + 50, place[1] + 20)]
    page.mouse.down()
    page.mouse.move(600, 400)
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()  # all that painted nothing


def test_the_cutout_on_the_clipboard(page: Page, context: BrowserContext, scene: Scene) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_file(page, scene.file)
    draw_box(page)
    page.keyboard.press("Control+c")
    expect(page.get_by_text("The cut-out is on the clipboard.")).to_be_visible(timeout=PATIENCE)
    size = page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read();
          const { width, height } = await createImageBitmap(await item.getType("image/png"));
          return [width, height];
        }"""
    )
    assert size == [WIDTH, HEIGHT]


# --- keeping ------------------------------------------------------------------------------------


def test_a_reload_keeps_everything(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_file(page, scene.file)
    page.keyboard.press("a")  # strokes mark just what they cover
    draw_box(page)
    paint(page, "b", 15, (100, 60), (240, 60))
    paint(page, "u", 15, (100, 90), (240, 90))
    page.keyboard.press("Control+z")
    page.keyboard.press("3")
    settled(page)
    before = trimap_of(page, tmp_path)
    page.wait_for_timeout(400)  # settings are kept once they rest
    page.reload()

    settled(page)
    assert np.array_equal(trimap_of(page, tmp_path), before)
    assert colour_at(page, (20, 20)) == (0, 0, 0)
    page.keyboard.press("Control+y")  # what was undone can still be done again
    assert (trimap_of(page, tmp_path)[90, 110:230] == 128).all()
    paint(page, "e", 40, (100, 75), (240, 75))  # and the eraser knows what was there before
    page.keyboard.press("Control+z")
    for _ in range(3):
        page.keyboard.press("Control+z")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


def test_a_project_file_opens_again(
    page: Page, browser: Browser, server: Server, scene: Scene, tmp_path: Path
) -> None:
    open_file(page, scene.file)
    page.keyboard.press("a")  # strokes mark just what they cover
    draw_box(page)
    paint(page, "b", 15, (100, 60), (240, 60))
    settled(page)
    before = trimap_of(page, tmp_path)
    project = download(page, "saveProject", tmp_path)
    assert project.name == "furry disc.deepmatte"

    elsewhere = browser.new_context(viewport={"width": 1280, "height": 720})
    fresh = elsewhere.new_page()
    fresh.on("filechooser", lambda _: None)
    fresh.goto(server.address)
    drop(fresh, project)
    asked = fresh.get_by_role("dialog", name="This project needs furry disc.png")
    with fresh.expect_file_chooser() as chooser:
        asked.get_by_role("button", name="Choose the photo").click()
    chooser.value.set_files(scene.file)
    settled(fresh)
    assert np.array_equal(trimap_of(fresh, tmp_path), before)
    fresh.keyboard.press("Control+z")
    assert not np.array_equal(trimap_of(fresh, tmp_path), before)
    elsewhere.close()

    content = json.loads(project.read_text())
    content["steps"][0]["rectangle"]["right"] -= 1
    project.write_text(json.dumps(content))
    drop(page, project)
    expect(page.get_by_role("alert")).to_contain_text("furry disc.deepmatte is damaged")
    assert np.array_equal(trimap_of(page, tmp_path), before)


def test_two_pages_at_once(
    page: Page, context: BrowserContext, server: Server, scene: Scene, tmp_path: Path
) -> None:
    other = context.new_page()
    other.goto(server.address)
    open_file(other, scene.file)
    page.bring_to_front()
    open_file(page, scene.file)
    draw_box(page)
    expect(other.locator("#start")).to_be_visible()
    paint(page, "b", 31, (100, 60), (240, 60))
    other.bring_to_front()
    draw_box(other)
    paint(other, "f", 31, (100, 60), (240, 60))
    settled(other)
    assert (trimap_of(other, tmp_path)[60, 110:230] == 255).all()
    page.bring_to_front()
    settled(page)
    assert (trimap_of(page, tmp_path)[60, 110:230] == 0).all()
    page.reload()
    settled(page)
    assert (trimap_of(page, tmp_path)[60, 110:230] == 0).all()


# --- what goes wrong ----------------------------------------------------------------------------


def test_wrong_files_get_one_sentence(page: Page, scene: Scene, tmp_path: Path) -> None:
    alert = page.locator("#alerts p")
    (tmp_path / "notes.txt").write_text("Not a picture.")
    drop(page, tmp_path / "notes.txt")
    expect(alert).to_have_text(re.compile(r"^\S.* is not a picture; .*\.$"), timeout=PATIENCE)
    (tmp_path / "half.png").write_bytes(scene.file.read_bytes()[:4000])
    drop(page, tmp_path / "half.png")
    expect(alert).to_have_text(re.compile(r"cannot be read as a picture.*\.$"), timeout=PATIENCE)
    (tmp_path / "empty.jpg").touch()
    drop(page, tmp_path / "empty.jpg")
    expect(alert).to_have_text(re.compile(r"is empty; expected a picture\.$"), timeout=PATIENCE)
    (tmp_path / "old.deepmatte").write_text("{}")
    drop(page, tmp_path / "old.deepmatte")
    expect(alert).to_have_text("old.deepmatte is not a project of this studio.")

    open_file(page, scene.file)
    expect(alert).to_have_count(0)
    Image.new("L", (10, 20)).save(tmp_path / "small.png")
    drop(page, tmp_path / "small.png")
    page.get_by_role("button", name="The trimap").click()
    expect(alert).to_contain_text("10 \u00d7 20 pixels", timeout=PATIENCE)
    drag(page, (5, 5), (6, 6))
    expect(page.locator("#notices")).to_contain_text("Drag a box around the whole subject")
    draw_box(page)


def test_the_server_is_killed_and_started_again(
    context: BrowserContext, scene: Scene, tmp_path: Path
) -> None:
    server = Server()
    page = context.new_page()
    page.goto(server.address)
    open_file(page, scene.file)
    page.keyboard.press("a")  # strokes mark just what they cover
    draw_box(page)
    before = trimap_of(page, tmp_path)
    server.end(signal.SIGKILL)
    paint(page, "b", 25, (100, 60), (240, 60))
    banner = page.locator("#banner")
    expect(banner).to_contain_text("Your marks are safe", timeout=PATIENCE)
    paint(page, "f", 25, (100, 90), (240, 90))

    server = Server(port=server.port)
    try:
        expect(banner).to_contain_text("Open the address that it printed", timeout=PATIENCE)
        opened = context.new_page()  # as `deepmatte studio` opens it: both pages go on
        opened.goto(server.address)
        expect(banner).to_be_hidden(timeout=PATIENCE)
        page.bring_to_front()
        settled(page)
        after = trimap_of(page, tmp_path)
        assert (after[60, 110:230] == 0).all()
        assert (after[90, 110:230] == 255).all()
        assert np.array_equal(after[120:], before[120:])
        page.keyboard.press("4")
        assert colour_at(page, (170, 60)) == (255, 255, 255)

        opened.close()
        server.end(signal.SIGKILL)
        server = Server(port=server.port)  # it is back before the page has missed it
        paint(page, "u", 25, (100, 200), (240, 200))
        expect(banner).to_contain_text("Open the address that it printed", timeout=PATIENCE)
        page.goto(server.address)  # in the same tab
        expect(banner).to_be_hidden(timeout=PATIENCE)
        settled(page)
        assert (trimap_of(page, tmp_path)[200, 110:230] == 128).all()
    finally:
        server.end()


def test_twenty_four_megapixels(page: Page, scene: Scene, tmp_path: Path) -> None:
    height, width = 4000, 6000
    photo = cv2.resize(np.asarray(Image.open(scene.file)), (width, height))
    Image.fromarray(photo).save(tmp_path / "large.jpg", quality=90)
    scale = width / WIDTH
    rows, columns = np.mgrid[5:height:10, 5:width:10].astype(np.float32)  # a tenth of its size
    away = np.hypot(rows - CENTRE[1] * scale, columns - CENTRE[0] * scale) - RADIUS * scale
    trimap = np.where(away < -250, 255, np.where(away > 250, 0, 128)).astype(np.uint8)
    known = (columns < width / 2) | (rows > CENTRE[1] * scale)  # less to find out
    trimap[known] = np.where(away < 0, 255, 0)[known]
    large = cv2.resize(trimap, (width, height), interpolation=cv2.INTER_NEAREST)
    Image.fromarray(large).save(tmp_path / "large.trimap.png")

    open_file(page, tmp_path / "large.jpg", (6000, 4000))
    drop(page, tmp_path / "large.trimap.png")
    page.get_by_role("button", name="The trimap").click()
    busy = page.locator("#stage[aria-busy=true]")
    busy.wait_for()
    page.keyboard.press("3")
    pause = 0.5  # each look draws the large picture anew
    middle = (CENTRE[0] * scale, CENTRE[1] * scale)
    eventually(lambda: colour_at(page, middle) != (0, 0, 0) == colour_at(page, (500, 500)), pause)
    paint(page, "b", 400, (middle[0] - 300, middle[1]), (middle[0] + 300, middle[1]))
    eventually(lambda: colour_at(page, middle) == (0, 0, 0), pause)
    page.keyboard.press("Control+z")
    eventually(lambda: colour_at(page, middle) != (0, 0, 0), pause)


# --- parts --------------------------------------------------------------------------------------


def test_the_brush_covers_exactly_what_it_should(page: Page) -> None:
    random = np.random.default_rng(0)
    width, height = 40, 30
    ways = [
        [*random.integers(-10, 90, 2), *random.integers(-10, 70, 2), int(diameter)]
        for diameter in random.integers(1, 30, 300)
    ]
    ways = [[int(value) for value in way] for way in ways]
    ways += [[21, 21, 21, 21, 1], [20, 20, 20, 20, 2], [21, 21, 61, 21, 1], [21, 21, 61, 41, 1]]
    script = """async ([ways, width, height]) => {
      const { sweep } = await import("/model/brush.js");
      return ways.map(([x0, y0, x1, y1, diameter]) => {
        const spans = [];
        const around = sweep(
          { x: x0, y: y0 }, { x: x1, y: y1 }, diameter, width, height,
          (y, start, end) => spans.push([y, start, end]),
        );
        return [spans, around && [around.left, around.top, around.right, around.bottom]];
      });
    }"""
    answers = page.evaluate(script, [ways, width, height])
    rows, columns = np.mgrid[:height, :width]
    x, y = 2 * columns + 1, 2 * rows + 1
    for (x0, y0, x1, y1, diameter), (spans, around) in zip(ways, answers, strict=True):
        length = max(1, (x1 - x0) ** 2 + (y1 - y0) ** 2)
        along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length
        nearest = np.clip(along, 0, 1)
        away = np.hypot(x - x0 - nearest * (x1 - x0), y - y0 - nearest * (y1 - y0))
        painted = np.zeros((height, width), np.bool_)
        for row, start, end in spans:
            assert not painted[row, start:end].any()
            painted[row, start:end] = True
        sure = np.abs(away - diameter) > 1e-6
        assert np.array_equal(painted[sure], (away <= diameter)[sure])
        if around is None:
            assert not painted.any()
        else:
            down, right = np.nonzero(painted)
            found = [right.min(), down.min(), right.max() + 1, down.max() + 1]
            assert around == found


def test_steps_go_back_and_forth(page: Page) -> None:
    script = """async (seed) => {
      const { apply, record } = await import("/model/history.js");
      const { fill } = await import("/model/fill.js");
      const { LABELS } = await import("/model/labels.js");
      const run = (work) => {
        for (;;) {
          const { done, value } = work.next();
          if (done) return value;
        }
      };
      let state = seed;
      const random = (below) => {
        state = (state * 1103515245 + 12345) % 2147483648;
        return Math.floor((state / 2147483648) * below);
      };
      const values = Object.values(LABELS);
      const [width, height] = [1 + random(300), 1 + random(40)];
      const labels = new Uint8Array(width * height).fill(128);
      const committed = labels.slice();
      const states = [labels.slice()];
      const steps = [];
      for (let index = 0; index < 12; index++) {
        const rectangle = { left: random(width), top: random(height) };
        rectangle.right = rectangle.left + 1 + random(width - rectangle.left);
        rectangle.bottom = rectangle.top + 1 + random(height - rectangle.top);
        const noisy = random(2);
        const label = values[random(3)];
        for (let y = rectangle.top; y < rectangle.bottom; y++)
          for (let x = rectangle.left; x < rectangle.right; x++)
            labels[y * width + x] = noisy ? values[random(3)] : label;
        if (index % 3 === 2) {
          run(fill(labels, width, height, rectangle.left, rectangle.top, values[random(3)]));
          Object.assign(rectangle, { left: 0, top: 0, right: width, bottom: height });
        }
        const step = run(record(committed, labels, width, rectangle));
        if (!step) continue;
        steps.push(step);
        states.push(labels.slice());
      }
      const same = (one, other) => one.every((label, index) => label === other[index]);
      for (let index = steps.length - 1; index >= 0; index--) {
        run(apply(labels, width, steps[index], true));
        if (!same(labels, states[index])) return `back ${index}`;
      }
      for (let index = 0; index < steps.length; index++) {
        run(apply(labels, width, steps[index], false));
        if (!same(labels, states[index + 1])) return `forth ${index}`;
      }
      return same(labels, committed) ? "" : "committed";
    }"""
    assert [page.evaluate(script, seed) for seed in range(1, 41)] == [""] * 40


def test_fill_takes_all_that_hangs_together(page: Page) -> None:
    random = np.random.default_rng(1)
    script = """async ([labels, width, height, x, y]) => {
      const { fill } = await import("/model/fill.js");
      const array = Uint8Array.from(labels);
      const work = fill(array, width, height, x, y, 255);
      for (;;) {
        const { done, value } = work.next();
        if (!done) continue;
        const around = value?.rectangle;
        return [[...array], around && [around.left, around.top, around.right, around.bottom]];
      }
    }"""
    for _ in range(30):
        height, width = (int(side) for side in random.integers(1, 30, 2))
        labels = np.where(random.random((height, width)) < 0.6, 0, 128).astype(np.uint8)
        x, y = int(random.integers(width)), int(random.integers(height))
        _, parts = cv2.connectedComponents(
            (labels == labels[y, x]).astype(np.uint8), connectivity=4
        )
        area = np.asarray(parts) == parts[y, x]
        filled, around = page.evaluate(script, [labels.ravel().tolist(), width, height, x, y])
        assert np.array_equal(np.reshape(filled, labels.shape), np.where(area, 255, labels))
        down, right = np.nonzero(area)
        assert around == [right.min(), down.min(), right.max() + 1, down.max() + 1]
