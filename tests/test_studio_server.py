"""The studio's server, run as a user runs it and asked as its page asks it, and as others might."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

import numpy as np
import pytest
import schemathesis
import schemathesis.core.result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

import deepmatte
from deepmatte import trimap
from deepmatte.images import encode_image, open_image

if TYPE_CHECKING:
    from conftest import Scene

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-m", "deepmatte")
LARGE = (700, 900)  # more than are matted whole at once

Colours = NDArray[np.uint8]


# --- a server and its page ----------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def sentence(self) -> str:
        """What an error says: one sentence and nothing else."""
        assert self.status >= 400, self
        found = json.loads(self.body)
        assert list(found) == ["error"]
        assert re.fullmatch(r"[^\n]+\.", found["error"]), found
        return str(found["error"])


class Studio:
    """A running server, and requests to it."""

    processes: ClassVar[list[subprocess.Popen[str]]] = []

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "studio", "--no-browser", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(self.process)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        match = re.search(r"http://127\.0\.0\.1:(\d+)/#token=([\w-]{32})\n", line)
        assert match, line or self.process.communicate()
        self.port, self.token = int(match[1]), match[2]

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def begin(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Ask with the token, and get the head of the answer."""
        connection = self.connection()
        headers = {"Authorization": f"Bearer {self.token}", **headers}
        connection.request(method, path, body, headers)
        return connection, connection.getresponse()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection, response = self.begin(method, path, body, **headers)
        with contextlib.closing(connection):
            return Answer(response.status, dict(response.headers), response.read())

    def upload(self, file: bytes, name: str = "photo.png") -> str:
        """The path of a new picture."""
        answer = self.ask("POST", f"/api/pictures?name={name}", file)
        assert answer.status == 201, answer
        return f"/api/pictures/{json.loads(answer.body)['id']}"

    def edit(
        self, path: str, labels: Colours, left: int = 0, top: int = 0, have: int = 0
    ) -> Iterator[dict[str, Any]]:
        """The frames that answer an edit; those of pixels with "pixels"."""
        height, width = labels.shape
        query = f"left={left}&top={top}&width={width}&height={height}&have={have}"
        connection, response = self.begin("POST", f"{path}/edits?{query}", labels.tobytes())
        with contextlib.closing(connection):
            assert response.status == 200, response.read()
            while length := response.read(4):
                frame = json.loads(response.read(struct.unpack("<I", length)[0]))
                if frame["kind"] == "pixels":
                    shape = frame["height"], frame["width"], 4
                    pixels = np.frombuffer(response.read(np.prod(shape)), np.uint8)
                    frame["pixels"] = pixels.reshape(shape)
                yield frame

    def memory(self) -> int:
        """Bytes that the process has in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(r"VmRSS:\s+(\d+)", status)
        assert match
        return 1000 * int(match[1])

    def work(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def end(self, by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Exit code and what was said on standard error."""
        self.process.send_signal(by)
        _, said = self.process.communicate(timeout=15)
        return self.process.returncode, said


@pytest.fixture(autouse=True, scope="module")
def _nothing_left_running() -> Iterator[None]:
    yield
    for process in Studio.processes:  # those of tests that failed
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    studio = Studio("--port", "0")
    yield studio
    assert studio.end() == (130, "")  # nothing broke, whatever it was asked


def show(canvas: Colours, frames: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take in an answer as the page does."""
    kept = []
    for frame in frames:
        if frame["kind"] == "pixels":
            rows = slice(frame["top"], frame["top"] + frame["height"])
            canvas[rows, frame["left"] : frame["left"] + frame["width"]] = frame["pixels"]
        kept.append(frame)
    return kept


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    """The kinds of frames in their order, each run of equal ones once, without the progress."""
    found: list[str] = []
    for frame in frames:
        kind = frame["kind"]
        if kind == "pixels":
            kind = "settled" if frame["final"] else "local"
        if kind != "progress" and found[-1:] != [kind]:
            found.append(kind)
    return found


def encoded(pixels: Colours, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> Colours:
    return np.asarray(Image.open(io.BytesIO(data)))


def scene_of(shape: tuple[int, int], seed: int = 0) -> tuple[Colours, Colours]:
    """A noisy soft disc, and its trimap."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    distance = np.hypot(rows - shape[0] / 2, columns - shape[1] / 2)
    radius = min(shape) * 0.35
    alpha = np.clip((radius - distance) / 12, 0, 1)[..., None]
    noise = np.random.default_rng(seed).normal(0, 10, (*shape, 3))
    mixed = alpha * (220, 120, 40) + (1 - alpha) * (40, 80, 160) + noise
    labels = np.full(shape, 128, np.uint8)
    labels[distance < radius - min(24, radius / 2)], labels[distance > radius + 12] = 255, 0
    return np.clip(mixed, 0, 255).astype(np.uint8), labels


# --- who may ask --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/index.html", "/api/start", "/api/nothing", "/nothing"])
def test_every_answer_keeps_the_browser_from_other_places(studio: Studio, path: str) -> None:
    answer = studio.ask("GET", path)

    headers = {name.lower(): value for name, value in answer.headers.items()}
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "script-src" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert not [name for name in headers if name.startswith("access-control")]
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/", "/api/start"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1:{port}.evil.example"},
        {"Host": "localhost"},
        {"Origin": "http://evil.example"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Origin": ""},
    ],
    ids=str,
)
def test_another_host_or_origin_is_refused(
    studio: Studio, path: str, headers: dict[str, str]
) -> None:
    answer = studio.ask(
        "GET", path, **{name: value.format(port=studio.port) for name, value in headers.items()}
    )

    assert answer.status == 403
    assert answer.sentence


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_both_names_of_the_host_are_its_own(studio: Studio, host: str) -> None:
    headers = {"Host": f"{host}:{studio.port}", "Origin": f"http://{host}:{studio.port}"}

    assert studio.ask("GET", "/api/start", **headers).status == 200


