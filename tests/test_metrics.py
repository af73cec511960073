"""The metrics print what the official code prints, and nothing else changes them."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from deepmatte.errors import DataError, ImageError, TrimapError
from deepmatte.evaluation.metrics import connectivity, gradient, measure, mse, sad
from deepmatte.evaluation.results import METRICS
from deepmatte.evaluation.selftest import Check, drawn_triples, selftest

Bytes = NDArray[np.uint8]
Triple = tuple[Bytes, Bytes, Bytes]

GOLDEN = Path(__file__).parent / "metrics"
"""Triples, and what the official MATLAB code printed for them under GNU Octave 7."""


def mattes(shape: tuple[int, int]) -> st.SearchStrategy[Bytes]:
    """Any bytes, or few different ones, so that regions and ties of equal size turn up."""
    few = st.sampled_from([0, 51, 102, 152, 153, 154, 204, 255])
    binary = st.sampled_from([0, 255])
    return st.one_of(
        *[hnp.arrays(np.uint8, shape, elements=e) for e in (st.integers(0, 255), few, binary)]
    )


@st.composite
def triples(draw: st.DrawFn) -> Triple:
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    trimap = draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 128, 255])))
    return draw(mattes(shape)), draw(mattes(shape)), trimap


# --- the official code's values -----------------------------------------------------------------


@pytest.mark.parametrize("check", selftest(None), ids=lambda check: f"{check.name}-{check.metric}")
def test_a_built_in_value_holds(check: Check) -> None:
    assert check.holds, check


def test_the_golden_values_hold() -> None:
    checks = selftest(GOLDEN)

    assert len(checks) == 24
    assert [check for check in checks if not check.holds] == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_give_the_golden_values_too(dtype: type[np.floating]) -> None:
    for check in selftest(GOLDEN):
        prediction, alpha, trimap = (
            np.array(Image.open(GOLDEN / f"{check.name}_{kind}.png"))
            for kind in ("pred", "alpha", "trimap")
        )
        scaled = (prediction / 255).astype(dtype), (alpha / 255).astype(dtype)

        measured = measure(*scaled, trimap)[check.metric]

        assert measured == pytest.approx(check.expected, rel=1e-5)


def test_mmagics_published_values() -> None:
    alpha = np.full((32, 32), 255, np.uint8)
    trimap = np.zeros((32, 32), np.uint8)
    trimap[:16, :16], trimap[16:, 16:] = 128, 255
    prediction = np.where(trimap == 255, 255, 0).astype(np.uint8)

    assert sad(prediction, alpha, trimap) == pytest.approx(0.256)
    assert mse(prediction, alpha, trimap) == pytest.approx(1.0)
    assert gradient(prediction, alpha, trimap) == pytest.approx(0.0028887, abs=5e-8)
    assert connectivity(prediction, alpha, trimap) == pytest.approx(0.256)
    everywhere = np.full_like(trimap, 128)
    assert sad(prediction, alpha, everywhere) == pytest.approx(0.768)
    # It divides the sum over the whole picture by the number of unknown pixels.
    assert mse(prediction, alpha, everywhere) * 32 * 32 / (16 * 16) == pytest.approx(3.0)


# --- the definitions, word by word --------------------------------------------------------------


def literal_gradient(prediction: Bytes, alpha: Bytes, trimap: Bytes) -> float:
    """Rhemann et al. 2009 pixel by pixel, with the official code's kernels of 9 x 9."""
    sigma, positions = 1.4, range(-4, 5)
    bell = {x: math.exp(-(x**2) / (2 * sigma**2)) for x in positions}
    kernel = {(y, x): -x * bell[x] * bell[y] for y in positions for x in positions}
    norm = math.sqrt(sum(weight**2 for weight in kernel.values()))
    height, width = alpha.shape

    def amplitude(matte: Bytes, row: int, column: int) -> Any:
        low, high = int(matte.min()), int(matte.max())
        across = down = 0.0
        for (y, x), weight in kernel.items():
            # A convolution: the kernel is turned by half a circle.
            near = [min(max(row - y, 0), height - 1), min(max(column - x, 0), width - 1)]
            across += weight / norm * (int(matte[near[0], near[1]]) - low) / (high - low or 1)
            near = [min(max(row - x, 0), height - 1), min(max(column - y, 0), width - 1)]
            down += weight / norm * (int(matte[near[0], near[1]]) - low) / (high - low or 1)
        return np.float32(math.hypot(across, down))

    pixels = np.argwhere(trimap == 128)
    return sum(float(amplitude(prediction, *p) - amplitude(alpha, *p)) ** 2 for p in pixels) / 1000


