"""The command line where something is not as it should be: pipes, names, files that are there."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command import run as run_here
from PIL import Image

import deepmatte

if TYPE_CHECKING:
    from conftest import Scene

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-m", "deepmatte")
posix = pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")


def run(*arguments: str | Path, folder: Path, **changes: str) -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, env={**os.environ, **changes})


@posix
def test_a_reader_that_leaves_is_an_error_without_a_buffer_too(scene: Scene) -> None:
    Image.effect_noise((900, 700), 90).save(scene.folder / "large.png")  # more than a pipe holds
    command = [*COMMAND, "trimap", "repair", "large.png", "-o", "-"]
    process = subprocess.Popen(
        command,
        cwd=scene.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()

    _, errors = process.communicate()

    assert b"Broken pipe" in errors
    assert process.returncode == 1


@posix
def test_a_pipe_without_a_buffer_gets_the_whole_picture(scene: Scene) -> None:
    buffered, unbuffered = (
        run("matte", scene.picture, scene.trimap, "--cutout", "-", folder=scene.folder, **changes)
        for changes in ({}, {"PYTHONUNBUFFERED": "1"})
    )

    assert unbuffered.returncode == 0
    assert unbuffered.stdout == buffered.stdout


@posix
def test_standard_input_as_a_device_is_a_pipe(scene: Scene) -> None:
    command = [*COMMAND, "matte", "/dev/stdin", "trimap.png"]
    with scene.picture.open("rb") as picture:  # a file, which has a folder
        done = subprocess.run(command, cwd=scene.folder, stdin=picture, capture_output=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"\x89PNG")


def test_a_trimap_that_is_there_is_not_replaced(scene: Scene) -> None:
    painted = scene.folder / "photo.trimap.png"
    painted.write_bytes(b"by hand")
    command = ("trimap", "from-box", "photo.png", "20,10,100,80")

    done = run_here(*command, folder=scene.folder)

    assert done.returncode == 2
    assert b"photo.trimap.png exists; --force replaces it" in done.stderr
    assert painted.read_bytes() == b"by hand"
    assert run_here(*command, "-o", "named.png", folder=scene.folder).returncode == 0
    assert run_here(*command, "-o", "named.png", folder=scene.folder).returncode == 0
    assert run_here(*command, "--force", folder=scene.folder).returncode == 0
    assert painted.read_bytes() == (scene.folder / "named.png").read_bytes()


@posix
@pytest.mark.parametrize(
    "arguments",
    [
        ("matte", "photo\x1b[2J.png", "trimap.png"),
        ("matte", "photo\x1b[2J.png"),
        ("matte", "photo.png", "trimap.png", "--cutout", "no\x1b[2J/folder/a.png"),
        ("matte", "photo.png", "trimap.png", "--model", "\x1b]0;title\x07.onnx"),
        ("evaluate", "\x1b[2J"),
        ("\x1b[2J",),
    ],
)
def test_no_escape_code_reaches_the_terminal(scene: Scene, arguments: tuple[str, ...]) -> None:
    done = run_here(*arguments, folder=scene.folder)

    assert done.returncode > 0
    assert b"\x1b" not in done.stdout + done.stderr


@posix
def test_a_strange_name_that_is_there_is_said_without_escapes(scene: Scene) -> None:
    name = "photo\x1b[2J\n\udcff.png"
    scene.picture.rename(scene.folder / name)

    done = run("matte", name, "trimap.png", folder=scene.folder)

    assert done.returncode == 0
    assert b"\x1b" not in done.stderr
    assert b"photo\\x1b[2J\\n\\udcff.png: 120 x 90 pixels" in done.stderr


@pytest.mark.parametrize("missing", ["phtos/photo.png", "photo.jpg"])
def test_a_missing_picture_is_blamed_and_not_its_output(scene: Scene, missing: str) -> None:
    for command in (("matte", missing, "trimap.png"), ("trimap", "from-box", missing, "1,1,9,9")):
        done = run_here(*command, folder=scene.folder)

        assert done.returncode == 1
        assert done.stderr.decode() == f"deepmatte: {missing} does not exist.\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("photo.png", "To cut out a picture: deepmatte matte photo.png TRIMAP"),
        ("matte photo.png trimap.png --box 1,2,30,40", "TRIMAP and --box were given"),
        ("matte photo.png --mask mask.png --point 3,4", "--mask and --point were given"),
        ("matte photo.png --box 30,40,1,2", "left < right and top < bottom"),
        ("matte photo.png trimap.png -o cutout", "cutout has no suffix"),
        ("matte photo.png trimap.png --quality best", "'--quality': 'best' is not one of"),
        ("matte photo.png trimap.png --memory 4", "4 bytes of memory is too little"),
        ("matte photo.png --mask small.png", "small.png: The mask is 60 x 45 pixels"),
        ("batch - out", "There is no picture in the list"),
        ("batch . out --trimaps nothing", "expected a folder of trimaps"),
    ],
)
def test_a_slip_is_explained(scene: Scene, command: str, said: str) -> None:
    with Image.open(scene.mask) as mask:
        mask.resize((60, 45), Image.Resampling.NEAREST).save(scene.folder / "small.png")

    done = run_here(*command.split(), folder=scene.folder)

    assert done.returncode in (1, 2)
    assert said in done.stderr.decode()


def test_a_trimap_without_subject_is_said_as_it_is_made(scene: Scene) -> None:
    Image.new("L", (120, 90)).save(scene.mask)

    done = run_here("trimap", "from-mask", "mask.png", "-o", "black.png", folder=scene.folder)

    assert done.returncode == 0
    assert "mask marks no foreground" in done.stderr.decode()


@pytest.mark.parametrize("over", ["greenish", "nothing.jpg"])
def test_a_background_is_checked_before_any_work(scene: Scene, over: str) -> None:
    scene.picture.write_bytes(b"not opened")

    done = run_here("matte", "photo.png", "trimap.png", "--over", over, folder=scene.folder)

    assert f"'{over}' is not a background" in done.stderr.decode()


def test_an_address_is_not_downloaded(scene: Scene) -> None:
    done = run_here("matte", "https://example.org/photo.jpg", "trimap.png", folder=scene.folder)

    assert done.returncode == 1
    assert b"nothing is downloaded here; save the picture first" in done.stderr


@posix
def test_a_tilde_is_the_home_folder(scene: Scene) -> None:
    words = ("matte", "~/photo.png", "~/trimap.png", "-o", "~/new.png")

    done = run(*words, folder=scene.folder.parent, HOME=str(scene.folder))

    assert done.returncode == 0, done.stderr
    assert (scene.folder / "new.png").exists()


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (7, "Something of type int is no picture"),
        (b"", "What was given is empty"),
        ([1, 2], "Something of type list is no picture"),
    ],
)
def test_what_is_no_picture_is_said_in_plain_words(picture: Any, said: str) -> None:
    with pytest.raises(deepmatte.ImageError, match=said):
        deepmatte.matte(picture, b"")


def test_a_tensor_is_told_how_to_be_an_array() -> None:
    torch = pytest.importorskip("torch", reason="needs deepmatte[train]")

    with pytest.raises(deepmatte.ImageError, match=r"\.numpy\(\)"):
        deepmatte.matte(torch.zeros(3, 4, 5), b"")


def test_the_share_of_unknown_pixels_is_said(scene: Scene) -> None:
    done = run_here("matte", "photo.png", "trimap.png", folder=scene.folder)

    assert b"photo.png: 120 x 90 pixels, 23% unknown, " in done.stderr


def test_a_long_matte_says_how_far_it_is(scene: Scene) -> None:
    large = Image.effect_noise((900, 700), 60).convert("RGB")
    large.save(scene.folder / "large.png")
    labels = Image.new("L", large.size, 128)
    labels.paste(255, (300, 200, 400, 300))
    labels.paste(0, (0, 0, 900, 50))
    labels.save(scene.folder / "labels.png")
    words = ("matte", "large.png", "labels.png", "--quality", "high", "--threads", "1")

    done = run_here(*words, folder=scene.folder)

    assert re.search(rb"^large.png: (working|matting, \d+%)$", done.stderr, re.MULTILINE)
    assert done.returncode == 0


def test_completion_is_offered(scene: Scene) -> None:
    assert b"--install-completion" in run_here("--help", folder=scene.folder).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
@pytest.mark.parametrize("megabytes", [240, 330, 420, 520, 640])
def test_too_few_addresses_are_one_sentence(scene: Scene, megabytes: int) -> None:
    command = [*COMMAND, "matte", "photo.png", "trimap.png"]
    limited = ["sh", "-c", f'ulimit -v {1024 * megabytes}; exec "$@"', "sh", *command]

    done = subprocess.run(limited, cwd=scene.folder, capture_output=True)

    if done.returncode:  # 640 may well be enough
        assert done.returncode == 1
        assert done.stderr.startswith(b"deepmatte: ")
        assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
@pytest.mark.skipif(importlib.util.find_spec("rembg") is None, reason="needs rembg")
def test_too_few_addresses_for_a_segmenter_are_one_sentence(scene: Scene) -> None:
    command = [*COMMAND, "matte", "photo.png", "--subject", "--segmenter", "rembg"]
    limited = ["sh", "-c", 'ulimit -v 900000; exec "$@"', "sh", *command]

    done = subprocess.run(limited, cwd=scene.folder, capture_output=True, timeout=200)

    assert done.returncode == 1
    assert done.stderr.startswith(b"deepmatte: This process may use 0.92 GB of addresses")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_too_few_addresses_are_an_error_of_ours_in_python_too(scene: Scene) -> None:
    code = """
import deepmatte
try:
    deepmatte.Matter()
except deepmatte.MattingError as error:
    print(error)
"""
    limited = ["sh", "-c", 'ulimit -v 350000; exec "$@"', "sh", sys.executable, "-c", code]

    done = subprocess.run(limited, capture_output=True)

    assert done.stdout.startswith(b"This process may use 0.36 GB of addresses"), done.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("batch", "in"), b"deepmatte batch photos out"),
        (("demo",), b"deepmatte demo folder"),
        (("serve",), b"curl -o cutout.png"),
        (("studio", "photo.png"), b"Save in the page"),
    ],
)
def test_where_there_is_no_o_the_error_says_what_to_use(
    scene: Scene, command: tuple[str, ...], said: bytes
) -> None:
    done = run_here(*command, "-o", "x.png", folder=scene.folder)

    assert done.returncode == 2
    assert said in done.stderr
