"""Hand-made guesses at alpha and colours, given to the network beside picture and trimap.

A small network sees only a small neighbourhood; these channels carry the knowledge of the whole
picture to every unknown pixel: the known colours spread inwards, alpha read off those colours,
and an approximate closed-form matte. All are plain NumPy and OpenCV, all lie in 0..1.

Source (the closed-form matte has its own in laplacian.py):
    Gortler et al., "The Lumigraph", SIGGRAPH 1996: the push-pull pyramid.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.laplacian import MARGIN, closed_form, grow, shrink
from deepmatte.trimap import BACKGROUND, FOREGROUND

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]

CHANNELS: tuple[str, ...] = (
    "alpha_closed_form",
    "alpha_projection",
    "alpha_sampled",
    "foreground_red",
    "foreground_green",
    "foreground_blue",
    "background_red",
    "background_green",
    "background_blue",
    "distance_foreground",
    "distance_background",
)

# Distances fade with this length, in pixels.
_DISTANCE_SCALE = 20.0
# Colour difference (0..1) from which foreground and background count as well apart.
_SEPARATION = 0.2
# Distance of a colour from the line between the two at which trust in the projection fades.
_RESIDUAL = 0.05


def priors(image: Floats, trimap: Bytes) -> Floats:
    """Return the guesses named in CHANNELS.

    Args:
        image: float32 RGB (H, W, 3), 0..1.
        trimap: uint8 (H, W) of 0 (background), 128 (unknown) and 255 (foreground).

    Returns:
        float32 (H, W, len(CHANNELS)), 0..1. At known pixels the alphas are exactly 0 or 1.
        Where only one side is known, every unknown alpha is that side's; where nothing is
        known, 0.5.
    """
    foreground_known = trimap == FOREGROUND
    background_known = trimap == BACKGROUND
    unknown = ~(foreground_known | background_known)
    places = np.flatnonzero(unknown)
    foreground, near_foreground, foreground_distance = _side(image, foreground_known, places)
    background, near_background, background_distance = _side(image, background_known, places)
    known = foreground_known.astype(np.float32)
    closed_form, projection, sampled = known, known.copy(), known.copy()
    neutral = _neutral(foreground_known, background_known)
    if neutral is not None:
        for alpha in (closed_form, projection, sampled):
            alpha[unknown] = neutral
    elif len(places):
        colours, *ends = (_rows(plane, places) for plane in (image, foreground, background))
        projection[unknown], _ = project(colours, *ends)
        sampled[unknown], residual = project(colours, near_foreground, near_background)
        trust = np.zeros_like(known)
        trust[unknown] = _trust(near_foreground - near_background, residual)
        closed_form = _closed_form_in_box(image, unknown, sampled, trust)
    planes = [closed_form, projection, sampled, *cv2.split(foreground), *cv2.split(background)]
    planes += [foreground_distance, background_distance]
    stacked = np.asarray(cv2.merge(planes), np.float32)
    return stacked.reshape(*trimap.shape, len(CHANNELS))


def _neutral(foreground_known: Flags, background_known: Flags) -> float | None:
    """The alpha of every unknown pixel where a side is missing; None if both sides are known."""
    has_foreground, has_background = bool(foreground_known.any()), bool(background_known.any())
    if has_foreground and has_background:
        return None
    if has_foreground == has_background:
        return 0.5
    return 1.0 if has_foreground else 0.0


def _side(image: Floats, known: Flags, places: Places) -> tuple[Floats, Floats, Floats]:
    """What one side's known pixels (H, W) say: see spread, _nearest_colours, and the distance.

    Returns:
        spread colours (H, W, 3), nearest colours (N, 3) at the N flat places, both 0.5 if none
        is known, and exp(-distance / 20 px) (H, W), 0 if none is.
    """
    if not known.any():
        grey = np.full_like(image, 0.5)
        return grey, _rows(grey, places), np.zeros(known.shape, np.float32)
    solid = cv2.merge([*cv2.split(image), np.ones(known.shape, np.float32)])
    masked = cv2.copyTo(solid, known.astype(np.uint8), np.zeros_like(solid))
    weighted = np.asarray(masked, np.float32)
    distance, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = _nearest_colours(weighted, np.asarray(labels, np.int32), known, places)
    faded = np.exp(np.asarray(distance, np.float32) / np.float32(-_DISTANCE_SCALE))
    return spread(image, weighted), nearest, faded


def _rows(plane: Floats, places: Places) -> Floats:
    """The pixels (N, C) of an array (H, W, C) at flat places."""
    return np.asarray(plane.reshape(-1, plane.shape[-1]).take(places, axis=0), np.float32)


def spread(image: Floats, weighted: Floats) -> Floats:
    """Fill unknown pixels with the known colours around them (push-pull pyramid).

    Args:
        image: float32 (H, W, 3).
        weighted: float32 (H, W, 4), colour and 1 where known, at least once; 0 elsewhere.

    Returns:
        float32 (H, W, 3): the image where known, a smooth spread elsewhere.
    """
    levels = [weighted]
    while max(levels[-1].shape[:2]) > 1:
        height, width = levels[-1].shape[:2]
        size = ((width + 1) // 2, (height + 1) // 2)
        levels.append(shrink(levels[-1], size))
    filled: Floats = levels[-1][:, :, :3] / np.maximum(levels[-1][:, :, 3:], np.float32(1e-12))
    for level in reversed(levels[1:-1]):
        filled = grow(filled, level.shape)
        filled = filled * (np.float32(1.0) - level[:, :, 3:]) + level[:, :, :3]
    if len(levels) > 1:
        filled = grow(filled, image.shape)
    filled = np.clip(filled, 0.0, 1.0)
    return np.asarray(cv2.copyTo(image, weighted[:, :, 3].astype(np.uint8), filled), np.float32)


def _nearest_colours(
    weighted: Floats, labels: NDArray[np.int32], known: Flags, places: Places
) -> Floats:
    """Colours (N, 3) of the nearest known pixels, each the mean of the known ones 5x5 around it."""
    known_places = np.flatnonzero(known)
    place_of = np.zeros(int(labels.max()) + 1, np.int64)
    place_of[labels.ravel()[known_places]] = known_places
    means = np.asarray(cv2.blur(weighted, (5, 5)), np.float32)
    nearest = _rows(means, place_of[labels.ravel()[places]])
    return np.asarray(np.clip(nearest[:, :3] / nearest[:, 3:], 0.0, 1.0), np.float32)


def project(image: Floats, foreground: Floats, background: Floats) -> tuple[Floats, Floats]:
    """Alpha by projecting colours on the line from background to foreground.

    All are float32 (..., 3); returns alpha (...) in 0..1 and the squared distance (...) of
    the picture's colour from the mixture that this alpha makes.
    """
    line = foreground - background
    offset = image - background
    length = np.einsum("...c,...c->...", line, line)
    alpha = (np.einsum("...c,...c->...", offset, line) + 5e-5) / (length + 1e-4)
    alpha = np.clip(alpha, 0.0, 1.0)
    offset -= line * alpha[..., None]
    return alpha, np.einsum("...c,...c->...", offset, offset)


def _trust(line: Floats, residual: Floats) -> Floats:
    """How far (0..1) a projected alpha can be believed: colours far apart, small residual."""
    separation = np.einsum("...c,...c->...", line, line)
    apart = separation / (separation + _SEPARATION**2)
    return np.asarray(apart * np.exp(residual / -(_RESIDUAL**2)), np.float32)


def _closed_form_in_box(image: Floats, unknown: Flags, guess: Floats, trust: Floats) -> Floats:
    """Closed-form alpha (H, W), solved only in the box around the unknown pixels."""
    left, top, width, height = cv2.boundingRect(unknown.astype(np.uint8))
    rows = slice(max(top - MARGIN, 0), top + height + MARGIN)
    columns = slice(max(left - MARGIN, 0), left + width + MARGIN)
    box = (rows, columns)
    solved = closed_form(image[box], unknown[box], guess[box], trust[box])
    alpha = guess.copy()
    alpha[box] = np.where(unknown[box], solved, alpha[box])
    return np.asarray(alpha, np.float32)
