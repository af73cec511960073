"""A rough mask matted: within a band that fits the picture, wide at hair and narrow at edges.

The band begins equally wide everywhere. Then the network looks at a small copy: where its alpha is
settled the band becomes narrow, and where something of the subject reaches the band's outer rim,
as hair does, it becomes wider. `benchmarks/subject.py` measures what that gains for masks that are
wrong by some pixels.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from deepmatte.images.resize import shrink
from deepmatte.segmenters import Box, Mask, Point, Segmenter
from deepmatte.subject.find import look_for_subject
from deepmatte.trimap import BACKGROUND, BAND, FOREGROUND, UNKNOWN, distance_to, from_rough_mask

if TYPE_CHECKING:
    from deepmatte.images import Picture, Source
    from deepmatte.matting import Matte, Matter
    from deepmatte.solver.runtime import Progress
    from deepmatte.trimap import Trimap

# Side of the square that the small copy has as many pixels as, at most. More of them gain nothing.
_SIDE = 384
# Shares of half the band's width: its outer rim, and what lies around unsettled pixels.
_RIM, _MARGIN = 0.4, 0.3
# How much of the subject must reach the outer rim.
_REACHES_OUT = 0.4
# Alpha nearer to 0 or 1 than this is settled.
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
        points: as for `find_subject`, and so the next two.
        box: see there.
        segmenter: see there.
        matter: the network; None takes the shipped one, which is loaded once and kept.
        progress: as `deepmatte.Matter` takes it.

    Returns:
        The matte; its notes begin with those of the subject.

    Raises:
        ImageError: the picture cannot be read.
        SubjectError: there is no segmenter, or it finds nothing there.
        ModelError: the network failed.
        concurrent.futures.CancelledError: by ``progress``.
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
    """Make a trimap of a rough mask that fits the picture.

    Args:
        picture: what the mask is of.
        mask: (H, W), 0..1, wrong by at most 2 % of the picture's side at its edge, or little more.
        matter: the network that looks.

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