def literal_connectivity(prediction: Bytes, alpha: Bytes, trimap: Bytes) -> float:
    """As the definition says it, regions by flooding from one pixel to the next."""
    single = np.float32
    height, width = alpha.shape
    pixels = [(row, column) for column in range(width) for row in range(height)]  # MATLAB's order
    last: dict[tuple[int, int], np.float32] = {}
    for step in range(1, 11):
        threshold = single(step / 10)
        inside = {
            pixel
            for pixel in pixels
            if single(prediction[pixel]) / single(255) >= threshold
            and single(alpha[pixel]) / single(255) >= threshold
        }
        largest: set[tuple[int, int]] = set()
        for seed in pixels:
            region, front = set(), [seed] if seed in inside else []
            while front:
                row, column = front.pop()
                region.add((row, column))
                inside.discard((row, column))
                beside = [(row + 1, column), (row - 1, column), (row, column + 1)]
                front += [p for p in [*beside, (row, column - 1)] if p in inside]
            if len(region) > len(largest):
                largest = region
        for pixel in pixels:
            if pixel not in largest:
                last.setdefault(pixel, single((step - 1) / 10))

    def degree(matte: Bytes, pixel: tuple[int, int]) -> Any:
        distance = single(matte[pixel]) / single(255) - last.get(pixel, single(1))
        return single(1) - distance * single(distance >= single(0.15))

    unknown = [pixel for pixel in pixels if trimap[pixel] == 128]
    return sum(float(abs(degree(prediction, p) - degree(alpha, p))) for p in unknown) / 1000


@given(triples())
@settings(deadline=None, max_examples=150)
def test_connectivity_is_its_literal_definition(triple: Triple) -> None:
    literal = literal_connectivity(*triple)

    assert connectivity(*triple) == pytest.approx(literal, rel=1e-5, abs=1e-12)


@given(triples())
@settings(deadline=None, max_examples=15)
def test_the_gradient_is_its_literal_definition(triple: Triple) -> None:
    literal = literal_gradient(*triple)

    assert gradient(*triple) == pytest.approx(literal, rel=1e-5, abs=1e-12)


@given(triples())
@settings(deadline=None)
def test_sad_and_mse_are_their_literal_definitions(triple: Triple) -> None:
    pairs = zip(*(plane.ravel().tolist() for plane in triple), strict=True)
    differences = [prediction - alpha for prediction, alpha, label in pairs if label == 128]
    assume(differences)
    absolute = sum(abs(d) for d in differences)
    squares = sum(d * d for d in differences)

    assert sad(*triple) == pytest.approx(absolute / 255 / 1000, rel=1e-12)
    assert mse(*triple) == pytest.approx(squares / 255**2 / len(differences), rel=1e-12)


def test_the_first_of_equal_regions_is_the_leftmost_then_the_topmost() -> None:
    alpha = np.zeros((9, 9), np.uint8)
    alpha[6, 1:4] = alpha[1, 2:5] = alpha[1:4, 7] = 255
    prediction = np.where(alpha, 200, 0).astype(np.uint8)
    trimap = np.zeros((9, 9), np.uint8)

    def error(at: tuple[int, int]) -> float:
        only = trimap.copy()
        only[at] = 128
        return connectivity(prediction, alpha, only)

    # Connected up to 0.7 (200 is 0.784), and not at all.
    assert error((6, 1)) == pytest.approx(0.3 / 1000)
    assert error((1, 2)) == error((1, 7)) == pytest.approx((1 - 200 / 255) / 1000)


def test_byte_153_reaches_three_fifths() -> None:
    """Its degree is 1 then; in double precision it would end at 0.5 and cost 0.1 more."""
    alpha, trimap = np.full((2, 2), 255, np.uint8), np.full((2, 2), 128, np.uint8)

    assert connectivity(np.full_like(alpha, 153), alpha, trimap) == pytest.approx(4 * 0.4 / 1000)
    assert connectivity(np.full_like(alpha, 152), alpha, trimap) == pytest.approx(4 * 0.5 / 1000)


