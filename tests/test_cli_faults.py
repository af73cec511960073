"""The command line where something is not as it should be: pipes, names, files that are there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from conftest import Scene

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

    done = run(*command, folder=scene.folder)

    assert done.returncode == 2
    assert b"photo.trimap.png exists; --force replaces it" in done.stderr
    assert painted.read_bytes() == b"by hand"
    assert run(*command, "-o", "named.png", folder=scene.folder).returncode == 0
    assert run(*command, "-o", "named.png", folder=scene.folder).returncode == 0
    assert run(*command, "--force", folder=scene.folder).returncode == 0
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
    done = run(*arguments, folder=scene.folder)

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
