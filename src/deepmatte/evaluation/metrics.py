"""SAD, MSE, gradient and connectivity error of one matte, as the official MATLAB code prints them.

The four measure the unknown pixels of a trimap. They go back to Rhemann et al. 2009 ("A
Perceptually Motivated Online Benchmark for Image Matting", CVPR); what papers print comes from the
evaluation code that was published with Composition-1k (Xu et al. 2017). This file reproduces that
code, including its comparisons in single precision. Only sums use double precision here; from about
4 megapixels the official sums may be off by 1e-5. ``deepmatte evaluate --selftest`` shows the
agreement.

Papers without trimaps measure all pixels, which is the same with a trimap that is unknown
everywhere. Their code may differ: that of GFM, AIM and P3M computes the gradient with SciPy's
Gaussian filter and does not scale mattes to 0..1 first, so it prints 3 to 5 % more on photos.

Every function takes

- prediction, alpha: (H, W), uint8, or float in 0..1. Floats are not rounded; round them to 8 bits
first to measure what a user gets.
- trimap: uint8 (H, W) of exactly 0, 128 and 255, as `deepmatte.trimap.open_trimap` makes it.

and raises ImageError if an alpha has another type, shape or range or is not finite, and TrimapError
if the trimap has.

If a trimap has no unknown pixel, SAD, gradient and connectivity are 0 and the MSE is NaN, as in the
official code. Leave such trimaps out of averages.

Example:
    trimap = open_trimap("trimap.png")
    measure(matte.alpha, open_alpha("alpha.png"), trimap)["sad"]
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import ImageError, TrimapError
from deepmatte.evaluation.results import METRICS
from deepmatte.images.arrays import check_floats
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Flags

Plane = NDArray[np.float64]

SIGMA = 1.4  # of the gradient's Gaussian, in pixels
REACH = 4  # radius of its kernels: the Gaussian falls below 0.01 within 4 pixels

# In single precision, like the mattes: there the byte 153 reaches 0.6. In double precision it does
# not, because six steps of 0.1 exceed 0.6.
THRESHOLDS = np.arange(11, dtype=np.float32) / np.float32(10)
TOLERANCE = np.float32(0.15)  # connectivity ignores smaller differences


def sad(prediction: NDArray[Any], alpha: NDArray[Any], trimap: NDArray[Any]) -> float:
    """The sum of absolute differences over the unknown pixels, in thousands."""
    return _sad(*_checked(prediction, alpha, trimap))


def mse(prediction: NDArray[Any], alpha: NDArray[Any], trimap: NDArray[Any]) -> float:
    """The mean squared difference over the unknown pixels; NaN where there is none."""
    return _mse(*_checked(prediction, alpha, trimap))


def gradient(prediction: NDArray[Any], alpha: NDArray[Any], trimap: NDArray[Any]) -> float:
    """The sum of squared differences between gradient amplitudes, in thousands.

    Each matte is first scaled to 0..1 on its own, so low contrast is not penalised. Scale and
    kernels include known pixels.

    Source: Rhemann et al. 2009, with q = 2.
    """
    return _gradient(*_checked(prediction, alpha, trimap))


def connectivity(prediction: NDArray[Any], alpha: NDArray[Any], trimap: NDArray[Any]) -> float:
    """The sum of differences between degrees of connectedness, in thousands.

    A pixel is connected at a threshold if it belongs to the largest 4-connected region in which
    both mattes reach it, including known pixels. Its degree is 1 minus the amount by which its
    alpha exceeds the last threshold at which it was connected, if that is at least 0.15.

    Source: Rhemann et al. 2009, with theta = 0.15 and p = 1.
    """
    return _connectivity(*_checked(prediction, alpha, trimap))


def measure(
    prediction: NDArray[Any], alpha: NDArray[Any], trimap: NDArray[Any]
) -> dict[str, float]:
    """All four by name, in the order of `results.METRICS`."""
    checked = _checked(prediction, alpha, trimap)
    values = (metric(*checked) for metric in (_sad, _mse, _gradient, _connectivity))
    return dict(zip(METRICS, values, strict=True))


# --- the definitions ----------------------------------------------------------------------------


def _sad(prediction: Plane, alpha: Plane, unknown: Flags) -> float:
    return float(np.abs(prediction - alpha)[unknown].sum()) / 1000


def _mse(prediction: Plane, alpha: Plane, unknown: Flags) -> float:
    squares = np.square(prediction - alpha)[unknown]
    return float(squares.mean()) if squares.size else math.nan


def _gradient(prediction: Plane, alpha: Plane, unknown: Flags) -> float:
    difference = (_amplitude(prediction) - _amplitude(alpha))[unknown]
    return float(np.square(difference).sum(dtype=np.float64)) / 1000


def _amplitude(matte: Plane) -> NDArray[np.float32]:
    """Gradient magnitude of a matte that is first scaled to 0..1; (H, W)."""
    low, high = float(matte.min()), float(matte.max())
    if low == high:
        return np.zeros(matte.shape, np.float32)
    scaled = (matte - low) / (high - low)
    positions = np.arange(-REACH, REACH + 1, dtype=np.float64)
    gaussian = np.exp(-np.square(positions) / (2 * SIGMA**2))
    derivative = positions * gaussian
    gaussian /= np.linalg.norm(gaussian)
    derivative /= np.linalg.norm(derivative)
    border = cv2.BORDER_REPLICATE
    across = cv2.sepFilter2D(scaled, cv2.CV_64F, derivative, gaussian, borderType=border)
    down = cv2.sepFilter2D(scaled, cv2.CV_64F, gaussian, derivative, borderType=border)
    return cv2.magnitude(across, down).astype(np.float32)


def _connectivity(prediction: Plane, alpha: Plane, unknown: Flags) -> float:
    predicted, true = prediction.astype(np.float32), alpha.astype(np.float32)
    both = np.minimum(predicted, true)
    last = np.ones_like(both)  # last threshold at which a pixel was connected
    connected = np.ones(both.shape, np.bool_)
    for before, threshold in itertools.pairwise(THRESHOLDS):
        region = _largest_region(both >= threshold)
        last[connected & ~region] = before
        connected &= region
    last = last[unknown]
    difference = np.abs(_degree(predicted[unknown], last) - _degree(true[unknown], last))
    return float(difference.sum(dtype=np.float64)) / 1000


def _degree(matte: NDArray[np.float32], last: NDArray[np.float32]) -> NDArray[np.float32]:
    """Degree of connectedness, phi in the paper."""
    distance = matte - last
    degree: NDArray[np.float32] = 1 - distance * (distance >= TOLERANCE)
    return degree


def _largest_region(mask: Flags) -> Flags:
    """The largest 4-connected region; the first in column order among equals; may be empty.

    MATLAB stores arrays by column, and its `max` takes the first of equals.
    """
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(
        mask.view(np.uint8), connectivity=4
    )
    if count == 1:  # only background, label 0
        return mask
    areas = statistics[1:, cv2.CC_STAT_AREA]
    largest = 1 + np.flatnonzero(areas == areas.max())
    column = labels[:, statistics[largest, cv2.CC_STAT_LEFT].min()]
    first = column[np.isin(column, largest)][0]
    region: Flags = labels == first
    return region


# --- what comes in ------------------------------------------------------------------------------


def _checked(
    prediction: NDArray[Any], alpha: NDArray[Any], trimap: NDArray[Any]
) -> tuple[Plane, Plane, Flags]:
    """Prediction and alpha in 0..1, and which pixels are unknown; all (H, W)."""
    predicted, true = _plane(prediction, "The prediction"), _plane(alpha, "The alpha")
    _check_same_size(predicted, true)
    trimap = np.asarray(trimap)
    if trimap.dtype != np.uint8 or trimap.shape != true.shape:
        raise TrimapError(
            f"The trimap is an array of {trimap.dtype} and shape {trimap.shape}; expected uint8 and"
            f" {true.shape}, as the alpha's."
        )
    unknown = trimap == UNKNOWN
    other = trimap[~unknown & (trimap != BACKGROUND) & (trimap != FOREGROUND)]
    if other.size:
        raise TrimapError(
            f"The trimap holds the level {other[0]}; expected only 0, 128 and 255, as open_trimap"
            " makes them."
        )
    return predicted, true, unknown


def _check_same_size(prediction: Plane, alpha: Plane) -> None:
    if prediction.shape != alpha.shape:
        raise ImageError(
            f"The prediction is {prediction.shape[1]} x {prediction.shape[0]} pixels (width x"
            f" height) but the alpha is {alpha.shape[1]} x {alpha.shape[0]}; expected one size."
        )


def _plane(levels: NDArray[Any], name: str) -> Plane:
    """A matte in 0..1, in double precision; in single a grey level is off by up to 1.5e-5."""
    levels = np.asarray(levels)
    if levels.ndim != 2 or levels.size == 0:
        raise ImageError(f"{name} has shape {levels.shape}; expected (H, W).")
    if levels.dtype == np.uint8:
        return levels / 255.0
    if levels.dtype.kind != "f":
        raise ImageError(f"{name} has type {levels.dtype}; expected uint8 or float in 0..1.")
    check_floats(levels, name)
    plane: Plane = np.clip(levels, 0, 1).astype(np.float64)
    return plane
