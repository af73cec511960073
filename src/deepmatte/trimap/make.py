"""Make a trimap from a mask, an alpha matte, strokes or a box, and widen one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.arguments import check_height_width, check_number, shown
from deepmatte.errors import TrimapError
from deepmatte.images import Source, open_alpha, open_image, open_mask
from deepmatte.images.files import name_of
from deepmatte.trimap.grabcut import attached, divide, divide_box
from deepmatte.trimap.read import FLOAT_TOLERANCE, labelled, open_trimap
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Flags, Trimap

# A network's mask is rarely exactly 0 or 1; these are the thresholds that rembg uses (10 and 240).
SURE_BACKGROUND, SURE_FOREGROUND = 10 / 255, 240 / 255

# The default band around a border, as a share of the geometric mean of width and height.
BAND = 0.04

# Share of a thin limb's half width that becomes unknown around a rough mask.
_LIMB = 0.6


def from_mask(mask: Source, *, width: float | None = None) -> Trimap:
    """Make a trimap from a segmentation mask: a band of unknown pixels along its border.

    Args:
        mask: picture or array (H, W), hard or soft; of two levels the higher is foreground. Levels
            up to 10/255 are background, levels from 240/255 are foreground, and levels between are
            unknown.
        width: of the band in pixels, half on each side of the border; by default 4 % of the
            picture's side (geometric mean of width and height).

    Raises:
        ImageError: the mask cannot be read.
        TrimapError: the mask has colours, or the width is negative.

    Example:
        deepmatte.matte("photo.jpg", deepmatte.trimap.from_mask("mask.png", width=40))
    """
    alpha = open_mask(mask)
    reach = _reach(width, alpha.shape)
    return _banded(alpha >= SURE_FOREGROUND, alpha <= SURE_BACKGROUND, reach, reach)


def from_rough_mask(mask: Source, *, width: float | None = None) -> Trimap:
    """Make a trimap from a mask whose edge is wrong by some pixels.

    As `from_mask`, with two differences. A soft mask is cut at its middle level, because softness
    says how sure the segmenter is, not how transparent the subject is. Limbs and gaps that are
    narrower than the band keep a known middle, because an arm of which nothing is known would be
    lost.

    Args:
        mask: picture or array (H, W), hard or soft, as `images.open_alpha` takes it.
        width: of the band, as for `from_mask`.

    Raises:
        ImageError: the mask cannot be read.
        TrimapError: the mask has colours, or the width is negative.
    """
    inside: Flags = open_alpha(mask) >= 0.5
    reach = _reach(width, inside.shape)
    return labelled(_core(inside, reach), _core(~inside, reach))


def from_alpha(alpha: Source, *, erode: float | None = None, dilate: float | None = None) -> Trimap:
    """Make a trimap from an alpha matte: 0 < alpha < 1 and some pixels around it are unknown.

    Args:
        alpha: picture or array (H, W).
        erode: width of foreground along its edge that becomes unknown, pixels.
        dilate: width of background along its edge that becomes unknown, pixels. Both default to 2 %
            of the picture's side.

    Raises:
        ImageError: the alpha cannot be read.
        TrimapError: the alpha has colours, or a width is negative.

    Source: Xu et al. 2017, section 4.1 (trimaps by random dilation).
    """
    matte = open_alpha(alpha)
    default = _reach(None, matte.shape)
    return _banded(
        matte >= 1 - FLOAT_TOLERANCE,
        matte <= FLOAT_TOLERANCE,
        default if erode is None else _pixels(erode, "erode"),
        default if dilate is None else _pixels(dilate, "dilate"),
    )


def from_scribbles(
    image: Source,
    strokes: Source | None = None,
    *,
    foreground: Source | None = None,
    background: Source | None = None,
    width: float | None = None,
) -> Trimap:
    """Make a trimap from a few strokes, by the picture's colours and edges (GrabCut).

    Pixels under strokes keep their label. The colour models start from the strokes alone.
    Foreground that touches no foreground stroke is dropped.

    Args:
        image: the photo.
        strokes: a picture of the same size, read as a trimap is: white strokes on the foreground,
            black ones on the background, the rest grey or transparent.
        foreground: a mask (H, W) of the strokes on the foreground, instead or in addition.
        background: a mask (H, W) of the strokes on the background, instead or in addition.
        width: of the unknown band along the border that is found, as for `from_mask`.

    Raises:
        ImageError: a picture cannot be read.
        TrimapError: sizes differ, or strokes of one kind are missing.

    Source: Rother, Kolmogorov and Blake, "GrabCut", SIGGRAPH 2004.
    """
    rgb = open_image(image).rgb
    size = (rgb.shape[0], rgb.shape[1])
    labels = np.full(size, UNKNOWN, np.uint8)
    if strokes is not None:
        labels = _of_size(open_trimap(strokes), strokes, size).copy()
    for mask, label in ((background, BACKGROUND), (foreground, FOREGROUND)):
        if mask is not None:
            labels[_of_size(open_mask(mask), mask, size) >= 0.5] = label
    if not (labels == FOREGROUND).any() or not (labels == BACKGROUND).any():
        raise TrimapError(
            "The strokes do not mark both kinds; expected at least one on the foreground (white)"
            " and one on the background (black)."
        )
    strokes_on_it = labels == FOREGROUND
    subject = divide(rgb, outside=labels == BACKGROUND, inside=strokes_on_it)
    subject = attached(subject, strokes_on_it)
    reach = _reach(width, size)
    trimap = _banded(subject, ~subject, reach, reach)
    trimap[labels != UNKNOWN] = labels[labels != UNKNOWN]
    return trimap


def from_box(
    image: Source, box: tuple[int, int, int, int], *, width: float | None = None
) -> Trimap:
    """Find the subject in a rectangle (GrabCut); everything outside becomes background.

    Args:
        image: the photo.
        box: (left, top, right, bottom) in pixels, right and bottom exclusive, around the whole
            subject, with some background in and outside it.
        width: of the unknown band along the border that is found, as for `from_mask`.

    Returns:
        uint8 (H, W); the box is unknown where nothing in it differs from its surroundings.

    Raises:
        ImageError: the picture cannot be read.
        TrimapError: the box is empty, extends beyond the picture, or covers all of it.

    Source: Rother, Kolmogorov and Blake, "GrabCut", SIGGRAPH 2004.
    """
    rgb = open_image(image).rgb
    size = (rgb.shape[0], rgb.shape[1])
    left, top, right, bottom = checked_box(box, size)
    reach = _reach(width, size)
    # Half a box of surroundings is enough background; more would cost resolution.
    margin_x, margin_y = (right - left + 1) // 2, (bottom - top + 1) // 2
    window = (
        slice(max(0, top - margin_y), bottom + margin_y),
        slice(max(0, left - margin_x), right + margin_x),
    )
    labels = np.full(size, BACKGROUND, np.uint8)
    labels[top:bottom, left:right] = UNKNOWN
    subject, rest = np.zeros(size, np.bool_), np.ones(size, np.bool_)
    subject[window], rest[window] = divide_box(rgb[window], outside=labels[window] == BACKGROUND)
    if rest.all():
        return labels
    trimap = _banded(subject, rest, reach, reach)
    trimap[labels == BACKGROUND] = BACKGROUND
    return trimap


def widen(trimap: Trimap, pixels: float) -> Trimap:
    """Widen or narrow the unknown parts of a trimap.

    Args:
        trimap: uint8 (H, W) of BACKGROUND, UNKNOWN and FOREGROUND.
        pixels: known pixels within this distance of an unknown one become unknown; if negative,
            unknown pixels within that distance of a known one get its label.

    Returns:
        uint8 (H, W), a new array.

    Raises:
        TrimapError: the trimap is not an array, or ``pixels`` is not finite.
    """
    if not (isinstance(trimap, np.ndarray) and trimap.ndim == 2 and trimap.dtype == np.uint8):
        raise TrimapError(
            f"The trimap is {shown(trimap)}; expected uint8 (H, W), as open_trimap reads it."
        )
    pixels = check_number(pixels, "The band's growth", TrimapError, unit=" of pixels")
    changed: Trimap = trimap.copy()
    if pixels >= 0:
        changed[distance_to(trimap == UNKNOWN) <= pixels] = UNKNOWN
        return changed
    background, foreground = distance_to(trimap == BACKGROUND), distance_to(trimap == FOREGROUND)
    nearer = np.where(foreground < background, FOREGROUND, BACKGROUND).astype(np.uint8)
    near = (trimap == UNKNOWN) & (np.minimum(background, foreground) <= -pixels)
    changed[near] = nearer[near]
    return changed


def _banded(foreground: Flags, background: Flags, erode: float, dilate: float) -> Trimap:
    """Label what remains of both classes after `erode` and `dilate` pixels along their edges.

    Distances instead of a structuring element give exact discs, as fast for wide bands as for
    narrow ones. The picture's edge does not count as a border.
    """

    def inner(mask: Flags, reach: float) -> Flags:
        return mask if reach <= 0 else mask & (distance_to(~mask) > reach)

    return labelled(inner(foreground, erode), inner(background, dilate))


def _core(part: Flags, reach: float) -> Flags:
    """Pixels deeper inside than the reach, and the middle of limbs too thin for that.

    Args:
        part: (H, W), of the subject or of the background.
        reach: of the band, pixels.
    """
    import cv2

    depth = distance_to(~part)
    if part.all() or reach <= 0:
        return part
    reach = min(reach, math.hypot(*part.shape))  # a wider band covers everything too
    deep = depth > reach
    # A limb begins at some distance from thick parts; nearer pixels are their corners.
    limbs = part & (distance_to(distance_to(deep) <= reach) > reach / 2)
    size = 2 * math.ceil(reach) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    half = np.asarray(cv2.dilate(np.where(limbs, depth, 0).astype(np.float32), disc))
    core: Flags = deep | (limbs & (depth > _LIMB * half))
    return core


def distance_to(mask: Flags) -> NDArray[np.float32]:
    """Distance of each pixel to the nearest one of a mask, infinite for an empty mask: (H, W)."""
    import cv2

    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    away = (~mask).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)


def usual_width(side: float) -> float:
    """Width of the unknown band in a picture, in pixels.

    Args:
        side: geometric mean of the picture's height and width, in pixels.
    """
    return max(2.0, BAND * side)


def _reach(width: float | None, size: tuple[int, ...]) -> float:
    """Distance that a band of this width reaches on each side of a border."""
    if width is None:
        width = usual_width(math.sqrt(size[0] * size[1]))
    return _pixels(width, "width") / 2


def _pixels(value: float, name: str) -> float:
    return check_number(value, f"The {name}", TrimapError, low=0, unit=" of pixels")


def _of_size(strokes: NDArray[Any], source: Source, size: tuple[int, int]) -> NDArray[Any]:
    """Strokes, if they have the picture's size (H, W); moved ones would mark other pixels."""
    if strokes.shape != size:
        name = "The strokes' array" if hasattr(source, "shape") else name_of(source)
        raise TrimapError(
            f"{name} is {strokes.shape[1]} x {strokes.shape[0]} pixels (width x height) but the"
            f" picture is {size[1]} x {size[0]}; expected strokes of the picture's size."
        )
    return strokes


def checked_box(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box as four integers.

    Raises:
        TrimapError: the box is empty, extends beyond the picture, or covers all of it.
    """
    height, width = check_height_width(size, "The picture's size", TrimapError)
    try:
        left, top, right, bottom = (int(edge) for edge in box)
    except (TypeError, ValueError, OverflowError) as error:
        raise TrimapError(
            f"The box is {shown(box)}; expected four numbers: left, top, right, bottom."
        ) from error
    if left >= right or top >= bottom:
        raise TrimapError(
            f"The box {left}, {top}, {right}, {bottom} is empty; expected left, top, right, bottom,"
            " with left < right and top < bottom."
        )
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise TrimapError(
            f"The box {left}, {top}, {right}, {bottom} (left, top, right, bottom) does not lie in"
            f" the picture, which is {width} x {height} pixels."
        )
    if (right - left, bottom - top) == (width, height):
        raise TrimapError("The box is the whole picture; expected some background outside it.")
    return left, top, right, bottom
