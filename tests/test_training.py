"""Composition, trimaps, losses and the loop, at toy size."""

from __future__ import annotations

import dataclasses
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs deepmatte[train]")

from deepmatte import images  # noqa: E402
from deepmatte.errors import DataError, ImageError  # noqa: E402
from deepmatte.networks.export import restore  # noqa: E402
from deepmatte.solver.inputs import NO_PRIORS, PRIORS  # noqa: E402
from deepmatte.training import checkpoint, losses  # noqa: E402
from deepmatte.training.crops import (  # noqa: E402
    CHANNELS,
    Crops,
    Planes,
    Share,
    batches,
    random_trimap,
)
from deepmatte.training.lite import LiteTraining  # noqa: E402
from deepmatte.training.loop import train  # noqa: E402
from deepmatte.training.pictures import MattedPhotos, Pictures  # noqa: E402
from deepmatte.training.recipes import lite  # noqa: E402
from deepmatte.training.scenes import Sources, compose  # noqa: E402
from deepmatte.weights import catalogue  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name in ("one.png", "two.jpg"):
        small = rng.random((9, 12, 3)).astype(np.float32)
        images.save_image(folder / name, np.kron(small, np.ones((20, 20, 1), np.float32)))
    return folder


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cutouts")
    rows, columns = np.mgrid[-1:1:80j, -1:1:70j]
    alpha = np.clip((0.8 - np.hypot(rows, columns)) * 4, 0, 1)
    pixels = np.dstack([0.5 + rows / 2, 0.5 + columns / 2, rows * 0 + 0.3, alpha])
    images.save_image(folder / "ball.png", pixels.astype(np.float32))
    return folder


