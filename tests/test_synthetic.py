"""Procedural foregrounds: the promises that training relies on, for every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from deepmatte.training.synthetic import KINDS, noise_texture, synthetic_foreground
from deepmatte.training.synthetic.fields import FloatArray, Layer
from deepmatte.training.synthetic.meshes import covered
from deepmatte.training.synthetic.optics import defocus, motion_blur
from deepmatte.training.synthetic.paint import THINNEST, Sheet
from deepmatte.training.synthetic.strands import StrandStyle, grow, paint

pytestmark = pytest.mark.slow

Drawn = Callable[..., Any]
HEIGHT, WIDTH = 160, 208


def bright_texture(rng: np.random.Generator, height: int, width: int) -> FloatArray:
    """A texture without any dark colour: dark pixels in a foreground can only be fringes."""
    return rng.uniform(0.75, 0.85, (height, width, 3)).astype(np.float32)


def check_layer(layer: Layer) -> None:
    foreground, alpha = layer
    assert foreground.shape == (HEIGHT, WIDTH, 3)
    assert foreground.dtype == np.float32
    assert alpha.shape == (HEIGHT, WIDTH)
    assert alpha.dtype == np.float32
    for array in layer:
        assert np.isfinite(array).all()
        assert array.min() >= 0.0
        assert array.max() <= 1.0 + 1e-5


@pytest.mark.parametrize("kind", list(KINDS), ids=lambda kind: kind.__name__)
def test_every_kind_is_a_valid_layer_with_opaque_soft_and_clear_parts(
    kind: Drawn,
) -> None:
    opaque, soft, clear = [], [], []
    for seed in range(6):
        layer = kind(np.random.default_rng(seed), HEIGHT, WIDTH, noise_texture)
        check_layer(layer)
        alpha = layer[1]
        opaque.append(np.mean(alpha > 0.98))
        soft.append(np.mean((alpha > 0.02) & (alpha < 0.98)))
        clear.append(np.mean(alpha < 0.02))
    assert np.mean(opaque) > 0.03
    assert np.mean(soft) > 0.01
    assert np.mean(clear) > 0.10


@pytest.mark.parametrize("kind", list(KINDS), ids=lambda kind: kind.__name__)
def test_same_seed_gives_the_same_arrays_and_another_seed_others(kind: Drawn) -> None:
    first = kind(np.random.default_rng(3), HEIGHT, WIDTH, noise_texture)
    np.random.seed(12)
    again = kind(np.random.default_rng(3), HEIGHT, WIDTH, noise_texture)
    other = kind(np.random.default_rng(4), HEIGHT, WIDTH, noise_texture)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])


@pytest.mark.parametrize("kind", list(KINDS), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("blur", [None, defocus, motion_blur])
def test_colours_have_no_fringe_where_alpha_is_low(kind: Drawn, blur: Drawn | None) -> None:
    """Composites over black and white give alpha back, and the colours keep their brightness.

    A premultiplied foreground would be darker the lower alpha is. Edges are compared with edges:
    hair may well be darker than the face before it.
    """
    edge, body = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        layer = kind(rng, HEIGHT, WIDTH, bright_texture)
        if blur is not None:
            layer = blur(rng, layer)
        foreground, alpha = layer
        on_black = alpha[..., None] * foreground
        on_white = on_black + (1.0 - alpha[..., None])
        np.testing.assert_allclose(1.0 - (on_white - on_black).mean(axis=2), alpha, atol=1e-5)
        thin = (alpha > 0.04) & (alpha < 0.3)
        if thin.any():
            edge.append(np.median((on_black[thin] / alpha[thin][:, None]).mean(axis=1)))
        thick = (alpha > 0.3) & (alpha < 0.9)
        if thick.any():
            body.append(np.median(foreground[thick].mean(axis=1)))
    assert np.mean(edge) > 0.55 * np.mean(body)


def test_colour_of_faint_edges_is_that_of_the_object_beside_them() -> None:
    """After defocus a one-coloured object keeps its one colour out to the faintest edge."""
    rng = np.random.default_rng(0)
    alpha = np.zeros((64, 64), np.float32)
    alpha[20:44, 20:44] = 1.0
    colour = np.full((64, 64, 3), (0.9, 0.4, 0.2), np.float32)
    for blur in (defocus, motion_blur):
        blurred_colour, blurred_alpha = blur(rng, (colour, alpha))
        assert ((blurred_alpha > 0.01) & (blurred_alpha < 0.99)).any()
        expected = np.broadcast_to(np.array((0.9, 0.4, 0.2), np.float32), blurred_colour.shape)
        np.testing.assert_allclose(blurred_colour, expected, atol=2e-3)


@pytest.mark.parametrize("seed", range(12))
def test_synthetic_foreground_is_deterministic_and_neither_empty_nor_full(seed: int) -> None:
    first = synthetic_foreground(np.random.default_rng(seed), HEIGHT, WIDTH, noise_texture)
    again = synthetic_foreground(np.random.default_rng(seed), HEIGHT, WIDTH, noise_texture)
    check_layer(first)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert 0.02 < first[1].mean() < 0.98


@pytest.mark.parametrize("size", [(16, 16), (17, 65), (96, 33)])
def test_odd_and_small_sizes(size: tuple[int, int]) -> None:
    for kind in KINDS:
        foreground, alpha = kind(np.random.default_rng(1), *size, noise_texture)
        assert foreground.shape == (*size, 3)
        assert alpha.shape == size
        assert np.isfinite(foreground).all()
        assert np.isfinite(alpha).all()


def test_a_frame_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="8 x 40"):
        synthetic_foreground(np.random.default_rng(0), 8, 40, noise_texture)


def test_weights_sum_to_one_and_noise_texture_is_a_picture() -> None:
    assert sum(KINDS.values()) == pytest.approx(1.0)
    texture = noise_texture(np.random.default_rng(0), 40, 60)
    assert texture.shape == (40, 60, 3)
    assert texture.dtype == np.float32
    assert 0.0 <= texture.min() < texture.max() <= 1.0


def test_no_strand_in_the_frame_draws_nothing() -> None:
    rng = np.random.default_rng(0)
    style = StrandStyle(points=6)
    far_away = np.full((5, 2), -500, np.float32)
    lengths, angles = np.full(5, 9, np.float32), np.zeros(5, np.float32)
    sheet = Sheet(20, 30)

    paths = grow(rng, (20, 30), far_away, angles, lengths, style)
    paint(rng, sheet, paths, style, np.ones(3, np.float32))

    assert len(paths) == 0
    assert not sheet.layer()[1].any()


@pytest.mark.parametrize("width", [THINNEST, 1.7, 2.7, 3.7])
def test_a_line_covers_its_width(width: float) -> None:
    """Also one thinner than a pixel: its coverage, not more, is spread over the pixels it meets."""
    sheet = Sheet(80, 80)
    sheet.line(np.array([[-10, 13], [90, 57]], np.float32), width, np.ones(3, np.float32))

    across = sheet.layer()[1].sum(axis=0).mean() * np.cos(np.arctan2(44, 100))

    assert across == pytest.approx(width, rel=0.06)


def test_what_is_painted_later_hides_what_was_there() -> None:
    sheet = Sheet(40, 40)
    red, blue = np.array([1, 0, 0], np.float32), np.array([0, 0, 1], np.float32)
    sheet.polygon(np.array([[5, 5], [34, 5], [34, 34], [5, 34]], np.float32), red)
    sheet.line(np.array([[-5, 20], [45, 20]], np.float32), 3.7, blue)

    colour, alpha = sheet.layer()

    np.testing.assert_allclose(alpha[8:32, 8:32], 1.0)
    np.testing.assert_allclose(colour[20, 20], blue, atol=0.02)
    np.testing.assert_allclose(colour[10, 20], red, atol=0.02)
    # Where the line's border covers half a pixel, the two mix and nothing shines through.
    np.testing.assert_allclose(colour[8:32, 20, 0] + colour[8:32, 20, 2], 1.0, atol=0.03)


@pytest.mark.parametrize("half", [0.1, 0.3, 0.5, 2.0])
def test_threads_keep_their_area_however_thin(half: float) -> None:
    at = np.linspace(-6, 6, 1201, dtype=np.float32)

    coverage = covered(np.abs(at), np.full_like(at, half))

    assert coverage.mean() * 12 == pytest.approx(2 * half, rel=0.02)
