"""Wide bands, decided at half the size where that is plain."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepmatte.engine import Engine
from deepmatte.narrow import halve, narrowed, wide
from deepmatte.trimap import BACKGROUND, FOREGROUND, UNKNOWN, Trimap

LABELS = np.uint8([BACKGROUND, UNKNOWN, FOREGROUND])


@st.composite
def trimaps(draw: st.DrawFn) -> Trimap:
    """Blobs of the three labels, of any size; some of one or two labels."""
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    coarse = rng.choice(LABELS, (1 + height // 13, 1 + width // 13))
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST))


@settings(deadline=None, max_examples=80)
@given(trimaps())
def test_half_the_size_knows_what_all_four_pixels_know(trimap: Trimap) -> None:
    height, width = trimap.shape
    image = np.dstack([trimap] * 3)

    small, labels = halve(image, trimap)

    assert labels.shape == small.shape[:2] == ((height + 1) // 2, (width + 1) // 2)
    assert small.dtype == image.dtype
    enlarged = labels.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
    assert (trimap[enlarged != UNKNOWN] == enlarged[enlarged != UNKNOWN]).all()
    even = np.pad(trimap, ((0, height % 2), (0, width % 2)), mode="edge")
    four = np.stack([even[row::2, column::2] for row in (0, 1) for column in (0, 1)])
    assert np.array_equal(labels != UNKNOWN, (four == four[0]).all(0) & (four[0] != UNKNOWN))
    means = four.astype(np.float32).mean(0)
    np.testing.assert_allclose(small[..., 0], means, atol=0.51)


def test_a_picture_is_halved_alike_in_strips_and_whole() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 65536, (1301, 35, 3), np.uint16)

    small, _ = halve(image, np.zeros(image.shape[:2], np.uint8))

    even = np.pad(image, ((0, 1), (0, 1), (0, 0)), mode="edge").astype(np.float64)
    means = sum(even[row::2, column::2] for row in (0, 1) for column in (0, 1)) / 4
    np.testing.assert_allclose(small, means, atol=0.51)


def test_a_band_is_wide_only_where_known_pixels_are_far() -> None:
    trimap = np.full((200, 400), FOREGROUND, np.uint8)
    trimap[60:140, 40:200] = UNKNOWN  # a block 80 pixels high
    trimap[95:105, 200:360] = UNKNOWN  # and a tail 10 pixels high

    found = wide(trimap)

    assert not found[trimap != UNKNOWN].any()
    assert found[78:122, 80:160].all()
    assert not found[:, 190:].any()
    assert not wide(np.full((40, 50), FOREGROUND, np.uint8)).any()
    assert wide(np.full((40, 50), UNKNOWN, np.uint8)).all()


@settings(deadline=None, max_examples=80)
@given(trimaps(), st.integers(0, 2**32))
def test_narrowing_settles_only_what_is_plain(trimap: Trimap, seed: int) -> None:
    rng = np.random.default_rng(seed)
    half = tuple((side + 1) // 2 for side in trimap.shape)
    shape: tuple[int, int] = (half[0], half[1])
    blurred = cv2.GaussianBlur(rng.random(shape, np.float32), (0, 0), 3)
    alpha: NDArray[np.float32] = ((blurred - 0.5) * 30 + 0.5).clip(0, 1)
    wanted = rng.random(shape) < 0.8

    result = narrowed(trimap, alpha, wanted)

    assert np.array_equal(result[trimap != UNKNOWN], trimap[trimap != UNKNOWN])
    settled = (result != UNKNOWN) & (trimap == UNKNOWN)
    enlarged = alpha.repeat(2, axis=0).repeat(2, axis=1)[: trimap.shape[0], : trimap.shape[1]]
    assert (np.abs(enlarged - result / np.float32(255))[settled] <= 0.04).all()
    assert (
        wanted.repeat(2, axis=0).repeat(2, axis=1)[: len(settled), : len(settled[0])][settled].all()
    )
    soft = cv2.dilate(((enlarged > 0.04) & (enlarged < 0.96)).astype(np.uint8), np.ones((3, 3)))
    assert not (settled & (soft > 0)).any()


def test_far_from_an_edge_a_wide_trimap_costs_nothing() -> None:
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:460, :520].astype(np.float32)
    distance = np.hypot(rows - 230, columns - 260) - 110
    truth = np.clip(0.5 - distance / 6, 0, 1)[..., None]
    ground = np.float32([0.2, 0.4, 0.6]) + rng.normal(0, 0.03, (460, 520, 3))
    image = (truth * np.float32([0.8, 0.3, 0.1]) + (1 - truth) * ground).clip(0, 1)
    trimap = np.full(distance.shape, UNKNOWN, np.uint8)
    trimap[distance < -85], trimap[distance > 85] = FOREGROUND, BACKGROUND

    alpha = Engine()(image.astype(np.float32), trimap)

    assert np.abs(alpha - truth[..., 0]).mean() < 0.005
    # Settled, and not only nearly so.
    far = (np.abs(distance) > 25) & (np.abs(distance) < 50)
    assert np.array_equal(alpha[far], distance[far] < 0)
