"""The command line, run as a user runs it."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from command import run
from PIL import Image, ImageCms
from typer.testing import CliRunner

import deepmatte
from deepmatte.cli.app import app

if TYPE_CHECKING:
    from conftest import Scene

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-m", "deepmatte")

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux devices")


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, so that two moments can be compared."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def picture_in(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def opened(path: Path) -> Image.Image:
    return picture_in(path.read_bytes())


def assert_one_sentence(done: subprocess.CompletedProcess[bytes]) -> str:
    """The work failed, and the only thing said is one line."""
    message = done.stderr.decode()
    assert done.returncode == 1, message
    assert message.startswith("deepmatte: ")
    assert message.count("\n") == 1
    assert done.stdout == b""
    return message


# --- help ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb",
    [
        "",
        "demo",
        "matte",
        "trimap",
        "trimap from-mask",
        "trimap from-alpha",
        "trimap from-scribbles",
        "trimap from-box",
        "trimap repair",
        "studio",
        "train",
        "train lite",
        "train dim",
        "convert",
        "export",
        "evaluate",
        "compose",
        "compose composition-1k",
        "compose set",
    ],
)
def test_help_has_an_example(verb: str) -> None:
    done = CliRunner().invoke(app, [*verb.split(), "--help"], prog_name="deepmatte")

    assert done.exit_code == 0
    assert f"  deepmatte {verb}" in done.output.split("Example:")[1]


def test_version(tmp_path: Path) -> None:
    done = run("--version", folder=tmp_path)

    assert done.stdout.decode().split() == ["deepmatte", deepmatte.__version__]


# --- matte --------------------------------------------------------------------------------------


def test_matte_without_options_writes_a_cutout_beside_the_picture(scene: Scene) -> None:
    done = run("matte", scene.picture, scene.trimap, folder=scene.folder)

    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    assert b"120 x 90" in done.stderr
    assert b"photo.cutout.png" in done.stderr
    cutout = opened(scene.folder / "photo.cutout.png")
    expected = deepmatte.matte(scene.picture, scene.trimap).cutout()
    np.testing.assert_array_equal(np.asarray(cutout), np.asarray(expected))


def test_matte_writes_every_output_with_profile_and_resolution(scene: Scene) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(scene.image).save(scene.picture, icc_profile=profile, dpi=(300, 300))
    targets = {
        "--alpha": ("a.png", "L"),
        "--foreground": ("f.tif", "RGB"),
        "--cutout": ("c.webp", "RGBA"),
        "--composite": ("o.jpg", "RGB"),
    }
    options = [part for option, (name, _) in targets.items() for part in (option, name)]

    words = ["matte", str(scene.picture), str(scene.trimap), "--over", "#00b140", *options]
    done = run(*words, folder=scene.folder)

    assert done.returncode == 0, done.stderr
    for name, mode in targets.values():
        picture = opened(scene.folder / name)
        assert (picture.size, picture.mode) == ((120, 90), mode)
        if mode != "L":
            assert picture.info["icc_profile"] == profile
        if not name.endswith(".webp"):
            assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert not (scene.folder / "photo.cutout.png").exists()
    corner = np.asarray(opened(scene.folder / "o.jpg"))[:8, :8].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(corner, (0, 177, 64), atol=4)


def test_over_alone_writes_a_composite_beside_the_picture(scene: Scene) -> None:
    done = run("matte", scene.picture, scene.trimap, "--over", "white", folder=scene.folder)

    assert done.returncode == 0, done.stderr
    composite = np.asarray(opened(scene.folder / "photo.composite.png"))
    assert (composite[scene.labels == 0] == 255).all()
    assert not (scene.folder / "photo.cutout.png").exists()


def test_a_picture_from_a_pipe_goes_to_a_pipe(scene: Scene) -> None:
    data = scene.picture.read_bytes()

    done = run("matte", "-", scene.trimap, folder=scene.folder, stdin=data)

    assert done.returncode == 0, done.stderr
    cutout = picture_in(done.stdout)
    assert (cutout.format, cutout.mode, cutout.size) == ("PNG", "RGBA", (120, 90))


def test_a_trimap_from_a_pipe_and_alpha_to_a_pipe(scene: Scene) -> None:
    data = scene.trimap.read_bytes()

    done = run("matte", scene.picture, "-", "--alpha", "-", folder=scene.folder, stdin=data)

    assert done.returncode == 0, done.stderr
    alpha = np.asarray(picture_in(done.stdout))
    assert (alpha[scene.labels == 255] == 255).all()
    assert (alpha[scene.labels == 0] == 0).all()


def test_a_mask_takes_the_trimaps_place(scene: Scene) -> None:
    done = run(
        *("matte", scene.picture, "--mask", scene.mask, "--alpha", "a.png"), folder=scene.folder
    )

    assert done.returncode == 0, done.stderr
    alpha = np.asarray(opened(scene.folder / "a.png"))
    assert np.abs(alpha / 255 - scene.alpha).mean() < 0.05


def test_what_became_of_the_pictures_transparency_is_said(scene: Scene) -> None:
    veil = np.full((*scene.labels.shape, 1), 128, np.uint8)
    Image.fromarray(np.concatenate([scene.image, veil], axis=2)).save(scene.picture)

    done = run("matte", scene.picture, scene.trimap, folder=scene.folder)

    assert done.returncode == 0
    assert b"transparency" in done.stderr
    assert np.asarray(opened(scene.folder / "photo.cutout.png"))[..., 3].max() == 128


def test_a_trimap_of_another_size_is_resized_only_when_asked(scene: Scene) -> None:
    Image.fromarray(scene.labels[::2, ::2]).save(scene.trimap)
    before = files(scene.folder)

    refused = run("matte", scene.picture, scene.trimap, folder=scene.folder)
    message = assert_one_sentence(refused)
    assert files(scene.folder) == before
    taken = run("matte", scene.picture, scene.trimap, "--resize-trimap", folder=scene.folder)

    assert "60 x 45" in message
    assert "120 x 90" in message
    assert taken.returncode == 0, taken.stderr


def test_a_mask_of_another_size_is_named(scene: Scene) -> None:
    Image.fromarray(scene.labels[::2, ::2]).save(scene.mask)

    done = run("matte", scene.picture, "--mask", "mask.png", folder=scene.folder)

    message = assert_one_sentence(done)
    assert "mask.png" in message
    assert "--resize-trimap" in message


WRONG_COMMANDS = {
    "neither trimap nor mask": "photo.png",
    "trimap and mask": "photo.png trimap.png --mask mask.png",
    "composite without background": "photo.png trimap.png --composite o.png",
    "two inputs from one pipe": "- -",
    "two outputs to one pipe": "photo.png trimap.png --alpha - --cutout -",
    "two outputs to one file": "photo.png trimap.png --alpha a.png --cutout ./a.png",
    "output is the picture": "photo.png trimap.png --foreground ./photo.png",
    "output is the trimap": "photo.png trimap.png --alpha trimap.png",
    "output is the background": "photo.png trimap.png --over mask.png --composite mask.png",
    "output links to an input": "photo.png trimap.png --cutout link.png",
    "unknown suffix": "photo.png trimap.png --cutout c.xyz",
    "no suffix": "photo.png trimap.png --alpha a",
    "cut-out in a format without alpha": "photo.png trimap.png --cutout c.jpg",
    "missing folder": "photo.png trimap.png --cutout missing/c.png",
    "output is a folder": "photo.png trimap.png --cutout folder.png",
    "tile is no number": "photo.png trimap.png --tile big",
    "no threads": "photo.png trimap.png --threads 0",
    "unknown option": "photo.png trimap.png --beautiful",
}


@pytest.mark.parametrize("arguments", WRONG_COMMANDS.values(), ids=WRONG_COMMANDS.keys())
def test_a_wrong_command_is_refused_before_any_work(scene: Scene, arguments: str) -> None:
    (scene.folder / "link.png").symlink_to(scene.picture)
    (scene.folder / "folder.png").mkdir()
    before = files(scene.folder)

    done = run("matte", *arguments.split(), folder=scene.folder, stdin=before[str(scene.picture)])

    assert done.returncode == 2
    assert done.stdout == b""
    assert b"Error: " in done.stderr
    assert b"Traceback" not in done.stderr
    assert files(scene.folder) == before


WRONG_WORK = {
    "missing picture": "nothing.png trimap.png",
    "folder for a picture": ". trimap.png",
    "empty name": " trimap.png",
    "missing trimap": "photo.png nothing.png",
    "text for a picture": "text.png trimap.png",
    "empty picture": "empty.png trimap.png",
    "truncated picture": "half.png trimap.png",
    "a photo for a trimap": "photo.png photo.png",
    "missing mask": "photo.png --mask nothing.png",
    "neither colour nor picture": "photo.png trimap.png --cutout c.png --over greenish",
    "unknown model": "photo.png trimap.png --model huge",
    "text for a model": "photo.png trimap.png --model text.onnx",
    "unknown device": "photo.png trimap.png --device abacus",
    "tiles too small": "photo.png trimap.png --tile 1",
}


@pytest.mark.parametrize("arguments", WRONG_WORK.values(), ids=WRONG_WORK.keys())
def test_wrong_input_gives_one_sentence_and_no_file(scene: Scene, arguments: str) -> None:
    (scene.folder / "text.png").write_text("text")
    (scene.folder / "text.onnx").write_text("text")
    (scene.folder / "empty.png").touch()
    data = scene.picture.read_bytes()
    (scene.folder / "half.png").write_bytes(data[: len(data) // 2])
    before = files(scene.folder)

    done = run("matte", *arguments.split(" "), folder=scene.folder)

    assert_one_sentence(done)
    assert files(scene.folder) == before


def test_cuda_without_cuda_gives_one_sentence(scene: Scene) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")

    done = run("matte", scene.picture, scene.trimap, "--device", "cuda", folder=scene.folder)

    assert "cuda" in assert_one_sentence(done)


def test_a_reader_that_went_away_leaves_no_traceback(scene: Scene) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        command = [*COMMAND, "matte", str(scene.picture), str(scene.trimap), "--cutout", "-"]
        done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE)

    assert done.returncode != 0
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@linux_only
@pytest.mark.parametrize(
    ("redirection", "arguments"),
    [("<&-", "- trimap.png"), (">&-", "photo.png trimap.png --cutout -")],
)
def test_a_closed_stream_is_refused(scene: Scene, redirection: str, arguments: str) -> None:
    command = f'"$0" -m deepmatte matte {arguments} {redirection}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], cwd=scene.folder, capture_output=True
    )

    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"is closed" in done.stderr


@linux_only
def test_a_picture_that_is_no_plain_file_goes_to_a_pipe(scene: Scene) -> None:
    fifo = scene.folder / "fifo"
    os.mkfifo(fifo)
    before = set(os.listdir(scene.folder))
    command = [*COMMAND, "matte", str(fifo), str(scene.trimap)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    fifo.write_bytes(scene.picture.read_bytes())
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 0, stderr
    assert picture_in(stdout).mode == "RGBA"
    assert set(os.listdir(scene.folder)) == before


def test_an_encoders_limit_leaves_no_file(tmp_path: Path) -> None:
    wide = np.zeros((2, 16_384), np.uint8)  # one column more than WebP can
    Image.fromarray(wide).save(tmp_path / "wide.png")
    (tmp_path / "old.png").write_text("old")
    before = files(tmp_path)

    done = run(
        *("matte", "wide.png", "wide.png", "--alpha", "old.png", "--foreground", "f.png"),
        *("--cutout", "c.webp"),
        folder=tmp_path,
    )

    assert "c.webp" in assert_one_sentence(done)
    assert files(tmp_path) == before


@linux_only
def test_an_output_that_fails_leaves_no_other(scene: Scene) -> None:
    before = files(scene.folder)
    command = [*COMMAND, "matte", str(scene.picture), str(scene.trimap), "--alpha", "a.png"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*command, "--cutout", "-"], cwd=scene.folder, stdout=full, stderr=subprocess.PIPE
        )

    assert done.returncode == 1
    assert files(scene.folder) == before


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(scene: Scene) -> None:
    locked = scene.folder / "locked"
    locked.mkdir(mode=0o500)
    # Root may write anywhere, unless it gives that right up.
    like_others = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
    if os.access(locked, os.W_OK) and shutil.which("setpriv") is None:
        pytest.skip("this user may write anywhere, and setpriv is missing")
    before = like_others if os.access(locked, os.W_OK) else ()
    words = ("matte", str(scene.picture), str(scene.trimap), "--cutout", "locked/c.png")

    done = subprocess.run([*before, *COMMAND, *words], cwd=scene.folder, capture_output=True)

    assert done.returncode == 2
    assert b"locked" in done.stderr


@linux_only
def test_a_full_disk_gives_one_sentence(scene: Scene) -> None:
    with open("/dev/full", "wb") as full:
        command = [*COMMAND, "matte", str(scene.picture), str(scene.trimap), "--cutout", "-"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE)

    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
    assert done.stderr.startswith(b"deepmatte: ")
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@linux_only
def test_an_interrupt_ends_without_traceback_and_without_a_file(scene: Scene) -> None:
    scene.picture.unlink()
    os.mkfifo(scene.picture)
    command = [*COMMAND, "matte", str(scene.picture), str(scene.trimap)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # Opening succeeds when the other side reads: then the work is under way.
    with scene.picture.open("wb"):
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)

    assert process.returncode not in (0, None)
    assert b"Traceback" not in stderr
    assert not (scene.folder / "photo.cutout.png").exists()


@pytest.mark.parametrize(
    ("module", "failure"),
    [
        ("typer", "raise KeyboardInterrupt"),
        ("onnxruntime", "raise ImportError('initialization failed') from KeyboardInterrupt()"),
    ],
)
def test_an_interrupt_while_modules_load_is_silent(scene: Scene, module: str, failure: str) -> None:
    code = f"""
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            {failure}

