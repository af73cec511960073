"""The engine with the shipped networks."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import CancelledError
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepmatte.errors import ModelError
from deepmatte.machine import usable_cores
from deepmatte.solver.budget import KEPT, Budget
from deepmatte.solver.engine import Engine
from deepmatte.solver.inputs import NetworkInputs
from deepmatte.solver.predictor import Predictor
from deepmatte.solver.runtime import OnnxNetwork, Progress
from deepmatte.types import Floats
from deepmatte.weights import catalogue


@pytest.fixture(scope="module", params=catalogue.SHA256)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def engine(model: str) -> Engine:
    return Engine(model)


def _scene(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A red disc with a soft edge on a bluish, noisy ground, and its trimap."""
    rng = np.random.default_rng(height * 10_007 + width)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot((rows / height - 0.5) * 2, (columns / width - 0.5) * 2)
    alpha = np.clip((0.7 - distance) * 6 + 0.5, 0, 1)[..., None]
    ground = np.array([0.1, 0.3, 0.6], np.float32) + rng.normal(0, 0.05, (height, width, 3))
    image = alpha * np.array([0.9, 0.2, 0.1], np.float32) + (1 - alpha) * ground
    trimap = np.full((height, width), 128, np.uint8)
    trimap[distance < 0.45], trimap[distance > 0.9] = 255, 0
    return image.clip(0, 1).astype(np.float32), trimap


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (31, 33), (64, 96), (250, 130)])
def test_any_size_works_and_known_pixels_are_exact(engine: Engine, size: tuple[int, int]) -> None:
    image, trimap = _scene(*size)

    alpha = engine(image, trimap)

    assert alpha.shape == size
    assert alpha.dtype == np.float32
    assert np.isfinite(alpha).all()
    assert (alpha[trimap == 255] == 1).all()
    assert (alpha[trimap == 0] == 0).all()
    assert 0 <= alpha.min() <= alpha.max() <= 1


def test_the_trimap_has_the_last_word(engine: Engine) -> None:
    rng = np.random.default_rng(0)
    image = rng.random((80, 90, 3), np.float32)
    trimap = rng.choice(np.array([0, 128, 255], np.uint8), (80, 90))

    alpha = engine(image, trimap)

    assert (alpha[trimap == 255] == 1).all()
    assert (alpha[trimap == 0] == 0).all()


def test_an_easy_edge_is_found(engine: Engine) -> None:
    image, trimap = _scene(160, 200)
    rows, columns = np.mgrid[:160, :200]
    distance = np.hypot((rows / 160 - 0.5) * 2, (columns / 200 - 0.5) * 2)
    truth = np.clip((0.7 - distance) * 6 + 0.5, 0, 1)

    assert np.abs(engine(image, trimap) - truth)[trimap == 128].mean() < 0.06


@pytest.mark.parametrize("label", [0, 128, 255])
def test_trimaps_of_one_label(engine: Engine, label: int) -> None:
    image, _ = _scene(40, 50)

    alpha = engine(image, np.full((40, 50), label, np.uint8))

    assert np.isfinite(alpha).all()
    if label != 128:
        assert (alpha == label / 255).all()


@pytest.fixture(scope="module")
def mattes() -> tuple[Floats, Floats]:
    """A picture a little larger than the smallest tile: in tiles, and whole."""
    scene = _scene(2300, 2600)
    return Engine(tile=1152)(*scene), Engine(tile=2048)(*scene)


@pytest.mark.slow
def test_tiles_leave_no_seam(mattes: tuple[Floats, Floats]) -> None:
    tiled, whole = mattes

    assert 0 < np.abs(whole - tiled).max() < 1 / 255


@pytest.mark.slow
def test_the_memory_chooses_the_tile(mattes: tuple[Floats, Floats]) -> None:
    tiled, whole = mattes
    scene = _scene(2300, 2600)

    np.testing.assert_array_equal(Engine(memory=740_000_000)(*scene), tiled)
    assert Budget(None, 3_000_000_000, 1152, NetworkInputs.memory).tile_area(whole.shape) > 1300**2
    with pytest.raises(ModelError, match=r"^0.45 GB of memory .* 2600 x 2300 pixels; expected at"):
        Engine(memory=450_000_000)(*scene)


def test_the_result_depends_neither_on_threads_nor_on_earlier_pictures(
    model: str, engine: Engine
) -> None:
    image, trimap = _scene(150, 140)
    first = engine(image, trimap)
    engine(*_scene(90, 210))

    assert np.array_equal(first, engine(image, trimap))
    assert np.allclose(first, Engine(model, threads=1)(image, trimap), atol=1e-5)


def test_the_arguments_are_not_changed(engine: Engine) -> None:
    image, trimap = _scene(70, 60)
    before = image.copy(), trimap.copy()
    engine(image, trimap)

    assert np.array_equal(image, before[0])
    assert np.array_equal(trimap, before[1])