@pytest.mark.parametrize(
    "token",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x"],
)
def test_the_api_needs_the_token(studio: Studio, token: str) -> None:
    for path in ("/api/start", f"/api/start?token={studio.token}", "/api/nothing", "/api/"):
        header = token.format(token=studio.token)
        answer = studio.ask("GET", path, Authorization=header)

        assert answer.status == 401
        assert answer.sentence


def test_a_preflight_allows_nothing(studio: Studio) -> None:
    answer = studio.ask("OPTIONS", "/api/pictures", **{"Access-Control-Request-Method": "POST"})

    assert answer.status == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py",
        "/../../deepmatte/studio/server.py",
        "/%2e%2e/server.py",
        "/..%2fserver.py",
        "/..%5cserver.py",
        "/index.html/../../server.py",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/index.html%00.js",
        "/" + "a" * 5000,
        "/api/../server.py",
        "/api",
    ],
)
def test_nothing_outside_of_the_page_is_served(studio: Studio, path: str) -> None:
    answer = studio.ask("GET", path)

    assert answer.status == 404
    assert answer.sentence


# --- what is asked wrongly ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(studio: Studio) -> str:
    """The path of a picture, 40 wide and 30 high, whose trimap is painted."""
    photo, labels = scene_of((30, 40))
    path = studio.upload(encoded(photo))
    list(studio.edit(path, labels))
    return path


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/nothing", b"", 404),
        ("GET", "/api/start/", b"", 404),
        ("POST", "/api/start", b"", 405),
        ("GET", "/api/pictures", b"", 405),
        ("POST", "/", b"", 405),
        ("GET", "/api/pictures/unknown/view", b"", 404),
        ("DELETE", "/api/pictures/unknown", b"", 404),
        ("POST", "/api/pictures", b"", 422),
        ("POST", "/api/pictures", b"no picture", 422),
        ("POST", "/api/pictures", encoded(scene_of((40, 40))[0])[:999], 422),
        ("POST", "{}/trimap/box", b"", 422),
        ("POST", "{}/trimap/box", b"{", 422),
        ("POST", "{}/trimap/box", b"\xff\xfe", 422),
        ("POST", "{}/trimap/box", b"[" * 4000, 422),
        ("POST", "{}/trimap/box", b"[1, 2, 3, 4]", 422),
        ("POST", "{}/trimap/box", b'{"left": 1, "top": 1, "right": 5}', 422),
        ("POST", "{}/trimap/box", b'{"left": 1, "top": 1, "right": 5, "bottom": "9"}', 422),
        ("POST", "{}/trimap/box", b'{"left": 1, "top": 1, "right": 5, "bottom": true}', 422),
        ("POST", "{}/trimap/box", b'{"left": 1, "top": 1, "right": 5, "bottom": 1e999}', 422),
        ("POST", "{}/trimap/box", b'{"left": 5, "top": 1, "right": 5, "bottom": 9}', 422),
        ("POST", "{}/trimap/box", b'{"left": 0, "top": 0, "right": 41, "bottom": 30}', 422),
        ("POST", "{}/trimap/box", b" " * 5000, 413),
        ("POST", "{}/trimap/strokes", b"\x80" * 1199, 422),
        ("POST", "{}/trimap/strokes", b"\x80" * 1200, 422),
        ("POST", "{}/trimap/strokes", b"\x80" * 1201, 413),
        ("POST", "{}/trimap/file", b"no picture", 422),
        ("POST", "{}/trimap/file", encoded(np.zeros((40, 30), np.uint8)), 409),
        ("POST", "{}/trimap/file?kind=mask", encoded(np.zeros((40, 30), np.uint8)), 409),
        ("POST", "{}/trimap/file?kind=other", encoded(np.zeros((30, 40), np.uint8)), 422),
        ("POST", "{}/trimap/file?resize=-1", encoded(np.zeros((30, 40), np.uint8)), 422),
        ("POST", "{}/trimap/band", b"\x80" * 1200, 422),
        ("POST", "{}/trimap/band?pixels=1.5", b"\x80" * 1200, 422),
        ("POST", "{}/trimap/band?pixels=99999", b"\x80" * 1200, 422),
        ("POST", "{}/trimap/band?pixels=1", b"\x81" * 1200, 422),
        ("POST", "{}/edits", b"\x80" * 1200, 422),
        ("POST", "{}/edits?left=0&top=0&width=5&height=4", b"\x80" * 19, 422),
        ("POST", "{}/edits?left=0&top=0&width=5&height=4", b"\x80" * 21, 413),
        ("POST", "{}/edits?left=0&top=0&width=5&height=4", b"\x01" * 20, 422),
        ("POST", "{}/edits?left=0&top=0&width=0&height=4", b"", 422),
        ("POST", "{}/edits?left=36&top=0&width=5&height=4", b"\x80" * 20, 422),
        ("POST", "{}/edits?left=0&top=-1&width=5&height=4", b"\x80" * 20, 422),
        ("POST", "{}/edits?left=%31e0&top=0&width=5&height=4", b"\x80" * 20, 422),
        ("POST", "{}/edits?left=0&top=0&width=5&height=4&have=x", b"\x80" * 20, 422),
        ("GET", "{}/edits", b"", 405),
        ("GET", "{}/download?kind=other", b"", 422),
        ("GET", "{}/download?format=exe", b"", 422),
        ("GET", "{}/download?kind=cutout&format=jpg", b"", 422),
        ("POST", "{}/composite", b"no picture", 422),
        ("POST", "{}/composite?scale=0", encoded(np.zeros((9, 9), np.uint8)), 422),
        ("POST", "{}/composite?scale=nan", encoded(np.zeros((9, 9), np.uint8)), 422),
        ("POST", "{}/composite?left=1e3", encoded(np.zeros((9, 9), np.uint8)), 422),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    studio: Studio, small: str, method: str, path: str, body: bytes, status: int
) -> None:
    answer = studio.ask(method, path.format(small), body)

    assert answer.status == status, answer
    assert answer.sentence


