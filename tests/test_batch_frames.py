"""The frames of a shot: trimaps that are carried along, cuts, edges that stand still, video."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import run_as_text
from numpy.typing import NDArray
from PIL import Image

from deepmatte.evaluation.temporal import Steadiness
from deepmatte.trimap import from_alpha

pytestmark = pytest.mark.slow

HEIGHT, WIDTH, FRAMES = 96, 128, 6


def drawn(centre: float, seed: int, scene: int = 0) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """A frame with a camera's noise, uint8 (H, W, 3), and its alpha: a soft disc, floats (H, W)."""
    chance = np.random.default_rng(scene)
    texture = chance.uniform(0, 1, (HEIGHT // 8, WIDTH // 8, 3))
    behind = np.kron(texture, np.ones((8, 8, 1))) * 0.4  # (H, W, 3)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    alpha = np.clip((30 - np.hypot(rows - HEIGHT / 2, columns - centre)) / 8, 0, 1)
    mixed = alpha[..., None] * np.array([0.9, 0.8, 0.6]) + (1 - alpha[..., None]) * behind
    mixed += np.random.default_rng(seed).normal(0, 0.015, mixed.shape)
    return np.rint(np.clip(mixed, 0, 1) * 255).astype(np.uint8), alpha.astype(np.float32)


def trimap_of(alpha: NDArray[Any]) -> NDArray[np.uint8]:
    return from_alpha(alpha, erode=4, dilate=4)


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """Frames that drift, and a trimap for the first."""
    (tmp_path / "trimaps").mkdir()
    for number in range(FRAMES):
        image, alpha = drawn(50 + 1.5 * number, number)
        Image.fromarray(image).save(tmp_path / f"shot.{number + 8:04}.png")
        if number == 0:
            Image.fromarray(trimap_of(alpha)).save(tmp_path / "trimaps/0008.png")
    return tmp_path


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_as_text("batch", *arguments, folder=folder)


def outputs(folder: Path) -> dict[str, bytes]:
    """What a shot has left in a folder, but for the ledger and the checkpoint."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if not path.name.startswith((".deepmatte-batch", ".deepmatte-shot"))
    }


def alpha_in(path: Path) -> NDArray[np.float32]:
    with Image.open(path) as cutout:
        return np.asarray(np.asarray(cutout)[..., -1] / np.float32(255))


def test_a_trimap_is_carried_to_the_frames_that_have_none(shot: Path) -> None:
    done = run("shot.####.png", "out", "--trimaps", "trimaps", folder=shot)

    assert done.returncode == 0, done.stderr
    assert sorted(outputs(shot / "out")) == [
        f"shot.{number + 8:04}.cutout.png" for number in range(FRAMES)
    ]
    for number in range(FRAMES):
        alpha = alpha_in(shot / f"out/shot.{number + 8:04}.cutout.png")
        true = drawn(50 + 1.5 * number, number)[1]
        assert np.mean(np.abs(alpha - true)) < 0.025  # 0.016 with a trimap for each


def test_a_folder_of_frames_can_be_written_deep(shot: Path) -> None:
    (shot / "frames").mkdir()
    for path in shot.glob("shot.*.png"):
        path.rename(shot / "frames" / path.name)

    done = run(
        *("frames", "out", "--frames", "--trimaps", "trimaps", "--depth", "16"),
        *("--alpha", "a/{stem}.png", "--resize", "50"),
        folder=shot,
    )

    assert done.returncode == 0, done.stderr
    assert len(list((shot / "out/a").iterdir())) == FRAMES
    with Image.open(shot / "out/a/shot.0008.png") as written:
        assert written.mode == "I;16"
        assert max(written.size) == 50


def test_a_cut_is_said_and_needs_a_trimap(shot: Path) -> None:
    for number in (3, 4, 5):
        image, _ = drawn(80, number, scene=1)
        Image.fromarray(255 - image).save(shot / f"shot.{number + 8:04}.png")
    command = ("shot.####.png", "out", "--trimaps", "trimaps")

    cut = run(*command, folder=shot)

    assert cut.returncode == 1
    assert "shot.0011.png has no trimap" in cut.stderr
    assert "after a scene cut" in cut.stderr
    assert len(outputs(shot / "out")) == 3

    Image.fromarray(trimap_of(drawn(80, 3, scene=1)[1])).save(shot / "trimaps/0011.png")
    mended = run(*command, folder=shot)

    assert mended.returncode == 0, mended.stderr
    assert "A scene cut comes before this frame" in mended.stderr
    assert len(outputs(shot / "out")) == FRAMES


def test_edges_stand_still_where_nothing_moves(tmp_path: Path) -> None:
    (tmp_path / "trimaps").mkdir()
    true = drawn(60, 0)[1]
    Image.fromarray(trimap_of(true)).save(tmp_path / "trimaps/1.png")
    for number in range(FRAMES):
        Image.fromarray(drawn(60, number)[0]).save(tmp_path / f"s{number + 1}.png")
    found = {}
    for way in ("--steady", "--no-steady"):
        done = run("s#.png", way[2:], "--trimaps", "trimaps", way, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        steadiness = Steadiness()
        for number in range(FRAMES):
            steadiness.add(alpha_in(tmp_path / way[2:] / f"s{number + 1}.cutout.png"), true)
        found[way] = steadiness

    assert found["--steady"].dtssd < 0.5 * found["--no-steady"].dtssd
    assert found["--steady"].messddt < 0.5 * found["--no-steady"].messddt


def test_the_measures_of_steadiness_are_those_of_their_paper() -> None:
    true = np.zeros((2, 2), np.float32)
    flickering = np.array([[0.3, 0], [0, 0]], np.float32)
    steadiness = Steadiness()

    for alpha in (true, flickering, true):
        steadiness.add(alpha, true)

    assert steadiness.dtssd == pytest.approx(0.15)  # the root of 0.3**2 / 4
    assert steadiness.messddt == pytest.approx(0.3**2 / 4)


# --- what is done already ------------------------------------------------------------------------


def test_a_shot_goes_on_from_its_last_matte(shot: Path) -> None:
    command = ("shot.####.png", "out", "--trimaps", "trimaps")
    run(*command, folder=shot)
    whole = outputs(shot / "out")
    shutil.rmtree(shot / "out")
    late = shot / "late"
    late.mkdir()
    for number in (4, 5):
        (shot / f"shot.{number + 8:04}.png").rename(late / f"shot.{number + 8:04}.png")
    run(*command, folder=shot)
    for path in late.iterdir():
        path.rename(shot / path.name)
    # Were the first frame matted again, it would fail: it looks unchanged, but is no picture.
    first = shot / "shot.0008.png"
    status = first.stat()
    first.write_bytes(b"0" * status.st_size)
    os.utime(first, ns=(status.st_atime_ns, status.st_mtime_ns))

    done = run(*command, folder=shot)

    assert done.returncode == 0, done.stderr
    assert "2 done, 4 done before, 0 failed" in done.stderr
    assert outputs(shot / "out") == whole


def test_what_follows_a_changed_frame_is_done_again_and_nothing_else(shot: Path) -> None:
    command = ("shot.####.png", "out", "--trimaps", "trimaps")
    run(*command, folder=shot)
    before = outputs(shot / "out")
    Image.fromarray(trimap_of(drawn(56, 0)[1])).save(shot / "trimaps/0012.png")

    changed = run(*command, folder=shot)

    assert changed.returncode == 0, changed.stderr
    assert "2 done, 4 done before, 0 failed" in changed.stderr
    after = outputs(shot / "out")
    assert sorted(name for name in before if before[name] == after[name]) == sorted(before)[:4]

    other = run(*command, "--no-steady", folder=shot)
    assert f"{FRAMES} done, 0 failed" in other.stderr


def test_a_broken_frame_fails_alone(shot: Path) -> None:
    whole = (shot / "shot.0010.png").read_bytes()
    (shot / "shot.0010.png").write_bytes(whole[: len(whole) // 2])

    done = run("shot.####.png", "out", "--trimaps", "trimaps", folder=shot)

    assert done.returncode == 1
    assert f"{FRAMES - 1} done, 1 failed" in done.stderr
    assert "shot.0010.png" in done.stderr
    assert len(outputs(shot / "out")) == FRAMES - 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_shot_is_finished_by_the_next_run(shot: Path) -> None:
    command = ("shot.####.png", "out", "--trimaps", "trimaps")
    run(*command, folder=shot)
    whole = outputs(shot / "out")
    shutil.rmtree(shot / "out")
    words = [sys.executable, "-m", "deepmatte", "batch", *command]
    with subprocess.Popen(words, cwd=shot, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while not list(shot.glob("out/*.png")):
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)

    rest = run(*command, folder=shot)

    assert rest.returncode == 0, rest.stderr
    assert outputs(shot / "out") == whole


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak that Linux keeps")
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path) -> None:
    (tmp_path / "trimaps").mkdir()
    image, alpha = drawn(60, 0)
    Image.fromarray(trimap_of(alpha)).save(tmp_path / "trimaps/1.png")
    frame = io.BytesIO()
    Image.fromarray(image).save(frame, "png")
    peaks = []
    for count in (20, 100):
        for number in range(count):
            (tmp_path / f"s{number + 1}.png").write_bytes(frame.getvalue())
        words = ["s#.png", f"out{count}", "--trimaps", "trimaps", "--threads", "1"]
        with subprocess.Popen(
            [sys.executable, "-m", "deepmatte", "batch", *words],
            cwd=tmp_path,
            stderr=subprocess.DEVNULL,
        ) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss * 1024)

    # The mattes of 80 frames, were they kept, would take 19 MB.
    assert peaks[1] - peaks[0] < 10e6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.##.png", "out", "--trimaps", "trimaps"), "no frame in none.##.png"),
        (("shot.####.png", "out.mov", "--trimaps", "trimaps"), "takes its rate and sound from a"),
        (("shot.####.png", "out", "--trimaps", "trimaps", "--crop", "5"), "A crop would move"),
        (("shot.####.png", ".", "--trimaps", "trimaps"), ". is read by this batch"),
    ],
)
def test_what_is_no_shot_is_refused(shot: Path, arguments: tuple[str, ...], said: str) -> None:
    refused = run(*arguments, folder=shot)

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert said in refused.stderr


# --- video --------------------------------------------------------------------------------------


@pytest.fixture
def video(shot: Path) -> Path:
    """The shot as a video with sound, 12 frames a second."""
    av = pytest.importorskip("av", reason="needs deepmatte[video]")
    path = shot / "shot.mp4"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=12)
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        pictures.options = {"crf": "4"}
        sound = container.add_stream("aac", rate=48000)
        for number in range(FRAMES):
            image = drawn(50 + 1.5 * number, number)[0]
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(pictures.encode(None))
        tone = np.sin(np.arange(24000) / 20).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    (shot / "trimaps/0008.png").rename(shot / "trimaps/1.png")
    return path


@pytest.mark.parametrize("name", ["cutout.mov", "cutout.webm"])
def test_a_video_becomes_a_video_with_alpha_and_keeps_its_sound(video: Path, name: str) -> None:
    av = pytest.importorskip("av")

    done = run("shot.mp4", name, "--trimaps", "trimaps", folder=video.parent)

    assert done.returncode == 0, done.stderr
    again = run("shot.mp4", name, "--trimaps", "trimaps", folder=video.parent)
    assert f"0 done, {FRAMES} done before, 0 failed" in again.stderr
    over = run(name, name, "--trimaps", "trimaps", folder=video.parent)
    assert f"{name} is read by this batch" in over.stderr
    with av.open(str(video.parent / name)) as container:
        (pictures,), (sound,) = container.streams.video, container.streams.audio
        assert float(pictures.average_rate) == pytest.approx(12, rel=0.05)
        assert float(sound.duration * sound.time_base if sound.duration else 0.5) > 0.4
        decoder: Any = pictures
        if name.endswith(".webm"):  # FFmpeg's own decoder leaves alpha out
            decoder = av.CodecContext.create("libvpx-vp9", "r")
        frames = [frame for packet in container.demux(pictures) for frame in decoder.decode(packet)]
    assert len(frames) >= FRAMES - 1
    for number, frame in enumerate(frames):
        assert frame.format.name.startswith("yuva4")
        alpha = frame.to_ndarray(format="rgba")[..., 3] / 255
        assert np.mean(np.abs(alpha - drawn(50 + 1.5 * number, number)[1])) < 0.03


def test_a_video_becomes_frames(video: Path) -> None:
    done = run("shot.mp4", "out", "--trimaps", "trimaps", folder=video.parent)

    assert done.returncode == 0, done.stderr
    names = sorted(outputs(video.parent / "out"))
    assert names == [f"shot.{number + 1:06}.cutout.png" for number in range(FRAMES)]

    (video.parent / "out" / names[4]).unlink()
    again = run("shot.mp4", "out", "--trimaps", "trimaps", folder=video.parent)

    assert again.returncode == 0, again.stderr
    assert f"1 done, {FRAMES - 1} done before, 0 failed" in again.stderr
    assert sorted(outputs(video.parent / "out")) == names


def test_what_is_no_video_is_named_and_nothing_is_written(shot: Path) -> None:
    pytest.importorskip("av")
    (shot / "shot.mp4").write_bytes(b"no video" * 100)

    refused = run("shot.mp4", "cutout.mov", "--trimaps", "trimaps", folder=shot)

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "shot.mp4" in refused.stderr
    assert not (shot / "cutout.mov").exists()
    assert not list(shot.glob(".deepmatte-*"))
