"""Data sets as they lie in folders, and the kinds of trimaps that are made for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from deepmatte.datasets.layouts import GIVEN, LAYOUTS, Sample, open_dataset
from deepmatte.datasets.trimaps import (
    DILATIONS,
    GENERATED,
    MISSING,
    check_kind,
    dilated,
    dilation_of,
    generate,
    hide,
    make_trimap,
    widened,
)
from deepmatte.errors import DataError, TrimapError
from deepmatte.trimap import widen

BACKGROUND, UNKNOWN, FOREGROUND = 0, 128, 255

trimaps = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.sampled_from([0, 128, 255]),
)


def disc(height: int = 60, width: int = 80) -> NDArray[np.float32]:
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - height / 2, columns - width / 2)
    return np.asarray(np.clip((20 - distance) / 4, 0, 1), np.float32)


def put(*paths: Path) -> None:
    """Files that nobody has to read."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a picture")


def save(path: Path, levels: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path)
    return path


# --- layouts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("folders", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_is_recognised(folders: tuple[str, str, str], tmp_path: Path) -> None:
    images, alphas, trimaps = (tmp_path / name for name in folders)
    for name in ("b", "a.1"):  # names may have dots, suffixes may differ and be in capitals
        put(images / f"{name}.JPG", alphas / f"{name}.png")
        put(trimaps / "Trimap1" / f"{name}.png", trimaps / "Trimap2" / f"{name}.bmp")
    put(images / ".hidden.png", images / "notes.txt", tmp_path / "usr" / "c.png")

    dataset = open_dataset(tmp_path)

    assert dataset.kinds == ("Trimap1", "Trimap2")
    assert dataset.name == str(tmp_path)
    assert dataset.samples[0] == Sample(
        "a.1",
        images / "a.1.JPG",
        alphas / "a.1.png",
        {"Trimap1": trimaps / "Trimap1" / "a.1.png", "Trimap2": trimaps / "Trimap2" / "a.1.bmp"},
    )
    assert [sample.name for sample in dataset.samples] == ["a.1", "b"]


def test_what_compose_set_writes_is_a_data_set(tmp_path: Path) -> None:
    put(*(tmp_path / folder / "a.png" for folder in ("images", "alphas", "trimaps", "foregrounds")))
    put(tmp_path / "manifest.json")

    dataset = open_dataset(tmp_path)

    assert dataset.kinds == (GIVEN,)
    assert dataset.samples[0].trimaps == {GIVEN: tmp_path / "trimaps" / "a.png"}


def test_trimaps_may_be_missing_altogether(tmp_path: Path) -> None:
    put(tmp_path / "original" / "a.jpg", tmp_path / "mask" / "a.png")

    dataset = open_dataset(tmp_path)

    assert dataset.kinds == ()
    assert dataset.samples[0].trimaps == {}


def test_any_three_folders_will_do_and_overrule_a_layout(tmp_path: Path) -> None:
    put(
        *(
            tmp_path / folder / "a.png"
            for folder in ("photos", "mattes", "mine", "images", "alphas")
        )
    )
    photos, mattes, mine = (tmp_path / name for name in ("photos", "mattes", "mine"))

    apart = open_dataset(images=photos, alphas=mattes, trimaps=mine)
    mixed = open_dataset(tmp_path, alphas=mattes, trimaps=mine)

    assert apart.samples == (
        Sample("a", photos / "a.png", mattes / "a.png", {GIVEN: mine / "a.png"}),
    )
    assert mixed.samples[0].image == tmp_path / "images" / "a.png"
    assert mixed.samples[0].alpha == mattes / "a.png"
    assert mixed.kinds == (GIVEN,)


def test_all_missing_files_are_named_in_one_error(tmp_path: Path) -> None:
    names = [f"{number:02}" for number in range(9)]
    put(*(tmp_path / "images" / f"{name}.jpg" for name in names[1:]))
    put(*(tmp_path / "alphas" / f"{name}.png" for name in names[:2]))
    put(*(tmp_path / "trimaps" / "Trimap1" / f"{name}.png" for name in names[:-1]))

    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path)

    message = str(caught.value)
    assert message.startswith("9 files are missing")
    assert f"{tmp_path / 'images' / '00'}.*" in message
    assert f"{tmp_path / 'alphas' / '02'}.*" in message
    assert message.endswith(" and 4 more.")
    assert "\n" not in message