# --- what never changes -------------------------------------------------------------------------


@given(triples())
@settings(deadline=None)
def test_equal_mattes_have_no_error(triple: Triple) -> None:
    _, alpha, trimap = triple
    assume((trimap == 128).any())

    assert measure(alpha, alpha, trimap) == dict.fromkeys(METRICS, 0.0)


@given(triples())
@settings(deadline=None)
def test_all_four_are_symmetric(triple: Triple) -> None:
    prediction, alpha, trimap = triple
    assume((trimap == 128).any())

    # Connectivity as well: it looks at where both mattes reach a threshold.
    assert measure(prediction, alpha, trimap) == measure(alpha, prediction, trimap)


@given(triples(), st.data())
@settings(deadline=None)
def test_known_pixels_do_not_count_in_sad_and_mse(triple: Triple, data: st.DataObject) -> None:
    prediction, alpha, trimap = triple
    other = np.where(trimap == 128, prediction, data.draw(mattes(alpha.shape)))
    truth = np.where(trimap == 128, alpha, data.draw(mattes(alpha.shape)))
    assume((trimap == 128).any())

    assert sad(prediction, alpha, trimap) == sad(other, truth, trimap)
    assert mse(prediction, alpha, trimap) == mse(other, truth, trimap)


@given(triples(), st.data())
@settings(deadline=None)
def test_known_pixels_reach_connectivity_only_by_its_thresholds(
    triple: Triple, data: st.DataObject
) -> None:
    """Of a known pixel it matters which thresholds both mattes reach there, and no more."""
    prediction, alpha, trimap = triple
    random = data.draw(mattes(alpha.shape))
    step = np.minimum(prediction, alpha).astype(int) * 10 // 255
    same_step = np.minimum(random, alpha).astype(int) * 10 // 255 == step
    other = np.where((trimap != 128) & same_step, random, prediction).astype(np.uint8)

    assert connectivity(prediction, alpha, trimap) == connectivity(other, alpha, trimap)


def test_known_pixels_do_count_in_connectivity_where_they_join_regions() -> None:
    alpha = np.full((1, 5), 255, np.uint8)
    trimap = np.array([[0, 0, 0, 128, 128]], np.uint8)
    joined, parted = (
        np.array([[255, 255, 255, 200, 200]], np.uint8),
        np.array([[255, 255, 0, 200, 200]], np.uint8),
    )
    parted[0, 0] = parted[0, 1] = 255

    assert connectivity(joined, alpha, trimap) != connectivity(parted, alpha, trimap)


@given(triples(), st.data())
@settings(deadline=None)
def test_known_pixels_reach_the_gradient_only_by_kernel_and_contrast(
    triple: Triple, data: st.DataObject
) -> None:
    """Those farther than 4 pixels from all unknown ones do not, if darkest and brightest stay."""
    prediction, alpha, trimap = (np.pad(plane, ((1, 1), (1, 9))) for plane in triple)
    for matte in (prediction, alpha):
        matte[0, :2] = 0, 255
    other = prediction.copy()
    other[:, -5:] = data.draw(mattes((other.shape[0], 5)))

    # 1 of 9 padded columns and the next 3 lie between the unknown pixels and these.
    assert gradient(prediction, alpha, trimap) == gradient(other, alpha, trimap)


def test_the_layout_in_memory_does_not_matter() -> None:
    prediction, alpha, trimap = drawn_triples()["strands"]
    fortran = [np.asfortranarray(plane) for plane in (prediction, alpha, trimap)]
    swapped = (prediction / 255).astype(">f8")

    assert measure(*fortran) == measure(prediction, alpha, trimap)
    assert measure(swapped, alpha, trimap) == measure(prediction, alpha, trimap)


def test_without_unknown_pixels_the_mse_alone_is_undefined() -> None:
    prediction, alpha, trimap = drawn_triples()["all known"]

    errors = measure(prediction, alpha, trimap)

    assert math.isnan(errors.pop("mse"))
    assert set(errors.values()) == {0.0}


# --- bad input ----------------------------------------------------------------------------------

GOOD = np.full((4, 6), 128, np.uint8)


