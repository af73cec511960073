"""The studio's server where somebody on the machine wants to keep others from it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs deepmatte[studio]")

pytestmark = pytest.mark.slow

BOMB = b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f" + struct.pack("<I", 16382 | 16382 << 14) + b"\0" * 10
posix = pytest.mark.skipif(os.name != "posix", reason="limits and files of POSIX")


class Studio:
    """A running server."""

    def __init__(self, *words: str, descriptors: int = 0, **changes: str) -> None:
        limit = f"ulimit -n {descriptors}; " if descriptors else ""
        command = [sys.executable, "-m", "deepmatte", "studio", "--port", "0", *words]
        if os.name == "posix":
            command = ["sh", "-c", f'{limit}exec "$@"', "sh", *command]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **changes},
        )
        assert self.process.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)/#token=(\S+)", self.process.stdout.readline())
        assert found, self.process.communicate()
        self.port, self.token = int(found[1]), found[2]

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        method = "GET" if body is None else "POST"
        connection.request(method, path, body, {"Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def end(self) -> str:
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=30)
        return errors


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    running = Studio("--no-browser", "--memory", "1GB")
    yield running
    assert running.end() == ""


@pytest.fixture(scope="module", autouse=True)
def halves() -> Iterator[tuple[Studio, list[socket.socket]]]:
    """A server, and as many halves of an upload as it has room for: begun before all tests, for the
    server waits ten seconds for the rest.
    """
    running = Studio("--no-browser")
    head = (
        f"POST /api/pictures?name=a.png HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n"
        f"Authorization: Bearer {running.token}\r\nContent-Length: 100000\r\n\r\n"
    )
    with ExitStack() as stack:
        begun = [
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=60))
            for _ in range(16)
        ]
        for half in begun:
            half.sendall(head.encode() + b"\x89PNG")
        time.sleep(0.5)
        assert running.ask("/api/pictures?name=b.png", b"no picture")[0] == 503
        yield running, begun
    assert running.end() == ""


@posix
@pytest.mark.parametrize("descriptors", [80, 256])
def test_idle_connections_keep_nobody_out(descriptors: int) -> None:
    running = Studio("--no-browser", descriptors=descriptors)
    with ExitStack() as stack:
        for _ in range(2 * descriptors):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
            idle.sendall(b"GET / HT")
        assert running.ask("/api/start")[0] == 200

    assert running.end() == ""


def test_a_bomb_is_refused_by_its_header(studio: Studio) -> None:
    status, body = studio.ask("/api/pictures?name=bomb.webp", BOMB)

    assert status == 422
    assert "16383 x 16383 pixels needs 3.5 GB" in json.loads(body)["error"]
    if sys.platform == "linux":
        peak = Path(f"/proc/{studio.process.pid}/status").read_text(encoding="utf-8")
        assert int(re.findall(r"VmHWM:\s+(\d+)", peak)[0]) < 1_000_000


@posix
def test_the_browsers_command_line_does_not_hold_the_token(tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/words.part\nmv {tmp_path}/words.part {tmp_path}/words\n'
    )
    browser.chmod(0o755)
    running = Studio(BROWSER=str(browser), TMPDIR=str(tmp_path))
    deadline = time.monotonic() + 30
    while not (tmp_path / "words").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    words = (tmp_path / "words").read_text(encoding="utf-8").strip()

    assert running.token not in words
    file = Path(words.removeprefix("file://"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert f"http://127.0.0.1:{running.port}/#token={running.token}" in file.read_text()
    running.end()
    assert not file.exists()


def test_half_an_upload_is_given_up(halves: tuple[Studio, list[socket.socket]]) -> None:
    running, begun = halves

    assert all(half.recv(12) == b"HTTP/1.1 408" for half in begun)
    assert running.ask("/api/pictures?name=b.png", b"no picture")[0] == 422