@pytest.mark.parametrize(
    "background",
    ["/etc/hostname", "nocolour", "#12", "red:", "red:blue:white", "", 7, None, ["red"]],
)
def test_a_background_is_no_path(studio: Studio, small: str, background: object) -> None:
    body = json.dumps({"background": background})
    answer = studio.ask("POST", f"{small}/composite", body, **{"Content-Type": "application/json"})

    assert answer.status == 422
    assert "expected a colour (#00b140) or a gradient (white:#888)" in answer.sentence


@pytest.mark.parametrize("head", ["Content-Length: 1000000000000", "Transfer-Encoding: chunked"])
def test_a_body_without_end_is_refused_and_not_kept(studio: Studio, small: str, head: str) -> None:
    before = studio.memory()
    piece = bytes(1 << 20)
    if "chunked" in head:
        piece = b"100000\r\n" + piece + b"\r\n"
    lines = (
        f"POST {small}/trimap/box HTTP/1.1",
        f"Host: 127.0.0.1:{studio.port}",
        f"Authorization: Bearer {studio.token}",
        head,
    )
    with socket.create_connection(("127.0.0.1", studio.port), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        for _ in range(100):
            connection.sendall(piece)
        status = connection.recv(12)

    assert status == b"HTTP/1.1 413"
    assert studio.memory() < before + 20_000_000


def test_too_many_requests_at_a_time_are_told_to_come_back(studio: Studio, small: str) -> None:
    waiting: list[http.client.HTTPConnection] = []
    while len(waiting) < 100:
        connection = studio.connection()
        waiting.append(connection)
        connection.putrequest("POST", f"{small}/trimap/box")
        connection.putheader("Authorization", f"Bearer {studio.token}")
        connection.putheader("Content-Length", "30")
        connection.endheaders(b"{")  # and no more for now
        answer = studio.ask("GET", f"{small}/view")
        if answer.status != 200:
            break
    for connection in waiting:
        connection.close()

    assert len(waiting) < 100
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.sentence
    while studio.ask("GET", f"{small}/view").status == 503:
        time.sleep(0.05)


# --- pictures -----------------------------------------------------------------------------------


def test_the_picture_of_the_command_line_is_there_from_the_start(scene: Scene) -> None:
    studio = Studio("--port", "0", str(scene.picture))
    start = json.loads(studio.ask("GET", "/api/start").body)
    picture = start["picture"]
    file = studio.ask("GET", f"/api/pictures/{picture['id']}/file")

    assert start["version"] == deepmatte.__version__
    assert (picture["name"], picture["width"], picture["height"]) == ("photo.png", 120, 90)
    assert file.body == scene.picture.read_bytes()
    studio.end()


def test_a_sample_is_there_to_try(studio: Studio) -> None:
    sample = studio.ask("GET", "/api/sample")

    assert sample.headers["content-type"] == "image/jpeg"
    path = studio.upload(sample.body, "fur.jpg")
    view = studio.ask("GET", f"{path}/view")
    assert view.headers["content-type"] == "image/jpeg"
    difference = decoded(view.body).astype(int) - decoded(sample.body)
    assert np.abs(difference).mean() < 2
    assert studio.ask("HEAD", f"{path}/view").body == b""


def test_a_view_is_upright_and_as_transparent_as_the_picture(studio: Studio) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 4)).astype(np.uint8)
    exif = Image.Exif()
    exif[274] = 6  # to be turned by a quarter
    path = studio.upload(encoded(pixels, exif=exif))
    view = studio.ask("GET", f"{path}/view")

    assert view.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(decoded(view.body), np.rot90(pixels, -1))


def test_what_is_shown_is_in_the_colours_of_the_screen(studio: Studio) -> None:
    """A profile is applied to the view and to the frames, and kept in what is downloaded."""
    photo, labels = scene_of((60, 80))
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = (profile.index(tag, 128) for tag in (b"rXYZ", b"gXYZ"))
    swapped = profile[red + 4 : red + 8], profile[green + 4 : green + 8]
    profile[green + 4 : green + 8], profile[red + 4 : red + 8] = swapped  # red is green in it
    path = studio.upload(encoded(photo, icc_profile=bytes(profile)))
    canvas = np.zeros((60, 80, 4), np.uint8)
    show(canvas, studio.edit(path, labels))
    view = decoded(studio.ask("GET", f"{path}/view").body)
    cutout = studio.ask("GET", f"{path}/download?kind=cutout").body

    solid = labels == 255
    turned = photo[solid][:, [1, 0, 2]].mean(axis=0)
    np.testing.assert_allclose(canvas[solid][:, :3].mean(axis=0), turned, atol=5)
    np.testing.assert_allclose(view[solid].mean(axis=0), turned, atol=5)
    np.testing.assert_array_equal(decoded(cutout)[solid][:, :3], photo[solid])
    assert Image.open(io.BytesIO(cutout)).info["icc_profile"] == profile


