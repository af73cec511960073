"""The cut-out, and the composite over colours, gradients and pictures."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from deepmatte.composite import cutout, over
from deepmatte.errors import ImageError

FOREGROUND = np.random.default_rng(0).random((6, 8, 3), np.float32)
ALPHA = np.random.default_rng(1).random((6, 8), np.float32)
NOTHING = np.zeros((6, 8), np.float32)

unit = st.floats(0, 1, width=32)


def test_the_cutout_is_straight_colours_and_alpha() -> None:
    rgba = cutout(FOREGROUND, ALPHA)
    assert rgba.dtype == np.uint8
    np.testing.assert_array_equal(rgba[..., :3], np.rint(255 * FOREGROUND))
    np.testing.assert_array_equal(rgba[..., 3], np.rint(255 * ALPHA))
    np.testing.assert_array_equal(cutout(rgba[..., :3], rgba[..., 3]), rgba)


@settings(deadline=None)
@given(
    hnp.arrays(np.float32, (3, 4, 3), elements=unit),
    hnp.arrays(np.float32, (3, 4), elements=unit),
    hnp.arrays(np.float32, (3, 4, 3), elements=unit),
)
def test_the_composite_obeys_the_equation(
    foreground: NDArray[np.float32], alpha: NDArray[np.float32], behind: NDArray[np.float32]
) -> None:
    expected = alpha[..., None] * foreground + (1 - alpha[..., None]) * behind
    composite = over(foreground, alpha, behind)
    assert composite.dtype == np.float32
    np.testing.assert_allclose(composite, expected, atol=1e-6)


@pytest.mark.parametrize(
    "colour", ["#00b140", "rgb(0, 177, 64)", "#00B140", (0, 177, 64), [0, 177, 64]]
)
def test_a_colour_behind(colour: Any) -> None:
    behind = np.array([0, 177, 64], np.float32) / 255
    expected = ALPHA[..., None] * FOREGROUND + (1 - ALPHA[..., None]) * behind
    np.testing.assert_allclose(over(FOREGROUND, ALPHA, colour), expected, atol=1e-6)


def test_a_gradient_runs_from_top_to_bottom() -> None:
    composite = over(FOREGROUND, NOTHING, "white:#ff0000")
    assert composite.shape == (6, 8, 3)
    np.testing.assert_allclose(composite[..., 0], 1)
    np.testing.assert_allclose(composite[:, 3, 1], np.linspace(1, 0, 6), atol=1e-6)
    # A picture of one row has only a top.
    np.testing.assert_allclose(over(FOREGROUND[:1], NOTHING[:1], "black:white"), 0)


def test_a_picture_covers_and_is_cropped_about_its_centre(tmp_path: pathlib.Path) -> None:
    # Three fields side by side; only the middle one has the foreground's aspect.
    fields = np.zeros((12, 48, 3), np.uint8)
    fields[:, :16], fields[:, 16:32], fields[:, 32:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    path = tmp_path / "fields.png"
    Image.fromarray(fields).save(path)
    for source in (str(path), path, path.read_bytes(), Image.open(path), fields):
        np.testing.assert_allclose(over(FOREGROUND, NOTHING, source)[..., 1], 1, atol=1e-6)
    upright = fields.swapaxes(0, 1)[:, :8]  # (48, 8)
    np.testing.assert_allclose(over(FOREGROUND, NOTHING, upright)[..., 1], 1, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (6, 8), (600, 800), (1, 500), (500, 1)])
def test_a_picture_of_any_size_covers(shape: tuple[int, int]) -> None:
    composite = over(FOREGROUND, NOTHING, np.full((*shape, 3), 51, np.uint8))
    np.testing.assert_allclose(composite, 0.2, atol=1e-4)


def test_a_transparent_background_picture_lies_over_white() -> None:
    rgba = np.zeros((6, 8, 4), np.uint8)
    rgba[:, 4:, 3] = 255
    composite = over(FOREGROUND, NOTHING, rgba)
    np.testing.assert_allclose(composite[:, :4], 1)
    np.testing.assert_allclose(composite[:, 4:], 0)


@pytest.mark.parametrize(
    "background",
    [
        "beech.jpg",
        "#12",
        "white:nothing",
        "white:grey:black",
        "",
        "#00000080",
        (0, 177),
        (0, 0, 256),
        (0.5, 0.5, 0.5),
        ("a", "b", "c"),
        None,
        7,
    ],
)
def test_what_is_no_background_is_said_in_one_sentence(background: Any) -> None:
    with pytest.raises(ImageError, match="expected"):
        over(FOREGROUND, ALPHA, background)


def test_a_file_that_is_no_picture_is_an_image_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "notes.txt").write_text("white")
    with pytest.raises(ImageError, match="not a picture"):
        over(FOREGROUND, ALPHA, str(tmp_path / "notes.txt"))


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ImageError, match="shape"):
        over(FOREGROUND, ALPHA[:5], "white")
    with pytest.raises(ImageError, match="shape"):
        cutout(FOREGROUND[..., :2], ALPHA)
