"""The hand-made guesses: exact where known, finite everywhere, right on pictures made by rule."""

from __future__ import annotations

import numpy as np
import pytest

from deepmatte.solver.priors import CHANNELS, Priors
from deepmatte.types import Floats, Trimap

ALPHAS = [CHANNELS.index(name) for name in CHANNELS if name.startswith("alpha_")]
FOREGROUND = [CHANNELS.index(f"foreground_{colour}") for colour in ("red", "green", "blue")]
BACKGROUND = [CHANNELS.index(f"background_{colour}") for colour in ("red", "green", "blue")]


def priors(image: Floats, trimap: Trimap, blocks: int = 300_000) -> Floats:
    height, width = trimap.shape
    whole = slice(0, height), slice(0, width)
    return np.moveaxis(Priors(image, trimap, blocks).read(whole), 0, -1)


def noise(height: int, width: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def ring(height: int, width: int) -> Trimap:
    """A known square in a known frame, unknown between them."""
    trimap = np.full((height, width), 128, np.uint8)
    trimap[: height // 8] = trimap[-(height // 8) :] = 0
    trimap[:, : width // 8] = trimap[:, -(width // 8) :] = 0
    trimap[3 * height // 8 : 5 * height // 8, 3 * width // 8 : 5 * width // 8] = 255
    return trimap


def blend(size: int = 64) -> tuple[Floats, Trimap, Floats, Floats, Floats]:
    """Alpha falling linearly from a square, over two constant colours."""
    trimap = ring(size, size)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    away = np.maximum(abs(rows - size / 2 + 0.5), abs(columns - size / 2 + 0.5))
    alpha = np.clip((3 * size / 8 - away) / (size / 4), 0, 1).astype(np.float32)
    alpha[trimap == 0], alpha[trimap == 255] = 0, 1
    foreground, background = (
        np.array([0.9, 0.7, 0.2], np.float32),
        np.array([0.1, 0.3, 0.4], np.float32),
    )
    image = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    return image, trimap, alpha, foreground, background


def test_known_pixels_are_exact() -> None:
    image, trimap = noise(70, 93), ring(70, 93)
    guesses = priors(image, trimap)
    assert guesses.shape == (70, 93, len(CHANNELS))
    assert guesses.dtype == np.float32
    assert (guesses[trimap == 255][:, ALPHAS] == 1).all()
    assert (guesses[trimap == 0][:, ALPHAS] == 0).all()
    np.testing.assert_array_equal(guesses[trimap == 255][:, FOREGROUND], image[trimap == 255])
    np.testing.assert_array_equal(guesses[trimap == 0][:, BACKGROUND], image[trimap == 0])
    assert (guesses[trimap == 255][:, CHANNELS.index("distance_foreground")] == 1).all()
    assert (guesses[trimap == 0][:, CHANNELS.index("distance_background")] == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (1, 40), (40, 1), (3, 5), (33, 65)])
@pytest.mark.parametrize("levels", [(0,), (128,), (255,), (0, 128), (128, 255), (0, 128, 255)])
@pytest.mark.parametrize("flat", [False, True])
def test_any_size_and_any_trimap_gives_values_between_0_and_1(
    size: tuple[int, int], levels: tuple[int, ...], flat: bool
) -> None:
    trimap = np.random.default_rng(1).choice(np.array(levels, np.uint8), size)
    image = np.ones((*size, 3), np.float32) if flat else noise(*size)
    guesses = priors(image, trimap)
    assert guesses.shape == (*size, len(CHANNELS))
    assert np.isfinite(guesses).all()
    assert guesses.min() >= 0
    assert guesses.max() <= 1


def test_nothing_known_gives_a_neutral_guess() -> None:
    assert (priors(noise(20, 30), np.full((20, 30), 128, np.uint8))[..., ALPHAS] == 0.5).all()


@pytest.mark.parametrize("missing", [0, 255])
def test_a_missing_side_is_guessed_from_the_colours_that_the_known_side_lacks(missing: int) -> None:
    image, trimap, alpha, *_ = blend()
    trimap[trimap == missing] = 128
    guesses = priors(image, trimap)[..., ALPHAS]
    # What lies beyond the soft edge differs from the known side as much as it can.
    assert (abs(guesses - alpha[..., None])[alpha == (missing == 255)] < 0.01).all()
    assert (guesses[trimap == 255 - missing] == (missing == 0)).all()


def test_where_all_looks_like_what_is_known_nothing_is_left_to_guess() -> None:
    picture, trimap = np.zeros((64, 64, 3), np.float32), np.zeros((64, 64), np.uint8)
    picture[:, 32:], trimap[:, 32:] = 0.8, 255
    trimap[:, 31:33] = 128
    guesses = Priors(picture, trimap).read((slice(0, 64), slice(0, 64)))
    for channel in ("alpha_sampled", "alpha_closed_form"):
        np.testing.assert_allclose(
            guesses[CHANNELS.index(channel)], picture[..., 0] / 0.8, atol=1e-3
        )


def test_a_blend_of_two_constant_colours_is_recovered() -> None:
    image, trimap, alpha, foreground, background = blend()
    guesses = priors(image, trimap)
    for channel in ALPHAS:
        np.testing.assert_allclose(guesses[..., channel], alpha, atol=0.02)
    unknown = guesses[trimap == 128]
    for channels, colour in ((FOREGROUND, foreground), (BACKGROUND, background)):
        assert abs(unknown[:, channels] - colour).max() < 1e-3


def test_the_same_input_gives_the_same_guesses_and_stays_unchanged() -> None:
    image, trimap = noise(50, 60), ring(50, 60)
    copies = image.copy(), trimap.copy()
    np.testing.assert_array_equal(priors(image, trimap), priors(image, trimap))
    np.testing.assert_array_equal(image, copies[0])
    np.testing.assert_array_equal(trimap, copies[1])


@pytest.mark.parametrize("axis", [0, 1])
def test_a_mirrored_picture_gives_mirrored_guesses(axis: int) -> None:
    image, trimap, *_ = blend()
    image = np.clip(image + 0.05 * noise(64, 64), 0, 1)
    mirrored = priors(np.flip(image, axis).copy(), np.flip(trimap, axis).copy())
    difference = abs(np.flip(mirrored, axis) - priors(image, trimap))
    assert difference.mean() < 0.01


def test_more_background_around_the_picture_changes_little() -> None:
    image, trimap, *_ = blend()
    wide = priors(np.pad(image, ((16, 16), (16, 16), (0, 0)), "edge"), np.pad(trimap, 16))
    np.testing.assert_allclose(wide[16:-16, 16:-16], priors(image, trimap), atol=0.03)


@pytest.mark.parametrize("blocks", [10**6, 750, 170])
def test_windows_are_cut_from_the_whole(blocks: int) -> None:
    # What is prepared in large blocks, too, is the same for every window.
    image, trimap = noise(150, 170), ring(150, 170)
    guesses = Priors(image, trimap, blocks)
    whole = guesses.read((slice(0, 150), slice(0, 170)))
    for top in range(0, 150, 64):
        for left in range(0, 170, 96):
            window = slice(top, min(top + 64, 150)), slice(left, min(left + 96, 170))
            np.testing.assert_array_equal(guesses.read(window), whole[:, window[0], window[1]])


def test_preparing_in_larger_blocks_changes_little() -> None:
    image, trimap, alpha, *_ = blend(256)
    guesses = priors(image, trimap, blocks=256 * 256 // 64)
    for channel in ALPHAS:
        np.testing.assert_allclose(guesses[..., channel], alpha, atol=0.03)


def test_a_stroke_thinner_than_the_blocks_still_counts() -> None:
    image = np.zeros((128, 128, 3), np.float32)
    image[:, 64:] = 1
    trimap = np.full((128, 128), 128, np.uint8)
    trimap[:, 10], trimap[:, 118] = 0, 255
    guesses = priors(image, trimap, blocks=128 * 128 // 256)[..., ALPHAS]
    assert (guesses[:, 80:] > 0.95).all()
    assert (guesses[:, :48] < 0.05).all()
