"""Does a batch that is killed again and again end as one that nobody disturbed?

Makes small pictures, a tenth of them broken, mattes them once undisturbed, and once with SIGKILL
at random moments; then compares every output byte for byte, the ledgers, and the exit codes.

    python tools/batch_killed.py --pictures 2000 --kills 10
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

_HEIGHT, _WIDTH = 60, 80
_COMMAND = (sys.executable, "-m", "deepmatte", "batch")


def main() -> None:
    """Make the pictures, disturb, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=None, help="instead of a temporary one")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        make_pictures(folder, arguments.pictures)
        began = time.monotonic()
        code = _run(folder, "whole").wait()
        print(f"undisturbed: {time.monotonic() - began:.0f} s, exit code {code}", flush=True)
        _disturb(folder, arguments.kills, random.Random(arguments.seed))
        again = _run(folder, "killed").wait()
        print(f"last run: exit code {again}")
        equal = _outputs(folder / "whole") == _outputs(folder / "killed")
        ledgers = _states(folder / "whole"), _states(folder / "killed")
        print(f"{len(_outputs(folder / 'killed'))} outputs, equal byte for byte: {equal}")
        print(f"ledgers equal: {ledgers[0] == ledgers[1]}; {_counts(ledgers[1])}")
        if not (equal and ledgers[0] == ledgers[1] and code == again == 1):
            sys.exit("not equal")


def make_pictures(folder: Path, count: int) -> None:
    """Soft discs on noise, and their trimaps; of ten pictures one is cut off or empty."""
    random_numbers = np.random.default_rng(0)
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    for number in range(count):
        name = f"{number % 10}/{number:05}"
        centre = random_numbers.uniform(25, 35), random_numbers.uniform(30, 50)
        distance = np.hypot(rows - centre[0], columns - centre[1])
        alpha = np.clip((18 - distance) / 6, 0, 1)[..., None]  # (H, W, 1)
        colours = random_numbers.uniform(0, 1, (2, 3))
        image = alpha * colours[0] + (1 - alpha) * colours[1]
        image += random_numbers.normal(0, 0.02, image.shape)
        trimap = np.full(distance.shape, 128, np.uint8)
        trimap[distance < 10], trimap[distance > 20] = 255, 0
        for kind, pixels in (("in", image), ("trimaps", trimap / 255)):
            path = folder / kind / f"{name}.{'jpg' if kind == 'in' else 'png'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.uint8(np.clip(pixels, 0, 1) * 255)).save(path)
        if number % 10 == 3:
            data = (folder / "in" / f"{name}.jpg").read_bytes()
            kept = b"" if number % 20 == 3 else data[: len(data) // 2]
            (folder / "in" / f"{name}.jpg").write_bytes(kept)


def _run(folder: Path, out: str) -> subprocess.Popen[bytes]:
    words = (*_COMMAND, folder / "in", folder / out, "--trimaps", folder / "trimaps")
    return subprocess.Popen(words, stderr=subprocess.DEVNULL)


def _disturb(folder: Path, kills: int, chance: random.Random) -> None:
    """Kill runs at random moments, spread over all of the work whatever the machine's speed."""
    whole = len(_outputs(folder / "whole"))
    for kill in range(kills):
        done = len(_outputs(folder / "killed"))
        until = done + chance.uniform(0, 2 * (whole - done) / (kills - kill + 1))
        process = _run(folder, "killed")
        while process.poll() is None and _count(folder / "killed") < until:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.5))
        if process.poll() is not None:
            print(f"kill {kill + 1}: too late, the run had ended", flush=True)
            continue
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        print(f"kill {kill + 1}: at {_count(folder / 'killed')} outputs", flush=True)


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*/*.png"))


def _outputs(folder: Path) -> dict[str, bytes]:
    """Every file but the ledger, those that begin with a dot included."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".deepmatte-batch.sqlite")
    }


def _states(folder: Path) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(folder / ".deepmatte-batch.sqlite")) as ledger:
        return ledger.execute(
            "SELECT name, state, error, unknown, haze FROM pictures ORDER BY name"
        ).fetchall()


def _counts(states: list[tuple[object, ...]]) -> str:
    kinds = [state for _, state, *_ in states]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(map(str, kinds))))


if __name__ == "__main__":
    main()
