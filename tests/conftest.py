"""What several tests share: a small scene (a soft orange disc on blue), and a browser."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import deepmatte  # noqa: F401 (before any test loads ONNX Runtime: it switches its telemetry off)

# Threads that wait for each other sleep. Otherwise they spin, and on a busy machine, as it is where
# several tests run at a time, a training step of 2 CPU seconds takes 25. Torch reads this once.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Each of the processes that run tests has cores of its own, with all that it starts, where there
# are enough. Networks spin while their threads wait for each other: on shared cores a page took
# three times as long.
if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and hasattr(os, "sched_setaffinity"):
    cores, workers = sorted(os.sched_getaffinity(0)), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    if workers <= len(cores):
        os.sched_setaffinity(0, cores[int(worker.removeprefix("gw")) :: workers])
# The hundreds of processes that tests start need not compile the package anew, each for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

HEIGHT, WIDTH = 90, 120

# A shell that starts tests in the background has SIGINT ignored, and so would every process that
# they start: interrupts would never come.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Scene:
    """Files in `folder`, and the arrays that they were made of."""

    folder: Path
    picture: Path
    trimap: Path
    mask: Path
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    foreground: NDArray[np.float32]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot(rows - HEIGHT / 2, columns - WIDTH / 2)
    alpha = np.clip((32 - distance) / 8, 0, 1).astype(np.float32)  # (H, W)
    foreground = np.broadcast_to(np.array([0.9, 0.5, 0.1], np.float32), (HEIGHT, WIDTH, 3))
    background = np.array([0.1, 0.2, 0.7], np.float32) + 0.2 * (columns / WIDTH)[..., None]
    mixed = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    image = np.rint(mixed * 255).astype(np.uint8)
    labels = np.full((HEIGHT, WIDTH), 128, np.uint8)
    labels[distance < 21], labels[distance > 35] = 255, 0
    files = {"photo.png": image, "trimap.png": labels}
    files["mask.png"] = np.where(alpha > 0.5, 255, 0).astype(np.uint8)
    for name, pixels in files.items():
        Image.fromarray(pixels).save(tmp_path / name)
    picture, trimap, mask = (tmp_path / name for name in files)
    return Scene(tmp_path, picture, trimap, mask, image, labels, alpha, foreground)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, for the tests of pages."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    # The shell, which has no interface of its own, takes two thirds of the CPU time of the others.
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program)
        yield browser
        browser.close()
