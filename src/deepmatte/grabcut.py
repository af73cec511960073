"""GrabCut: a picture and a few labelled pixels divided into subject and surroundings.

Source: Rother, Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated
graph cuts", SIGGRAPH 2004; the graph cut and the colour models are OpenCV's.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Mask: TypeAlias = NDArray[np.bool_]

SIDE = 400  # pixels of the copy that is divided; 500 takes half as long again and gains nothing
ROUNDS = 4
COMPONENTS = 5  # colour clusters of each class, fixed in OpenCV
SAMPLES = 200  # pixels of each class to learn its clusters from, at least
COLOUR_BLUR = 8  # levels of 255
MODEL_SIZE = 13 * COMPONENTS  # a weight, a mean (3) and a covariance (9) each


def divide(rgb: NDArray[np.float32], *, outside: Mask, inside: Mask | None = None) -> Mask:
    """Find the subject among the pixels that are neither `outside` nor `inside`.

    Args:
        rgb: float32 (H, W, 3), 0..1.
        outside: (H, W), surely not the subject.
        inside: (H, W), surely the subject; both colour models then start from the labelled pixels
            alone. Without it, all that is not outside starts as the subject.

    Returns:
        (H, W), True on the subject; smooth at the scale of a copy of SIDE pixels.
    """
    import cv2

    height, width = outside.shape
    scale = min(1.0, SIDE / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))  # OpenCV: width first

    def shrink(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), np.float32)

    # By share and not by nearest neighbour: a thin stroke must not fall between the samples.
    outside_share = shrink(outside.astype(np.float32))
    labels = np.full(outside_share.shape, cv2.GC_PR_FGD, np.uint8)  # (small H, small W)
    labels[outside_share > 0] = cv2.GC_BGD
    if inside is not None:
        inside_share = shrink(inside.astype(np.float32))
        labels[(inside_share > 0) & (inside_share >= outside_share)] = cv2.GC_FGD
    _cut(np.rint(shrink(rgb) * 255).astype(np.uint8), labels, seeded=inside is not None)
    subject = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    share = cv2.resize(subject.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    divided: Mask = np.asarray(share) > 0.5
    return divided


def _cut(picture: NDArray[np.uint8], labels: NDArray[np.uint8], *, seeded: bool) -> None:
    """Decide the probable pixels of `labels`, in place."""
    import cv2

    background_model, foreground_model = np.zeros((1, MODEL_SIZE)), np.zeros((1, MODEL_SIZE))

    def grab_cut(
        pixels: NDArray[np.uint8], classes: NDArray[np.uint8], rounds: int, mode: int
    ) -> None:
        no_box = (0, 0, 0, 0)
        cv2.grabCut(pixels, classes, no_box, background_model, foreground_model, rounds, mode)

    known = (labels == cv2.GC_FGD) | (labels == cv2.GC_BGD)
    cv2.setRNGSeed(0)  # the clusters start at random; the same call shall give the same trimap
    if not seeded:
        if min(known.sum(), (~known).sum()) >= COMPONENTS:  # else there is nothing to learn from
            grab_cut(picture, labels, ROUNDS, cv2.GC_INIT_WITH_MASK)
        return
    # First the models of the strokes alone, learnt from a picture that is one row of their pixels.
    # A model of few pixels would take the least other shade for a stranger, so they are repeated
    # and blurred.
    row, row_labels = picture[known][None], labels[known][None]  # (1, pixels, 3), (1, pixels)
    rarer = min((row_labels == cv2.GC_FGD).sum(), (row_labels == cv2.GC_BGD).sum())
    if rarer == 0:  # on the small copy a stroke can cover all there is of the other kind
        return
    copies = max(1, SAMPLES // int(rarer))
    row, row_labels = np.tile(row, (1, copies, 1)), np.tile(row_labels, (1, copies))
    blur = np.random.default_rng(0).normal(0, COLOUR_BLUR, row.shape)
    row = np.clip(np.rint(row + blur), 0, 255).astype(np.uint8)
    grab_cut(row, row_labels, 1, cv2.GC_INIT_WITH_MASK)
    grab_cut(picture, labels, 1, cv2.GC_EVAL_FREEZE_MODEL)
    grab_cut(picture, labels, ROUNDS - 1, cv2.GC_EVAL)


def attached(subject: Mask, strokes: Mask) -> Mask:
    """The connected parts of the subject, strokes included, that a stroke touches."""
    import cv2

    together = subject | strokes
    count, parts = cv2.connectedComponents(together.astype(np.uint8), connectivity=4)
    touched = np.zeros(count, np.bool_)
    touched[np.asarray(parts)[strokes]] = True
    reached: Mask = touched[np.asarray(parts)]
    return reached
