"""Mattes a rough mask within a band that fits the picture: wide at hair, narrow at edges.

At first the band has the same width everywhere. Then the network mattes a small copy. Where its
alpha is 0 or 1 the band becomes narrow; where the subject reaches the band's outer rim, as hair
does, the band becomes wider. `benchmarks/subject.py` measures the gain for masks that are wrong by
some pixels.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from deepmatte.images.resize import shrink
from deepmatte.subject.find import look_for_subject
from deepmatte.subject.segmenters import Box, Mask, Point, Segmenter
from deepmatte.trimap import BAND, distance_to, from_rough_mask
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN

if TYPE_CHECKING:
    from deepmatte.images import Picture, Source
    from deepmatte.matting import Matte, Matter
    from deepmatte.solver.runtime import Progress
    from deepmatte.types import Trimap

# The small copy has at most this squared pixels. More gain nothing.
_SIDE = 384
# Shares of half the band's width: its outer rim, and the surroundings of unsettled pixels.
_RIM, _MARGIN = 0.4, 0.3
# The alpha that must reach the outer rim.
_REACHES_OUT = 0.4
# Alpha closer to 0 or 1 than this is settled.
_SETTLED = 0.02


def matte_subject(
    image: Source | Picture,
    *,
    points: Sequence[Point] = (),
    box: Box | None = None,
    segmenter: str | Segmenter | None = None,
    matter: Matter | None = None,
    progress: Progress | None = None,
) -> Matte:
    """Find the subject of a picture and matte it.

    Args:
        image: as `deepmatte.matte` takes it.
        points: as for `find_subject`.
        box: as for `find_subject`.
        segmenter: as for `find_subject`.
        matter: the network; None takes the shipped one, which is loaded once and kept.
        progress: as `deepmatte.Matter` takes it.

    Returns:
        The matte; its notes begin with those of the subject.

    Raises:
        ImageError: the picture cannot be read.
        SubjectError: no segmenter is ready, or it finds nothing.
        ModelError: the network failed.
        concurrent.futures.CancelledError: ``progress`` was cancelled.
    """
    from deepmatte.images import Picture, open_image
    from deepmatte.matting import shared_matter

    picture = image if isinstance(image, Picture) else open_image(image)
    subject = look_for_subject(picture, points=points, box=box, segmenter=segmenter)
    matter = matter or shared_matter()
    matte = matter(picture, fit_trimap(picture, subject.mask, matter), progress=progress)
    found = f"The subject was found by the segmenter {subject.segmenter!r}."
    return dataclasses.replace(matte, notes=(found, *subject.notes, *matte.notes))


def fit_trimap(picture: Picture, mask: Mask, matter: Matter) -> Trimap:
    """Make a trimap from a rough mask, with a band that fits the picture.

    Args:
        picture: the picture of the mask.
        mask: (H, W), 0..1; its edge may be wrong by about 2 % of the picture's side.
        matter: the network to use.

    Returns:
        uint8 (H, W) of BACKGROUND, UNKNOWN and FOREGROUND.

    Raises:
        ModelError: the network failed.
    """
    import cv2

    height, width = picture.shape
    scale = min(1.0, _SIDE / math.sqrt(height * width))
    reach = BAND * scale * math.sqrt(height * width) / 2
    small = (max(1, round(height * scale)), max(1, round(width * scale)))
    levels = shrink(picture.levels, small)
    labels = from_rough_mask(shrink(mask, small))
    alpha = matter(levels, labels).predicted
    band = labels == UNKNOWN
    out = band & (distance_to(labels == BACKGROUND) <= _RIM * reach) & (alpha > _REACHES_OUT)
    reached = (distance_to(out) <= reach) & (labels == BACKGROUND)
    if reached.any():
        labels[reached] = UNKNOWN
        alpha = matter(levels, labels).predicted
        band = labels == UNKNOWN
    unsettled = band & (alpha > _SETTLED) & (alpha < 1 - _SETTLED)
    settled = band & (distance_to(unsettled) > _MARGIN * reach)
    labels[settled] = np.where(alpha[settled] >= 0.5, FOREGROUND, BACKGROUND)
    grown = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(grown, np.uint8)