sys.meta_path.insert(0, Interrupt())
from deepmatte.cli import main
main()
"""
    command = [sys.executable, "-c", code, "matte", str(scene.picture), str(scene.trimap)]
    done = subprocess.run(command, capture_output=True)

    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


# --- trimap -------------------------------------------------------------------------------------


def trimap_in(path: Path) -> set[int]:
    picture = opened(path)
    assert picture.mode == "L"
    return set(np.unique(np.asarray(picture)).tolist())


def test_trimap_from_mask(scene: Scene) -> None:
    done = run("trimap", "from-mask", scene.mask, "--width", "10", folder=scene.folder)

    assert done.returncode == 0, done.stderr
    written = scene.folder / "mask.trimap.png"
    assert trimap_in(written) == {0, 128, 255}
    expected = deepmatte.trimap.from_mask(scene.mask, width=10)
    np.testing.assert_array_equal(np.asarray(opened(written)), expected)


def test_trimap_from_alpha(scene: Scene) -> None:
    alpha = np.rint(scene.alpha * 255).astype(np.uint8)
    Image.fromarray(alpha).save(scene.folder / "alpha.png")

    done = run(
        *("trimap", "from-alpha", "alpha.png", "--erode", "0", "--dilate", "0", "-o", "t.png"),
        folder=scene.folder,
    )

    assert done.returncode == 0, done.stderr
    trimap = np.asarray(opened(scene.folder / "t.png"))
    np.testing.assert_array_equal(trimap == 128, (alpha > 0) & (alpha < 255))


def test_trimap_from_box(scene: Scene) -> None:
    done = run(
        *("trimap", "from-box", scene.picture, "25,10,95,80", "-o", "t.png"), folder=scene.folder
    )

    assert done.returncode == 0, done.stderr
    trimap = np.asarray(opened(scene.folder / "t.png"))
    assert trimap[45, 60] == 255
    assert (trimap[:, :25] == 0).all()


def test_trimap_from_scribbles(scene: Scene) -> None:
    strokes = np.full_like(scene.labels, 128)
    strokes[40:50, 50:70] = 255
    strokes[2:6, 2:118] = 0
    Image.fromarray(strokes).save(scene.folder / "strokes.png")

    done = run(
        *("trimap", "from-scribbles", scene.picture, "strokes.png", "-o", "t.png"),
        folder=scene.folder,
    )

    assert done.returncode == 0, done.stderr
    trimap = np.asarray(opened(scene.folder / "t.png"))
    assert (trimap[strokes == 255] == 255).all()
    assert (trimap[strokes == 0] == 0).all()


def test_trimap_repair_through_pipes(scene: Scene) -> None:
    small = np.where(scene.labels == 255, 1, 0).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).save(buffer, "PNG")

    done = run("trimap", "repair", "-", folder=scene.folder, stdin=buffer.getvalue())

    assert done.returncode == 0, done.stderr
    assert (np.asarray(picture_in(done.stdout)) == small * 255).all()


def test_trimap_repair_fits_another_size_only_when_asked(scene: Scene) -> None:
    Image.fromarray(scene.labels[::2, ::2]).save(scene.folder / "small.png")
    command = ("trimap", "repair", "small.png", "--like", scene.picture, "-o", "t.png")

    refused = run(*command, folder=scene.folder)
    assert_one_sentence(refused)
    assert not (scene.folder / "t.png").exists()
    taken = run(*command, "--resize", folder=scene.folder)

    assert taken.returncode == 0, taken.stderr
    assert opened(scene.folder / "t.png").size == (120, 90)
    assert trimap_in(scene.folder / "t.png") == {0, 128, 255}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("from-box photo.png 1,2,3", 2),
        ("from-box photo.png 10,10,500,20", 1),
        ("from-mask mask.png -o mask.png", 2),
        ("from-mask photo.png", 1),
        ("from-scribbles photo.png trimap.png -o t.xyz", 2),
        ("repair trimap.png --resize", 2),
        ("repair nothing.png", 1),
        ("beautify trimap.png", 2),
    ],
)
def test_a_wrong_trimap_command_writes_nothing(scene: Scene, arguments: str, code: int) -> None:
    before = files(scene.folder)

    done = run("trimap", *arguments.split(), folder=scene.folder)

    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    assert files(scene.folder) == before


# --- demo ---------------------------------------------------------------------------------------


def test_demo_writes_pictures_and_a_contact_sheet(tmp_path: Path) -> None:
    done = run("demo", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    folder = tmp_path / "deepmatte-demo"
    modes = {path.name: opened(path).mode for path in folder.iterdir()}
    assert modes == {
        "cat.jpg": "RGB",
        "cat.trimap.png": "L",
        "alpha.png": "L",
        "foreground.png": "RGB",
        "cutout.png": "RGBA",
        "over-green.png": "RGB",
        "over-grey.png": "RGB",
        "contact-sheet.png": "RGB",
    }
    assert b"1200 x 836" in done.stdout
    for name in modes:
        assert name.encode() in done.stdout


def test_demo_where_a_file_is_in_the_way_gives_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")

    done = run("demo", "taken", folder=tmp_path)

    assert done.returncode == 2
    assert b"taken is a file" in done.stderr
    assert (tmp_path / "taken").read_text() == "mine"


def test_demo_spares_a_folder_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "alpha.png").write_text("mine")

    done = run("demo", ".", folder=tmp_path)

    assert done.returncode == 2
    assert b"alpha.png" in done.stderr
    assert files(tmp_path) == {str(tmp_path / "alpha.png"): b"mine"}


def test_demo_again_replaces_the_earlier_one_and_quotes_its_hint(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    (folder / "cat.jpg").write_text("earlier")

    done = run("demo", folder, folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert opened(folder / "cat.jpg").size == (1200, 836)
    assert shlex.split(done.stdout.decode().splitlines()[-1])[2:] == [
        str(folder / "cat.jpg"),
        str(folder / "cat.trimap.png"),
    ]


# --- train --------------------------------------------------------------------------------------


def test_train_without_pictures_gives_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "photos").mkdir()

    done = run("train", "lite", "--backgrounds", "photos", "--out", "run", folder=tmp_path)

    assert_one_sentence(done)


def test_export_of_what_is_no_checkpoint_gives_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "text.pt").write_text("text")

    for checkpoint in ("text.pt", "nothing.pt"):
        assert_one_sentence(run("export", checkpoint, "-o", "mine.onnx", folder=tmp_path))
    assert not (tmp_path / "mine.onnx").exists()
