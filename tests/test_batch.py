"""Batches of pictures, run as a user runs them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from command import run_as_text
from PIL import Image
from test_round_trips import dng

import deepmatte
from deepmatte.images import encode_image

if TYPE_CHECKING:
    from conftest import Scene

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-m", "deepmatte", "batch")
LEDGER = ".deepmatte-batch.sqlite"


def run(
    *arguments: str | Path, folder: Path, stdin: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """In a process of its own."""
    command = [*COMMAND, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, input=stdin, capture_output=True)
    return subprocess.CompletedProcess(command, done.returncode, "", done.stderr.decode())


def run_here(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The same in this process, which starts those that matte."""
    return run_as_text("batch", *arguments, folder=folder)


def outputs(folder: Path) -> dict[str, bytes]:
    """All that a batch has left in a folder, but for its ledger."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(LEDGER)  # nor for SQLite's journal of it
    }


def states(folder: Path) -> list[str]:
    """What the ledger says of the pictures; nothing before it is there."""
    try:
        with closing(sqlite3.connect(f"file:{folder / LEDGER}?mode=ro", uri=True)) as ledger:
            return [state for (state,) in ledger.execute("SELECT state FROM pictures")]
    except sqlite3.OperationalError:
        return []


def counted(said: str) -> dict[str, int]:
    """The numbers of the summary."""
    line = next(line for line in said.splitlines() if re.match(r"\d+ done", line))
    counts = re.findall(r"(\d+) (done before|done|failed|skipped|left)", line)
    return {what: int(number) for number, what in counts}


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


@pytest.fixture
def photos(scene: Scene) -> Path:
    """Two pictures in ``photos``, one of them in a sub-folder, and their trimaps in ``trimaps``."""
    add_photo(scene, "one", "one")
    add_photo(scene, "sub/two", "sub/two.trimap")
    return scene.folder


def add_photo(scene: Scene, name: str, trimap: str) -> None:
    for source, target in (
        (scene.picture, scene.folder / "photos" / f"{name}.png"),
        (scene.trimap, scene.folder / "trimaps" / f"{trimap}.png"),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def expected_cutout(scene: Scene) -> bytes:
    cutout = deepmatte.matte(scene.picture, scene.trimap).cutout()
    return encode_image(np.asarray(cutout), ".png")


# --- what is done -------------------------------------------------------------------------------


def test_a_folder_keeps_its_structure_and_a_second_run_does_only_what_is_left(
    scene: Scene, photos: Path
) -> None:
    command = ("photos", "out", "--trimaps", "trimaps")

    first = run_here(*command, folder=photos)

    assert first.returncode == 0, first.stderr
    cutout = expected_cutout(scene)
    assert outputs(photos / "out") == {"one.cutout.png": cutout, "sub/two.cutout.png": cutout}
    assert "network" in first.stderr

    before = (photos / "out/one.cutout.png").stat().st_mtime_ns
    (photos / "out/sub/two.cutout.png").unlink()
    missing = run_here(*command, folder=photos)

    assert counted(missing.stderr) == {"done": 1, "done before": 1, "failed": 0}
    assert (photos / "out/one.cutout.png").stat().st_mtime_ns == before
    assert outputs(photos / "out")["sub/two.cutout.png"] == cutout

    Image.fromarray(np.where(scene.labels == 0, 128, scene.labels)).save(photos / "trimaps/one.png")
    changed = run_here(*command, folder=photos)

    assert counted(changed.stderr) == {"done": 1, "done before": 1, "failed": 0}
    assert outputs(photos / "out")["one.cutout.png"] != cutout

    settings = run_here(*command, "--quality", "high", folder=photos)

    assert counted(settings.stderr) == {"done": 2, "failed": 0}


def test_raw_files_are_taken_from_folders_but_not_beside_a_developed_copy(
    scene: Scene, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rawpy")
    raw = dng(np.repeat(np.repeat(scene.image[::2, ::2].astype(np.uint16) * 257, 2, 0), 2, 1))
    for name in ("photos/one.dng", "photos/sub/two.DNG", "photos/raw/three.dng"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).write_bytes(raw)
    (photos / "trimaps/raw").mkdir()
    shutil.copy(scene.trimap, photos / "trimaps/raw/three.png")
    (photos / "without").mkdir()
    (photos / "without/rawpy.py").write_text("raise ImportError")

    with monkeypatch.context() as changed:
        changed.setenv("PYTHONPATH", f"{photos / 'without'}:{os.environ.get('PYTHONPATH', '')}")
        failed = run("photos", "out", "--trimaps", "trimaps", folder=photos)
    assert failed.returncode == 1
    assert counted(failed.stderr) == {"done": 2, "failed": 1}
    assert "three.dng is a camera's raw file; opening it needs rawpy" in failed.stderr

    done = run("photos", "out", "--trimaps", "trimaps", folder=photos)
    assert done.returncode == 0, done.stderr
    assert counted(done.stderr) == {"done": 1, "done before": 2, "failed": 0}
    assert "raw/three.cutout.png" in outputs(photos / "out")


def test_outputs_are_chosen_and_named_as_asked_and_masks_will_do(
    scene: Scene, photos: Path
) -> None:
    (photos / "masks").mkdir()
    shutil.copy(scene.mask, photos / "masks/photo.png")
    Image.fromarray(scene.image).save(photos / "photo.jpg")
    (photos / "photo.png").unlink()

    done = run_here(
        *("photo.jpg", "out", "--masks", "masks", "--alpha", "alpha/{name}.webp"),
        *("--over", "white", "--foreground", "{stem}-colours.tif"),
        folder=photos,
    )

    assert done.returncode == 0, done.stderr
    assert set(outputs(photos / "out")) == {
        "alpha/photo.jpg.webp",
        "photo.composite.png",
        "photo-colours.tif",
    }
    matte = deepmatte.matte_mask(photos / "photo.jpg", scene.mask)
    alpha = np.asarray(Image.open(photos / "out/alpha/photo.jpg.webp").convert("L"))
    assert np.array_equal(alpha, np.rint(matte.alpha * 255))
    over = np.asarray(Image.open(photos / "out/photo.composite.png"))
    assert np.array_equal(over, np.asarray(matte.over("white")))


def test_outputs_are_framed_and_laid_out_as_matte_does_it(scene: Scene, photos: Path) -> None:
    pytest.importorskip("OpenEXR")
    framing = ("--crop", "5%", "--resize", "40", "--shadow", "40%")
    (photos / "photos/sub/two.png").unlink()

    done = run_here(
        *("photos", "out", "--trimaps", "trimaps", "--corridorkey", *framing),
        *("--cutout", "{stem}.exr", "--alpha", "{stem}.png", "--straight"),
        folder=photos,
    )
    words = ["--corridorkey", "single", "--cutout", "one.exr", "--alpha", "one.png", "--straight"]
    single = run_as_text(
        *("matte", "photos/one.png", "trimaps/one.png", *framing, *words), folder=photos
    )

    assert done.returncode == 0, done.stderr
    assert single.returncode == 0, single.stderr
    expected = outputs(photos / "single") | {
        name: (photos / name).read_bytes() for name in ("one.exr", "one.png")
    }
    assert outputs(photos / "out") == expected
    with Image.open(photos / "out/one.png") as alpha:
        assert max(alpha.size) == 40


def test_lists_come_through_a_pipe_and_globs_are_read(photos: Path) -> None:
    listed = b"photos/one.png\nphotos/sub/two.png\n"

    done = run("-", "out", "--trimaps", "trimaps", folder=photos, stdin=listed)

    assert done.returncode == 0, done.stderr
    assert set(outputs(photos / "out")) == {"one.cutout.png", "sub/two.cutout.png"}
    again = run("photos/**/*.png", "out", "--trimaps", "trimaps", folder=photos)
    assert counted(again.stderr) == {"done": 0, "done before": 2, "failed": 0}


# --- what goes wrong ----------------------------------------------------------------------------


def test_a_broken_picture_fails_alone_and_is_tried_again(scene: Scene, photos: Path) -> None:
    whole = scene.picture.read_bytes()
    (photos / "photos/one.png").write_bytes(whole[: len(whole) // 2])
    command = ("photos", "out", "--trimaps", "trimaps", "--report", "report.html")

    failed = run_here(*command, folder=photos)

    assert failed.returncode == 1
    assert counted(failed.stderr) == {"done": 1, "failed": 1}
    sentence = next(line for line in failed.stderr.splitlines() if line.startswith("one.png: "))
    report = (photos / "report.html").read_text()
    assert sentence.split(": ", 1)[1] in report
    assert report.count("data:image/jpeg;base64,") == 1
    assert set(outputs(photos / "out")) == {"sub/two.cutout.png"}

    shutil.copy(scene.picture, photos / "photos/one.png")
    mended = run_here(*command, folder=photos)

    assert mended.returncode == 0
    assert counted(mended.stderr) == {"done": 1, "done before": 1, "failed": 0}
    report = (photos / "report.html").read_text()
    assert report.count("data:image/jpeg;base64,") == 2
    assert "Failed" not in report


def test_the_report_begins_with_the_most_doubtful_matte(scene: Scene, photos: Path) -> None:
    unmarked = np.where(scene.labels == 255, 128, scene.labels)
    Image.fromarray(unmarked).save(photos / "trimaps/sub/two.trimap.png")

    run_here("photos", "out", "--trimaps", "trimaps", "--report", "report.html", folder=photos)

    report = (photos / "report.html").read_text()
    assert report.index("<b>sub/two.png</b>") < report.index("<b>one.png</b>")
    assert "The trimap marks no foreground" in report


def test_missing_and_doubled_trimaps_are_named_before_anything_runs(
    scene: Scene, photos: Path
) -> None:
    shutil.copy(scene.picture, photos / "photos/three.png")
    shutil.copy(scene.trimap, photos / "trimaps/sub/two.tif")
    command = ("photos", "out", "--trimaps", "trimaps")

    refused = run_here(*command, folder=photos)

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "2 of 3 pictures" in refused.stderr
    assert "three.png (has no trimap)" in refused.stderr
    assert "sub/two.png (has two.tif, two.trimap.png)" in refused.stderr
    assert not (photos / "out").exists()

    skipped = run_here(*command, "--skip-missing", folder=photos)

    assert skipped.returncode == 0
    assert counted(skipped.stderr) == {"done": 1, "failed": 0, "skipped": 2}
    assert set(outputs(photos / "out")) == {"one.cutout.png"}


def test_outputs_of_an_earlier_batch_are_no_pictures(photos: Path) -> None:
    for out in ("photos/first", "photos/second", "elsewhere"):
        done = run_here("photos", out, "--trimaps", "trimaps", folder=photos)

        assert done.returncode == 0, done.stderr
        assert counted(done.stderr) == {"done": 2, "failed": 0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("photos", "photos", "--trimaps", "trimaps"), "photos is read by this batch"),
        (("photos", "trimaps", "--trimaps", "trimaps"), "trimaps is read by this batch"),
        (("photos", "photos/sub", "--trimaps", "trimaps"), "holds pictures"),
        (("photos/*/*.png", "photos/sub", "--trimaps", "trimaps"), "sub is read by this batch"),
        (("photos", "out", "--cutout", "cutout.png"), "expected {stem} or {name}"),
        (("photos", "out", "--cutout", "../{stem}.png"), "leads out of the output folder"),
        (("photos", "out", "--cutout", "{stem}.jpg"), "no alpha channel"),
        (("photos", "out", "--cutout", "{stem}.webp", "--depth", "16"), "WEBP holds 8"),
        (("photos", "out", "--trimaps", "nowhere"), "nowhere is not a folder"),
        (("nowhere", "out"), "nowhere does not exist"),
        (("empty", "out"), "no picture in empty"),
        (("photos", "out", "--trimaps", "trimaps", "--over", "nocolour"), "nocolour"),
        (("photos", "out", "--trimaps", "trimaps", "--model", "none.onnx"), "none.onnx"),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    photos: Path, arguments: tuple[str, ...], said: str
) -> None:
    (photos / "empty").mkdir()

    refused = run_here(*arguments, folder=photos)

    assert refused.returncode in (1, 2)
    assert said in re.sub(r"\s*[│╭╰]?\n[│╭╰]?\s*", " ", refused.stderr)
    assert not (photos / "out").exists()


def test_two_pictures_do_not_share_an_output(scene: Scene, photos: Path) -> None:
    Image.fromarray(scene.image).save(photos / "photos/one.jpg")

    refused = run_here("photos", "out", "--trimaps", "trimaps", folder=photos)

    assert refused.returncode == 1
    assert "one.jpg and one.png" in refused.stderr


def test_a_damaged_ledger_is_named(photos: Path) -> None:
    (photos / "out").mkdir()
    (photos / "out" / LEDGER).write_bytes(b"no ledger" * 1000)

    refused = run_here("photos", "out", "--trimaps", "trimaps", folder=photos)

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"{LEDGER} is damaged" in refused.stderr


def test_the_first_failure_can_end_it(photos: Path) -> None:
    (photos / "photos/one.png").write_bytes(b"")

    failed = run_here(
        *("photos", "out", "--trimaps", "trimaps", "--fail-fast", "--processes", "1"), folder=photos
    )

    assert failed.returncode == 1
    assert counted(failed.stderr) == {"done": 0, "failed": 1, "left": 1}


def test_what_exceeds_the_memory_is_said(photos: Path) -> None:
    failed = run("photos", "out", "--trimaps", "trimaps", "--memory", "200MB", folder=photos)

    assert failed.returncode == 1
    assert "one.png needs at least 0.30 GB of memory" in failed.stderr


def test_what_exceeds_a_share_of_the_memory_is_done_alone(photos: Path) -> None:
    memory = ("--memory", "700MB", "--processes", "2")  # each picture takes 0.30 GB at least

    done = run("photos", "out", "--trimaps", "trimaps", *memory, folder=photos)

    assert done.returncode == 0, done.stderr
    assert counted(done.stderr) == {"done": 2, "failed": 0}


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="needs a disk of its own to fill"
)
def test_a_full_disk_stops_the_run_and_the_next_one_goes_on(scene: Scene, photos: Path) -> None:
    for number in range(8):
        add_photo(scene, f"n{number}", f"n{number}")
    disk = photos / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", disk])
    if mounted.returncode:
        pytest.skip("this process may not mount")
    try:
        # In processes of their own: the full disk cannot take down that a run has ended.
        full = run("photos", "disk/out", "--trimaps", "trimaps", folder=photos)
        assert full.returncode == 1
        assert "No space left" in full.stderr or "is full" in full.stderr
        cutout = expected_cutout(scene)
        assert all(data == cutout for data in outputs(disk).values())

        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        rest = run("photos", "disk/out", "--trimaps", "trimaps", folder=photos)
        assert rest.returncode == 0, rest.stderr
        assert list(outputs(disk).values()) == [cutout] * 10
    finally:
        subprocess.run(["umount", disk], check=True)


# --- several runs, and runs that are ended ------------------------------------------------------


def test_two_runs_at_once_share_the_work(scene: Scene, photos: Path) -> None:
    for number in range(6):
        add_photo(scene, f"n{number}", f"n{number}")
    words = (*COMMAND, "photos", "out", "--trimaps", "trimaps", "--processes", "1")

    runs = [
        subprocess.Popen(words, cwd=photos, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]

    said = [process.communicate(timeout=120)[1] for process in runs]
    assert [process.returncode for process in runs] == [0, 0], said
    assert sum(counted(text)["done"] for text in said) == 8
    assert list(outputs(photos / "out").values()) == [expected_cutout(scene)] * 8


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_run_leaves_nothing_behind_and_the_next_one_goes_on(
    scene: Scene, photos: Path
) -> None:
    for number in range(10):
        add_photo(scene, f"n{number}", f"n{number}")
    words = (*COMMAND, "photos", "out", "--trimaps", "trimaps")
    with subprocess.Popen(words, cwd=photos, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: "done" in states(photos / "out"))
        process.send_signal(signal.SIGKILL)
    # As one that was killed while it wrote would leave it.
    (photos / "out/.deepmatte-0123456789ab.part").write_bytes(b"half a picture")
    cutout = expected_cutout(scene)
    assert {data for name, data in outputs(photos / "out").items() if ".part" not in name} == {
        cutout
    }

    rest = run_here("photos", "out", "--trimaps", "trimaps", folder=photos)

    assert rest.returncode == 0, rest.stderr
    assert counted(rest.stderr)["done before"] >= 1
    assert list(outputs(photos / "out").values()) == [cutout] * 12


def test_what_a_killed_run_left_goes_even_when_all_pictures_are_done(photos: Path) -> None:
    first = run_here("photos", "out", "--trimaps", "trimaps", folder=photos)
    assert first.returncode == 0, first.stderr
    remains = photos / "out/.deepmatte-0123456789ab.part"
    remains.write_bytes(b"half a picture")

    again = run_here("photos", "out", "--trimaps", "trimaps", folder=photos)

    assert again.returncode == 0, again.stderr
    assert not remains.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_what_arrives_is_matted_when_it_is_whole(scene: Scene, photos: Path) -> None:
    whole = scene.picture.read_bytes()
    (photos / "inbox").mkdir()
    words = (*COMMAND, "inbox", "out", "--watch")
    with subprocess.Popen(words, cwd=photos, stderr=subprocess.PIPE, text=True) as process:
        with open(photos / "inbox/late.png", "wb") as file:
            shutil.copy(scene.trimap, photos / "inbox/late.trimap.png")
            for part in range(4):  # it keeps growing for longer than a file must be at rest
                file.write(whole[part * len(whole) // 4 : (part + 1) * len(whole) // 4])
                file.flush()
                time.sleep(0.8)
        wait_for(lambda: "done" in states(photos / "out"))
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]

    assert process.returncode == 0, said
    assert counted(said) == {"done": 1, "failed": 0}
    assert outputs(photos / "out") == {"late.cutout.png": expected_cutout(scene)}
