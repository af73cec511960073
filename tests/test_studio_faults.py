"""What went wrong once in the studio's page: each with its whole kind."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from studio_browser import (  # noqa: F401 (fixtures)
    CENTRE,
    HEIGHT,
    PATIENCE,
    WIDTH,
    Scene,
    Server,
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

from deepmatte.trimap import from_alpha, open_trimap

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.slow


def pans(page: Page) -> None:
    """Dragging with the space key moves the photo and paints nothing."""
    (before,) = on_screen(page, CENTRE)
    undo = page.get_by_role("button", name="Undo")
    could_undo = undo.is_enabled()
    page.mouse.move(640, 300)
    page.keyboard.down(" ")
    page.mouse.down()
    page.mouse.move(670, 310, steps=3)
    page.mouse.up()
    page.keyboard.up(" ")
    (after,) = on_screen(page, CENTRE)
    assert (round(after[0] - before[0]), round(after[1] - before[1])) == (30, 10)
    assert undo.is_enabled() == could_undo


def test_the_photo_stays_where_it_is_while_the_state_of_the_work_changes(
    page: Page, scene: Scene
) -> None:
    open_file(page, scene.file)
    draw_box(page)
    states = [("The cut-out is up to date", False), ("Working…", True), ("Working: 100 %", True)]
    for view in ("Marks", "Cut-out", "Matte"):
        page.get_by_role("radio", name=view, exact=True).check(force=True)
        for width in range(700, 1500, 20):
            page.set_viewport_size({"width": width, "height": 720})
            sizes = page.evaluate(
                """(states) => states.map(([text, works]) => {
                  document.getElementById("status").textContent = text;
                  document.getElementById("progress").hidden = !works;
                  const stage = document.getElementById("stage").getBoundingClientRect();
                  return `${stage.width} x ${stage.height}`;
                })""",
                states,
            )
            assert len(set(sizes)) == 1, (view, width, sizes)


def test_every_menu_dialog_and_control_gives_the_focus_back(
    page: Page, scene: Scene, tmp_path: Path
) -> None:
    open_file(page, scene.file)
    draw_box(page)
    for menu in ("Open", "Trimap", "Save"):
        for leave in ("Escape", "outside", "again"):
            page.get_by_role("button", name=menu, exact=True).click()
            expect(page.locator(":popover-open")).to_be_visible()
            if leave == "Escape":
                page.keyboard.press("Escape")
            elif leave == "outside":
                page.mouse.click(640, 650)
            else:
                page.get_by_role("button", name=menu, exact=True).click()
            expect(page.locator(":popover-open")).to_have_count(0)
            pans(page)
        if menu == "Save":
            page.keyboard.press("Control+z")
            page.keyboard.press("Control+y")
    download(page, "saveCutoutPng", tmp_path)
    pans(page)
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    pans(page)
    page.get_by_role("button", name="Help").click()
    page.get_by_role("button", name="Close", exact=True).click()
    pans(page)
    page.keyboard.press("s")
    divider = page.get_by_role("slider", name="Before and after")
    divider.drag_to(page.locator("#stage"), target_position={"x": 700, "y": 200})
    pans(page)
    page.keyboard.press("s")
    page.get_by_label("A colour", exact=True).evaluate(
        """(input) => {
          input.focus();
          input.value = "#ff0000";
          for (const type of ["input", "change"])
            input.dispatchEvent(new Event(type, { bubbles: true }));
        }"""
    )
    pans(page)
    page.get_by_label("A colour", exact=True).focus()
    page.keyboard.press("1")  # keys live on even while it has the focus
    expect(page.get_by_role("radio", name="Marks")).to_be_checked()


def test_escape_closes_a_menu_and_leaves_the_tool(page: Page, scene: Scene) -> None:
    open_file(page, scene.file)
    box = page.get_by_role("radio", name="Box")
    for menu in ("Open", "Trimap", "Save", "History"):
        page.get_by_role("button", name=menu, exact=True).click()
        page.keyboard.press("Escape")
        expect(page.locator(":popover-open")).to_have_count(0)
        expect(box).to_be_checked()
    page.keyboard.press("Escape")
    expect(box).to_be_checked()


def test_after_anything_that_can_be_pressed_the_space_key_pans(
    page: Page, scene: Scene, tmp_path: Path
) -> None:
    copies = [tmp_path / "one.png", tmp_path / "two.png"]
    for copy in copies:
        copy.write_bytes(scene.file.read_bytes())
    drop(page, *copies)
    expect(page.locator("#picture-name")).to_have_text("one.png", timeout=PATIENCE)
    draw_box(page)
    paint(page, "u", 9, (100, 60), (140, 60))
    page.keyboard.press("2")
    settled(page)
    for opener in page.locator("[popovertarget]:visible").all():
        opener.click()
        menu = page.locator(":popover-open")
        for part in menu.locator("input[type=range], #library button").all():
            part.click()
        page.keyboard.press("Escape")
        expect(menu).to_have_count(0)
        pans(page)
    for control in page.query_selector_all("nav label, footer label, header [data-command]"):
        page.keyboard.press("2")
        if not (control.is_visible() and control.is_enabled()):
            continue
        if control.get_attribute("data-command") == "help":
            continue  # a dialog, and so below
        control.click()
        if page.locator("[data-setting=sides]").is_checked():
            page.keyboard.press("d")  # whose halves are elsewhere
        page.keyboard.press("p")  # any tool but the one that pans
        pans(page)
    page.keyboard.press("1")
    page.keyboard.press("p")
    page.keyboard.press("0")
    page.get_by_role("region", name="Photos").get_by_title("one.png is open").click()
    pans(page)
    leave_dialogs(page, "use", lambda: drop(page, scene.file))
    leave_dialogs(page, "export", lambda: page.keyboard.press("Control+Shift+s"))
    leave_dialogs(page, "help", lambda: page.keyboard.press("?"))

    def box() -> None:
        page.keyboard.press("0")
        page.keyboard.press("m")
        drag(page, (80, 30), (270, 230))

    leave_dialogs(page, "again", box)


def leave_dialogs(page: Page, name: str, ask: Callable[[], None]) -> None:
    """Leaves a dialog in each way there is, and pans after each."""
    dialog = page.locator(f"#{name}")
    for way in ("Escape", "button", "outside"):
        if dialog.is_hidden():
            ask()
        expect(dialog).to_be_visible()
        if way == "Escape":
            page.keyboard.press("Escape")
        elif way == "button":
            dialog.locator("button.plain").click()
        else:
            page.mouse.click(3, 715)
        expect(dialog).to_be_hidden()
        page.keyboard.press("p")
        page.keyboard.press("0")
        pans(page)


def test_who_goes_by_the_tab_key_keeps_the_focus(page: Page, scene: Scene) -> None:
    open_file(page, scene.file)
    page.keyboard.press("Tab")
    save = page.get_by_role("button", name="Save", exact=True)
    save.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(save).to_be_focused()


def test_what_is_said_of_one_photo_goes_with_it(
    page: Page, scene: Scene, context: BrowserContext, server: Server, tmp_path: Path
) -> None:
    open_file(page, scene.file)
    draw_box(page)
    page.wait_for_timeout(300)
    second = context.new_page()
    second.goto(server.address)
    page.close()
    open_file(second, scene.file)
    notices = second.locator("#notices")
    expect(notices).to_contain_text("You have worked on furry disc.png before.")
    other = tmp_path / "other.png"
    Image.new("RGB", (300, 200), "navy").save(other)
    drop(second, other)
    second.get_by_role("button", name="A new photo").click()
    expect(second.locator("#picture-name")).to_have_text("other.png", timeout=PATIENCE)
    expect(notices.locator(".note")).to_have_count(0)
    for number in range(5):  # nor do they pile up
        second.evaluate(
            f"import('/app.js').then(({{ studio }}) => studio.messages.notice('Number {number}'))"
        )
    expect(notices.locator(".note")).to_have_count(2)


def test_every_wait_can_be_given_up(context: BrowserContext, scene: Scene, tmp_path: Path) -> None:
    server = Server()
    page = context.new_page()
    page.on("filechooser", lambda _: None)
    page.goto(server.address)
    open_file(page, scene.file)
    draw_box(page)
    server.end(signal.SIGKILL)
    waiting = page.locator("#waiting")

    def choose(menu: str, command: str) -> None:
        page.get_by_role("button", name=menu, exact=True).click()
        page.locator(f":popover-open [data-command={command}]").click()

    def drop_for(use: str) -> None:
        drop(page, scene.file)
        page.get_by_role("button", name=use).click()

    def draw_another_box() -> None:
        page.keyboard.press("m")
        drag(page, (40, 30), (270, 250))

    waits: list[tuple[str, Callable[[], object]]] = [
        ("Finishing the cut-out", lambda: choose("Save", "saveCutoutPng")),
        ("Finishing the cut-out", lambda: choose("Save", "saveCompositeJpg")),
        ("Finishing the cut-out", lambda: page.keyboard.press("Control+c")),
        ("Opening", lambda: drop_for("A new photo")),
        ("Opening the sample", lambda: choose("Open", "sample")),
        ("Reading the trimap", lambda: drop_for("The trimap")),
        ("Reading the mask", lambda: drop_for("A mask")),
        ("Cleaning up", lambda: choose("Trimap", "fillHoles")),
        ("Changing the band", lambda: page.locator("#band").fill("9")),
        ("Looking for the subject", draw_another_box),
    ]
    for number, (words, begin) in enumerate(waits):
        begin()
        expect(waiting).to_contain_text(words, timeout=PATIENCE)
        if number % 2:
            page.keyboard.press("Escape")
        else:
            waiting.get_by_role("button", name="Cancel").click()
        expect(waiting).to_be_hidden()
        assert page.locator("#alerts .note").count() == 0  # what was given up is no error
    page.keyboard.press("b")
    paint(page, "b", 9, (100, 60), (140, 60))  # and painting goes on


def test_place_scales_by_the_wheel_and_needs_a_background(
    page: Page, scene: Scene, tmp_path: Path
) -> None:
    open_file(page, scene.file)
    draw_box(page)
    page.keyboard.press("6")
    place = page.get_by_role("radio", name="Place")
    expect(place).to_be_disabled()
    Image.new("RGB", (200, 150), "teal").save(tmp_path / "behind.png")
    drop(page, tmp_path / "behind.png")
    page.get_by_role("button", name="The background").click()
    expect(page.locator("#waiting")).to_be_hidden()
    expect(place).to_be_checked()
    script = """import("/app.js").then(({ studio }) => {
      const { backdrop } = studio.project.layers;
      return [backdrop.scale, studio.view.scale, studio.view.x];
    })"""
    before = page.evaluate(script)
    page.mouse.move(640, 300)
    page.mouse.wheel(0, -240)
    eventually(lambda: page.evaluate(script)[0] > 1.2 * before[0])
    assert page.evaluate(script)[1:] == before[1:]
    assert page.get_by_role("button", name="Fit", exact=True).count() == 1


def test_forced_colours_show_what_is_chosen(browser: Browser, server: Server, scene: Scene) -> None:
    context = browser.new_context(
        viewport={"width": 1280, "height": 720}, forced_colors="active", color_scheme="dark"
    )
    page = context.new_page()
    page.goto(server.address)
    colour = "(label) => getComputedStyle(label).backgroundColor"
    keep = page.locator("label:has([value=foreground])")
    unusable = keep.evaluate(colour)
    open_file(page, scene.file)
    assert keep.evaluate(colour) != unusable
    draw_box(page)
    for kind in ("label", "tool", "view"):
        radios = page.locator(f"input[name={kind}]")
        shown: dict[bool, set[str]] = {True: set(), False: set()}
        for radio in radios.all():
            if radio.is_visible() or radio.evaluate("input => input.offsetParent !== null"):
                chosen = radio.is_checked()
                shown[chosen].add(radio.locator("xpath=..").evaluate(colour))
        assert len(shown[True]) == 1
        assert not shown[True] & shown[False], kind
    dots = {dot.evaluate(colour) for dot in page.locator(".dot").all()}
    assert len(dots) == 3
    context.close()


def test_a_trimap_of_another_size_can_be_resized(page: Page, scene: Scene, tmp_path: Path) -> None:
    half = np.where(scene.alpha[::2, ::2] > 0.5, 255, 0).astype(np.uint8)
    half[40:60] = 128
    Image.fromarray(half).save(tmp_path / "half.png")
    open_file(page, scene.file)
    for use in ("The trimap", "A mask"):
        drop(page, tmp_path / "half.png")
        page.get_by_role("button", name=use).click()
        alert = page.locator("#alerts")
        expect(alert).to_contain_text(
            f"half.png is {WIDTH // 2} \u00d7 {HEIGHT // 2} pixels, but the photo is"
            f" {WIDTH} \u00d7 {HEIGHT}.",
            timeout=PATIENCE,
        )
        assert "--" not in alert.inner_text()
        alert.get_by_role("button", name="Resize it to fit").click()
        settled(page)
        expect(alert).not_to_contain_text("half.png")
        if use == "The trimap":
            assert np.array_equal(trimap_of(page, tmp_path)[::2, ::2], half)


def test_every_drop_is_answered(page: Page, scene: Scene, tmp_path: Path) -> None:
    for name, colour in (("a.png", "red"), ("b.png", "green"), ("c.png", "blue")):
        Image.new("RGB", (80, 60), colour).save(tmp_path / name)
    trimap = np.full((60, 80), 128, np.uint8)
    trimap[:, :20], trimap[:, 60:] = 0, 255
    Image.fromarray(trimap).save(tmp_path / "a.trimap.png")
    Image.fromarray(trimap[::-1]).save(tmp_path / "b_mask.png")
    drop(page, *(tmp_path / name for name in ("a.png", "a.trimap.png", "b.png", "b_mask.png")))
    shown = page.locator("#picture-name")
    expect(shown).to_have_text("a.png", timeout=PATIENCE)
    expect(page.locator("#notices")).to_contain_text("1 more photo is in the row below.")
    settled(page)  # its trimap came with it
    assert np.array_equal(trimap_of(page, tmp_path), trimap)
    row = page.get_by_role("region", name="Photos")
    expect(row.get_by_role("listitem")).to_have_count(2)
    drop(page, tmp_path / "c.png", tmp_path / "b.png")  # more of them, while one is open
    expect(shown).to_have_text("c.png", timeout=PATIENCE)
    expect(row.get_by_role("listitem")).to_have_count(4)
    row.get_by_title("Open b.png").first.click()
    expect(shown).to_have_text("b.png", timeout=PATIENCE)
    settled(page)  # its mask has waited with it
    row.get_by_title("Open a.png").click()
    expect(shown).to_have_text("a.png", timeout=PATIENCE)
    settled(page)
    assert np.array_equal(trimap_of(page, tmp_path), trimap)

    script = """([type, data]) => {
      const transfer = new DataTransfer();
      transfer.setData("text/plain", data);
      const options = { bubbles: true, cancelable: true };
      if (type === "paste")
        dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: transfer }));
      else document.body.dispatchEvent(
        new DragEvent("drop", { ...options, dataTransfer: transfer }));
    }"""
    for event, word in (("paste", "pasted"), ("drop", "dropped")):
        page.evaluate(script, [event, "some words"])
        expect(page.locator("#notices")).to_contain_text(f"Only photos and projects can be {word}")
    (tmp_path / "one.deepmatte").write_text("{}")
    (tmp_path / "two.deepmatte").write_text("{}")
    drop(page, tmp_path / "one.deepmatte", tmp_path / "two.deepmatte")
    expect(page.locator("#notices")).to_contain_text("two.deepmatte was not opened")


def test_boxes_and_strokes_by_the_keyboard_alone(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_file(page, scene.file)
    press = page.keyboard.press
    press("k")
    (corner,) = on_screen(page, (70, 30))
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    middle = (stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    for _ in range(round((middle[0] - corner[0]) / 12)):
        press("ArrowLeft")
    for _ in range(round((middle[1] - corner[1]) / 12)):
        press("ArrowUp")
    press(" ")
    for _ in range(9):
        press("Shift+ArrowRight")
    for _ in range(9):
        press("Shift+ArrowDown")
    press(" ")
    settled(page)
    before = trimap_of(page, tmp_path)
    press("k")
    page.locator("#stage").focus()
    if page.locator("#crosshair").is_hidden():
        press("k")
    press("u")
    press(" ")
    for _ in range(4):
        press("Shift+ArrowRight")
    press(" ")
    settled(page)
    assert (trimap_of(page, tmp_path) != before).sum() > 500
    press("Escape")
    expect(page.locator("#crosshair")).to_be_hidden()


def test_sliders_say_what_they_count(page: Page, scene: Scene) -> None:
    open_file(page, scene.file)
    draw_box(page)
    page.locator("[data-setting=size]").fill("1.3")
    expect(page.locator("[data-setting=size]")).to_have_attribute("aria-valuetext", "20 pixels")
    expect(page.locator("#band")).to_have_attribute("aria-valuetext", re.compile(r"\D"))
    for button in page.get_by_role("button").all():
        assert button.inner_text().strip() or button.get_attribute("aria-label")
    names = [button.inner_text() for button in page.get_by_role("button").all()]
    assert names.count("Fit") == 1


def test_the_start_page_can_be_reached_again(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_file(page, scene.file)
    draw_box(page)
    before = trimap_of(page, tmp_path)
    page.get_by_role("button", name="Open", exact=True).click()
    page.locator("#open-menu [data-command=startPage]").click()
    expect(page.get_by_role("heading", name="Drop a photo here")).to_be_visible()
    page.get_by_title("Continue with furry disc.png where you left it").click()
    expect(page.locator("#picture-name")).to_have_text(scene.file.name, timeout=PATIENCE)
    settled(page)
    assert np.array_equal(trimap_of(page, tmp_path), before)


def test_old_projects_go_only_with_a_word(page: Page, scene: Scene) -> None:
    open_file(page, scene.file)
    script = """async () => {
      const storage = await import("/model/storage.js");
      for (let index = 0; index < storage.KEPT_PROJECTS + 2; index++)
        await storage.create(
          { id: `old ${index}`, name: `old ${index}.jpg`, position: 3, saved: index,
            width: 1, height: 1, fingerprint: "" }, new Blob(["x"]));
    }"""
    page.evaluate(script)
    page.get_by_role("button", name="Open", exact=True).click()
    page.locator("#open-menu [data-command=sample]").click()
    expect(page.locator("#notices")).to_contain_text("old 1.jpg, old 0.jpg", timeout=PATIENCE)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (820, 1180), (1280, 720)])
def test_the_photo_has_most_of_the_window(
    browser: Browser, server: Server, scene: Scene, width: int, height: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=width < 900, is_mobile=width < 900
    )
    page = context.new_page()
    page.goto(server.address)
    open_file(page, scene.file)
    box = page.locator("main").bounding_box()
    assert box is not None
    assert box["width"] * box["height"] > 0.7 * width * height
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    (left, _), (right, _) = on_screen(page, (0, 0), (WIDTH, 0))
    (_, top), (_, bottom) = on_screen(page, (0, 0), (0, HEIGHT))
    filled = max((right - left) / box["width"], (bottom - top) / box["height"])
    assert filled > 0.8  # a small photo is enlarged
    draw_box(page)
    for name in ("Background…", "Refine edge…", "Save", "History"):
        page.get_by_role("button", name=name, exact=True).click()
        menu = page.locator(":popover-open").bounding_box()
        assert menu is not None
        assert menu["x"] >= 0
        assert menu["x"] + menu["width"] <= width
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Light or dark page").click()
    page.get_by_role("heading", name=scene.file.name).scroll_into_view_if_needed()
    save = page.get_by_role("button", name="Save", exact=True).bounding_box()
    assert save is not None
    assert save["x"] + save["width"] <= width
    context.close()


def test_the_hint_of_the_beginning_never_covers_the_photo(page: Page, scene: Scene) -> None:
    page.set_viewport_size({"width": 1500, "height": 700})
    open_file(page, scene.file)
    for width in (1500, 760, 560):  # the hint breaks into more and more lines
        page.set_viewport_size({"width": width, "height": 700})
        page.wait_for_timeout(200)
        hint = page.locator("#start").bounding_box()
        assert hint is not None
        assert on_screen(page, (0, 0))[0][1] >= hint["y"] + hint["height"]


@pytest.mark.parametrize("mobile", [False, True])
def test_strokes_lie_where_they_are_painted_on_a_fine_screen(
    browser: Browser, server: Server, scene: Scene, tmp_path: Path, mobile: bool
) -> None:
    context = browser.new_context(
        viewport={"width": 390 if mobile else 1280, "height": 844 if mobile else 720},
        device_scale_factor=2,
        is_mobile=mobile,
    )
    page = context.new_page()
    page.goto(server.address)
    open_file(page, scene.file)
    photo, stage = on_screen(page, (0, 0), (WIDTH, HEIGHT)), page.locator("#stage").bounding_box()
    assert stage is not None
    assert photo[1][0] - photo[0][0] > (0.8 if mobile else 0.4) * stage["width"]
    draw_box(page)
    labels = trimap_of(page, tmp_path)
    assert labels[CENTRE[1], CENTRE[0]] == 255
    assert (labels[:19] == 0).all()
    assert (labels[:, 282:] == 0).all()
    context.close()


def test_all_tools_are_seen_with_a_row_of_photos(page: Page, scene: Scene, tmp_path: Path) -> None:
    files = []
    for number in range(12):
        files.append(tmp_path / f"photo {number}.png")
        Image.new("RGB", (80, 60), (20 * number, 0, 0)).save(files[-1])
    (tmp_path / "words.txt").write_text("no photo")
    drop(page, *files[:3], tmp_path / "words.txt", *files[3:])
    notices = page.locator("#notices")
    expect(notices).to_contain_text(
        "words.txt was not opened: it is not a photo.", timeout=PATIENCE
    )
    expect(notices).to_contain_text("11 more photos are in the row below.")
    row = page.get_by_role("region", name="Photos")
    expect(row.get_by_role("listitem")).to_have_count(12)
    names = [item.inner_text().split("\n")[0] for item in row.get_by_role("listitem").all()]
    assert names == [file.name for file in files]  # in the order in which they came
    tools = page.get_by_role("navigation", name="Tools")
    assert tools.evaluate("nav => nav.scrollHeight <= nav.clientHeight")
    row.get_by_title(f"Open {files[-1].name}").click()
    expect(page.locator("#picture-name")).to_have_text(files[-1].name, timeout=PATIENCE)
    page.reload()
    current = row.locator("[aria-current]")
    expect(current).to_have_text(files[-1].name, timeout=PATIENCE)
    expect(current).to_be_in_viewport()


def test_a_fill_that_runs_out_is_said(page: Page, scene: Scene, tmp_path: Path) -> None:
    open_file(page, scene.file)
    draw_box(page)
    before = trimap_of(page, tmp_path)
    page.keyboard.press("f")
    page.keyboard.press("g")
    page.mouse.click(*on_screen(page, (20, 20))[0])
    notice = page.locator("#notices")
    expect(notice).to_contain_text("was not enclosed")
    notice.get_by_role("button", name="Undo").click()
    eventually(lambda: np.array_equal(trimap_of(page, tmp_path), before))


def test_an_address_without_its_key_says_so(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.address.split("#")[0])
    banner = page.locator("#banner")
    expect(banner).to_contain_text("Open the whole address", timeout=PATIENCE)
    assert "was restarted" not in banner.inner_text()
    context.close()


def test_a_second_box_asks_and_undo_goes_back_to_the_start(
    page: Page, scene: Scene, tmp_path: Path
) -> None:
    open_file(page, scene.file)
    draw_box(page)
    expect(page.get_by_role("radio", name="Brush", exact=True)).to_be_checked(timeout=PATIENCE)
    first = trimap_of(page, tmp_path)
    paint(page, "u", 15, (100, 90), (240, 90))
    painted = trimap_of(page, tmp_path)
    page.keyboard.press("m")
    drag(page, (80, 30), (270, 230))
    asked = page.get_by_role("dialog", name="What is this box for?")
    asked.get_by_role("button", name="Cancel").click()
    assert np.array_equal(trimap_of(page, tmp_path), painted)
    page.keyboard.press("m")
    drag(page, (180, 140), (230, 200))
    asked.get_by_role("button", name="Remove what is in it").click()
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    assert (trimap_of(page, tmp_path)[140:200, 180:230] == 0).all()
    page.keyboard.press("m")
    drag(page, (80, 30), (270, 230))
    asked.get_by_role("button", name="Start again with it").click()
    expect(page.get_by_role("radio", name="Brush", exact=True)).to_be_checked(timeout=PATIENCE)
    settled(page)
    for _ in range(3):
        page.keyboard.press("Control+z")
    eventually(lambda: np.array_equal(trimap_of(page, tmp_path), first))
    page.keyboard.press("Control+z")
    expect(page.locator("#start")).to_be_visible()
    expect(page.get_by_role("radio", name="Box")).to_be_checked()


def test_a_photo_that_is_transparent_can_start_from_that(
    page: Page, scene: Scene, tmp_path: Path
) -> None:
    rgba = np.dstack([np.asarray(Image.open(scene.file)), np.rint(scene.alpha * 255)])
    Image.fromarray(rgba.astype(np.uint8)).save(tmp_path / "cut.png")
    open_file(page, tmp_path / "cut.png")
    page.get_by_role("button", name="the photo's transparency").click()
    settled(page)
    assert np.array_equal(trimap_of(page, tmp_path), from_alpha(np.uint8(rgba[..., 3])))
    assert open_trimap(download(page, "saveTrimap", tmp_path)).shape == (HEIGHT, WIDTH)


def test_axe_finds_nothing(page: Page, scene: Scene) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

    page.evaluate(source)

    def found() -> list[str]:
        results = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{violation['id']}: {node['html'][:120]}"
            for violation in results["violations"]
            for node in violation["nodes"]
        ]

    assert found() == []
    open_file(page, scene.file)
    assert found() == []
    draw_box(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.keyboard.press("2")
        assert found() == []
        page.keyboard.press("d")  # marks and result side by side
        assert found() == []
        page.keyboard.press("d")
        page.get_by_role("button", name="Background…").click()
        expect(page.locator("#backdrop-menu")).to_be_visible()
        assert found() == []
        page.keyboard.press("Escape")
    page.keyboard.press("Control+Shift+s")
    assert found() == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert found() == []
    page.keyboard.press("Escape")
    for name in ("Open", "Trimap", "History", "Save", "Refine edge…"):
        page.get_by_role("button", name=name, exact=True).click()
        assert found() == []
        page.keyboard.press("Escape")
