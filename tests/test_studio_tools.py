"""Tools of the studio's page beyond the brush, and the ways to save."""

from __future__ import annotations

import functools
import io
import signal
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
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
    scene,
    server,
    settled,
    trimap_of,
)

from deepmatte.trimap import from_alpha

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Download, Page

pytestmark = pytest.mark.slow


def open_with_alpha(page: Page, scene: Scene, folder: Path) -> None:
    """The scene with a trimap of its true alpha."""
    trimap = folder / "furry disc.trimap.png"
    Image.fromarray(from_alpha(scene.alpha)).save(trimap)
    drop(page, scene.file, trimap)
    expect(page.locator("#picture-name")).to_have_text(scene.file.name, timeout=PATIENCE)
    settled(page)


def save_as(page: Page, folder: Path, **fields: str | bool) -> Path:
    page.keyboard.press("Control+Shift+s")
    dialog = page.get_by_role("dialog", name="Save as")
    for name, value in fields.items():
        field = dialog.locator(f"[name={name}]")
        if isinstance(value, bool):
            field.set_checked(value)
        elif field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    with page.expect_download(timeout=PATIENCE) as event:
        dialog.get_by_role("button", name="Save").click()
    path = folder / event.value.suggested_filename
    event.value.save_as(path)
    return path


