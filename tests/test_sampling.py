"""What is known nearby: expansion, nearest known colours, and pairs that explain a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deepmatte.solver.sampling import Side, best_pairs, expand
from deepmatte.types import Floats, Trimap

NEAR, ALIKE = 3, 0.02


def scattered(size: int = 24, seed: int = 0) -> tuple[Floats, Trimap]:
    """A picture of few colours, so that many pixels are alike, and a trimap at random."""
    random = np.random.default_rng(seed)
    picture = random.choice(np.array([0.2, 0.21, 0.23, 0.6], np.float32), (size, size, 3))
    return picture, random.choice(
        np.array([0, 128, 255], np.uint8), (size, size), p=[0.02, 0.96, 0.02]
    )


def sides_of(picture: Floats, trimap: Trimap) -> tuple[Side, Side]:
    opaque = np.dstack([picture, np.ones_like(trimap)])  # (H, W, 4)
    foreground, background = (
        Side.of(opaque * (trimap == label).astype(np.float32)[..., None]) for label in (255, 0)
    )
    assert foreground is not None
    assert background is not None
    return foreground, background


def missed(colours: Floats, foreground: Floats, background: Floats) -> NDArray[Any]:
    """How far colours (h, w, 3) are from the lines between others, (3, h, w)."""
    start, end = (np.moveaxis(side, 0, -1) for side in (background, foreground))
    line = end - start
    share = ((colours - start) * line).sum(-1) / np.maximum((line * line).sum(-1), 1e-9)
    mixture = start + np.clip(share, 0, 1)[..., None] * line
    return np.asarray(np.linalg.norm(colours - mixture, axis=-1))


@pytest.mark.parametrize("seed", range(4))
def test_what_looks_like_a_known_pixel_nearby_is_of_its_kind(seed: int) -> None:
    picture, trimap = scattered(seed=seed)
    expanded = expand(picture, trimap)
    places = np.argwhere(trimap != 128)
    for row, column in np.ndindex(trimap.shape):
        away = np.linalg.norm(places - [row, column], axis=1)
        unlike = np.linalg.norm(picture[places[:, 0], places[:, 1]] - picture[row, column], axis=1)
        alike = (away <= NEAR) & (unlike < ALIKE)
        if trimap[row, column] != 128 or not alike.any():
            assert expanded[row, column] == trimap[row, column]
        else:
            nearest = places[alike & (away == away[alike].min())]
            assert expanded[row, column] in trimap[nearest[:, 0], nearest[:, 1]]
    assert (expanded != trimap).any()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_trimap_of_one_level_stays_as_it_is(level: int) -> None:
    picture, _ = scattered()
    trimap = np.full((24, 24), level, np.uint8)
    np.testing.assert_array_equal(expand(picture, trimap), trimap)


def test_expansion_does_not_change_what_it_is_given() -> None:
    picture, trimap = scattered()
    copies = picture.copy(), trimap.copy()
    expand(picture, trimap)
    np.testing.assert_array_equal(picture, copies[0])
    np.testing.assert_array_equal(trimap, copies[1])


def test_a_side_knows_which_pixel_is_nearest() -> None:
    picture, trimap = scattered()
    side, _ = sides_of(picture, trimap)
    places = np.argwhere(trimap == 255)
    pixels = np.argwhere(np.ones_like(trimap))
    away = np.linalg.norm(pixels[:, None] - places, axis=-1).min(axis=1)
    found = np.stack(np.divmod(side.places, trimap.shape[1]), axis=1)
    assert (trimap[found[:, 0], found[:, 1]] == 255).all()
    # Within what OpenCV's distances of 5x5 masks are off.
    np.testing.assert_allclose(np.linalg.norm(found - pixels, axis=1), away, rtol=0.03)
    np.testing.assert_allclose(side.distance.ravel(), away, rtol=0.03)


def test_a_side_of_nothing_is_none() -> None:
    assert Side.of(np.zeros((8, 8, 4), np.float32)) is None


def test_pixels_known_in_part_count_with_the_colour_that_is_known() -> None:
    weighted = np.zeros((8, 8, 4), np.float32)
    weighted[3, 3] = np.array([0.4, 0.2, 0.6, 1], np.float32) * 0.25
    side = Side.of(weighted)
    assert side is not None
    colours = np.broadcast_to(np.array([0.4, 0.2, 0.6], np.float32)[:, None, None], (3, 8, 8))
    np.testing.assert_allclose(side.nearest(), colours, 1e-5)


def test_pairs_explain_mixtures_better_than_the_nearest_colours_do() -> None:
    random = np.random.default_rng(3)
    picture = random.random((48, 48, 3), np.float32)
    trimap = np.full((48, 48), 128, np.uint8)
    trimap[:, :12], trimap[:, 36:] = 255, 0
    sides = sides_of(picture, trimap)
    pairs = best_pairs(picture, trimap == 128, sides)
    unknown = trimap == 128
    before = missed(picture, *(side.nearest() for side in sides))[unknown]
    after = missed(picture, *pairs)[unknown]
    # What a pair misses may only grow by what it costs to come from further away.
    assert (after < before + 0.02).all()
    assert after.mean() < 0.75 * before.mean()


def assert_found(
    picture: Floats,
    trimap: Trimap,
    wanted: tuple[Floats, Floats],
    inside: tuple[slice, slice],
) -> None:
    """Check that most pairs inside are the wanted foreground and background."""
    pairs = best_pairs(picture, trimap == 128, sides_of(picture, trimap))
    for colours, colour in zip(pairs, wanted, strict=True):
        missed_by = abs(np.moveaxis(colours, 0, -1)[inside] - colour).max(axis=-1)
        assert np.percentile(missed_by, 90) < 0.05


def test_a_mixture_of_colours_that_are_not_the_nearest_is_found() -> None:
    # Left and right of a band the colours differ from row to row; its pixels mix those of others.
    trimap = np.full((48, 48), 128, np.uint8)
    trimap[:, :16], trimap[:, 32:] = 255, 0
    picture = np.zeros((48, 48, 3), np.float32)
    even = (np.arange(48) // 6 % 2 == 0)[:, None]
    picture[:, :16] = np.where(even, [0.9, 0.1, 0.1], [0.1, 0.9, 0.1])[:, None]
    picture[:, 32:] = np.where(even, [0.1, 0.1, 0.9], [0.7, 0.7, 0.7])[:, None]
    red, blue = np.array([0.9, 0.1, 0.1], np.float32), np.array([0.1, 0.1, 0.9], np.float32)
    picture[:, 16:32] = 0.5 * red + 0.5 * blue
    assert_found(picture, trimap, (red, blue), np.s_[12:36, 16:32])


def test_close_to_known_pixels_pairs_come_from_further_away() -> None:
    # In the upper half, pixels mix what is known in the lower half alone.
    trimap = np.full((80, 64), 128, np.uint8)
    trimap[:, :24], trimap[:, 40:] = 255, 0
    picture = np.zeros((80, 64, 3), np.float32)
    picture[:, :24], picture[:, 40:] = [0.1, 0.9, 0.1], [0.7, 0.7, 0.7]
    red, blue = np.array([0.9, 0.1, 0.1], np.float32), np.array([0.1, 0.1, 0.9], np.float32)
    picture[40:, :24], picture[40:, 40:] = red, blue
    picture[:, 24:40] = 0.5 * red + 0.5 * blue
    assert_found(picture, trimap, (red, blue), np.s_[20:40, 24:40])


def test_known_pixels_get_the_nearest_of_either_side() -> None:
    picture, trimap = scattered()
    sides = sides_of(picture, trimap)
    for side, colours in zip(sides, best_pairs(picture, trimap == 128, sides), strict=True):
        known = trimap != 128
        np.testing.assert_array_equal(colours[:, known], side.nearest()[:, known])
