"""The foreground: exact where it can be, free of the background's colour where it cannot."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepmatte.errors import ImageError
from deepmatte.foreground import estimate_foreground

Array = NDArray[np.float32]

GREEN = (0.05, 0.9, 0.15)
SKIN = (0.8, 0.55, 0.45)

colours = st.tuples(*[st.floats(0, 1, width=32)] * 3)
sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))


def compose(foreground: Array, background: Array, alpha: Array) -> Array:
    """Equation 1, with pictures or plain colours."""
    mixed = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    return np.asarray(mixed, np.float32)


def strands(size: int, seed: int = 0) -> Array:
    """A dark disc with thin curved hair around it, drawn four times larger and reduced."""
    random = np.random.default_rng(seed)
    drawing = np.zeros((4 * size, 4 * size), np.uint8)
    middle = 2 * size
    cv2.circle(drawing, (middle, middle), size, 255, -1)
    for angle in random.uniform(0, 2 * np.pi, 120):
        reach = size * np.array([[0.9], [1.3], [1.8]])
        bend = angle + np.array([[0.0], [0.1], [0.3]])
        points = middle + reach * np.hstack([np.cos(bend), np.sin(bend)])
        opacity = int(random.integers(100, 255))
        cv2.polylines(drawing, [points.astype(np.int32)], False, opacity, 3, cv2.LINE_AA)
    small = cv2.resize(drawing, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small / 255, np.float32)


def texture(shape: tuple[int, int], seed: int) -> Array:
    """A smooth random colour picture."""
    random = np.random.default_rng(seed)
    coarse = random.random((6, 6, 3)).astype(np.float32)
    picture = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, 1).astype(np.float32)


def green_spill(picture: Array) -> Array:
    """How far green stands above both other channels."""
    return np.maximum(picture[..., 1] - np.maximum(picture[..., 0], picture[..., 2]), 0)


@settings(deadline=None, max_examples=60)
@given(foreground=colours, background=colours, size=sizes, seed=st.integers(0, 1000))
def test_constant_colours_are_recovered_under_random_alpha(
    foreground: tuple[float, float, float],
    background: tuple[float, float, float],
    size: tuple[int, int],
    seed: int,
) -> None:
    alpha = np.random.default_rng(seed).random((size[0] + 3, size[1] + 3)).astype(np.float32)
    image = compose(np.array(foreground), np.array(background), alpha)

    estimate = estimate_foreground(image, alpha)

    assert np.abs(estimate - np.array(foreground)).max() < 0.004


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.2, 0.7), (0.0, 0.4), (0.5, 1.0)])
def test_constant_colours_are_recovered_under_a_ramp(low: float, high: float) -> None:
    alpha = np.tile(np.linspace(low, high, 97, dtype=np.float32), (61, 1))
    image = compose(np.array(SKIN), np.array(GREEN), alpha)

    estimate = estimate_foreground(image, alpha)

    assert np.abs(estimate - np.array(SKIN)).max() < 0.004


@settings(deadline=None, max_examples=60)
@given(size=sizes, seed=st.integers(0, 1000), opaque=st.floats(0, 1))
def test_opaque_pixels_keep_their_colour_and_all_others_are_valid(
    size: tuple[int, int], seed: int, opaque: float
) -> None:
    random = np.random.default_rng(seed)
    image = random.random((*size, 3)).astype(np.float32)
    alpha = random.random(size).astype(np.float32)
    alpha[random.random(size) < opaque / 2] = 0
    alpha[random.random(size) < opaque] = 1

    estimate = estimate_foreground(image, alpha)

    assert estimate.dtype == np.float32
    assert estimate.shape == image.shape
    assert np.isfinite(estimate).all()
    assert estimate.min() >= 0
    assert estimate.max() <= 1
    np.testing.assert_array_equal(estimate[alpha == 1], image[alpha == 1])


def test_a_bright_green_background_leaves_no_green_in_the_hair() -> None:
    alpha = strands(256)
    subject = texture((256, 256), seed=4) * np.array([0.5, 0.25, 0.2], np.float32) + np.float32(
        0.05
    )
    image = compose(subject, np.array(GREEN), alpha)
    fringe = (alpha > 0) & (alpha < 0.5)

    estimate = estimate_foreground(image, alpha)

    def added(picture: Array) -> Array:
        """Green that the subject itself does not have."""
        excess = np.maximum(green_spill(picture) - green_spill(subject), 0)
        return np.asarray(excess[fringe], np.float32)

    assert added(image).mean() > 0.5  # the measure sees a spill where there is one
    assert added(estimate).mean() < 0.001
    assert np.percentile(added(estimate), 99) < 0.005


def test_textured_subject_over_textured_background_composes_anew() -> None:
    shape = (240, 317)
    ellipse = np.zeros(shape, np.float32)
    cv2.ellipse(ellipse, (158, 120), (90, 70), 20, 0, 360, 1.0, -1)
    alpha = np.asarray(cv2.GaussianBlur(ellipse, (0, 0), 6), np.float32)
    subject, background = texture(shape, seed=1), texture(shape, seed=2)
    image = compose(subject, background, alpha)

    estimate = estimate_foreground(image, alpha)

    soft = (alpha > 0.05) & (alpha < 0.95)
    magenta = np.array([1.0, 0.0, 1.0])
    error = compose(estimate, magenta, alpha) - compose(subject, magenta, alpha)
    untreated = compose(image, magenta, alpha) - compose(subject, magenta, alpha)
    assert np.abs(error[soft]).mean() < 0.02
    assert np.abs(error[soft]).mean() < 0.5 * np.abs(untreated[soft]).mean()


def test_transparent_pixels_beside_the_subject_continue_its_colour() -> None:
    alpha = np.zeros((80, 80), np.float32)
    alpha[30:50, 30:50] = 1
    image = compose(np.array(SKIN), np.array(GREEN), alpha)

    estimate = estimate_foreground(image, alpha)

    assert np.abs(estimate[25:55, 25:55] - np.array(SKIN)).max() < 0.01


def test_two_subjects_keep_their_own_colours() -> None:
    discs = np.zeros((128, 256), np.float32)
    cv2.circle(discs, (60, 64), 30, 1.0, -1)
    cv2.circle(discs, (196, 64), 30, 1.0, -1)
    alpha = np.asarray(cv2.GaussianBlur(discs, (0, 0), 3), np.float32)
    subject = np.zeros((128, 256, 3), np.float32)
    subject[:, :128] = (0.9, 0.1, 0.1)
    subject[:, 128:] = (0.1, 0.1, 0.9)
    image = compose(subject, np.array(GREEN), alpha)

    error = alpha[..., None] * (estimate_foreground(image, alpha) - subject)

    assert np.abs(error).max() < 0.03


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 2), (33, 64), (65, 31)])
@pytest.mark.parametrize("level", [0.0, 1e-6, 0.5, 1.0])
def test_constant_mattes_of_any_size(size: tuple[int, int], level: float) -> None:
    image = texture(size, seed=3)
    alpha = np.full(size, level, np.float32)

    estimate = estimate_foreground(image, alpha)

    assert np.isfinite(estimate).all()
    assert estimate.min() >= 0
    assert estimate.max() <= 1
    if level == 1:
        np.testing.assert_array_equal(estimate, image)


def test_neither_input_is_changed() -> None:
    image, alpha = texture((50, 41), seed=5), strands(50)[:, :41]
    image_before, alpha_before = image.copy(), alpha.copy()

    estimate_foreground(image, alpha)

    np.testing.assert_array_equal(image, image_before)
    np.testing.assert_array_equal(alpha, alpha_before)


def test_to_solve_only_where_the_matte_changes_changes_nothing() -> None:
    image = texture((701, 1203), seed=7)
    alpha = np.zeros((701, 1203), np.float32)
    alpha[100:500, 150:550] = strands(400)
    alpha[200:, 900:] = 1  # an edge without anything soft, between two blocks and within one
    alpha[203:600, 1001:1100] = 0

    estimate = estimate_foreground(image, alpha)

    # A matte that is nowhere quite 0 or 1 is solved everywhere.
    soft = alpha.clip(1e-6, 1 - 1e-6)
    np.testing.assert_allclose(estimate, estimate_foreground(image, soft), rtol=0, atol=2e-3)


def test_the_number_of_threads_does_not_change_a_bit() -> None:
    image, alpha = texture((701, 803), seed=6), strands(803)[:701]
    threads = cv2.getNumThreads()
    try:
        results = []
        for count in (1, 2, 4):
            cv2.setNumThreads(count)
            results.append(estimate_foreground(image, alpha))
    finally:
        cv2.setNumThreads(threads)

    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize(
    ("image_shape", "alpha_shape"),
    [((4, 5, 3), (5, 4)), ((4, 5), (4, 5)), ((4, 5, 4), (4, 5)), ((0, 5, 3), (0, 5))],
)
def test_shapes_that_do_not_fit_are_named(
    image_shape: tuple[int, ...], alpha_shape: tuple[int, ...]
) -> None:
    with pytest.raises(ImageError) as raised:
        estimate_foreground(np.zeros(image_shape, np.float32), np.zeros(alpha_shape, np.float32))

    assert str(image_shape) in str(raised.value)
    assert str(alpha_shape) in str(raised.value)
