"""Does the studio's memory stay within --memory while photos are uploaded side by side?

    python benchmarks/studio_memory.py [--memory 1GB] [--photos 24] [--at-a-time 8]

Photos of 24 megapixels are uploaded to the real server from several threads; the page of each is
then asked for what it shows. What counts is the most that the process ever had in memory (VmHWM),
which Linux tells.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
from PIL import Image

SIZE = (6000, 4000)


def main() -> None:
    """Upload, and print a line of figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--memory", default="1GB")
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--at-a-time", type=int, default=8)
    arguments = parser.parse_args()
    file = photo()
    words = ["studio", "--no-browser", "--port", "0", "--memory", arguments.memory]
    command = [sys.executable, "-m", "deepmatte", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"(http://\S+)/#token=(\S+)", process.stdout.readline())
        assert found
        idle = peak(process.pid)

        def upload(_: int) -> int:
            return uploaded(found[1], found[2], file)

        with ThreadPoolExecutor(arguments.at_a_time) as threads:
            answers = list(threads.map(upload, range(arguments.photos)))
        most = peak(process.pid)
        process.terminate()
    taken = sum(status == 200 for status in answers)
    print(
        f"{taken} of {arguments.photos} photos of 24 megapixels, {arguments.at_a_time} at a time,"
        f" --memory {arguments.memory}: at most {most:.2f} GB, before the first {idle:.2f} GB."
    )


def photo() -> bytes:
    """A JPEG with some texture."""
    noise = np.random.default_rng(0).integers(0, 255, (SIZE[1] // 8, SIZE[0] // 8, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize(SIZE, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def uploaded(address: str, token: str, file: bytes) -> int:
    """Upload a photo and ask for its view, again while the server is busy; the last status."""
    headers = {"Authorization": f"Bearer {token}"}
    while True:
        try:
            request = urllib.request.Request(f"{address}/api/pictures?name=a.jpg", file, headers)
            with urllib.request.urlopen(request) as answer:
                identity = json.load(answer)["id"]
            request = urllib.request.Request(
                f"{address}/api/pictures/{identity}/view", headers=headers
            )
            with urllib.request.urlopen(request) as answer:
                answer.read()
                return int(answer.status)
        except HTTPError as error:
            if error.code == 503:
                continue
            return error.code


def peak(process: int) -> float:
    """The most memory that a process ever had, GB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s+(\d+)", status)
    assert found
    return int(found[1]) / 1e6


if __name__ == "__main__":
    main()
