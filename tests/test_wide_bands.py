"""Wide bands, decided at half the size where that is plain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepmatte.solver.engine import Engine, Quality
from deepmatte.solver.resample import halve
from deepmatte.solver.runtime import OnnxNetwork
from deepmatte.solver.upsample import refine, upsample
from deepmatte.solver.wide_bands import WORTH_HALF, WORTH_WHOLE, narrowed, wide
from deepmatte.trimap import BACKGROUND, FOREGROUND, UNKNOWN, Trimap

LABELS = np.array([BACKGROUND, UNKNOWN, FOREGROUND], np.uint8)


@st.composite
def trimaps(draw: st.DrawFn) -> Trimap:
    """Blobs of the three labels, of any size; some of one or two labels."""
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    coarse = rng.choice(LABELS, (1 + height // 13, 1 + width // 13))
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST))


def watched(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.float32]]:
    """The inputs that networks are run on from now on."""
    seen: list[NDArray[np.float32]] = []
    run = OnnxNetwork.run

    def noting(
        self: OnnxNetwork, inputs: NDArray[np.float32], *rest: Any, **named: Any
    ) -> NDArray[np.float32]:
        seen.append(inputs)
        return run(self, inputs, *rest, **named)

    monkeypatch.setattr(OnnxNetwork, "run", noting)
    return seen


@settings(deadline=None, max_examples=80)
@given(trimaps())
def test_half_the_size_knows_what_all_four_pixels_know(trimap: Trimap) -> None:
    height, width = trimap.shape
    image = np.dstack([trimap] * 3)

    small, labels = halve(image, trimap)

    assert labels.shape == small.shape[:2] == ((height + 1) // 2, (width + 1) // 2)
    assert small.dtype == np.float32
    enlarged = labels.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
    assert (trimap[enlarged != UNKNOWN] == enlarged[enlarged != UNKNOWN]).all()
    even = np.pad(trimap, ((0, height % 2), (0, width % 2)), mode="edge")
    four = np.stack([even[row::2, column::2] for row in (0, 1) for column in (0, 1)])
    assert np.array_equal(labels != UNKNOWN, (four == four[0]).all(0) & (four[0] != UNKNOWN))
    means = four.astype(np.float32).mean(0) / 255
    np.testing.assert_allclose(small[..., 0], means, atol=1e-6)


def test_a_picture_is_halved_alike_in_strips_and_whole() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 65536, (1301, 35, 3), np.uint16)

    small, _ = halve(image, np.zeros(image.shape[:2], np.uint8))

    even = np.pad(image, ((0, 1), (0, 1), (0, 0)), mode="edge").astype(np.float64)
    means = sum(even[row::2, column::2] for row in (0, 1) for column in (0, 1)) / 4
    np.testing.assert_allclose(small, means / 65535, atol=1e-6)


def test_a_band_is_wide_only_where_known_pixels_are_far() -> None:
    trimap = np.full((200, 400), FOREGROUND, np.uint8)
    trimap[60:140, 40:200] = UNKNOWN  # a block 80 pixels high
    trimap[95:105, 200:360] = UNKNOWN  # and a tail 10 pixels high

    found = wide(trimap, WORTH_HALF)

    assert not found[trimap != UNKNOWN].any()
    assert found[78:122, 80:160].all()
    assert not found[:, 200:].any()
    # It is not most of what is unknown: a look as large as the second would not be worth it.
    trimap[95:105, 200:360] = FOREGROUND
    trimap[5:15, :] = trimap[185:195, :] = UNKNOWN
    assert 0.35 < wide(trimap, WORTH_HALF).sum() / (trimap == UNKNOWN).sum() < 0.6
    assert not wide(trimap, WORTH_WHOLE).any()
    assert not wide(np.full((40, 50), FOREGROUND, np.uint8), WORTH_HALF).any()
    assert wide(np.full((40, 50), UNKNOWN, np.uint8), WORTH_HALF).all()


@pytest.mark.parametrize("times", [1, 2])
@settings(deadline=None, max_examples=80)
@given(trimaps(), st.integers(0, 2**32))
def test_narrowing_settles_only_what_is_plain(times: int, trimap: Trimap, seed: int) -> None:
    rng = np.random.default_rng(seed)
    look = tuple(-(-side // times) for side in trimap.shape)
    shape: tuple[int, int] = (look[0], look[1])
    blurred = cv2.GaussianBlur(rng.random(shape, np.float32), (0, 0), 3)
    alpha: NDArray[np.float32] = ((blurred - 0.5) * 30 + 0.5).clip(0, 1)
    wanted = rng.random(shape) < 0.8

    result = narrowed(trimap, alpha, wanted)

    assert np.array_equal(result[trimap != UNKNOWN], trimap[trimap != UNKNOWN])
    settled = (result != UNKNOWN) & (trimap == UNKNOWN)
    rows, columns = (np.arange(side) // times for side in trimap.shape)
    enlarged, among = (plane[np.ix_(rows, columns)] for plane in (alpha, wanted))
    assert (np.abs(enlarged - result / np.float32(255))[settled] <= 0.04).all()
    assert among[settled].all()
    soft = cv2.dilate(((enlarged > 0.04) & (enlarged < 0.96)).astype(np.uint8), np.ones((3, 3)))
    assert not (settled & (soft > 0)).any()


def test_nothing_is_settled_around_what_is_translucent() -> None:
    shape = 120, 260
    wanted = np.zeros(shape, bool)
    wanted[10:110, 10:120] = wanted[10:110, 140:250] = True  # two bands
    alpha = np.zeros(shape, np.float32)
    alpha[40:80, 40:80] = 0.5  # smoke in one
    alpha[40:80:4, 160:230] = 0.5  # threads in the other
    trimap = np.full((240, 520), UNKNOWN, np.uint8)
    trimap[0], trimap[-1] = FOREGROUND, BACKGROUND

    settled = narrowed(trimap, alpha, wanted)[1:-1] != UNKNOWN

    assert not settled[:, :260].any()
    assert settled[40:58, 300:480].all()
    assert not settled[80:158, 330:450].all()


def test_far_from_an_edge_a_wide_trimap_costs_nothing() -> None:
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:460, :520].astype(np.float32)
    distance = np.hypot(rows - 230, columns - 260) - 110
    truth = np.clip(0.5 - distance / 6, 0, 1)[..., None]
    ground = np.array([0.2, 0.4, 0.6], np.float32) + rng.normal(0, 0.03, (460, 520, 3))
    image = (truth * np.array([0.8, 0.3, 0.1], np.float32) + (1 - truth) * ground).clip(0, 1)
    trimap = np.full(distance.shape, UNKNOWN, np.uint8)
    trimap[distance < -85], trimap[distance > 85] = FOREGROUND, BACKGROUND

    alpha = Engine()(image.astype(np.float32), trimap)

    assert np.abs(alpha - truth[..., 0]).mean() < 0.005
    # Settled, and not only nearly so.
    far = (np.abs(distance) > 25) & (np.abs(distance) < 50)
    assert np.array_equal(alpha[far], distance[far] < 0)


def test_a_wide_band_is_looked_at_twice_where_half_would_be_too_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, truth, narrow = disc(390, 1900)
    trimap = narrow.copy()
    trimap[60:320, 80:340] = UNKNOWN
    trimap[150:230, 170:250] = FOREGROUND
    seen = watched(monkeypatch)

    alpha = Engine()(image, trimap)

    first, second = seen
    assert first.shape == second.shape
    # Of what the first look settles the second knows, most of it.
    assert second[0, 3:5].sum() > 1.2 * first[0, 3:5].sum()
    assert np.abs(alpha - truth).mean() < 0.005
    far = np.abs(alpha - truth)[narrow != UNKNOWN]
    assert (far == 0).mean() > 0.98


def upsampled(
    coarse: NDArray[np.float32], image: NDArray[Any], wanted: NDArray[np.bool_], elsewhere: float
) -> NDArray[np.float32]:
    """Alpha (H, W), from alpha at half the size; so much at pixels that are not wanted."""
    small, _ = halve(image, np.zeros(wanted.shape, np.uint8))
    return joined(upsample(coarse, small, image, wanted), wanted, elsewhere)


def joined(
    parts: Iterator[tuple[tuple[slice, slice], NDArray[np.float32]]],
    wanted: NDArray[np.bool_],
    elsewhere: float = 0,
) -> NDArray[np.float32]:
    """Alpha (H, W) of what `upsample` or `refine` yields."""
    alpha = np.full(wanted.shape, elsewhere, np.float32)
    for window, values in parts:
        alpha[window][wanted[window]] = values
    return alpha


@pytest.mark.parametrize("size", [(64, 80), (63, 81), (1, 1), (2, 3), (1100, 70)])
def test_alpha_that_goes_with_the_colours_is_carried_exactly(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    wanted = rng.random(size) < 0.7
    small, _ = halve(image, np.zeros(size, np.uint8))
    slopes = np.array([0.2, 0.3, 0.4], np.float32)

    alpha = upsampled(small @ slopes + np.float32(0.05), image, wanted, 9)

    truth = (image / np.float32(255)) @ slopes + np.float32(0.05)
    # The line is held flat by a small part of the colours' variance.
    if min(size) > 3:
        assert np.abs(alpha - truth)[wanted].mean() < 0.01
    assert (alpha[~wanted] == 9).all()
    assert alpha[wanted].min(initial=0) >= 0
    assert alpha[wanted].max(initial=0) <= 1


def test_carried_alpha_does_not_depend_on_the_strips() -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (640, 90, 3), np.uint8)
    coarse = np.asarray(cv2.GaussianBlur(rng.random((320, 45), np.float32), (0, 0), 2), np.float32)
    wanted = np.zeros((640, 90), np.bool_)
    wanted[131:620, 17:64] = True

    whole = upsampled(coarse, image, wanted, 0)
    below = upsampled(coarse[50:], image[100:], wanted[100:], 0)  # cut in other places

    np.testing.assert_allclose(whole[wanted], below[wanted[100:]], atol=1e-5)
    assert whole[wanted].std() > 0.01


def test_what_is_plain_stays_plain_when_carried() -> None:
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (64, 64, 3), np.uint8)
    coarse = np.zeros((32, 32), np.float32)
    coarse[:, 16:] = 1

    alpha = upsampled(coarse, image, np.ones((64, 64), np.bool_), 0)

    assert alpha[:, :28].max() < 0.5 / 255
    assert alpha[:, 36:].min() > 1 - 0.5 / 255


def disc(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32], Trimap]:
    """Picture, alpha and trimap of a disc with a soft edge."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot(rows - 190, columns - 210) - 120
    truth = np.clip(0.5 - distance / 10, 0, 1)
    noise = np.random.default_rng(5).normal(0, 0.02, (height, width, 3))
    ground = np.array([0.2, 0.4, 0.6], np.float32) + noise
    image = (
        truth[..., None] * np.array([0.8, 0.3, 0.1], np.float32) + (1 - truth[..., None]) * ground
    )
    trimap = np.full(distance.shape, UNKNOWN, np.uint8)
    trimap[distance < -20], trimap[distance > 20] = FOREGROUND, BACKGROUND
    return image.clip(0, 1).astype(np.float32), truth, trimap