@pytest.fixture(scope="module")
def matted_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos with their true alphas."""
    folder = tmp_path_factory.mktemp("matted")
    rows, columns = np.mgrid[-1:1:150j, -1:1:130j]
    rng = np.random.default_rng(1)
    for name, radius in (("one", 0.5), ("two", 0.8)):
        alpha = np.clip((radius - np.hypot(rows, columns)) * 6 + 0.5, 0, 1)[..., None]
        ground = cv2.resize(rng.random((9, 9, 3)), (130, 150))
        image = alpha * np.array([0.9, 0.5, 0.1]) + (1 - alpha) * ground
        for kind, pixels in (("images", image), ("alphas", alpha[..., 0])):
            (folder / kind).mkdir(exist_ok=True)
            levels = (pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8)
            Image.fromarray(levels).save(folder / kind / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def sources(photos: Path, cutouts: Path, matted_folder: Path) -> Sources:
    return Sources(
        Pictures([cutouts]), Pictures([photos]), MattedPhotos([matted_folder]), 0.5, 0.3, 0.3
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_scene_is_its_own_composite(sources: Sources, seed: int) -> None:
    scene = compose(np.random.default_rng(seed), sources, 96)

    opacity = scene.alpha[..., None]
    exact = opacity * scene.foreground + (1 - opacity) * scene.background
    for plane in (scene.image, scene.alpha, scene.foreground, scene.background):
        assert plane.dtype == np.float32
        assert 0 <= plane.min() <= plane.max() <= 1
    # Noise, sharpening and JPEG are all that lies between them.
    assert np.abs(scene.image - exact).mean() < 0.05


def test_scenes_differ_but_the_same_seed_gives_the_same(sources: Sources) -> None:
    first, again, other = (compose(np.random.default_rng(seed), sources, 96) for seed in (5, 5, 6))

    assert np.array_equal(first.image, again.image)
    assert not np.array_equal(first.image, other.image)


def test_without_folders_everything_is_procedural() -> None:
    scene = compose(np.random.default_rng(0), Sources(Pictures([]), Pictures([])), 64)

    assert scene.image.shape == (64, 64, 3)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures"):
        Pictures([tmp_path])


@pytest.mark.parametrize("seed", range(20))
def test_a_trimap_never_contradicts_alpha(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:120, :150]
    alpha = np.clip((40 - np.hypot(rows - 60, columns - 70)) / 12 + 0.5, 0, 1).astype(np.float32)

    trimap = random_trimap(rng, alpha)

    assert set(np.unique(trimap)) <= {0, 128, 255}
    assert (alpha[trimap == 255] > 0.99).all()
    assert (alpha[trimap == 0] < 0.01).all()
    assert (trimap == 128).sum() >= ((alpha > 0.01) & (alpha < 0.99)).sum()


def test_trimaps_are_tight_and_wide_and_some_lack_what_is_known() -> None:
    """The shares that robustness rests on: wide bands, and one kind or both kinds unknown."""
    rows, columns = np.mgrid[:240, :240]
    alpha = np.clip(70.5 - np.hypot(rows - 120, columns - 120), 0, 1).astype(np.float32)
    drawn = [random_trimap(np.random.default_rng(seed), alpha) for seed in range(200)]
    # Pixels to either side of the contour.
    outer = [np.sum(trimap[120, 190:] == 128) for trimap in drawn]
    lacks = [(not (trimap == 255).any(), not (trimap == 0).any()) for trimap in drawn]

    assert 0.10 < np.mean(np.array(outer) <= 4) < 0.5
    assert 0.15 < np.mean(np.array(outer) >= 20) < 0.5
    assert 15 <= lacks.count((True, False)) <= 70
    assert 1 <= lacks.count((False, True)) <= 20
    assert 1 <= lacks.count((True, True)) <= 10


def test_training_goes_on_from_the_shipped_network(
    photos: Path, cutouts: Path, tmp_path: Path
) -> None:
    training = dataclasses.replace(
        lite((cutouts,), (photos,), tmp_path), start=Path("lite"), sides=(96,), crop=64
    )
    network, shipped = training.build(), training.build()

    training.initialise(network)

    restore(catalogue.find("lite"), shipped)
    samples = training.samples(held_out=False)
    crops = torch.cat([samples[index] for index in range(12)])
    inputs = Planes.of(crops).inputs.float()
    with torch.no_grad():
        answer, same = (net.eval()(inputs)[0] for net in (shipped, network))
        # In training batch norms use the statistics of what they get: the shipped network has lost
        # its own, and would begin somewhere else.
        for net in (shipped, network):
            training.learning(net, 0)
        lost, kept = ((net(inputs)[0] - answer).abs().mean() for net in (shipped, network))
    torch.testing.assert_close(same, answer, atol=1e-3, rtol=0)
    assert kept < lost / 100


def test_the_encoder_learns_from_1_16_on_once_it_is_released(
    photos: Path, cutouts: Path, tmp_path: Path
) -> None:
    training = dataclasses.replace(lite((cutouts,), (photos,), tmp_path), release=7)
    network = training.build()

    training.learning(network, 6)
    resting = [parameter.requires_grad for parameter in network.encoder.parameters()]
    training.learning(network, 7)
    encoder = network.encoder.named_parameters()
    later = {name for name, parameter in encoder if parameter.requires_grad}

    assert not any(resting)
    assert {name.split(".")[1] for name in later} == {"3", "4", "5", "6"}


def test_scenes_have_one_of_the_sides_small_ones_more_often(sources: Sources) -> None:
    small, large, mixed = (
        Crops(sources, seed=3, sides=sides, crop=64, per_scene=1, dropped=0)
        for sides in ((64, 64), (128, 128), (64, 128))
    )
    drawn = [
        [torch.equal(mixed[index], one[index]) for one in (small, large)] for index in range(16)
    ]

    assert all(sum(of) == 1 for of in drawn)
    assert 8 < sum(of[0] for of in drawn) < 16


def test_crops_do_not_depend_on_what_was_drawn_before(sources: Sources) -> None:
    crops = Crops(sources, seed=3, sides=(96,), crop=64, per_scene=2, dropped=0.5)
    stream = iter(batches(crops, Share(2), first=0, workers=0))
    _, second = next(stream), next(stream)
    resumed = next(iter(batches(crops, Share(2), first=1, workers=1)))

    assert second.shape == (4, CHANNELS, 64, 64)
    assert torch.equal(second, resumed)
    unknown = 1 - second[:, 3] - second[:, 4]
    assert (unknown.sum((1, 2)) > 0).all()


def test_crops_of_scenes_of_any_size_keep_what_is_known(sources: Sources) -> None:
    crops = Crops(sources, seed=9, sides=(96,), crop=96, per_scene=1, dropped=1)
    drawn = Planes.of(torch.cat([crops[index] for index in range(60)]).float())
    foreground, background = drawn.inputs[:, 3:4], drawn.inputs[:, 4:5]
    composed = drawn.alpha * drawn.foreground + (1 - drawn.alpha) * drawn.background
    away = (composed - drawn.inputs[:, :3]).abs().mean((1, 2, 3))

    assert drawn.alpha[foreground == 1].min() > 0.98
    assert drawn.alpha[background == 1].max() < 0.02
    assert away.median() < 0.03


def test_some_crops_have_no_priors(sources: Sources) -> None:
    drawn = Crops(sources, seed=5, sides=(96,), crop=64, per_scene=2, dropped=0.5)
    crops = torch.cat([drawn[index] for index in range(8)])
    inputs = Planes.of(crops.float()).inputs

    blank = torch.tensor(NO_PRIORS).reshape(1, -1, 1, 1)
    without = (inputs[:, PRIORS] == blank).flatten(1).all(1)
    assert 0 < without.sum() < len(crops)
    # What is left of them: the picture and what the trimap knows.
    assert (inputs[without, :3].flatten(1).std(1) > 0).all()
    assert set(inputs[:, 3:5].unique().tolist()) <= {0, 1}


def test_real_photos_come_with_their_own_alpha(matted_folder: Path) -> None:
    real = Sources(Pictures([]), Pictures([]), MattedPhotos([matted_folder]), real_share=1.0)
    scene = compose(np.random.default_rng(3), real, 96)

    opacity = scene.alpha[..., None]
    exact = opacity * scene.foreground + (1 - opacity) * scene.background
    solid = (scene.alpha < 0.05) | (scene.alpha > 0.95)
    assert solid.mean() > 0.5
    assert np.abs(scene.image - exact)[solid].mean() < 0.06


def test_the_softer_photo_is_drawn_more_often(matted_folder: Path) -> None:
    photos = MattedPhotos([matted_folder])
    rng = np.random.default_rng(0)

    subjects = [int((photos.draw(rng).alpha > 12).sum()) for _ in range(300)]

    # The smaller disc: half of the even draws, and seven of eight where it has three chances.
    assert 0.6 < np.mean(np.array(subjects) == min(subjects)) < 0.8


def test_losses_are_zero_for_the_truth_and_see_unknown_pixels_only() -> None:
    generator = torch.Generator().manual_seed(0)
    alpha = torch.rand(2, 1, 32, 32, generator=generator)
    foreground, background = torch.rand(2, 2, 3, 32, 32, generator=generator)
    unknown = torch.zeros_like(alpha)
    unknown[:, :, 8:24, 8:24] = 1
    elsewhere = alpha + 0.5 * (1 - unknown)

    for predicted in (alpha, elsewhere):
        assert losses.alpha_prediction(predicted, alpha, unknown) < 1e-5
        assert losses.laplacian(predicted, alpha, unknown) < 1e-5
        assert losses.compositional(predicted, alpha, foreground, background, unknown) < 1e-5


def test_losses_by_hand() -> None:
    alpha = torch.zeros(1, 1, 16, 16)
    predicted = torch.full_like(alpha, 0.25)
    unknown = torch.ones_like(alpha)
    white, grey = torch.ones(1, 3, 16, 16), torch.full((1, 3, 16, 16), 0.5)

    assert losses.alpha_prediction(predicted, alpha, unknown).item() == pytest.approx(0.25)
    # A quarter of the way from grey to white is 0.125.
    composition = losses.compositional(predicted, alpha, white, grey, unknown)
    assert composition.item() == pytest.approx(0.125)
    # A constant difference has no detail at any level of the pyramid.
    assert losses.laplacian(predicted, alpha, unknown).item() == pytest.approx(0, abs=1e-6)
    spike = torch.zeros_like(alpha)
    spike[0, 0, 5, 5] = 1
    assert losses.laplacian(spike, alpha, unknown).item() > 1 / 256


def test_soft_clipping_keeps_a_slope_outside() -> None:
    values = torch.tensor([-1.0, 0.3, 2.0], requires_grad=True)
    clipped = losses.softly_clipped(values)
    clipped.sum().backward()

    assert clipped.tolist() == pytest.approx([-0.05, 0.3, 1.05])
    assert values.grad is not None
    assert values.grad.tolist() == pytest.approx([0.05, 1.0, 0.05])


def _toy(photos: Path, cutouts: Path, out: Path) -> LiteTraining:
    return dataclasses.replace(
        lite((cutouts,), (photos,), out, workers=0),
        steps=5,
        scenes=1,
        per_scene=2,
        sides=(96,),
        crop=64,
        warmup=2,
        release=3,
        threads=1,
        save_minutes=0,
    )


_RUN = """
import sys, warnings
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_training import _toy
from deepmatte.training.loop import train
train(_toy(*map(Path, sys.argv[2:5])), resume=True)
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_killed_and_resumed_training_ends_with_the_same_bits(
    photos: Path, cutouts: Path, tmp_path: Path
) -> None:
    whole = train(_toy(photos, cutouts, tmp_path / "whole"))
    interrupted = tmp_path / "interrupted"
    arguments = [str(Path(__file__).parent), str(photos), str(cutouts), str(interrupted)]
    process = subprocess.Popen([sys.executable, "-c", _RUN, *arguments])
    path = interrupted / "checkpoint.pt"
    deadline = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert 0 < checkpoint.load(path)["step"] < 5  # it was stopped on the way, not at the end

    resumed = train(_toy(photos, cutouts, interrupted), resume=True)

    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    # A checkpoint of other settings is not continued silently.
    other = dataclasses.replace(_toy(photos, cutouts, interrupted), seed=9)
    with pytest.raises(DataError, match="other settings"):
        train(other, resume=True)


