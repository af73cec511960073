"""The matting Laplacian, and the closed form that is solved with it in strips."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.solver.closed_form import MattingLaplacian, alpha_of_lines, closed_form_lines
from deepmatte.types import Flags, Floats

EPSILON = 1e-3


def levin(picture: Floats) -> NDArray[Any]:
    """The matrix of Levin et al. 2008, equation 12, whose windows may be cut by the border."""
    height, width = picture.shape[:2]
    matrix = np.zeros((height * width,) * 2)
    for row, column in np.ndindex(height, width):
        rows = np.arange(max(0, row - 1), min(height, row + 2))
        columns = np.arange(max(0, column - 1), min(width, column + 2))
        window = (rows[:, None] * width + columns).ravel()
        centred = picture.reshape(-1, 3)[window].astype(float)
        centred -= centred.mean(axis=0)
        count = len(window)
        covariance = centred.T @ centred / count + EPSILON / count * np.eye(3)
        alike = (1 + centred @ np.linalg.inv(covariance) @ centred.T) / count
        matrix[np.ix_(window, window)] += np.eye(count) - alike
    return matrix


def scene(seed: int = 0, shape: tuple[int, int] = (40, 72)) -> tuple[Floats, Flags, Floats, Floats]:
    """A picture, a crooked unknown band that touches its border, a guess, and trust in it."""
    random = np.random.default_rng(seed)
    height, width = shape
    true = np.clip((np.arange(width) - 30 - 9 * np.sin(np.arange(height) / 5)[:, None]) / 8, 0, 1)
    foreground, background = random.random((2, 3))
    picture = true[..., None] * foreground + (1 - true[..., None]) * background
    picture = (picture + 0.02 * random.random((*shape, 3))).astype(np.float32)
    unknown = (true > 0) & (true < 1)
    unknown |= random.random(shape) < 0.02
    guess = np.where(unknown, random.random(shape), true).astype(np.float32)
    return picture, unknown, guess, random.random(shape).astype(np.float32)


def test_it_is_levins_matrix() -> None:
    picture = np.random.default_rng(1).random((9, 7, 3), np.float32)
    alpha = np.random.default_rng(2).random((9, 7), np.float32)
    colours = [picture[..., channel] - np.float32(0.5) for channel in range(3)]
    applied = MattingLaplacian(colours, np.ones((9, 7), np.float32), EPSILON).apply(alpha)
    np.testing.assert_allclose(applied.ravel(), levin(picture) @ alpha.ravel(), atol=1e-4)


def test_lines_do_not_depend_on_the_strips() -> None:
    # Upside down, the strips of the 40 rows are cut in other places.
    picture, unknown, guess, trust = scene()
    turned, turned_guess, turned_trust = (
        np.ascontiguousarray(plane[::-1]) for plane in (picture, guess, trust)
    )
    alpha = alpha_of_lines(closed_form_lines(picture, unknown, guess, trust), picture)
    lines = closed_form_lines(turned, unknown[::-1].copy(), turned_guess, turned_trust)
    other = alpha_of_lines(lines, turned)[::-1]
    np.testing.assert_allclose(alpha[unknown], other[unknown], atol=2e-3)
    assert alpha[unknown].std() > 0.1


def test_the_matte_solves_its_equation_better_than_the_guess() -> None:
    picture, unknown, guess, _ = scene()
    lines = closed_form_lines(picture, unknown, guess, np.zeros_like(guess))
    found = np.where(unknown, alpha_of_lines(lines, picture), guess)
    matrix = levin(picture)
    before, after = (alpha.ravel() @ matrix @ alpha.ravel() for alpha in (guess, found))
    assert after < 0.02 * before


def test_far_from_what_is_unknown_lines_say_the_guess() -> None:
    picture, unknown, guess, trust = scene()
    unknown[:, 60:] = unknown[:, :8] = False
    guess[:, 60:], guess[:, :8] = 1, 0
    lines = closed_form_lines(picture, unknown, guess, trust)
    for far, label in (np.s_[:, 64:], 1), (np.s_[:, :4], 0):
        np.testing.assert_array_equal(alpha_of_lines(lines, picture)[far], label)


def test_nothing_sought_leaves_the_guess() -> None:
    picture, unknown, guess, trust = scene()
    lines = closed_form_lines(picture, np.zeros_like(unknown), guess, trust)
    np.testing.assert_array_equal(alpha_of_lines(lines, picture), guess)