@pytest.mark.parametrize(
    ("name", "plain", "full"),
    [
        ("photo.jpg", "photo.cutout.png", "photo.cutout.png"),
        ("..%2F..%2Fetc%2Fpasswd", "passwd.cutout.png", "passwd.cutout.png"),
        ("C%3A%5Cphotos%5Ca.b.jpg", "a.b.cutout.png", "a.b.cutout.png"),
        ("Fl%C3%B6%C3%9Fe%20%E7%8C%AB.png", "Fl__e _.cutout.png", "Flöße 猫.cutout.png"),
        (
            "a%22b%0D%0ASet-Cookie%3A%20c.png",
            "abSet-Cookie c.cutout.png",
            "abSet-Cookie c.cutout.png",
        ),
        ("%2e%2e", "picture.cutout.png", "picture.cutout.png"),
        ("", "picture.cutout.png", "picture.cutout.png"),
        ("a" * 5000, "a" * 120 + ".cutout.png", "a" * 120 + ".cutout.png"),
    ],
    ids=lambda text: text[:20],
)
def test_a_download_is_named_after_the_picture(
    studio: Studio, name: str, plain: str, full: str
) -> None:
    photo, labels = scene_of((30, 40))
    path = studio.upload(encoded(photo), name)
    list(studio.edit(path, labels))
    header = studio.ask("GET", f"{path}/download").headers["content-disposition"]

    match = re.fullmatch(r"attachment; filename=\"([^\"]*)\"; filename\*=UTF-8''(\S*)", header)
    assert match
    assert match[1] == plain
    assert unquote(match[2]) == full


def test_a_removed_picture_is_gone(studio: Studio) -> None:
    path = studio.upload(encoded(scene_of((30, 40))[0]))

    assert studio.ask("DELETE", path).status == 204
    assert studio.ask("GET", f"{path}/view").status == 404


