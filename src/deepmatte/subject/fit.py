"""Mattes a mask within a band that fits the picture: wide at hair, narrow at edges.

At first the band has the same width everywhere. Then the network mattes a small copy. Where the
subject reaches the band's outer rim, as hair does, or its surroundings reach the inner one, the
band becomes wider. Where alpha is 0 or 1, as the mask says, it becomes narrow.
`benchmarks/subject.py` measures the gain for masks that are wrong by some pixels.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.arguments import check_flag, shown
from deepmatte.errors import ModelError, TrimapError
from deepmatte.images.resize import shrink
from deepmatte.subject.find import look_for_subject
from deepmatte.subject.segmenters import Box, Mask, Point, Segmenter
from deepmatte.trimap import BAND, distance_to, from_mask, from_rough_mask, open_trimap
from deepmatte.trimap.read import other_size
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Flags

if TYPE_CHECKING:
    from deepmatte.images import Picture, Source
    from deepmatte.matting import Matte, Matter
    from deepmatte.solver.runtime import Progress
    from deepmatte.types import Trimap

# The small copy has at most this squared pixels. More gain nothing.
_SIDE = 384
# Shares of half the band's width: its outer and inner rim, and the surroundings of unsettled
# pixels.
_RIM, _MARGIN = 0.4, 0.3
# The alpha from which the subject reaches the outer rim, of a segmenter's mask and of a user's, and
# up to which the background reaches the inner one. The band of an exact mask must not grow.
_REACHES_OUT, _SURELY_REACHES_OUT, _REACHES_IN = 0.4, 0.6, 0.4
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
        matter: the network; None takes the default one, which is loaded once and kept.
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

    matter = _known(matter)
    picture = image if isinstance(image, Picture) else open_image(image)
    subject = look_for_subject(picture, points=points, box=box, segmenter=segmenter)
    matte = matter(picture, fit_trimap(picture, subject.mask, matter), progress=progress)
    found = f"The subject was found by the segmenter {subject.segmenter!r}."
    return dataclasses.replace(matte, notes=(found, *subject.notes, *matte.notes))


def matte_mask(
    image: Source | Picture,
    mask: Source,
    *,
    resize_mask: bool = False,
    matter: Matter | None = None,
    progress: Progress | None = None,
) -> Matte:
    """Matte a picture whose subject a mask shows; the mask's edge may be wrong by some pixels.

    Args:
        image: as `deepmatte.matte` takes it.
        mask: as `deepmatte.trimap.from_mask` takes it.
        resize_mask: whether a mask of another size than the picture's is resized.
        matter: the network; None takes the default one, which is loaded once and kept.
        progress: as `deepmatte.Matter` takes it.

    Raises:
        ImageError: the picture or the mask cannot be read.
        TrimapError: the mask has colours, or another size than the picture.
        ModelError: the network failed.
        concurrent.futures.CancelledError: ``progress`` was cancelled.

    Example:
        deepmatte.matte_mask("photo.jpg", "person.png").save("cutout.png")
    """
    from deepmatte.images import Picture, open_image, open_mask

    matter = _known(matter)
    check_flag(resize_mask, "resize_mask", TrimapError)
    picture = image if isinstance(image, Picture) else open_image(image)
    labels = mask_trimap(picture, open_mask(mask), matter, resize=resize_mask)
    return matter(picture, labels, progress=progress)


def _known(matter: Matter | None) -> Matter:
    """The network that the caller gave, or the default one."""
    from deepmatte.matting import Matter, shared_matter

    if matter is None:
        return shared_matter()
    if not isinstance(matter, Matter):
        raise ModelError(f"The network is {shown(matter)}; expected a deepmatte.Matter or None.")
    return matter


def fit_trimap(picture: Picture, mask: Mask, matter: Matter) -> Trimap:
    """Make a trimap from a segmenter's mask, with a band that fits the picture.

    Args:
        picture: the picture of the mask.
        mask: (H, W), 0..1; its edge may be wrong by about 2 % of the picture's side.
        matter: the network to use.

    Returns:
        uint8 (H, W) of BACKGROUND, UNKNOWN and FOREGROUND.

    Raises:
        ModelError: the network failed.
    """
    small = shrink(mask, _small(picture.shape))
    labels = from_rough_mask(small)
    fitted = _fitted(labels, small, _look(picture, labels, matter, _REACHES_OUT))
    return np.asarray(_enlarged(fitted, picture.shape), np.uint8)


def mask_trimap(picture: Picture, mask: Mask, matter: Matter, *, resize: bool = False) -> Trimap:
    """Make a trimap from a user's mask, with a band that fits the picture.

    Where the mask is right, the band is the one of `trimap.from_mask`, or narrower.

    Args:
        picture: the picture of the mask.
        mask: (H, W), 0..1, as `images.open_mask` reads it.
        matter: the network to use.
        resize: whether a mask of another size is resized.

    Returns:
        uint8 (H, W) of BACKGROUND, UNKNOWN and FOREGROUND.

    Raises:
        TrimapError: the mask's size is not the picture's.
        ModelError: the network failed.
    """
    if not resize and mask.shape != picture.shape:
        raise other_size("The mask", mask.shape, picture.shape)
    labels = open_trimap(from_mask(mask), picture.shape, resize=resize)
    if not (labels == UNKNOWN).any():
        return labels
    start = from_mask(shrink(mask, _small(picture.shape)))
    look = _look(picture, start, matter, _SURELY_REACHES_OUT)
    return _fitted(labels, _enlarged(mask, picture.shape), look)


@dataclass(frozen=True, eq=False)
class _Look:
    """What the network makes of a small copy of a picture; all (h, w) of the copy.

    Attributes:
        wider: what the band must take in.
        settled: pixels of the band that need not be in it.
        inside: the subject.
    """

    wider: Flags
    settled: Flags
    inside: Flags


def _small(shape: tuple[int, int]) -> tuple[int, int]:
    """The size of the small copy."""
    height, width = shape
    scale = min(1.0, _SIDE / math.sqrt(height * width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _look(picture: Picture, labels: Trimap, matter: Matter, reaches_out: float) -> _Look:
    """Matte a small copy.

    Args:
        picture: the picture.
        labels: (h, w), a trimap of the copy with a band of the usual width.
        matter: the network.
        reaches_out: the alpha from which the subject reaches the outer rim.
    """
    reach = BAND * math.sqrt(labels.size) / 2
    levels = shrink(picture.levels, (labels.shape[0], labels.shape[1]))
    alpha = matter(levels, labels).predicted
    band = labels == UNKNOWN
    wider = np.zeros_like(band)
    for label, crossed in (
        (BACKGROUND, alpha > reaches_out),
        (FOREGROUND, alpha < _REACHES_IN),
    ):
        beyond = labels == label
        rim = band & (distance_to(beyond) <= _RIM * reach) & crossed
        wider |= (distance_to(rim) <= reach) & beyond
    if wider.any():
        alpha = matter(levels, np.where(wider, UNKNOWN, labels)).predicted
        band |= wider
    unsettled = band & (alpha > _SETTLED) & (alpha < 1 - _SETTLED)
    settled = band & (distance_to(unsettled) > _MARGIN * reach)
    return _Look(wider, settled, alpha >= 0.5)


def _fitted(labels: Trimap, mask: Mask, look: _Look) -> Trimap:
    """A trimap (H, W) made wider and narrower as a look at a small copy says.

    The band becomes narrow only where the mask agrees: what it alone shows may be too fine for the
    small copy.
    """
    wider, settled, inside = (
        _enlarged(part, labels.shape) for part in (look.wider, look.settled, look.inside)
    )
    shown = mask >= 0.5
    fitted: Trimap = labels.copy()
    fitted[wider] = UNKNOWN
    known = settled & (fitted == UNKNOWN) & (inside == shown)
    fitted[known] = np.where(shown[known], FOREGROUND, BACKGROUND)
    return fitted


def _enlarged(pixels: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Pixels (h, w) at a size (H, W), by nearest neighbour."""
    import cv2

    if pixels.shape == shape:
        return pixels
    kind = np.uint8 if pixels.dtype == np.bool_ else pixels.dtype
    grown = cv2.resize(pixels.astype(kind), shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(grown).astype(pixels.dtype)