@pytest.mark.parametrize(
    ("size", "quality", "expected"),
    [
        ((1000, 720), "normal", [(500, 360)]),
        ((600, 420), "normal", [(478, 335)]),
        ((600, 420), "high", [(300, 210), (600, 420)]),
        ((380, 420), "normal", [(380, 420)]),
        ((380, 420), "high", [(380, 420)]),
    ],
)
def test_the_network_sees_half_the_size_more_of_small_pictures_and_all_on_request(
    size: tuple[int, int],
    quality: Quality,
    expected: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, truth, trimap = disc(*size)
    trimap[[0, -1], [0, -1]] = UNKNOWN  # so that all of it is looked at
    seen = watched(monkeypatch)

    alpha = Engine(quality=quality)(image, trimap)

    assert {inputs.shape[2:] for inputs in seen} == {
        tuple(-(-side // 32) * 32 for side in shape) for shape in expected
    }
    assert np.abs(alpha - truth)[trimap == UNKNOWN].mean() < 0.02
    assert np.array_equal(alpha[trimap != UNKNOWN], trimap[trimap != UNKNOWN] // 255)


def test_of_a_small_picture_without_known_foreground_the_network_sees_half_the_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, _, trimap = disc(600, 420)
    trimap[trimap == FOREGROUND] = UNKNOWN
    trimap[[0, -1], [0, -1]] = UNKNOWN
    seen = watched(monkeypatch)

    Engine()(image, trimap)

    assert seen[-1].shape[2:] == (320, 224)


@pytest.mark.parametrize("fine", [True, False])
def test_what_is_nearly_known_is_exactly_that_whatever_the_colours(fine: bool) -> None:
    rng = np.random.default_rng(7)
    image = rng.random((64, 64, 3), np.float32)
    everywhere = np.ones((64, 64), np.bool_)
    for start, expected in ((0.0, 0), (0.991, 1)):
        alpha = rng.uniform(start, start + 0.009, (64, 64)).astype(np.float32)

        if fine:
            carried = joined(refine(alpha, image, everywhere), everywhere)
        else:
            carried = upsampled(alpha[::2, ::2].copy(), image, everywhere, 0.5)

        assert (carried == expected).all()


def test_alpha_at_full_size_is_halved_and_carried() -> None:
    rng = np.random.default_rng(8)
    image = rng.random((64, 64, 3), np.float32)
    image[:, 1::2] = image[:, ::2]
    image[1::2] = image[::2]  # of blocks of 2 x 2: half the size has all of it
    truth = image @ np.array([0.2, 0.3, 0.4], np.float32)
    noise = rng.choice(np.array([-0.05, 0.05], np.float32), (64, 32))
    noisy = truth + np.stack([noise, -noise], axis=2).reshape(64, 64)  # none at half the size
    wanted = rng.random((64, 64)) < 0.7
    alpha = np.where(wanted, noisy, truth).astype(np.float32)
    pairs = wanted.reshape(64, 32, 2).all(axis=2).repeat(2, axis=1)

    alpha = np.where(wanted, joined(refine(alpha, image, wanted), wanted), alpha)

    assert np.abs(noisy - truth)[pairs].mean() > 0.04
    assert np.abs(alpha - truth)[pairs].mean() < 0.03


def test_high_quality_does_not_know_left_from_right() -> None:
    rng = np.random.default_rng(6)
    half = rng.random((96, 64, 3), np.float32)
    image = np.concatenate([half, half[:, ::-1]], axis=1)
    trimap = np.full((96, 128), UNKNOWN, np.uint8)
    trimap[40:56, 56:72], trimap[:8] = FOREGROUND, BACKGROUND

    def lopsided(alpha: NDArray[np.float32]) -> float:
        return float(np.abs(alpha - alpha[:, ::-1]).mean())

    high, normal = (lopsided(Engine(quality=q)(image, trimap)) for q in ("high", "normal"))

    assert high < 0.6 * normal