def test_pictures_beyond_the_memory_are_forgotten_the_oldest_first() -> None:
    photo, labels = scene_of((100, 100))
    file = encoded(photo)
    each = len(file) + 13 * photo[..., 0].size
    studio = Studio("--port", "0", "--memory", str(each * 5 // 2))
    first, second = studio.upload(file), studio.upload(file)
    assert studio.ask("GET", f"{first}/view").status == 200  # used again
    third = studio.upload(file)
    too_large = studio.ask("POST", "/api/pictures", encoded(scene_of((200, 200))[0]))

    found = [studio.ask("GET", f"{path}/view").status for path in (first, second, third)]
    assert found == [200, 404, 200]
    assert "Start the studio with a larger --memory" in too_large.sentence
    # What the page does then:
    again = studio.upload(file)
    assert kinds(list(studio.edit(again, labels))) == ["settled", "done"]
    assert studio.end()[0] == 130


# --- trimaps ------------------------------------------------------------------------------------


def test_trimaps_are_those_of_the_library(studio: Studio, scene: Scene) -> None:
    path = studio.upload(scene.picture.read_bytes())
    box = {"left": 20, "top": 8, "right": 100, "bottom": 84}
    strokes = np.full(scene.labels.shape, 128, np.uint8)
    strokes[40:50, 50:70], strokes[:5] = 255, 0
    mask, drawn = scene.mask.read_bytes(), scene.trimap.read_bytes()

    for route, body, expected in (
        ("box", json.dumps(box), trimap.from_box(scene.image, (20, 8, 100, 84))),
        ("strokes", strokes.tobytes(), trimap.from_scribbles(scene.image, strokes)),
        ("file", drawn, scene.labels),
        ("file?kind=mask", mask, deepmatte.matte_mask(scene.picture, mask).trimap),
        ("band?pixels=3", scene.labels.tobytes(), trimap.widen(scene.labels, 3)),
        ("band?pixels=-3", scene.labels.tobytes(), trimap.widen(scene.labels, -3)),
    ):
        answer = studio.ask("POST", f"{path}/trimap/{route}", body)
        assert answer.status == 200, route
        made = np.frombuffer(answer.body, np.uint8).reshape(scene.labels.shape)
        np.testing.assert_array_equal(made, expected, err_msg=route)


# --- results ------------------------------------------------------------------------------------


def written(folder: Path, photo: bytes, labels: Colours, *outputs: str) -> list[bytes]:
    """What `deepmatte matte` writes."""
    (folder / "photo.png").write_bytes(photo)
    Image.fromarray(labels).save(folder / "trimap.png")
    names = [f"out{number}.{output.split('.')[1]}" for number, output in enumerate(outputs)]
    options = [
        word
        for output, name in zip(outputs, names, strict=True)
        for word in (f"--{output.split('.')[0]}", name)
    ]
    command = [*COMMAND, "matte", "photo.png", "trimap.png", *options]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return [(folder / name).read_bytes() for name in names]


def test_downloads_are_what_the_command_line_writes(
    studio: Studio, scene: Scene, tmp_path: Path
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = encoded(scene.image, icc_profile=profile, dpi=(300, 200))
    labels = scene.labels.copy()
    path = studio.upload(photo)
    list(studio.edit(path, labels))
    labels[40:60, 20:60] = 128  # and a stroke
    list(studio.edit(path, labels[40:60, 20:60], left=20, top=40))
    background = tmp_path / "beach.png"
    background.write_bytes(encoded(scene_of((50, 70))[0]))

    expected = written(tmp_path, photo, labels, "alpha.png", "foreground.png", "cutout.png")
    for kind, data in zip(("alpha", "foreground", "cutout"), expected, strict=True):
        assert studio.ask("GET", f"{path}/download?kind={kind}").body == data, kind
    lossy = written(tmp_path, photo, labels, "alpha.jpg", "cutout.webp")
    assert studio.ask("GET", f"{path}/download?kind=alpha&format=jpg").body == lossy[0]
    assert studio.ask("GET", f"{path}/download?format=webp").body == lossy[1]
    drawn = studio.ask("GET", f"{path}/download?kind=trimap").body
    np.testing.assert_array_equal(decoded(drawn), labels)
    for over, body, kind in (
        ("#00b140", {"background": "#00b140"}, "application/json"),
        ("white:#888", {"background": "white:#888"}, "application/json; charset=utf-8"),
        (str(background), background.read_bytes(), "image/png"),
    ):
        command = [*COMMAND, "matte", "photo.png", "trimap.png", "--over", over]
        subprocess.run([*command, "--composite", "on.png"], cwd=tmp_path, check=True)
        answer = studio.ask(
            "POST",
            f"{path}/composite",
            body if isinstance(body, bytes) else json.dumps(body),
            **{"Content-Type": kind},
        )
        assert answer.body == (tmp_path / "on.png").read_bytes(), over


@pytest.mark.parametrize(
    ("left", "top", "scale"), [(0, 0, 1), (-15, 30, 2), (40.5, -8, 0.5), (500, 0, 1), (0, 0, 100)]
)
def test_a_background_lies_where_it_was_put(
    studio: Studio, left: float, top: float, scale: float
) -> None:
    photo, labels = scene_of((60, 80))
    path = studio.upload(encoded(photo))
    labels[:], labels[0, 0] = 0, 255  # next to nothing in front of it
    list(studio.edit(path, labels))
    squares = np.array([[40, 200], [120, 80]], np.uint8)
    behind = squares.repeat(20, axis=0).repeat(30, axis=1)
    query = f"left={left}&top={top}&scale={scale}"
    answer = studio.ask("POST", f"{path}/composite?{query}", encoded(behind))
    shown = decoded(answer.body)[..., 0]

    expected = np.full((60, 80), 255, np.uint8)
    for row, column in np.ndindex(expected.shape):
        at = int((row + 0.5 - top) // scale), int((column + 0.5 - left) // scale)
        if 0 <= at[0] < behind.shape[0] and 0 <= at[1] < behind.shape[1]:
            expected[row, column] = behind[at]
    assert (np.abs(shown.astype(int) - expected) < 8).mean() > 0.93


def test_a_photo_of_sixteen_bits_is_saved_in_sixteen(studio: Studio, tmp_path: Path) -> None:
    photo, labels = scene_of((60, 80))
    levels = photo.astype(np.uint16) * 256 + photo[:, ::-1]
    path = studio.upload(deep := encode_image(levels, "png"))
    list(studio.edit(path, labels))
    outputs = ("alpha.png", "foreground.png", "cutout.tif")
    for output, data in zip(outputs, written(tmp_path, deep, labels, *outputs), strict=True):
        kind, ending = output.split(".")
        answer = studio.ask("GET", f"{path}/download?kind={kind}&format={ending}")
        assert answer.body == data, output
    fewer = studio.ask("GET", f"{path}/download?kind=alpha&depth=8").body
    assert (fewer[24], written(tmp_path, deep, labels, "alpha.png")[0][24]) == (8, 16)


def test_a_composite_has_the_depth_that_is_wanted(studio: Studio) -> None:
    photo, labels = scene_of((60, 80))
    path = studio.upload(encoded(photo))
    list(studio.edit(path, labels))
    picture = encoded(photo[::-1])
    for moved in ("", "&subject_left=5&subject_top=0&subject_scale=1", "&shadow=0.5"):
        for body, place in (
            ({"background": "#102030:#405060"}, ""),
            ({"background": "blur:3"}, ""),
            (picture, ""),
            (picture, "&left=1&top=2&scale=1.5"),
        ):
            data = body if isinstance(body, bytes) else json.dumps(body)
            kind = "image/png" if isinstance(body, bytes) else "application/json"
            eight, sixteen = (
                studio.ask(
                    "POST",
                    f"{path}/composite?depth={depth}{place}{moved}",
                    data,
                    **{"Content-Type": kind},
                ).body
                for depth in (8, 16)
            )
            assert (eight[24], sixteen[24]) == (8, 16)  # the depth in a PNG's header
            levels = open_image(sixteen).levels
            assert len(np.unique(levels)) > 256  # not eight bits made wider
            assert np.abs(levels / 257 - decoded(eight)).max() < 2.5


def test_transparent_pictures_say_so(studio: Studio) -> None:
    photo, labels = scene_of((30, 40))
    alpha = np.full((30, 40, 1), 100, np.uint8)
    path = studio.upload(encoded(np.concatenate([photo, alpha], axis=2)))
    frames = list(studio.edit(path, labels))

    assert kinds(frames) == ["notes", "settled", "done"]
    assert "transparency" in frames[-3]["notes"][0] or "transparency" in frames[0]["notes"][0]
    assert not re.search(r"--\w", str(frames[0]) + str(frames[-3]))  # a page has no options


def test_where_nobody_is_found_the_page_is_told_what_else_finds_the_subject(
    studio: Studio,
) -> None:
    path = studio.upload(encoded(np.full((90, 120, 3), 90, np.uint8)))
    answer = studio.ask("POST", f"{path}/trimap/subject")
    error = json.loads(answer.body)["error"]
    assert (answer.status, error.startswith("No s")) == (422, True)
    assert error.endswith(
        "Draw a box around the subject, or paint over it with Keep and beside it with Remove."
    )
    assert "--" not in error


@dataclass
class Large:
    """A picture that is not matted whole at once, its first answer taken in."""

    path: str
    photo: Colours
    labels: Colours
    canvas: Colours
    have: int


@pytest.fixture
def large(studio: Studio) -> Iterator[Large]:
    photo, labels = scene_of(LARGE)
    path = studio.upload(encoded(photo))
    canvas = np.zeros((*LARGE, 4), np.uint8)
    frames = show(canvas, studio.edit(path, labels))
    assert kinds(frames) == ["local", "settled", "done"]
    yield Large(path, photo, labels, canvas, frames[-1]["answer"])
    studio.ask("DELETE", path)


def again(studio: Studio, path: str, labels: Colours, stroke: Colours, mark: str) -> Colours:
    """The labels after a stroke; as they were where the studio finds nothing."""
    height, width = labels.shape
    query = f"left=0&top=0&width={width}&height={height}&mark={mark}"
    answer = studio.ask("POST", f"{path}/trimap/again?{query}", labels.tobytes() + stroke.tobytes())
    assert answer.status in (200, 204), answer
    return np.frombuffer(answer.body, np.uint8).reshape(labels.shape) if answer.body else labels


def test_a_fine_brush_clears_a_gap_and_leaves_what_is_beside_it(studio: Studio) -> None:
    photo = np.full((240, 320, 3), (40, 80, 160), np.uint8)
    legs = np.zeros((240, 320), np.bool_)
    legs[60:, 100:150] = legs[60:, 157:207] = legs[20:90, 100:207] = True
    photo[legs] = (220, 130, 60)
    noise = np.random.default_rng(0).normal(0, 6, photo.shape)
    path = studio.upload(encoded(np.clip(photo + noise, 0, 255).astype(np.uint8)))
    filled = legs.copy()
    filled[60:, 100:207] = True
    labels = trimap.from_mask(filled.astype(np.uint8))
    stroke = np.zeros_like(labels)
    stroke[130:210, 151:156] = 255
    found = again(studio, path, labels, stroke, "remove")
    assert (found[130:210, 151:156] == 0).all()
    assert (found[100:225, 150:157] != 255).all()  # the gap goes on beyond the stroke
    assert (found[110:220, [125, 182]] == 255).all()  # and both legs stay


def test_what_is_known_stays_so_unless_a_stroke_contradicts_it(studio: Studio) -> None:
    photo = np.full((200, 300, 3), (40, 80, 160), np.uint8)
    photo[40:160, 60:140] = photo[40:160, 140:240] = (220, 130, 60)  # of one colour
    noise = np.random.default_rng(0).normal(0, 6, photo.shape)
    path = studio.upload(encoded(np.clip(photo + noise, 0, 255).astype(np.uint8)))
    labels = np.zeros((200, 300), np.uint8)
    labels[40:160, 60:140] = 128  # nothing is known of the left half; the right one is background
    stroke = np.zeros_like(labels)
    stroke[90:110, 80:110] = 255
    found = again(studio, path, labels, stroke, "keep")
    assert (found[labels == 0] != 255).all()
    assert (found[60:140, 150:230] == 0).all()
    stroke[90:110, 160:190] = 255  # a stroke that says otherwise
    assert (again(studio, path, labels, stroke, "keep")[70:130, 170:210] == 255).all()


def test_an_edit_shows_at_once_and_settles_to_the_exact_result(
    studio: Studio, large: Large
) -> None:
    exact = np.asarray(deepmatte.matte(large.photo, large.labels).cutout())
    np.testing.assert_array_equal(large.canvas, exact)

    before = large.canvas.copy()
    stroke = np.s_[340:360, 150:350]  # across the left edge of the disc
    large.labels[stroke] = 255
    answer = studio.edit(large.path, large.labels[stroke], left=150, top=340, have=large.have)
    first = next(answer)
    assert (first["kind"], first["final"]) == ("pixels", False)
    show(large.canvas, iter([first]))
    # The stroke counts, nothing far away has changed, and no seam can be seen.
    assert (large.canvas[stroke][..., 3] == 255).all()
    left, top = first["left"], first["top"]
    right, bottom = left + first["width"], top + first["height"]
    assert 0 < left < 150 < 229 < right < LARGE[1]  # further right it was foreground before
    assert 0 < top < 340 < 360 < bottom < LARGE[0]
    change = np.abs(large.canvas.astype(int) - before)
    rim = [change[top, left:right], change[bottom - 1, left:right]]
    rim += [change[top:bottom, left], change[top:bottom, right - 1]]
    assert max(int(line.max()) for line in rim) <= 6

    frames = show(large.canvas, answer)
    assert kinds(frames) == ["settled", "done"]
    exact = np.asarray(deepmatte.matte(large.photo, large.labels).cutout())
    np.testing.assert_array_equal(large.canvas, exact)
    png = studio.ask("GET", f"{large.path}/download").body
    np.testing.assert_array_equal(decoded(png), exact)


def test_only_what_can_be_seen_is_sent_again(studio: Studio) -> None:
    photo, small = scene_of((512, 700))
    photo, labels = np.tile(photo, (1, 3, 1)), np.zeros((512, 2100), np.uint8)
    photo[440:500, 20:220] = 255, 0, 0  # new colours for the subject
    labels[:, :700] = small
    path = studio.upload(encoded(photo))
    canvas = np.zeros((*labels.shape, 4), np.uint8)
    have = show(canvas, studio.edit(path, labels))[-1]["answer"]
    before = np.asarray(deepmatte.matte(photo, labels).cutout())
    labels[440:500, 20:220] = 255
    edit = studio.edit(path, labels[440:500, 20:220], left=20, top=440, have=have)
    frames = show(canvas, edit)
    exact = np.asarray(deepmatte.matte(photo, labels).cutout())
    assert (exact[:, 1024:] != before[:, 1024:]).any()  # the colours of what is fully transparent
    assert not exact[:, 1024:, 3].any()
    sent = [frame["left"] for frame in frames if frame["kind"] == "pixels"]
    assert max(sent) < 1024
    np.testing.assert_array_equal(canvas[..., 3], exact[..., 3])
    seen = exact[..., 3] > 0
    np.testing.assert_array_equal(canvas[seen], exact[seen])
    studio.ask("DELETE", path)


def test_a_dropped_picture_counts_as_long_as_a_request_uses_it() -> None:
    photo, labels = scene_of((700, 900))
    labels[50:650, 50:850] = 128  # takes long enough
    file = encoded(photo, "JPEG")
    studio = Studio("--port", "0", "--memory", str((len(file) + 13 * labels.size) * 3 // 2))
    path = studio.upload(file)
    answer = studio.edit(path, labels)
    assert next(answer)["kind"] == "pixels"

    said = [studio.ask("POST", "/api/pictures", file)]  # its memory is still in use
    while said[-1].status == 503 and len(said) < 100:
        assert said[-1].headers["retry-after"] == "1"
        time.sleep(0.1)
        said.append(studio.ask("POST", "/api/pictures", file))
    assert [said[0].status, said[-1].status] == [503, 201]
    assert kinds(list(answer))[-1:] != ["done"]
    assert studio.end()[0] == 130


def test_uploads_side_by_side_share_the_memory() -> None:
    file = encoded(np.full((3000, 4000, 3), 99, np.uint8), "JPEG")
    memory = (len(file) + 13 * 12_000_000) * 3 // 2  # for one at a time
    studio = Studio("--port", "0", "--memory", str(memory))
    said: list[int] = []

    def upload() -> None:
        status = 0
        while status in (0, 503):
            status = studio.ask("POST", "/api/pictures", file).status
            said.append(status)
            time.sleep(0.1)

    pages = [threading.Thread(target=upload) for _ in range(4)]
    for page in pages:
        page.start()
    for page in pages:
        page.join()

    assert set(said) == {201, 503}
    assert said.count(201) == 4
    assert studio.end()[0] == 130


def test_a_page_that_has_the_answer_gets_nothing_again(studio: Studio, large: Large) -> None:
    labels = large.labels[:10, :10]  # as they were

    assert kinds(list(studio.edit(large.path, labels, have=large.have))) == ["done"]
    everything = np.zeros_like(large.canvas)
    assert kinds(show(everything, studio.edit(large.path, labels))) == ["settled", "done"]
    np.testing.assert_array_equal(everything, large.canvas)
    assert kinds(list(studio.edit(large.path, labels, have=999))) == ["settled", "done"]


def test_a_newer_edit_ends_the_older_answer(studio: Studio, large: Large) -> None:
    older_part, newer_part = np.s_[340:360, 150:350], np.s_[500:540, 560:660]
    large.labels[older_part] = 255
    older = studio.edit(large.path, large.labels[older_part], left=150, top=340, have=large.have)
    seen = [next(older)]  # and not shown: the page has let go of it
    large.labels[newer_part] = 0
    newer = studio.edit(large.path, large.labels[newer_part], left=560, top=500, have=large.have)
    show(large.canvas, iter([next(newer)]))

    assert kinds([*seen, *older]) == ["local"]
    assert kinds(show(large.canvas, newer))[-1] == "done"
    exact = np.asarray(deepmatte.matte(large.photo, large.labels).cutout())
    np.testing.assert_array_equal(large.canvas, exact)


def test_two_pictures_are_answered_at_the_same_time(studio: Studio) -> None:
    def paint(seed: int, shape: tuple[int, int]) -> None:
        photo, labels = scene_of(shape, seed)
        path = studio.upload(encoded(photo))
        canvas, have = np.zeros((*shape, 4), np.uint8), 0
        for step in range(2):
            labels[20 * step : 20 * step + 30, 100:200] = (128, 255)[step]
            frames = show(canvas, studio.edit(path, labels, have=have))
            assert frames[-1]["kind"] == "done"
            have = frames[-1]["answer"]
        exact = np.asarray(deepmatte.matte(photo, labels).cutout())
        results.append(np.array_equal(canvas, exact))

    results: list[bool] = []
    pages = [
        threading.Thread(target=paint, args=(seed, shape))
        for seed, shape in enumerate([(750, 850), (300, 400)])
    ]
    for page in pages:
        page.start()
    for page in pages:
        page.join()

    assert results == [True, True]


def test_work_that_nobody_waits_for_ends(studio: Studio) -> None:
    photo, labels = scene_of((1000, 3600))
    labels[100:900, 100:3500] = 128  # several tiles
    path = studio.upload(encoded(photo))
    began = studio.work()
    answer = studio.edit(path, labels)
    share = next(frame["share"] for frame in answer if frame.get("share", 0) > 0)
    assert share <= 0.34
    answer.close()  # type: ignore[attr-defined]
    left = studio.work()
    while True:
        before = studio.work()
        time.sleep(0.5)
        if studio.work() - before < 0.1:
            break

    # What was still to do takes about as long again at least.
    spent = studio.work() - left
    assert spent < 0.4 * (left - began)
    studio.ask("DELETE", path)


# --- starting and stopping ----------------------------------------------------------------------


def test_an_interrupt_ends_it_whatever_it_is_doing() -> None:
    studio = Studio("--port", "0")
    photo, labels = scene_of((900, 1500))
    labels[100:800, 100:1400] = 128
    path = studio.upload(encoded(photo))
    answer = studio.edit(path, labels)
    assert next(answer)["kind"] == "pixels"

    assert studio.end() == (130, "")


def test_a_taken_port_is_an_error_only_if_it_was_asked_for() -> None:
    one = Studio()
    other = Studio()
    done = subprocess.run(
        [*COMMAND, "studio", "--no-browser", "--port", str(one.port)],
        capture_output=True,
        text=True,
    )

    assert other.port > one.port
    assert done.returncode == 1
    assert done.stderr == (
        f"deepmatte: Port {one.port} is taken or not allowed; leave --port out to find a free"
        " one.\n"
    )
    assert (one.end()[0], other.end()[0]) == (130, 130)


@pytest.mark.parametrize("arguments", [["missing.png"], [__file__]])
def test_a_picture_that_cannot_be_opened_ends_it_in_one_sentence(arguments: list[str]) -> None:
    done = subprocess.run(
        [*COMMAND, "studio", "--no-browser", *arguments], capture_output=True, text=True
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(r"deepmatte: [^\n]+\.\n", done.stderr)


def test_without_its_packages_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['starlette'] = None; sys.argv = ['deepmatte', 'studio'];"
        "from deepmatte.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr == (
        "deepmatte: This needs starlette, which is not installed: pip install"
        " 'deepmatte[studio]'.\n"
    )


# --- anything at all ----------------------------------------------------------------------------

INTEGERS = {"type": "integer", "minimum": 0, "maximum": 50}
FILES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
LABELS = {"application/x-labels": {"schema": {"type": "string", "format": "binary"}}}
JSON = {"application/json": {"schema": {"type": "object"}}}


def described(identity: str) -> dict[str, Any]:
    """The server's routes, as OpenAPI has them."""

    def route(
        method: str, query: dict[str, Any] | None = None, content: Any = None
    ) -> dict[str, Any]:
        parameters = [
            {"name": name, "in": "query", "schema": schema}
            for name, schema in (query or {}).items()
        ]
        answers = {"responses": {"200": {"description": "as it should be"}}}
        body = {} if content is None else {"requestBody": {"content": content}}
        return {method: {"parameters": parameters, **body, **answers}}

    def one(operation: dict[str, Any]) -> dict[str, Any]:
        schema = {"type": "string", "enum": [identity, "unknown"]}
        parameter = {"name": "id", "in": "path", "required": True, "schema": schema}
        return {"parameters": [parameter], **operation}

    area = dict.fromkeys(("left", "top", "width", "height", "have"), INTEGERS)
    sliders = ("smooth", "feather", "shift", "contrast", "decontaminate")
    edge = {name: {"type": "number"} for name in sliders}
    corners = ("left", "top", "scale")
    place = {f"{of}{key}": {"type": "number"} for of in ("", "subject_") for key in corners}
    endings = {"enum": ["png", "webp", "jpg", "tif", "ora", "psd"]}
    wanted = {
        "format": endings,
        **dict.fromkeys(("depth", "margin", "longest", "quality"), INTEGERS),
        "shadow": {"type": "number"},
    }
    outputs = {"kind": {"enum": ["cutout", "alpha", "foreground", "trimap"]}, **wanted}
    paths = {
        "/api/start": route("get"),
        "/api/sample": route("get"),
        "/api/pictures": route("post", {"name": {"type": "string"}}, FILES),
        "/api/pictures/{id}/file": one(route("get")),
        "/api/pictures/{id}/view": one(route("get")),
        "/api/pictures/{id}/trimap/box": one(route("post", {}, JSON)),
        "/api/pictures/{id}/trimap/strokes": one(route("post", {}, LABELS)),
        "/api/pictures/{id}/trimap/file": one(
            route("post", {"kind": {"enum": ["trimap", "mask"]}, "resize": INTEGERS}, FILES)
        ),
        "/api/pictures/{id}/trimap/band": one(route("post", {"pixels": INTEGERS}, LABELS)),
        "/api/pictures/{id}/trimap/subject": one(route("post")),
        "/api/pictures/{id}/trimap/alpha": one(route("post")),
        "/api/pictures/{id}/trimap/clean": one(
            route("post", {"what": {"enum": ["holes", "islands"]}}, LABELS)
        ),
        "/api/pictures/{id}/trimap/again": one(
            route("post", {**area, "mark": {"enum": ["keep", "remove", "edge"]}}, LABELS)
        ),
        "/api/pictures/{id}/surroundings": one(route("get", {"percent": {"type": "number"}})),
        "/api/pictures/{id}/shadow": one(route("get")),
        "/api/pictures/{id}/edits": one(route("post", {**area, **edge}, LABELS)),
        "/api/pictures/{id}/download": one(route("get", outputs)),
        "/api/pictures/{id}/composite": one(route("post", {**place, **wanted}, {**FILES, **JSON})),
    }
    return {"openapi": "3.1.0", "info": {"title": "studio", "version": "1"}, "paths": paths}


def test_nothing_that_can_be_asked_breaks_it(studio: Studio) -> None:
    photo, labels = scene_of((6, 8))
    path = studio.upload(encoded(photo))
    list(studio.edit(path, labels))
    pixels = st.sampled_from([0, 128, 255])
    schemathesis.openapi.media_type(
        "application/x-labels",
        st.lists(pixels, min_size=48, max_size=48).map(bytes) | st.binary(max_size=60),
    )
    schema = schemathesis.openapi.from_dict(described(path.rsplit("/", 1)[1]))
    token = {"Authorization": f"Bearer {studio.token}"}
    seen: list[int] = []
    memory: list[int] = []
    right, wrong = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE

    def fuzz(operation: Any, mode: Any, examples: int) -> None:
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],  # of the machine, when it is busy
        )
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            base = f"http://127.0.0.1:{studio.port}"
            # The first search for a subject loads a segmenter, which takes long on a busy machine.
            response = case.call(base_url=base, headers=token, timeout=120)
            seen.append(response.status_code)
            assert response.status_code < 500, (case, response.text)

        ask()

    for examples in (15, 8):  # the second time for the memory alone
        for result in schema.get_all_operations():
            assert isinstance(result, schemathesis.core.result.Ok)
            operation = result.ok()
            fuzz(operation, right, examples)
            if not operation.path.endswith(("/start", "/sample")):  # of which nothing can be wrong
                fuzz(operation, wrong, examples)
        memory.append(studio.memory())

    assert {200, 404, 422} <= set(seen)
    assert memory[1] < memory[0] + 20_000_000


def test_pictures_and_edits_leave_no_memory_behind(studio: Studio) -> None:
    # A small subject in a large picture: what might stay is of the picture's size, and the time
    # that the network takes of the subject's.
    photo, labels = np.full((750, 1000, 3), 90, np.uint8), np.zeros((750, 1000), np.uint8)
    photo[90:210, 40:200], labels[90:210, 40:200] = scene_of((120, 160))
    file = encoded(photo, "JPEG")
    memory = []
    for number in range(10):
        path = studio.upload(file)
        for value in (128, 255):
            labels[140:160, 20 + 10 * number : 160] = value
            list(studio.edit(path, labels))
        studio.ask("GET", f"{path}/download?kind=alpha")
        studio.ask("DELETE", path)
        memory.append(studio.memory())

    assert max(memory[5:]) < max(memory[:5]) + 15_000_000