def opened(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def test_lasso_holes_and_islands(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_with_alpha(page, scene, tmp_path)
    page.keyboard.press("a")
    before = trimap_of(page, tmp_path)
    page.keyboard.press("b")
    page.keyboard.press("l")
    drag(page, (158, 118), (182, 118), (182, 142), (158, 142))
    holed = trimap_of(page, tmp_path)
    assert (holed[120:140, 160:180] == 0).all()
    assert (holed != before).sum() < 45 * 45
    page.keyboard.press("f")
    drag(page, (320, 20), (340, 20), (340, 40), (320, 40))
    assert (trimap_of(page, tmp_path)[22:38, 322:338] == 255).all()
    position = "import('/app.js').then((page) => page.studio.project.trimap.history.position)"

    def is_at(number: int) -> bool:
        return bool(page.evaluate(position) == number)

    for number, command in enumerate(("Fill holes", "Remove specks"), 4):
        page.get_by_role("button", name="Trimap", exact=True).click()
        page.locator("#trimap-menu").get_by_role("button", name=command).click()
        eventually(functools.partial(is_at, number))
    eventually(lambda: np.array_equal(trimap_of(page, tmp_path), before))
    page.get_by_role("button", name="History").click()
    steps = page.locator("#steps-menu")
    expect(steps.get_by_role("button")).to_have_text(
        [
            "Photo without marks",
            "1. Trimap",
            "2. Lasso",
            "3. Lasso",
            "4. Holes filled",
            "5. Specks removed",
        ]
    )
    steps.get_by_role("button", name="2. Lasso").click()
    eventually(lambda: np.array_equal(trimap_of(page, tmp_path), holed))


def test_alt_marks_the_opposite_and_q_shows_the_photo(
    page: Page, scene: Scene, tmp_path: Path
) -> None:
    open_with_alpha(page, scene, tmp_path)
    page.keyboard.press("a")
    page.keyboard.press("3")
    photo = np.asarray(opened(scene.file))
    assert colour_at(page, (20, 20)) == (0, 0, 0)
    page.keyboard.down("q")
    assert np.abs(np.subtract(colour_at(page, (20, 20)), photo[20, 20])).max() < 8
    page.keyboard.up("q")
    assert colour_at(page, (20, 20)) == (0, 0, 0)
    page.keyboard.press("f")
    page.keyboard.down("Alt")
    drag(page, (150, 130), (190, 130))
    page.keyboard.up("Alt")
    assert trimap_of(page, tmp_path)[130, 170] == 0


def test_marks_have_outlines(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_with_alpha(page, scene, tmp_path)
    page.keyboard.press("1")
    page.keyboard.press("z")
    page.locator("[data-setting=strength]").fill("100")
    labels = trimap_of(page, tmp_path)
    row = CENTRE[1]
    edge = int(np.flatnonzero(np.diff(labels[row].astype(int)))[0])
    around = [sum(colour_at(page, (edge + step + 0.5, row + 0.5))) for step in range(-3, 5)]
    assert max(around) - min(around) > 250  # dark beside light


def test_refining_is_seen_saved_and_taken_back(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_with_alpha(page, scene, tmp_path)
    page.keyboard.press("7")
    plain = np.asarray(opened(download(page, "saveAlpha", tmp_path))).astype(int)
    page.locator("[data-setting=feather]").evaluate(
        "(slider) => { slider.value = 6; slider.dispatchEvent(new Event('input')) }"
    )
    settled(page)
    edge = (CENTRE[0] + RADIUS + 5.5, CENTRE[1] + 0.5)
    eventually(lambda: 20 < colour_at(page, edge)[0] < 235)
    soft = np.asarray(opened(download(page, "saveAlpha", tmp_path))).astype(int)
    assert abs(soft[int(edge[1]), int(edge[0])] - colour_at(page, edge)[0]) < 12  # as it is seen
    half = (soft > 20) & (soft < 235)
    assert half.sum() > 1.5 * ((plain > 20) & (plain < 235)).sum()
    page.reload()  # it is part of the project
    settled(page)
    kept = np.asarray(opened(download(page, "saveAlpha", tmp_path))).astype(int)
    assert np.array_equal(kept, soft)
    refine = page.get_by_role("button", name="Refine edge")
    looks = "(button) => getComputedStyle(button).backgroundColor"
    active = refine.evaluate(looks)
    refine.click()
    page.get_by_role("button", name="Reset").click()
    page.keyboard.press("Escape")
    settled(page)
    again = np.asarray(opened(download(page, "saveAlpha", tmp_path))).astype(int)
    assert np.array_equal(again, plain)
    page.mouse.move(640, 300)
    assert refine.evaluate(looks) != active  # it shows whether it does anything
    page.locator("[data-setting=smooth]").evaluate(
        "(slider) => { slider.value = 9; slider.dispatchEvent(new Event('input')) }"
    )
    (tmp_path / "another.png").write_bytes(scene.file.read_bytes())
    drop(page, tmp_path / "another.png")
    page.get_by_role("button", name="A new photo").click()
    expect(page.locator("#picture-name")).to_have_text("another.png", timeout=PATIENCE)
    expect(page.locator("[data-setting=smooth]")).to_have_value("0")


def level_at(image: Image.Image, place: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(np.asarray(image)[place[1], place[0]])


def test_what_is_saved_is_what_is_seen(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_with_alpha(page, scene, tmp_path)
    page.get_by_title("A gradient of two colours", exact=True).click()
    for place in ((5, 8), (5, 135), (5, 262)):
        seen = colour_at(page, place)
        saved = opened(save_as(page, tmp_path, what="composite", format="png 8"))
        assert np.abs(np.subtract(seen, level_at(saved, place))).max() < 4
    page.get_by_title("The photo's own background, blurred", exact=True).click()
    eventually(lambda: colour_at(page, (20, 20)) != (255, 255, 255))
    page.wait_for_timeout(500)
    saved = opened(save_as(page, tmp_path, what="composite", format="png 8"))
    for place in ((5, 20), (355, 262), (170, 10)):
        seen = colour_at(page, place)
        assert np.abs(np.subtract(seen, level_at(saved, place))).max() < 8
    behind = np.asarray(opened(scene.file))[20, 20]
    assert np.abs(np.subtract(level_at(saved, (20, 20)), behind)).max() < 20  # no subject in it


def test_trimmed_smaller_deeper_and_in_layers(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_with_alpha(page, scene, tmp_path)
    trimmed = opened(save_as(page, tmp_path, trim=True, margin="5"))
    assert trimmed.mode == "RGBA"
    assert abs(trimmed.width - (2 * (RADIUS + 11) + 10)) < 12
    small = opened(save_as(page, tmp_path, trim=False, longest="90", format="webp"))
    assert max(small.size) == 90
    deep = save_as(page, tmp_path, longest="", format="png 16")
    assert deep.read_bytes()[24] == 16  # the depth in a PNG's header
    layers = save_as(page, tmp_path, format="ora")
    with zipfile.ZipFile(layers) as file:
        assert file.read("mimetype") == b"image/openraster"
        merged = Image.open(io.BytesIO(file.read("mergedimage.png")))
    assert merged.size == (WIDTH, HEIGHT)
    sizes = [
        save_as(page, tmp_path, what="composite", format="jpg", quality=quality).stat().st_size
        for quality in ("95", "20")
    ]
    assert sizes[1] < sizes[0]


def row_of_two(scene: Scene, folder: Path) -> list[Path]:
    """Two photos with their trimaps, and one without."""
    files = []
    for name in ("one", "two", "three"):
        photo = folder / f"{name}.png"
        photo.write_bytes(scene.file.read_bytes())
        Image.fromarray(from_alpha(scene.alpha)).save(folder / f"{name}.trimap.png")
        files += [photo, folder / f"{name}.trimap.png"]
    return files[:-1]


def test_only_what_goes_together_can_be_saved(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_with_alpha(page, scene, tmp_path)
    page.keyboard.press("Control+Shift+s")
    dialog = page.get_by_role("dialog", name="Save as")
    offered = {}
    for what in ("cutout", "composite", "alpha"):
        dialog.get_by_label("What").select_option(what)
        options = dialog.locator("[name=format] option:not([disabled])").all()
        offered[what] = [str(option.get_attribute("value")) for option in options]
    dialog.get_by_label("Format").select_option("jpg")
    expect(dialog.get_by_label("Quality")).to_be_visible()
    dialog.get_by_label("What").select_option("cutout")
    expect(dialog.get_by_label("Format")).to_have_value("png 8")
    expect(dialog.get_by_label("Quality")).to_be_hidden()
    expect(dialog.get_by_label("Margin")).to_be_disabled()
    page.keyboard.press("Escape")
    everywhere = {"png 8", "png 16", "webp", "avif", "tif 8", "tif 16"}
    assert set(offered["cutout"]) == everywhere | {"ora", "psd"}
    assert set(offered["composite"]) == set(offered["alpha"]) == everywhere | {"jpg"}
    for what, format_ in (("cutout", "psd"), ("composite", "tif 16"), ("alpha", "jpg")):
        assert save_as(page, tmp_path, what=what, format=format_).stat().st_size > 0


def test_a_dialog_that_is_opened_again_at_once_is_answered(
    page: Page, scene: Scene, tmp_path: Path
) -> None:
    open_with_alpha(page, scene, tmp_path)
    page.keyboard.press("Control+Shift+s")
    # Within one task of the page: it is told of the closing only when the dialog is open again.
    page.evaluate("""() => {
        document.getElementById("export").close("");
        const keys = { key: "S", code: "KeyS", ctrlKey: true, shiftKey: true, bubbles: true };
        document.body.dispatchEvent(new KeyboardEvent("keydown", keys));
    }""")
    with page.expect_download(timeout=PATIENCE) as event:
        page.get_by_role("dialog", name="Save as").get_by_role("button", name="Save").click()
    assert event.value.suggested_filename == "furry disc.cutout.png"


def test_all_photos_of_the_row_are_saved(page: Page, scene: Scene, tmp_path: Path) -> None:
    drop(page, *row_of_two(scene, tmp_path))
    settled(page)
    page.get_by_role("region", name="Photos").get_by_title("Open two.png").click()
    expect(page.locator("#picture-name")).to_have_text("two.png", timeout=PATIENCE)
    settled(page)
    saved: list[str] = []
    page.on("download", lambda file: saved.append(file.suggested_filename))
    save_as(page, tmp_path, all=True)
    expect(page.locator("#notices")).to_contain_text("Saved 2 of 3 photos.", timeout=PATIENCE)
    expect(page.locator("#notices")).to_contain_text("Without a cut-out: 1.")
    expect(page.locator("#picture-name")).to_have_text("two.png")  # what was open before
    settled(page)
    page.wait_for_timeout(200)
    assert sorted(saved) == ["one.cutout.png", "two.cutout.png"]


def test_photos_that_are_still_coming_are_saved_too(page: Page, tmp_path: Path) -> None:
    files = []
    for number in range(12):
        photo, trimap = (tmp_path / f"{number}{kind}.png" for kind in ("", ".trimap"))
        Image.new("RGB", (24, 24), (9 * number, 99, 0)).save(photo)
        Image.new("L", (24, 24), 255).save(trimap)
        files += [photo, trimap]
    drop(page, *files)
    settled(page)
    # With two photos there is a row, of which all can be saved; the others may still be coming.
    expect(page.get_by_role("region", name="Photos").get_by_title("Open 1.png")).to_be_visible()
    save_as(page, tmp_path, all=True)
    expect(page.locator("#notices")).to_contain_text("Saved 12 of 12 photos.", timeout=PATIENCE)


def test_photos_of_the_row_have_one_background_and_can_be_given_up(
    context: BrowserContext, scene: Scene, tmp_path: Path
) -> None:
    server = Server()
    page = context.new_page()
    page.goto(server.address)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open a photo").click()
    chooser.value.set_files(row_of_two(scene, tmp_path))
    settled(page)
    page.keyboard.press("4")  # white, for the first one
    page.get_by_role("region", name="Photos").get_by_title("Open two.png").click()
    expect(page.locator("#picture-name")).to_have_text("two.png", timeout=PATIENCE)
    settled(page)
    page.get_by_role("button", name="Background…").click()
    page.get_by_role("button", name="Dusk").click()
    page.keyboard.press("Escape")
    files: list[Download] = []
    page.on("download", lambda file: files.append(file))
    save_as(page, tmp_path, all=True, what="composite")
    expect(page.locator("#notices")).to_contain_text("Saved 2 of 3 photos.", timeout=PATIENCE)
    page.wait_for_timeout(200)
    assert len(files) == 2
    corners = set()
    for number, file in enumerate(files):
        file.save_as(tmp_path / f"{number}.png")
        corners.add(str(opened(tmp_path / f"{number}.png").getpixel((2, 2))))
    assert len(corners) == 1
    server.end(signal.SIGKILL)
    page.keyboard.press("Control+Shift+s")
    page.get_by_role("dialog", name="Save as").get_by_role("button", name="Save").click()
    expect(page.locator("#waiting")).to_be_visible(timeout=PATIENCE)
    page.keyboard.press("Escape")
    expect(page.locator("#notices")).to_contain_text("Saved 0 of 3 photos.", timeout=PATIENCE)
    expect(page.locator("#waiting")).to_be_hidden()


def test_many_downloads_at_once_all_arrive(page: Page) -> None:
    saved: list[str] = []
    page.on("download", lambda file: saved.append(file.suggested_filename))
    script = """async (names) => {
      const { save } = await import("/ui/downloads.js");
      for (const name of names) save(new Blob([name]), name);
    }"""
    names = [f"{number}.txt" for number in range(15)]  # a browser takes ten
    last = page.expect_event("download", lambda file: file.suggested_filename == names[-1])
    with last:
        page.evaluate(script, names)
    assert saved == names
