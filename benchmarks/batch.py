"""How many pictures a minute does `deepmatte batch` do, and in how much memory?

Copies of the package's sample, each with noise of its own, at several sizes; the best of some
runs, taken in turns. Beside it, on the smallest, the loop that a user would write with pymatting
(closed-form alpha, multi-level foreground), and ``rembg p`` where one of its models is on this
machine: it needs no trimap and makes no matte, but it is what many would use.

    python benchmarks/batch.py --megapixels 0.5 2.5 24
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
from measuring import describe_machine, machine, say, table

from deepmatte.images import open_image, open_levels, save_image
from deepmatte.machine import usable_cores

_COMMAND = (sys.executable, "-m", "deepmatte", "batch")
# What a user would write after the first page of pymatting's documentation.
_LOOP = """
import sys
from pathlib import Path
from pymatting import cutout
folder = Path(sys.argv[1])
for picture in sorted((folder / "few").glob("*.jpg")):
    name = f"{picture.stem}.png"
    cutout(str(picture), str(folder / "trimaps" / name), str(folder / "loop" / name))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[0.5, 2.5, 24.0])
    parser.add_argument("--processes", type=int, nargs="+", default=None)
    parser.add_argument("--pictures", type=int, default=40, help="of half a megapixel")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--no-loop", action="store_true", help="leave out pymatting's")
    arguments = parser.parse_args()
    counts = arguments.processes or sorted({1, usable_cores(), usable_cores() + 1})
    print(describe_machine(machine()), f"load {os.getloadavg()[0]:.1f}\n")
    rows: list[list[object]] = []

    def add(*row: object) -> None:
        rows.append(list(row))
        say(", ".join(map(str, row)))

    for megapixels in arguments.megapixels:
        pictures = max(4, round(arguments.pictures * min(1, 0.5 / megapixels)))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make(folder, pictures, megapixels)
            found: dict[int, list[Cost]] = {count: [] for count in counts}
            for _ in range(arguments.repeats):
                for count in counts:
                    found[count].append(run(folder, count))
            best = {
                count: min(costs, key=lambda cost: cost.seconds) for count, costs in found.items()
            }
            for count, cost in best.items():
                times = best[counts[0]].seconds / cost.seconds
                add(f"{megapixels} megapixels", count, *cost.cells(pictures), f"{times:.2f}")
            if not arguments.no_loop and megapixels == min(arguments.megapixels):
                few = max(2, pictures // 5)
                for tool, words in rivals(folder, few).items():
                    add(f"{megapixels} megapixels", tool, *timed(words).cells(few), "")
    heads = (
        "pictures",
        "processes",
        "a minute",
        "CPU s each",
        "network",
        "GB, first half",
        "GB, second",
        "times the first",
    )
    print(table(heads, rows))


def make(folder: Path, pictures: int, megapixels: float) -> None:
    """Pictures of one size, and their trimaps."""
    samples = resources.files("deepmatte") / "samples"
    photo = open_image((samples / "fur.jpg").read_bytes()).levels
    labels = open_levels((samples / "fur.trimap.png").read_bytes())
    scale = (megapixels * 1e6 / (photo.shape[0] * photo.shape[1])) ** 0.5
    size = round(photo.shape[1] * scale), round(photo.shape[0] * scale)
    photo = cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    chance = np.random.default_rng(0)
    for part in ("in", "trimaps", "few", "loop", "rembg"):
        (folder / part).mkdir()
    for number in range(pictures):
        noise = chance.integers(-4, 5, (256, 256, 3), np.int16)
        tiles = (photo.shape[0] // 256 + 1, photo.shape[1] // 256 + 1, 1)
        noisy = photo + np.tile(noise, tiles)[: photo.shape[0], : photo.shape[1]]
        save_image(folder / f"in/{number:04}.jpg", np.clip(noisy, 0, 255).astype(np.uint8))
        save_image(folder / f"trimaps/{number:04}.png", labels)


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Attributes:
        seconds: from its start to its end.
        used: CPU seconds of it and its children.
        share: of the network, of all time that the processes worked; "-" where nobody says.
        held: GB of all its processes, every fifth of a second.
    """

    seconds: float
    used: float
    share: str
    held: list[float]

    def cells(self, pictures: int) -> list[str]:
        """Pictures a minute, CPU seconds each, the network's share, memory in both halves."""
        half = len(self.held) // 2
        memory = [f"{max(part, default=0):.2f}" for part in (self.held[:half], self.held[half:])]
        rate = f"{pictures / self.seconds * 60:.0f}"
        return [rate, f"{self.used / pictures:.2f}", self.share, *memory]


def _seconds(cost: Cost) -> float:
    return cost.seconds


def run(folder: Path, processes: int) -> Cost:
    """One batch, from nothing."""
    out = folder / f"out-{processes}"
    shutil.rmtree(out, ignore_errors=True)
    words = (*_COMMAND, folder / "in", out, "--trimaps", folder / "trimaps")
    return timed([*map(str, words), "--processes", str(processes), "--threads", "1"])


def timed(words: Sequence[str]) -> Cost:
    """A command, and what it took."""
    began, before = time.monotonic(), os.times()
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    held: list[float] = []
    watcher = threading.Thread(target=_watch, args=(process, held))
    watcher.start()
    said = process.communicate()[1]
    watcher.join()
    seconds, after = time.monotonic() - began, os.times()
    if process.returncode:
        raise SystemExit(said)
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    share = re.findall(r"network (\d+%)", said)
    return Cost(seconds, used, share[0] if share else "-", held)


def rivals(folder: Path, pictures: int) -> dict[str, list[str]]:
    """Commands that do the first few pictures in other ways."""
    for path in sorted((folder / "in").iterdir())[:pictures]:
        shutil.copy(path, folder / "few")
    commands = {"pymatting": [sys.executable, "-W", "ignore", "-c", _LOOP, str(folder)]}
    models = sorted(Path.home().glob(".u2net/*.onnx"))
    if models and shutil.which("rembg"):
        name, out = models[0].stem, str(folder / "rembg")
        commands[f"rembg p ({name})"] = ["rembg", "p", "-m", name, str(folder / "few"), out]
    else:
        say("rembg p: none of its models is on this machine")
    return commands


def _watch(process: subprocess.Popen[str], held: list[float]) -> None:
    """The memory of a process and its children, GB, until it ends."""
    while process.poll() is None:
        held.append(sum(map(_resident, [process.pid, *_children(process.pid)])))
        time.sleep(0.2)


def _children(process: int) -> list[int]:
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def _resident(process: int) -> float:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


if __name__ == "__main__":
    main()
