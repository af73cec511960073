"""How much does `deepmatte serve` bear? A load generator asks it, and its memory is watched.

    python benchmarks/serve.py [--seconds 60] [--connections 2 8 32] [--slow 50] [--width 600]
        [--figure memory.svg]

Needs wrk. The picture is the package's own sample, sent with its trimap as multipart. `--slow`
connections send a byte now and then, and some hang up in the middle of a request, all the while.
For each number of connections: answers with 200 a second, those refused with 503, the latency of
the middle and of the 99th percentile, and the memory before and after. `--figure` draws the memory
over the requests.
"""

from __future__ import annotations

import argparse
import io
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

from measuring import table
from PIL import Image
from plot import Curve, curves

BOUNDARY = "deepmatte-benchmark"
LUA = """
local file = io.open(os.getenv("BODY"), "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "multipart/form-data; boundary=BOUNDARY"
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() good = 0 busy = 0 end
function response(status)
  if status == 200 then good = good + 1 else busy = busy + 1 end
end
function done(summary, latency)
  local all_good, all_busy = 0, 0
  for _, thread in ipairs(threads) do
    all_good = all_good + thread:get("good")
    all_busy = all_busy + thread:get("busy")
  end
  io.write(string.format("RESULT %d %d %d %d %d\\n", all_good, all_busy, summary.duration,
    latency:percentile(50), latency:percentile(99)))
end
""".replace("BOUNDARY", BOUNDARY)


def body(width: int) -> bytes:
    """A request's: the sample at this width and its trimap."""
    folder = resources.files("deepmatte") / "samples"
    parts = b""
    for name, file in (("image", "fur.jpg"), ("trimap", "fur.trimap.png")):
        data = io.BytesIO()
        with Image.open(io.BytesIO((folder / file).read_bytes())) as picture:
            size = (width, round(0.75 * width))
            picture.resize(size, Image.Resampling.NEAREST).save(data, "PNG")
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"'
        parts += head.encode() + b"\r\n\r\n" + data.getvalue() + b"\r\n"
    return parts + f"--{BOUNDARY}--\r\n".encode()


def look(url: str) -> tuple[float, float]:
    """Pictures that the server has matted so far, and its resident memory in GB."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        told = answer.read().decode()
    done = re.search(r"^deepmatte_request_seconds_count (\S+)$", told, re.M)
    held = re.search(r"^process_resident_memory_bytes (\S+)$", told, re.M)
    assert done
    assert held
    return float(done[1]), float(held[1]) / 1e9


@contextmanager
def watched(url: str, seen: list[tuple[float, float]]) -> Iterator[None]:
    """While the server's memory is looked at every few seconds."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(5):
            with suppress(OSError):
                seen.append(look(url))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()


@contextmanager
def disturbed(port: int, slow: int) -> Iterator[None]:
    """While others send slowly, or hang up."""
    over = threading.Event()
    head = b"POST /matte HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"

    def disturb() -> None:
        connections: list[socket.socket] = []
        while not over.wait(0.2):
            with suppress(OSError):
                while len(connections) < slow:
                    connections.append(socket.create_connection(("127.0.0.1", port), timeout=5))
                    connections[-1].sendall(head)
                connections.pop(0).close()
            for connection in connections:
                with suppress(OSError):
                    connection.sendall(b"x")

    thread = threading.Thread(target=disturb, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--connections", type=int, nargs="+", default=[2, 8, 32])
    parser.add_argument("--slow", type=int, default=50)
    parser.add_argument("--width", type=int, default=600, help="of the picture, pixels")
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, "-m", "deepmatte", "serve", "--port", "0", "--queue", "8"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout
    url = server.stdout.readline().split()[-1]
    rows: list[list[object]] = []
    seen: list[tuple[float, float]] = []
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "body").write_bytes(body(arguments.width))
            (folder / "load.lua").write_text(LUA)
            for connections in arguments.connections:
                _, before = look(url)
                port = int(url.rsplit(":", 1)[1])
                with disturbed(port, arguments.slow), watched(url, seen):
                    command = ["wrk", "-t2", f"-c{connections}", f"-d{arguments.seconds}s"]
                    done = subprocess.run(
                        [*command, "--timeout", "60s", "-s", folder / "load.lua", f"{url}/matte"],
                        env={"BODY": str(folder / "body")},
                        capture_output=True,
                        text=True,
                        check=True,
                    )
                found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
                assert found, done.stdout
                good, busy, spent, middle, late = (int(part) / 1e6 for part in found.groups())
                time.sleep(2)
                rows.append(
                    [
                        connections,
                        f"{good * 1e6 / spent:.1f}",
                        f"{busy * 1e6:.0f}",
                        f"{middle:.2f}",
                        f"{late:.2f}",
                        f"{before:.2f}",
                        f"{look(url)[1]:.2f}",
                    ]
                )
    finally:
        server.terminate()
        server.wait()
    heads = ["connections", "200s a second", "503s", "p50 s", "p99 s", "GB before", "GB after"]
    print(table(heads, rows))
    if arguments.figure is not None:
        drawn = [Curve("resident memory", seen)]
        title = "Memory of deepmatte serve, with slow clients and disconnects"
        arguments.figure.write_text(curves(title, "pictures matted", "GB", drawn))


if __name__ == "__main__":
    main()
