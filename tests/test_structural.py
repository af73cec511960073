"""`deepmatte compose structural`: what its files hold, and that they are the same each time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from test_build import assert_one_sentence, compose, contents, noise, pixels

from deepmatte.datasets import structural
from deepmatte.datasets.groups import with_groups
from deepmatte.datasets.layouts import open_dataset
from deepmatte.datasets.structural import LITTLE, NO_BACKGROUND, NO_FOREGROUND, RING, blurred
from deepmatte.errors import DataError

COUNT = 14
SIZE = 180


def subject(radius: float, height: int = 160, width: int = 240) -> NDArray[np.uint8]:
    """A disc with a soft rim of three pixels."""
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - height / 2, columns - width / 2)
    alpha: NDArray[np.uint8] = np.rint(255 * np.clip((radius - distance) / 3, 0, 1)).astype(
        np.uint8
    )
    return alpha


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("structural")
    for name in ("images", "alphas", "photos/deep"):
        (folder / name).mkdir(parents=True)
    for index in range(COUNT):
        Image.fromarray(noise(160, 240, 3, seed=index)).save(folder / f"images/{index:02}.jpg")
        Image.fromarray(subject(40 + index)).save(folder / f"alphas/{index:02}.png")
    for index in range(3):
        Image.fromarray(noise(90, 120, 3, seed=99 + index)).save(folder / f"photos/busy{index}.png")
        sky = np.full((90, 120, 3), 180 + index, np.uint8)
        Image.fromarray(sky).save(folder / f"photos/deep/sky{index}.png")
    return folder


OPTIONS = ("--images", "images", "--alphas", "alphas", "--backgrounds", "photos")


@pytest.fixture(scope="module")
def made(pictures: Path) -> Path:
    done = compose("structural", *OPTIONS, "--out", "set", "--size", str(SIZE), folder=pictures)

    assert done.returncode == 0, done.stderr
    assert f"{COUNT} composites made" in done.stderr
    return pictures / "set"


def rows_of(made: Path) -> list[tuple[str, str, str]]:
    lines = (made / "groups.tsv").read_text().splitlines()
    assert lines[0] == "name\ttrimap\tedge"
    return [(name, kind, edge) for name, kind, edge in (line.split("\t") for line in lines[1:])]


def test_it_is_the_same_each_time_and_every_digest_holds(made: Path, pictures: Path) -> None:
    first = contents(made)
    again = compose("structural", *OPTIONS, "--out", "again", "--size", str(SIZE), folder=pictures)
    assert again.returncode == 0, again.stderr

    assert contents(pictures / "again") == first
    samples = json.loads(first["manifest.json"])["samples"]
    assert len(samples) == COUNT
    for name, record in samples.items():
        for folder, digest in record["outputs"].items():
            assert hashlib.sha256(first[f"{folder}/{name}.png"]).hexdigest() == digest
    other = structural.plan(
        pictures / "images", pictures / "alphas", [pictures / "photos"], seed=1, size=SIZE
    )
    assert [sample.name for sample in other.samples] != list(samples)


def test_evaluation_reads_the_set_and_its_groups(made: Path) -> None:
    (dataset,) = with_groups([open_dataset(made)], [])

    assert dataset.kinds == ("given",)
    assert set(dataset.groupings) == {"trimap", "edge"}
    kinds = list(dataset.groupings["trimap"].values())
    assert [kinds.count(kind) for kind in (NO_FOREGROUND, LITTLE, NO_BACKGROUND, RING)] == [
        6,
        6,
        1,
        1,
    ]
    edges = [edge for _, _, edge in rows_of(made)]
    assert [edge for edge in edges if edge != "natural"] == ["2 px", "5 px", "13 px", "32 px"]


def test_each_foreground_is_used_once_over_a_cluttered_photo(made: Path) -> None:
    samples = json.loads((made / "manifest.json").read_text())["samples"].values()

    photos = [record["sources"]["photo"]["file"] for record in samples]
    assert sorted(photos) == [f"{index:02}.jpg" for index in range(COUNT)]
    behind = {record["sources"]["background"]["file"] for record in samples}
    assert behind == {"busy0.png", "busy1.png", "busy2.png"}


def test_equation_one_and_the_known_pixels_hold(made: Path) -> None:
    for name, kind, _ in rows_of(made):
        image, alpha, foreground, trimap = (
            pixels(made / folder / f"{name}.png").astype(int)
            for folder in ("images", "alphas", "foregrounds", "trimaps")
        )
        assert max(image.shape) == SIZE
        assert (alpha[trimap == 255] == 255).all(), name
        assert (alpha[trimap == 0] == 0).all(), name
        assert (trimap == 128).any(), name
        assert (image[alpha == 255] == foreground[alpha == 255]).all()
        # image = round(a F + (1 - a) B): some background of 0..255 gives it.
        share = alpha[..., None] / 255
        rest = image - share * foreground
        assert (rest >= -0.5 - 1e-9).all()
        assert (rest <= (1 - share) * 255 + 0.5 + 1e-9).all()
        known = {NO_FOREGROUND: {0}, LITTLE: {0, 255}, NO_BACKGROUND: {255}, RING: {0}}[kind]
        assert set(np.unique(trimap)) <= {128, *known}, name


def test_trimaps_of_composition_1k_have_the_whole_subject_unknown() -> None:
    alpha = subject(50) / np.float32(255)
    solid = int((alpha == 1).sum())
    draw = "0" * 64

    none, little = (structural.trimap(alpha, kind, draw) for kind in (NO_FOREGROUND, LITTLE))
    only = structural.trimap(alpha, NO_BACKGROUND, draw)

    assert (none[alpha > 0] == 128).all()
    assert 0.05 < (little == 255).sum() / solid <= 0.1
    assert (none == 0).sum() == (little == 0).sum() > 0
    assert 0.3 < (only == 255).sum() / solid < 1
    band = int((none[80] == 128).sum()) - int((alpha[80] > 0).sum())
    assert 2 * 5 - 2 <= band <= 2 * 30 + 2


def test_a_ring_is_all_that_is_known() -> None:
    alpha = subject(30) / np.float32(255)

    row = structural.trimap(alpha, RING, "7" * 64)[80, :120][::-1]  # from the centre outwards

    assert set(np.unique(row)) == {0, 128}
    ring = np.flatnonzero(row == 0)
    assert len(ring) == pytest.approx(240 / 50, abs=1)
    assert ring[-1] - ring[0] == len(ring) - 1
    assert row[0] == row[-1] == 128


@pytest.mark.parametrize("width", structural.WIDTHS)
def test_a_blurred_edge_is_as_wide_as_it_says(width: int) -> None:
    alpha = np.zeros((8, 600), np.float32)
    alpha[:, 300:] = 1
    colours = np.full((8, 600, 3), 0.1, np.float32)
    colours[:, 300:] = (0.9, 0.5, 0.2)

    soft, cover = blurred(colours, alpha, width)

    rise = cover[4]
    tenth, ninetieth = np.interp([0.1, 0.9], rise, np.arange(600))
    assert ninetieth - tenth == pytest.approx(width, rel=0.05, abs=0.3)
    # The hidden colours beside the subject do not mix in.
    shown = cover[4] > 0.5 / 255
    np.testing.assert_allclose(
        soft[4, shown], np.broadcast_to([0.9, 0.5, 0.2], (shown.sum(), 3)), atol=1e-3
    )


def test_a_subject_that_is_cut_off_stays_solid_at_the_edge() -> None:
    alpha = np.ones((40, 40), np.float32)

    _, cover = blurred(np.zeros((40, 40, 3), np.float32), alpha, 32)

    assert (cover == 1).all()


def test_a_photo_is_never_its_own_background(pictures: Path) -> None:
    plan = structural.plan(pictures / "images", pictures / "alphas", [pictures / "images"])

    for sample in plan.samples:
        assert sample.sources["photo"] != sample.sources["background"]


def test_what_cannot_be_composed_is_said(pictures: Path, tmp_path: Path) -> None:
    for folder in ("images", "alphas", "photos"):
        (tmp_path / folder).mkdir()
    for name in ("images/a.png", "photos/a.png"):
        Image.fromarray(noise(30, 40, 3)).save(tmp_path / name)
    Image.fromarray(noise(40, 30)).save(tmp_path / "alphas/a.png")
    arguments = ("structural", *OPTIONS, "--out", "set")

    own = compose(*arguments, folder=tmp_path)
    assert "a.png is the only background and the photo of a foreground" in assert_one_sentence(own)
    Image.fromarray(noise(30, 40, 3, seed=1)).save(tmp_path / "photos/b.png")
    Image.fromarray(noise(30, 40, 3, seed=2)).save(tmp_path / "photos/c.png")
    wrong = compose(*arguments, folder=tmp_path)
    assert wrong.returncode == 1
    assert (
        "alphas/a.png is 30 x 40 pixels (width x height) but its photo is 40 x 30" in wrong.stderr
    )
    (tmp_path / "alphas/a.png").rename(tmp_path / "alphas/z.png")
    with pytest.raises(DataError, match="2 files are missing"):
        structural.plan(tmp_path / "images", tmp_path / "alphas", [pictures / "photos"])
