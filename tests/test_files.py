"""Files and streams are written whole or not at all, whatever takes the bytes."""

from __future__ import annotations

import io
import os
import pathlib
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

from deepmatte.errors import ImageError
from deepmatte.images.files import write_bytes, write_files

posix = pytest.mark.skipif(os.name != "posix", reason="file modes and signals of POSIX")
DATA = bytes(range(256)) * 4096  # 1 MiB, 16 times what a pipe holds


def test_a_pipe_without_a_buffer_gets_everything() -> None:
    reading, writing = os.pipe()
    taken: list[bytes] = []

    def read() -> None:
        with open(reading, "rb") as end:
            taken.append(end.read())

    reader = threading.Thread(target=read)
    reader.start()
    with open(writing, "wb", buffering=0) as end:  # as standard output with PYTHONUNBUFFERED=1
        write_files([(end, DATA)])
    reader.join()

    assert taken == [DATA]


def test_a_pipe_whose_reader_leaves_is_an_error() -> None:
    reading, writing = os.pipe()

    def read_a_little() -> None:
        os.read(reading, 10)
        os.close(reading)

    reader = threading.Thread(target=read_a_little)
    reader.start()
    with (
        open(writing, "wb", buffering=0) as end,
        pytest.raises(ImageError, match="pipe"),
    ):
        write_files([(end, DATA)])
    reader.join()


@posix
def test_a_pipe_that_does_not_block_gets_everything() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    taken: list[bytes] = []

    def read() -> None:
        with open(reading, "rb") as end:
            taken.append(end.read())

    reader = threading.Thread(target=read)
    reader.start()
    with open(writing, "wb", buffering=0) as end:
        write_files([(end, DATA)])
    reader.join()

    assert taken == [DATA]


class _Slow(io.RawIOBase):
    """Takes a few bytes at a time, as a socket may."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(memoryview(data)[:1000])  # type: ignore[arg-type]
        self.taken += part
        return len(part)


class _Plain:
    """No more than a method, which like many says nothing."""

    def __init__(self) -> None:
        self.taken = b""

    def write(self, data: bytes) -> None:
        self.taken += data


@pytest.mark.parametrize("stream", [_Slow(), _Plain()])
def test_any_stream_gets_everything(stream: _Slow | _Plain) -> None:
    write_files([(stream, DATA)])

    assert stream.taken == DATA


@posix
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_a_replaced_file_keeps_its_mode(tmp_path: pathlib.Path, mode: int) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(b"old")
    path.chmod(mode)

    write_bytes(path, b"new")

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="only Linux has files without a name")
def test_of_a_killed_process_nothing_is_left(tmp_path: pathlib.Path) -> None:
    code = """
import os, sys
from deepmatte.images import files
sync = os.fsync
def wait(descriptor):
    sync(descriptor)
    print("written", flush=True)
    sys.stdin.read()
os.fsync = wait
files.write_bytes(sys.argv[1], b"new")
"""
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"written\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert os.listdir(tmp_path) == ["out.png"]
    assert path.read_bytes() == b"old"


@posix
def test_a_command_that_is_told_to_end_cleans_up(tmp_path: pathlib.Path) -> None:
    """As above where files have a name from the beginning."""
    code = """
import os, sys, time
if hasattr(os, "O_TMPFILE"):
    del os.O_TMPFILE
from deepmatte import cli
from deepmatte.cli import app
from deepmatte.images import files
sync = os.fsync
def wait(descriptor):
    print("written", flush=True)
    time.sleep(60)
os.fsync = wait
app.app = lambda **_: files.write_bytes(sys.argv[1], b"new")
cli.main()
"""
    path = tmp_path / "out.png"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"written\n"
    assert len(os.listdir(tmp_path)) == 1
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)

    assert os.listdir(tmp_path) == []
    assert process.returncode == 128 + signal.SIGTERM
    assert errors == b""
