"""The windows that the network looks at, and how their answers are joined."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepmatte.solver.tiles import STRIDE, smallest_side, tiles

REACH = 40
SIDE = smallest_side(REACH)

Mask = NDArray[np.bool_]


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    """Some boxes in a picture of any size, among them single pixels and all of it."""
    height, width = draw(st.integers(1, 900)), draw(st.integers(1, 900))
    unknown = np.zeros((height, width), np.bool_)
    for _ in range(draw(st.integers(1, 4))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        bottom, right = draw(st.integers(top, height - 1)), draw(st.integers(left, width - 1))
        unknown[top : bottom + 1, left : right + 1] = True
    return unknown


@settings(deadline=None, max_examples=60)
@given(masks(), st.sampled_from([SIDE, SIDE + STRIDE, 2 * SIDE, 4 * SIDE]))
def test_windows_keep_their_promises(unknown: Mask, side: int) -> None:
    total = np.zeros(unknown.shape)
    for tile in tiles(unknown, side**2, REACH):
        weight = tile.down[:, None] * tile.across
        total[tile.window] += weight
        assert weight.size <= side**2
        counting = (weight > 0) & unknown[tile.window]
        assert counting.any()
        for axis, span in enumerate(tile.window):
            assert span.start % STRIDE == 0
            counts = np.flatnonzero(counting.any(axis=1 - axis))
            assert span.start == 0 or counts[0] >= REACH
            assert span.stop == unknown.shape[axis] or counts[-1] + REACH < span.stop - span.start

    np.testing.assert_allclose(total[unknown], 1, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(masks(), st.integers(0, 9))
def test_joined_windows_equal_the_whole(unknown: Mask, seed: int) -> None:
    # A mean of all pixels within the reach needs exactly the context that the windows promise.
    def answer(picture: NDArray[np.float64]) -> NDArray[np.float64]:
        size = (2 * REACH + 1, 2 * REACH + 1)
        return np.asarray(cv2.blur(picture, size, borderType=cv2.BORDER_REPLICATE))

    picture = np.random.default_rng(seed).random(unknown.shape)
    joined = np.zeros(unknown.shape)
    for tile in tiles(unknown, SIDE**2, REACH):
        joined[tile.window] += tile.down[:, None] * tile.across * answer(picture[tile.window])

    np.testing.assert_allclose(joined[unknown], answer(picture)[unknown], atol=1e-5)


def test_a_band_around_a_large_subject_costs_little_more_than_itself() -> None:
    rows, columns = np.mgrid[:3000, :4000]
    distance = np.hypot(rows - 1500, columns - 2000)
    band = np.abs(distance - 1300) < 30

    area = sum(tile.down.size * tile.across.size for tile in tiles(band, 1024**2, 128))

    assert area < 0.6 * band.size


@pytest.mark.parametrize("reach", [REACH, 256, 288])
def test_a_large_unknown_region_becomes_a_grid(reach: int) -> None:
    side = smallest_side(reach)
    everything = np.ones((4 * side, 4 * side), np.bool_)

    number = len(tiles(everything, side**2, reach))

    overlap = 2 * -(-reach // STRIDE) * STRIDE + 2 * STRIDE
    assert number <= (-(-4 * side // (side - overlap))) ** 2


def test_nothing_unknown_needs_no_window() -> None:
    assert tiles(np.zeros((50, 60), np.bool_), SIDE**2, REACH) == []