def test_folders_that_are_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a folder"):
        open_dataset(tmp_path / "nothing")
    with pytest.raises(DataError, match="known layout; expected the folders images and alphas"):
        open_dataset(tmp_path)
    with pytest.raises(DataError, match="both a folder of images and one of alphas"):
        open_dataset(images=tmp_path)
    for name in ("images", "alphas", "trimaps"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="holds no trimaps"):
        open_dataset(tmp_path)
    (tmp_path / "trimaps").rmdir()
    with pytest.raises(DataError, match="holds no pictures"):
        open_dataset(tmp_path)
    put(tmp_path / "images" / "a.png", tmp_path / "images" / "a.jpg")
    with pytest.raises(DataError, match=r"two pictures called a: a\.jpg and a\.png"):
        open_dataset(tmp_path)


# --- kinds of trimaps -----------------------------------------------------------------------------


@given(trimaps)
def test_hiding_labels_leaves_the_others(trimap: NDArray[np.uint8]) -> None:
    for name, labels in MISSING.items():
        hidden = hide(trimap, labels)

        assert not np.isin(hidden, labels).any(), name
        kept = ~np.isin(trimap, labels)
        assert (hidden[kept] == trimap[kept]).all(), name
    assert (hide(trimap, MISSING["nothing known"]) == UNKNOWN).all()


def test_dilated_trimaps_grow_by_as_many_pixels_as_they_say() -> None:
    alpha = disc()
    sample = Sample("a", Path("a"), Path("a"), {})
    soft = (alpha > 0) & (alpha < 1)
    before = soft

    for pixels in DILATIONS:
        kind = dilated(pixels)
        assert dilation_of(kind) == pixels
        trimap = make_trimap(kind, sample, alpha)
        assert (trimap[before] == UNKNOWN).all()
        assert (alpha[trimap == FOREGROUND] == 1).all()
        assert (alpha[trimap == BACKGROUND] == 0).all()
        before = trimap == UNKNOWN
        row = np.flatnonzero(before[30, :40])  # from the left edge to the centre
        hard = np.flatnonzero(soft[30, :40])
        assert hard[0] - row[0] == min(pixels, hard[0])
        assert row[-1] - hard[-1] == min(pixels, 39 - hard[-1])


def test_generated_trimaps_depend_on_the_picture_alone() -> None:
    alpha = disc(300, 400)

    first, again, other = (generate(alpha, name) for name in ("a", "a", "b"))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    for trimap in (first, other):
        assert (trimap[(alpha > 0) & (alpha < 1)] == UNKNOWN).all()
        assert {BACKGROUND, UNKNOWN, FOREGROUND} == set(np.unique(trimap))
        columns = np.flatnonzero(trimap[150, :200] == UNKNOWN)
        soft = np.flatnonzero((alpha > 0)[150, :200])[0]
        assert 0.01 * np.sqrt(alpha.size) - 1 <= soft - columns[0] <= 0.03 * np.sqrt(alpha.size) + 1


def test_changes_are_made_one_after_the_other(tmp_path: Path) -> None:
    alpha = disc()
    labels = make_trimap("dilated 3", Sample("a", Path("a"), Path("a"), {}), alpha)
    sample = Sample("a", Path("a"), Path("a"), {"T 1": save(tmp_path / "a.png", labels)})

    def made(kind: str) -> NDArray[np.uint8]:
        check_kind(kind, ["T 1"])
        return make_trimap(kind, sample, alpha)

    np.testing.assert_array_equal(made("T 1"), labels)
    np.testing.assert_array_equal(made(widened("T 1", 4)), widen(labels, 4))
    both = made("T 1 widened 4 no foreground")
    np.testing.assert_array_equal(both, hide(widen(labels, 4), [FOREGROUND]))
    np.testing.assert_array_equal(made(GENERATED), generate(alpha, "a"))
    assert (made("generated nothing known") == UNKNOWN).all()
    for unknown in ("T 2", "T 1 widened", "T 1 no hair", "dilated", " widened 3", "T 2 widened 3"):
        with pytest.raises(DataError, match=r"expected one of T 1, generated or 'dilated N'"):
            check_kind(unknown, ["T 1"])
        with pytest.raises(DataError):
            make_trimap(unknown, sample, alpha)


@pytest.mark.parametrize("levels", [(0, 128, 255), (0, 127, 255), (0, 1, 2), (0, 77, 255)], ids=str)
def test_trimaps_of_other_levels_mean_the_same(levels: tuple[int, ...], tmp_path: Path) -> None:
    alpha = disc()
    wanted = make_trimap("dilated 3", Sample("a", Path("a"), Path("a"), {}), alpha)
    stored = np.select([wanted == 0, wanted == 128], levels[:2], levels[2]).astype(np.uint8)
    sample = Sample("a", Path("a"), Path("a"), {GIVEN: save(tmp_path / "a.png", stored)})

    np.testing.assert_array_equal(make_trimap(GIVEN, sample, alpha), wanted)
    with pytest.raises(TrimapError, match=r"80 x 60 pixels .* but the picture is 60 x 80"):
        make_trimap(GIVEN, sample, alpha.T)
