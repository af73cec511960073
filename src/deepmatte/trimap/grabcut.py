"""GrabCut: separates subject and background, from a few labelled pixels.

Source: Rother, Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated
graph cuts", SIGGRAPH 2004; the graph cut and the colour models are OpenCV's.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deepmatte.images.resize import limited, shrink
from deepmatte.types import Flags

SIDE = 400  # side of the copy that is divided, pixels; 500 takes 1.5 times as long, no gain
ROUNDS = 4
COMPONENTS = 5  # colour clusters of each class, fixed in OpenCV
SAMPLES = 200  # pixels of each class to learn its clusters from, at least
COLOUR_BLUR = 8  # levels of 255
# Side of a colour cube, levels of 255; smallest share of a colour outside that counts; fewest
# pixels of new colours that say something about the subject.
_CUBE, _RARE, _STRANGERS = 6, 1e-4, 50
_EVEN = 12  # levels of 255 by which a smooth backdrop may vary
_SMOOTH = 2  # usual deviations by which a pixel may differ from such a backdrop
MODEL_SIZE = 13 * COMPONENTS  # a weight, a mean (3) and a covariance (9) each


def divide(rgb: NDArray[np.float32], *, outside: Flags, inside: Flags) -> Flags:
    """Divide the pixels that are neither `outside` nor `inside`.

    Args:
        rgb: float32 (H, W, 3), 0..1.
        outside: (H, W), known background.
        inside: (H, W), known subject. Both colour models start from the labelled pixels alone.

    Returns:
        (H, W), True on the subject; as fine as a copy of SIDE pixels.
    """
    picture, labels, outside_share = _small(rgb, outside)
    inside_share = _shrunk(inside.astype(np.float32))
    labels[(inside_share > 0) & (inside_share >= outside_share)] = cv2.GC_FGD
    _cut(picture, labels, seeded=True)
    return _enlarged(labels, outside.shape)


def divide_box(rgb: NDArray[np.float32], *, outside: Flags) -> tuple[Flags, Flags]:
    """Divide the pixels that are not `outside`, from two initial guesses.

    The first guess is everything that is not outside, the second only pixels whose colour does not
    occur outside. The first keeps colours that subject and background share, and fills holes; the
    second leaves holes open. Only pixels on which both results agree are sure.

    Args:
        rgb: float32 (H, W, 3), 0..1.
        outside: (H, W), known background.

    Returns:
        Two masks (H, W): sure subject, and sure background.
    """
    picture, labels, _ = _small(rgb, outside)
    second = labels.copy()
    familiar = (labels != cv2.GC_BGD) & ~_strange(picture, labels == cv2.GC_BGD)
    second[familiar] = cv2.GC_PR_BGD
    _cut(picture, labels, seeded=False)
    found = _enlarged(labels, outside.shape)
    if not familiar.any() or (second == cv2.GC_PR_FGD).sum() < _STRANGERS:
        return found, ~found
    _cut(picture, second, seeded=False)
    again = _enlarged(second, outside.shape)
    # A pixel that looks as a smooth backdrop would there is background if either result says so.
    smooth = _unevenness(picture, _small(rgb, outside)[1] == cv2.GC_BGD) <= _SMOOTH
    backdrop = _enlarged(np.where(smooth, cv2.GC_FGD, cv2.GC_BGD).astype(np.uint8), outside.shape)
    return found & again, ~(found | again) | (backdrop & ~(found & again))


def _small(
    rgb: NDArray[np.float32], outside: Flags
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    """A copy of SIDE pixels in 8 bits, its labels, and how much of each pixel is outside."""
    # By area, not nearest neighbour, which could miss a thin stroke.
    outside_share = _shrunk(outside.astype(np.float32))
    labels = np.full(outside_share.shape, cv2.GC_PR_FGD, np.uint8)  # (small H, small W)
    labels[outside_share > 0] = cv2.GC_BGD
    return np.rint(_shrunk(rgb) * 255).astype(np.uint8), labels, outside_share


def _shrunk(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(shrink(pixels, limited(pixels.shape, SIDE)), np.float32)


def _enlarged(labels: NDArray[np.uint8], shape: tuple[int, ...]) -> Flags:
    """The subject of a small copy at full size."""
    subject = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    size = (shape[1], shape[0])
    share = cv2.resize(subject.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(share) > 0.5


def _strange(picture: NDArray[np.uint8], outside: Flags) -> Flags:
    """Pixels whose colour, apart from noise, does not occur outside: (H, W).

    Colours are counted in cubes of a few levels. A cube next to one that occurs outside does not
    count as new.
    """
    cubes = cv2.blur(picture, (3, 3)).astype(np.intp) // _CUBE + 1  # (H, W, 3), from 1 on
    counts = np.zeros((255 // _CUBE + 3,) * 3, np.intp)
    np.add.at(counts, tuple(cubes[outside].T), 1)
    occurs = counts >= max(1, _RARE * outside.sum())
    for axis in range(3):
        occurs |= np.roll(occurs, 1, axis) | np.roll(occurs, -1, axis)  # the border is empty
    familiar: Flags = occurs[tuple(np.moveaxis(cubes, 2, 0))]
    return ~familiar & (_unevenness(picture, outside) > 2)


def _unevenness(picture: NDArray[np.uint8], outside: Flags) -> NDArray[np.float64]:
    """Difference of each colour to a smooth backdrop, such as a wall or the sky: (H, W).

    The backdrop is a quadratic function of the place, fitted to what is outside; the unit is the
    deviation of the pixels there. Infinite if there is no such backdrop.
    """
    rows, columns = np.mgrid[-1 : 1 : picture.shape[0] * 1j, -1 : 1 : picture.shape[1] * 1j]
    terms = np.stack([rows**i * columns**j for i in range(3) for j in range(3 - i)], axis=-1)
    factors = np.linalg.lstsq(terms[outside], picture[outside].astype(np.float64))[0]
    distance = np.abs(picture - terms @ factors).max(axis=2)  # (H, W)
    usual = np.sqrt(np.mean(distance[outside] ** 2))
    return distance / max(usual, _CUBE / 2) if usual <= _EVEN else np.full(distance.shape, np.inf)


def _cut(picture: NDArray[np.uint8], labels: NDArray[np.uint8], *, seeded: bool) -> None:
    """Decide the pixels of `labels` that are only probable, in place."""
    background_model, foreground_model = np.zeros((1, MODEL_SIZE)), np.zeros((1, MODEL_SIZE))

    def grab_cut(
        pixels: NDArray[np.uint8], classes: NDArray[np.uint8], rounds: int, mode: int
    ) -> None:
        no_box = (0, 0, 0, 0)
        cv2.grabCut(pixels, classes, no_box, background_model, foreground_model, rounds, mode)

    known = (labels == cv2.GC_FGD) | (labels == cv2.GC_BGD)
    cv2.setRNGSeed(0)  # clusters start at random; equal calls give equal trimaps
    if not seeded:
        if (
            min(known.sum(), (~known).sum()) >= COMPONENTS
        ):  # otherwise there is nothing to learn from
            grab_cut(picture, labels, ROUNDS, cv2.GC_INIT_WITH_MASK)
        return
    # First the models of the strokes alone, learnt from a picture that is one row of their pixels.
    # A model of few pixels would reject slightly different shades, so they are repeated and
    # blurred.
    row, row_labels = picture[known][None], labels[known][None]  # (1, pixels, 3), (1, pixels)
    rarer = min((row_labels == cv2.GC_FGD).sum(), (row_labels == cv2.GC_BGD).sum())
    if rarer == 0:  # on the small copy a stroke can cover all pixels of the other kind
        return
    copies = max(1, SAMPLES // int(rarer))
    row, row_labels = np.tile(row, (1, copies, 1)), np.tile(row_labels, (1, copies))
    blur = np.random.default_rng(0).normal(0, COLOUR_BLUR, row.shape)
    row = np.clip(np.rint(row + blur), 0, 255).astype(np.uint8)
    grab_cut(row, row_labels, 1, cv2.GC_INIT_WITH_MASK)
    grab_cut(picture, labels, 1, cv2.GC_EVAL_FREEZE_MODEL)
    grab_cut(picture, labels, ROUNDS - 1, cv2.GC_EVAL)


def attached(subject: Flags, strokes: Flags) -> Flags:
    """The connected parts of the subject that a stroke touches, strokes included."""
    together = subject | strokes
    count, parts = cv2.connectedComponents(together.astype(np.uint8), connectivity=4)
    touched = np.zeros(count, np.bool_)
    touched[np.asarray(parts)[strokes]] = True
    reached: Flags = touched[np.asarray(parts)]
    return reached