def test_a_damaged_photo_is_named_in_one_line(
    cutouts: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (tmp_path / "damaged.PNG").write_bytes(b"\x89PNG junk")
    training = _toy(tmp_path, cutouts, tmp_path_factory.mktemp("out"))

    with pytest.raises(ImageError, match=r"damaged\.PNG") as caught:
        train(dataclasses.replace(training, workers=1))

    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="crops travel through sockets on POSIX alone")
def test_a_temporary_folder_that_no_socket_can_lie_in_is_refused(
    photos: Path, cutouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    with pytest.raises(DataError, match="set TMPDIR to a shorter one"):
        train(dataclasses.replace(_toy(photos, cutouts, tmp_path), workers=1))


def test_an_earlier_checkpoint_is_not_overwritten(
    photos: Path, cutouts: Path, tmp_path: Path
) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"hours of work")

    with pytest.raises(DataError, match="exists"):
        train(_toy(photos, cutouts, tmp_path))

    assert (tmp_path / "checkpoint.pt").read_bytes() == b"hours of work"


@pytest.mark.parametrize(
    ("name", "value"),
    [("crop", 100), ("crop", 512), ("sides", ()), ("precision", "float8"), ("device", "tpu")],
)
def test_settings_that_cannot_be_trained_are_refused(
    photos: Path, cutouts: Path, tmp_path: Path, name: str, value: Any
) -> None:
    training = _toy(photos, cutouts, tmp_path)
    changes: dict[str, Any] = {name: value}

    with pytest.raises(DataError, match=str(value)):
        dataclasses.replace(training, **changes)


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"checkpoint\.pt"):
        checkpoint.load(path)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told")
def test_freed_memory_is_kept_for_the_next_step() -> None:
    # In a process of its own: it holds from then on.
    code = """
import resource
import numpy as np
from deepmatte.machine import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(8_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

by_itself = faults()
keep_freed_memory()
faults()  # the heap grows
print(by_itself, faults())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    by_itself, kept = map(int, done.stdout.split())

    assert by_itself > 100
    assert kept < by_itself / 10