def test_only_the_surroundings_of_unknown_pixels_matter(engine: Engine) -> None:
    image, trimap = _scene(160, 200)
    framed = np.full((1700, 1600, 3), 0.5, np.float32)
    framed[640:800, 700:900] = image
    labels = np.zeros((1700, 1600), np.uint8)
    labels[640:800, 700:900] = trimap
    tracemalloc.start()

    alpha = engine(framed, labels)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6  # the network's inputs for half of the whole picture alone are 68 MB
    other = framed.copy()
    other[:300] = 0.9
    assert np.array_equal(alpha, engine(other, labels))


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told")
@pytest.mark.parametrize(
    ("memory", "sides", "expected"),
    [  # kB; code takes 50,000. If all were kept, it would be 270,000 and 210,000
        ("None", (1800, 1200, 1900), 85_000 + KEPT // 1000),
        ("10**9", (1400, 900, 1500), 85_000),
    ],
)
def test_no_more_memory_is_kept_than_is_said(
    memory: str, sides: tuple[int, ...], expected: int
) -> None:
    # In a process of its own: what others freed would be returned as well.
    code = f"""
import cv2
import numpy as np
from pathlib import Path
from deepmatte.solver.engine import Engine

def held():
    fields = Path("/proc/self/status").read_text().splitlines()
    return next(int(field.split()[1]) for field in fields if field.startswith("VmRSS"))

engine = Engine(threads=1, memory={memory})
held_before = held()
for side in {sides}:
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    engine(image, np.full((side, side), 128, np.uint8))
print(held() - held_before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert int(done.stdout) < expected


def test_the_network_keeps_memory_for_windows_of_few_shapes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    freed: list[bool] = []
    run = OnnxNetwork.run

    def noting(self: OnnxNetwork, inputs: Floats, progress: Progress, *, frees: bool) -> Floats:
        freed.append(frees)
        return run(self, inputs, progress, frees=frees)

    monkeypatch.setattr(OnnxNetwork, "run", noting)
    channels = len(NetworkInputs.channels)
    small, other = (np.zeros((channels, height, 96), np.float32) for height in (64, 96))
    kept = 64 * 96 * NetworkInputs.memory

    predict = Predictor("lite", "cpu", 1, mirrors=False, kept=kept)
    for window in (small, small, other, small, small):
        predict(window, Progress())
    Predictor("lite", "cpu", 1, mirrors=False, kept=0)(small, Progress())

    assert freed == [False, False, True, False, False, True]


def test_a_far_foreground_is_still_seen() -> None:
    red = np.array([0.9, 0.1, 0.1], np.float32)
    image = np.full((100, 900, 3), 0.2, np.float32)
    image[:, 850:] = image[40:60, 100:120] = red
    trimap = np.zeros((100, 900), np.uint8)
    trimap[40:60, 100:120], trimap[:, 850:] = 128, 255

    assert Engine()(image, trimap)[42:58, 102:118].mean() > 0.5


def test_usable_cores_are_those_of_the_process() -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("affinity is Linux's")
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_bad_settings_are_one_sentence(tmp_path: Path) -> None:
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"not a network")
    for arguments, expected in (
        ({"model": "huge"}, "lite"),
        ({"model": tmp_path / "missing.onnx"}, "missing.onnx"),
        ({"model": junk}, "junk.onnx"),
        ({"threads": 0}, "1 or more"),
        ({"tile": 1151}, "at least 1152"),
        ({"tile": 1152, "memory": 10**9}, "expected one of them"),
        ({"device": "tpu"}, "expected one of cpu, cuda, openvino, coreml, directml.*has .*cpu"),
        ({"quality": "low"}, "normal, high"),
    ):
        with pytest.raises(ModelError, match=expected) as caught:
            Engine(**arguments)
        assert "\n" not in str(caught.value)


def test_a_damaged_shipped_network_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytearray((catalogue.FOLDER / "lite.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "lite.onnx").write_bytes(content)
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)

    with pytest.raises(ModelError, match="SHA-256"):
        Engine()


def test_cuda_without_cuda_is_said() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(ModelError, match="cuda"):
        Engine(device="cuda")


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.2])  # at the start, and after half of the time
def test_a_cancelled_call_ends_within_the_network(share: float) -> None:
    engine = Engine(quality="high", threads=1)  # a second or two on any machine
    generator = np.random.default_rng(0)
    image = generator.random((700, 1100, 3)).astype(np.float32)
    trimap = np.full(image.shape[:2], 128, np.uint8)
    trimap[:8], trimap[-8:] = 255, 0
    progress = Progress()

    def cancel() -> None:
        while progress.share < share:
            time.sleep(0.01)
        time.sleep(0.1)
        progress.cancel()

    watcher = threading.Thread(target=cancel)
    watcher.start()
    with pytest.raises(CancelledError):
        engine(image, trimap, progress)
    watcher.join()
    assert progress.share < 1
    trimap[100:] = 0
    assert engine(image, trimap).shape == trimap.shape  # and the engine works on


@pytest.mark.parametrize("sigma", [8.0, 16.0])
def test_high_quality_is_no_worse_at_edges_out_of_focus(sigma: float) -> None:
    generator = np.random.default_rng(1)
    coarse = generator.uniform(0, 1, (2, 25, 25, 3)).astype(np.float32)
    foreground, background = (cv2.resize(part, (400, 400)) for part in coarse)
    disc = np.hypot(*np.mgrid[-200:200, -200:200]) < 110
    alpha = cv2.GaussianBlur(disc.astype(np.float32), (0, 0), sigma)
    trimap = np.full(alpha.shape, 128, np.uint8)
    trimap[alpha > 0.99], trimap[alpha < 0.01] = 255, 0
    image = foreground * alpha[..., None] + background * (1 - alpha[..., None])

    normal, high = (
        float(np.abs(matted - alpha)[trimap == 128].mean())
        for matted in (Engine()(image, trimap), Engine(quality="high")(image, trimap))
    )

    assert high < 1.02 * normal


def test_the_share_that_is_done_ends_at_one(engine: Engine) -> None:
    progress = Progress()
    engine(np.zeros((40, 60, 3), np.float32), np.full((40, 60), 128, np.uint8), progress)
    assert progress.share == 1
