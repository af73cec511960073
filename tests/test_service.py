"""`deepmatte serve`, run as a user runs it and asked by other programs, polite and less so."""

from __future__ import annotations

import contextlib
import http.server
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
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
import schemathesis
import schemathesis.core.result
from hypothesis import given, settings
from PIL import Image
from test_round_trips import dng

import deepmatte
from deepmatte.framing import Framing
from deepmatte.images import encode_image
from deepmatte.matted import framed

if TYPE_CHECKING:
    from conftest import Scene

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-m", "deepmatte", "serve", "--port", "0")


class Server:
    """A running server, and requests to it."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        match = re.fullmatch(r"Serving at (http://127\.0\.0\.1:(\d+))\n", line)
        assert match, line or self.process.communicate()
        self.url, self.port = match[1], int(match[2])

    def ask(
        self, path: str = "/matte", files: dict[str, Any] | None = None, **options: Any
    ) -> requests.Response:
        opened = {
            name: (file.name, file.read_bytes()) if isinstance(file, Path) else ("f", file)
            for name, file in (files or {}).items()
        }
        return requests.post(self.url + path, files=opened or None, timeout=120, **options)

    def number(self, name: str) -> float:
        """One of the metrics; 0 where there is none yet."""
        text = requests.get(f"{self.url}/metrics", timeout=60).text
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0

    def wait_for(self, name: str, value: float) -> None:
        for _ in range(600):
            if self.number(name) == value:
                return
            time.sleep(0.05)
        raise AssertionError(f"{name} never became {value}")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)


@contextlib.contextmanager
def _serving(*arguments: str) -> Iterator[Server]:
    server = Server(*arguments)
    try:
        yield server
    finally:
        server.process.kill()
        _, errors = server.process.communicate()
    assert errors == ""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with _serving("--jobs", "1", "--max-megapixels", "1", "--max-upload", "4MB") as running:
        yield running


def sentence(answer: requests.Response) -> str:
    """What an error says: one sentence and nothing else."""
    (error,) = answer.json()["errors"]
    assert list(error) == ["title"]
    assert re.fullmatch(r"[^\n]+\.", error["title"])
    return str(error["title"])


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)))


# --- answers ------------------------------------------------------------------------------------


def test_a_picture_and_its_trimap_give_what_the_library_gives(server: Server, scene: Scene) -> None:
    files = {"image": scene.picture, "trimap": scene.trimap}
    expected = deepmatte.matte(scene.picture, scene.trimap)

    cutout = server.ask(files=files)
    alpha = server.ask(files=files, data={"output": "alpha"})
    colours = server.ask(files=files, params={"output": "foreground", "format": "webp"})
    green = server.ask(files=files, data={"background": "#00b140", "format": "jpg"})
    packed = server.ask(files=files, data={"format": "zip", "quality": "high"})

    assert [answer.status_code for answer in (cutout, alpha, colours, green, packed)] == [200] * 5
    np.testing.assert_array_equal(pixels(cutout.content), np.asarray(expected.cutout()))
    np.testing.assert_array_equal(pixels(alpha.content), pixels(cutout.content)[..., 3])
    assert colours.headers["content-type"] == "image/webp"
    assert pixels(colours.content).shape == (90, 120, 3)
    corner = pixels(green.content)[2, 2].astype(int)
    assert np.abs(corner - (0, 177, 64)).max() < 6
    archive = zipfile.ZipFile(io.BytesIO(packed.content))
    assert archive.namelist() == ["color.jpg", "alpha.png"]
    fine = pixels(archive.read("alpha.png")) / 255
    assert np.abs(fine - scene.alpha).mean() < 0.02
    assert cutout.headers["x-width"] == "120"
    assert json.loads(cutout.headers["x-notes"]) == []


def test_a_mask_a_box_and_a_background_picture(server: Server, scene: Scene) -> None:
    mask = server.ask(files={"image": scene.picture, "mask": scene.mask})
    data = scene.picture.read_bytes()
    box = server.ask(data=data, params={"box": "20,8,100,82"})
    photo = server.ask(
        files={"image": scene.picture, "trimap": scene.trimap, "background": scene.picture}
    )

    by_mask = deepmatte.matte_mask(scene.picture, scene.mask)
    in_box = deepmatte.matte_subject(scene.picture, box=(20, 8, 100, 82))
    for answer, expected in ((mask, by_mask), (box, in_box)):
        np.testing.assert_array_equal(pixels(answer.content), np.asarray(expected.cutout()))
    assert "segmenter" in json.loads(box.headers["x-notes"])[0]
    assert np.abs(pixels(photo.content).astype(int) - scene.image).mean() < 4


def test_a_program_written_for_remove_bg_is_understood(server: Server, scene: Scene) -> None:
    answer = server.ask(
        "/v1.0/removebg",
        files={"image_file": scene.picture},
        data={"size": "auto", "format": "auto", "channels": "rgba", "roi": "20px 8px 100px 82px"},
        headers={"X-Api-Key": "not needed"},
    )
    white = server.ask(
        "/v1.0/removebg",
        files={"image_file": scene.picture},
        data={"roi": "20 8 100 82", "bg_color": "fff"},
    )

    shares = server.ask(
        "/v1.0/removebg",
        files={"image_file": scene.picture},
        data={
            "roi": "16.667% 8.889% 83.333% 91.111%",
            "size": "regular",
            "type": "product",
            "type_level": "1",
            "scale": "original",
            "position": "original",
            "semitransparency": "true",
        },
    )

    assert pixels(answer.content).shape == (90, 120, 4)
    assert set(pixels(white.content)[0, 0]) == {255}
    assert shares.content == answer.content


def test_remove_bgs_sizes_limit_the_pixels(server: Server, scene: Scene) -> None:
    large = {}
    for name, file in (("image", scene.picture), ("trimap", scene.trimap)):
        buffer = io.BytesIO()
        Image.open(file).resize((960, 720), Image.Resampling.NEAREST).save(buffer, "PNG")
        large[name] = buffer.getvalue()
    shapes = {
        size: pixels(
            server.ask(files=large, data={"size": size, "roi": "0% 0% 100% 100%"}).content
        ).shape[:2]
        for size in ("regular", "medium", "auto")
    }

    assert shapes["auto"] == shapes["medium"] == (720, 960)
    assert 240_000 < shapes["regular"][0] * shapes["regular"][1] <= 250_000


def test_an_answer_is_framed_and_deep_as_matte_does_it(server: Server, scene: Scene) -> None:
    files = {"image": scene.picture, "trimap": scene.trimap}
    framing = Framing(crop=(4, 0.0), longest=50, shadow=0.4)
    expected = framed(deepmatte.matte(scene.picture, scene.trimap), framing)

    ours = server.ask(files=files, data={"crop": "4", "resize": "50", "shadow": "40%"})
    theirs = server.ask(
        files=files,
        data={"crop": "true", "crop_margin": "4px", "add_shadow": "true", "resize": "50"},
    )
    deep = server.ask(files=files, data={"output": "alpha", "format": "tif", "depth": "16"})

    np.testing.assert_array_equal(pixels(ours.content), np.asarray(expected.cutout()))
    assert theirs.content == ours.content
    assert (ours.headers["x-width"], ours.headers["x-height"]) == ("50", "50")
    assert deep.headers["content-type"] == "image/tiff"
    assert pixels(deep.content).dtype == np.uint16


def test_exr_and_raw_are_taken_and_exr_is_given(server: Server, scene: Scene) -> None:
    openexr = pytest.importorskip("OpenEXR")
    pytest.importorskip("rawpy")
    plate = encode_image(scene.image, ".exr")
    asked = {"format": "exr", "depth": "float", "straight": "true"}

    answer = server.ask(files={"image": plate, "trimap": scene.trimap}, data=asked)
    raw = server.ask(data=dng(np.full((90, 120, 3), 20000, np.uint16)), params={"box": "9,9,80,80"})
    large = server.ask(data=encode_image(np.zeros((1200, 1000)), ".exr"), params={"subject": "1"})

    stored = openexr.File(io.BytesIO(answer.content)).channels()["RGBA"].pixels
    expected = deepmatte.matte(plate, scene.trimap).levels("cutout", "float")
    np.testing.assert_allclose(stored[..., 3], expected[..., 3], atol=1e-6)
    assert answer.headers["content-type"] == "image/x-exr"
    assert (raw.status_code, "no subject" in raw.text) in ((200, False), (422, True)), raw.text
    assert large.status_code == 413


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        (
            {"data": {}, "trimap": None},
            422,
            "expected a file 'trimap', a file 'mask', subject=true",
        ),
        ({"image": None}, 422, "There is no picture"),
        ({"image": b"GIF89a nonsense"}, 422, "The file 'image'"),
        ({"trimap": b"no picture"}, 422, "The file 'trimap' is not a picture"),
        ({"mask": b"x"}, 422, "trimap and mask came; expected one of"),
        ({"photo": b"x"}, 422, "no file 'photo'; expected image, trimap, mask, background"),
        ({"data": {"colour": "red"}}, 422, "no field 'colour'; expected"),
        ({"data": {"output": "all"}}, 422, "output='all'; expected one of cutout"),
        ({"data": {"format": "gif"}}, 422, "format='gif'; expected one of png"),
        ({"data": {"format": "jpg"}}, 422, "alpha"),
        ({"data": {"box": "1,2,3"}}, 422, "box='1,2,3'; expected four whole numbers"),
        ({"data": {"point": "1;2"}}, 422, "point='1;2'; expected two whole numbers"),
        ({"data": {"background": "/etc/passwd"}}, 422, "is no colour"),
        ({"data": {"output": "composite"}}, 422, "without a background"),
        ({"data": {"subject": "yes"}}, 422, "expected true or false"),
        ({"data": {"size": "tiny"}}, 422, "size='tiny'; expected one of auto"),
        ({"data": {"scale": "80%"}}, 422, "scale='80%'; expected original"),
        ({"data": {"crop": "9999"}}, 422, "too wide; expected at most 500px"),
        ({"data": {"crop": "wide"}}, 422, "'wide' is no margin"),
        ({"data": {"resize": "0"}}, 422, "resize='0'; expected a whole number"),
        ({"data": {"shadow": "4"}}, 422, "'4' is no opacity"),
        ({"data": {"depth": "float"}}, 422, "PNG holds 8 or 16"),
        ({"data": {"box": "20,8,100,82"}}, 422, "trimap and subject came"),
        ({"data": {"format": "x" * 9000}}, 400, "."),
    ],
)
def test_what_is_wrong_with_a_request(
    server: Server, scene: Scene, change: dict[str, Any], status: int, said: str
) -> None:
    files: dict[str, Any] = {"image": scene.picture, "trimap": scene.trimap}
    data = change.pop("data", {})
    files = {name: file for name, file in {**files, **change}.items() if file is not None}

    answer = server.ask(files=files or {"trimap": scene.trimap}, data=data)

    assert (answer.status_code, said in sentence(answer)) == (status, True), answer.text


def test_a_trimap_of_another_size_is_refused_by_its_name_or_fitted(
    server: Server, scene: Scene
) -> None:
    small = io.BytesIO()
    Image.open(scene.trimap).resize((60, 45), Image.Resampling.NEAREST).save(small, "PNG")
    files = {"image": scene.picture, "trimap": small.getvalue()}

    refused = server.ask(files=files)
    fitted = server.ask(files=files, data={"resize_trimap": "true"})

    assert sentence(refused).startswith("The file 'trimap' is 60 x 45 pixels")
    assert fitted.status_code == 200


# --- limits -------------------------------------------------------------------------------------


def _png_header(width: int, height: int) -> bytes:
    """A PNG whose header alone is there."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"IEND"
    chunks = [
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (head, end)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_too_many_pixels_are_refused_by_the_header(server: Server, scene: Scene) -> None:
    bomb = _png_header(60_000, 60_000)

    as_image = server.ask(files={"image": bomb, "trimap": scene.trimap})
    as_trimap = server.ask(files={"image": scene.picture, "trimap": bomb})

    assert [as_image.status_code, as_trimap.status_code] == [413, 413]
    assert "60000 x 60000 pixels; expected at most 1 megapixels" in sentence(as_image)


def test_too_long_a_request_is_refused_before_it_is_read_or_as_it_grows(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST /matte HTTP/1.1\r\nHost: x\r\nContent-Length: 99000000\r\n\r\n")
        assert b" 413 " in connection.recv(4096)
    with server.connect() as connection:
        connection.sendall(b"POST /matte HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):  # it hangs up
            for _ in range(100):
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b" 413 " in connection.recv(4096)


def test_slow_requests_end_and_do_not_stop_others(scene: Scene) -> None:
    with _serving("--timeout", "1", "--jobs", "1", "--queue", "0") as server:
        slow = [server.connect() for _ in range(20)]
        for connection in slow:
            connection.sendall(b"POST /matte HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\nx")
        files = {"image": scene.picture, "trimap": scene.trimap}

        assert server.ask(files=files).status_code == 200
        for connection in slow:
            assert b" 408 " in connection.recv(4096)
            connection.close()


def test_more_than_can_wait_are_told_when_to_come_back(scene: Scene) -> None:
    with _serving("--jobs", "1", "--queue", "1") as server:
        answers: list[requests.Response] = []
        files = {"image": _large(scene), "mask": _large_mask(scene)}

        def ask() -> None:
            answers.append(server.ask(files=files))

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted({answer.status_code for answer in answers}) == [200, 503]
        busy = next(answer for answer in answers if answer.status_code == 503)
        assert int(busy.headers["retry-after"]) >= 1
        assert sentence(busy) == "The server is busy; ask again later."
        taken = sum(answer.status_code == 200 for answer in answers)
        assert server.number('deepmatte_requests_total{status="200"}') == taken
        assert server.number("deepmatte_waiting") == server.number("deepmatte_working") == 0


def _large(scene: Scene) -> bytes:
    return _enlarged(scene.picture, Image.Resampling.BICUBIC)


def _large_mask(scene: Scene) -> bytes:
    return _enlarged(scene.mask, Image.Resampling.NEAREST)


def _enlarged(file: Path, how: Image.Resampling) -> bytes:
    data = io.BytesIO()
    picture = Image.open(file)
    picture.resize((picture.width * 10, picture.height * 10), how).save(data, "JPEG", quality=95)
    return data.getvalue()


def test_who_hangs_up_leaves_the_line(scene: Scene) -> None:
    with _serving("--jobs", "1") as server:
        files = {"image": ("a", _large(scene)), "mask": ("b", _large_mask(scene))}
        request = requests.Request("POST", f"{server.url}/matte", files=files).prepare()
        assert isinstance(request.body, bytes)
        head = "".join(f"{name}: {value!s}\r\n" for name, value in request.headers.items())
        message = f"POST /matte HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + request.body
        gone = [server.connect() for _ in range(3)]
        for connection in gone:
            connection.sendall(message)
        for connection in gone:
            connection.close()

        server.wait_for('deepmatte_requests_total{status="499"}', 3)

        assert server.number("deepmatte_waiting") == server.number("deepmatte_working") == 0
        files = {"image": scene.picture, "trimap": scene.trimap}  # type: ignore[dict-item]
        assert server.ask(files=files).status_code == 200


def test_what_is_being_done_is_done_before_the_server_stops(scene: Scene) -> None:
    with _serving("--jobs", "1") as server:
        answers: list[requests.Response] = []
        files = {"image": _large(scene), "mask": _large_mask(scene)}
        thread = threading.Thread(target=lambda: answers.append(server.ask(files=files)))
        thread.start()
        server.wait_for("deepmatte_working", 1)

        server.process.send_signal(signal.SIGTERM)
        thread.join()

        assert [answer.status_code for answer in answers] == [200]
        assert pixels(answers[0].content).shape == (900, 1200, 4)
        assert server.process.wait(60) == 0
        with pytest.raises(requests.ConnectionError):
            server.ask()


# --- who may ask --------------------------------------------------------------------------------


def test_a_key_is_asked_for_and_a_web_page_refused_without_one(
    server: Server, scene: Scene
) -> None:
    files = {"image": scene.picture, "trimap": scene.trimap}
    page = server.ask(files=files, headers={"Origin": "https://example.org"})
    assert (page.status_code, "API key" in sentence(page)) == (403, True)

    with _serving("--api-key", "first, second", "--root-path", "/cut/") as keyed:
        wrong = [{}, {"X-Api-Key": "third"}, {"Authorization": "Basic second"}, {"X-Api-Key": ""}]
        right = [{"X-Api-Key": "first"}, {"Authorization": "bearer second"}]
        for headers in wrong:
            assert keyed.ask(files=files, headers=headers).status_code == 401
        for headers in right:
            assert keyed.ask(files=files, headers=headers).status_code == 200
        for path, status in (("/health", 200), ("/metrics", 401), ("/openapi.json", 401)):
            assert requests.get(keyed.url + path, timeout=60).status_code == status
        schema = requests.get(f"{keyed.url}/openapi.json", headers=right[0], timeout=60).json()
        assert schema["servers"] == [{"url": "/cut"}]


@pytest.mark.parametrize(
    ("proxies", "scheme"), [("127.0.0.1", "https"), ("192.0.2.0/24", "http"), ("*", "https")]
)
def test_behind_a_proxy_only_its_headers_are_believed(
    proxies: str, scheme: str, scene: Scene
) -> None:
    with (
        _serving("--proxies", proxies, "--root-path", "/cut") as server,
        _proxy(server.port) as address,
    ):
        expected = server.ask(files={"image": scene.picture, "mask": scene.mask})
        files = {"image": scene.picture.read_bytes(), "mask": scene.mask.read_bytes()}
        answer = requests.post(f"{address}/cut/matte", files=files, timeout=120)
        moved = requests.get(f"{address}/cut/health/", allow_redirects=False, timeout=60)

    assert (answer.status_code, answer.content) == (200, expected.content)
    assert answer.headers["x-width"] == "120"
    assert moved.headers["location"] == f"{scheme}://{address.removeprefix('http://')}/cut/health"


@contextlib.contextmanager
def _proxy(port: int) -> Iterator[str]:
    """The address of a proxy that ends TLS, strips /cut, and says so in X-Forwarded headers."""

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
            answer = requests.request(
                self.command,
                f"http://127.0.0.1:{port}{self.path.removeprefix('/cut')}",
                data=body,
                headers={**self.headers, **forwarded},
                allow_redirects=False,
                timeout=120,
            )
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Proxy) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "expected an API key"),
        (["--device", "tpu"], "tpu"),
        (["--segmenter", "cats"], "There is no segmenter 'cats'"),
        (["--host", "203.0.113.9", "--api-key", "x"], "taken or not allowed"),
    ],
)
def test_a_server_that_cannot_start_says_why(arguments: list[str], said: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"deepmatte: [^\n]+\n", done.stderr)
    assert said in done.stderr


# --- the document -------------------------------------------------------------------------------


def test_requests_made_from_the_document_never_fail_the_server(server: Server) -> None:
    schema = schemathesis.openapi.from_dict(
        requests.get(f"{server.url}/openapi.json", timeout=60).json()
    )
    seen: list[int] = []
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)

    def fuzz(operation: Any, mode: Any) -> None:
        @settings(max_examples=10, deadline=None, database=None, derandomize=True)
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            response = case.call(base_url=server.url)
            seen.append(response.status_code)
            assert response.status_code < 500, (case, response.text)
            operation.validate_response(response)

        ask()

    for result in schema.get_all_operations():
        assert isinstance(result, schemathesis.core.result.Ok)
        operation = result.ok()
        fuzz(operation, modes[0])
        if operation.method == "post":  # of the others nothing can be wrong
            fuzz(operation, modes[1])

    assert {200, 422} <= set(seen)