@pytest.mark.parametrize(
    ("prediction", "sentence"),
    [
        (
            GOOD.T,
            "The prediction is 4 x 6 pixels (width x height) but the alpha is 6 x 4; expected one"
            " size.",
        ),
        (GOOD[..., None].repeat(3, 2), "The prediction has shape (4, 6, 3); expected (H, W)."),
        (GOOD[:0], "The prediction has shape (0, 6); expected (H, W)."),
        (GOOD.astype(int), "The prediction has type int64; expected uint8 or float in 0..1."),
        (
            GOOD * np.float32(np.nan),
            "The prediction holds values that are not finite; expected floats in 0..1.",
        ),
        (GOOD * 1.0, "The prediction holds values from 128 to 128; expected floats in 0..1."),
    ],
    ids=["size", "colours", "empty", "type", "nan", "range"],
)
def test_a_bad_alpha_is_one_sentence(prediction: NDArray[np.generic], sentence: str) -> None:
    for metric in (sad, mse, gradient, connectivity, measure):
        with pytest.raises(ImageError) as caught:
            metric(prediction, GOOD, GOOD)
        assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("trimap", "sentence"),
    [
        (GOOD - 1, "The trimap holds the level 127; expected only 0, 128 and 255"),
        (GOOD / 255, "The trimap is an array of float64 and shape (4, 6); expected uint8"),
        (GOOD[1:], "The trimap is an array of uint8 and shape (3, 6); expected uint8 and (4, 6)"),
    ],
    ids=["levels", "type", "size"],
)
def test_a_bad_trimap_is_one_sentence(trimap: NDArray[np.generic], sentence: str) -> None:
    with pytest.raises(TrimapError) as caught:
        measure(GOOD, GOOD, trimap)
    assert str(caught.value).startswith(sentence)


# --- the self-test's folder ---------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The built-in triple "ramp" in files, and what is expected of it."""
    for kind, pixels in zip(("pred", "alpha", "trimap"), drawn_triples()["ramp"], strict=True):
        Image.fromarray(pixels).save(tmp_path / f"ramp_{kind}.png")
    values = "\t".join(str(check.expected) for check in selftest(None) if check.name == "ramp")
    (tmp_path / "expected.tsv").write_text(f"name\tsad\tmse\tgrad\tconn\nramp\t{values}\n")
    return tmp_path


def test_a_folder_is_measured_like_the_built_in_triples(folder: Path) -> None:
    assert selftest(folder) == tuple(check for check in selftest(None) if check.name == "ramp")


def test_a_wrong_value_does_not_hold(folder: Path) -> None:
    table = folder / "expected.tsv"
    sad_expected = selftest(folder)[0].expected
    table.write_text(table.read_text().replace(str(sad_expected), str(sad_expected * 1.00002)))

    assert [check.holds for check in selftest(folder)] == [False, True, True, True]
    assert not Check("x", "mse", math.nan, 0.0).holds
    assert not Check("x", "mse", 0.0, math.nan).holds


@pytest.mark.parametrize(
    ("damage", "error", "sentence"),
    [
        (lambda f: (f / "expected.tsv").unlink(), DataError, "expected.tsv does not exist"),
        (lambda f: (f / "expected.tsv").write_text("name\tsad\n"), DataError, "names no triple"),
        (lambda f: (f / "expected.tsv").write_text("a\tb\n1\t2\n"), DataError, "is no such table"),
        (lambda f: (f / "expected.tsv").write_bytes(b"\xff\xfe"), DataError, "is no such table"),
        (lambda f: (f / "ramp_pred.png").unlink(), ImageError, "ramp_pred.png does not exist"),
        (lambda f: (f / "ramp_alpha.png").write_bytes(b"PNG"), ImageError, "is not a picture"),
        (
            lambda f: shutil.copy(f / "ramp_pred.png", f / "ramp_trimap.png"),
            DataError,
            "cannot be measured: The trimap holds the level",
        ),
    ],
    ids=["no table", "empty", "columns", "encoding", "missing", "damaged", "trimap"],
)
def test_a_broken_folder_is_one_sentence(
    folder: Path, damage: Callable[[Path], object], error: type[Exception], sentence: str
) -> None:
    damage(folder)

    with pytest.raises(error, match=sentence) as caught:
        selftest(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
