"""Selects the parts of a segmenter's mask that are the subject."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepmatte.arguments import check_levels, shown
from deepmatte.errors import NoSubjectError, SubjectError, TrimapError
from deepmatte.subject import segmenters
from deepmatte.subject.segmenters import Box, Hints, Mask, Point, Segmenter

if TYPE_CHECKING:
    from deepmatte.images import Picture, Source

# The mask value from which a pixel is subject.
_INSIDE = 0.5
# A part with a lower mean mask value is unsure.
_SURE = 0.75
# Parts smaller than this share of the largest are dropped.
_SPECK = 0.03
# The smallest share of the picture that a subject covers.
_LEAST = 0.0005
# A point may miss its subject by this share of the picture's side.
_NEAR = 0.02
# Surroundings of a box that a segmenter sees, as a share of its sides.
_SURROUNDINGS = 0.15


@dataclass(frozen=True, eq=False)
class Subject:
    """What was found.

    Attributes:
        mask: float32 (H, W), 0..1; rough at its edge.
        segmenter: what found it: ``"people"``, ``"rembg:u2net"``, ...
        notes: sentences for the user: that there are several subjects, or that the segmenter is
            unsure.
    """

    mask: Mask
    segmenter: str
    notes: tuple[str, ...] = ()


def find_subject(
    image: Source | Picture,
    *,
    points: Sequence[Point] = (),
    box: Box | None = None,
    segmenter: str | Segmenter | None = None,
) -> Mask:
    """Find the subject of a picture: a rough mask, float32 (H, W), 0..1.

    Args:
        image: as `deepmatte.matte` takes it.
        points: (x, y) in pixels, each on a wanted subject; other subjects are left out.
        box: (left, top, right, bottom) in pixels around the subject, right and bottom exclusive.
        segmenter: ``"people"``, ``"rembg"``, ``"osam"`` or ``"box"``; rembg and osam also with a
            model (``"rembg:isnet-general-use"``); or a segmenter from `segmenters.named`. None
            takes the best installed one that needs no download.

    Raises:
        ImageError: the picture cannot be read.
        SubjectError: no segmenter is ready, or it finds nothing.
    """
    return look_for_subject(image, points=points, box=box, segmenter=segmenter).mask


def look_for_subject(
    image: Source | Picture,
    *,
    points: Sequence[Point] = (),
    box: Box | None = None,
    segmenter: str | Segmenter | None = None,
) -> Subject:
    """As `find_subject`, with notes about the result."""
    from deepmatte.images import Picture, open_image
    from deepmatte.images.arrays import to_bytes, to_unit

    picture = image if isinstance(image, Picture) else open_image(image)
    levels = picture.levels
    rgb = levels if levels.dtype == np.uint8 else to_bytes(to_unit(levels))
    try:
        hints = _checked(Hints(tuple(points), box), picture.shape)
    except TypeError as error:
        raise SubjectError(f"The points are {shown(points)}; expected pairs of x, y.") from error
    if segmenter is None:
        segmenter = segmenters.choose(hints)
    if isinstance(segmenter, str):
        segmenter = segmenters.named(segmenter)
    if not (callable(segmenter) and hasattr(segmenter, "follows_hints")):
        raise SubjectError(
            f"The segmenter is {shown(segmenter)}; expected a name, or a callable with the"
            " attributes name and follows_hints."
        )
    if segmenter.follows_hints or hints.box is None:
        mask = segmenter(rgb, hints)
    else:
        mask = _in_box(segmenter, rgb, hints.box)
    check_levels(mask, f"The mask of the segmenter {segmenter.name!r}", SubjectError)
    if mask.shape != picture.shape:
        raise SubjectError(
            f"The mask of the segmenter {segmenter.name!r} has shape {mask.shape}; expected"
            f" {picture.shape}, as the picture's."
        )
    points = () if segmenter.follows_hints else hints.points
    kept, notes = _kept(mask, points, segmenter.name, all_wanted=box is not None)
    return Subject(kept, segmenter.name, notes)


def _checked(hints: Hints, shape: tuple[int, int]) -> Hints:
    """Check that all hints lie in the picture."""
    from deepmatte.trimap import checked_box

    height, width = shape
    for point in hints.points:
        try:
            x, y = point
        except (TypeError, ValueError) as error:
            raise SubjectError(f"A point is {shown(point)}; expected two numbers: x, y.") from error
        if not (0 <= x < width and 0 <= y < height):
            raise SubjectError(
                f"The point {x}, {y} (x, y) does not lie in the picture, which is {width} x"
                f" {height} pixels."
            )
    if hints.box is None:
        return hints
    try:
        return dataclasses.replace(hints, box=checked_box(hints.box, shape))
    except TrimapError as error:
        raise SubjectError(str(error)) from error


def _in_box(segmenter: Segmenter, rgb: NDArray[np.uint8], box: Box) -> Mask:
    """The mask of a segmenter without box input: it sees the box and its surroundings."""
    left, top, right, bottom = box
    across, down = (round(_SURROUNDINGS * side) for side in (right - left, bottom - top))
    rows, columns = (
        slice(max(0, top - down), bottom + down),
        slice(max(0, left - across), right + across),
    )
    seen = np.zeros(rgb.shape[:2], np.float32)
    seen[rows, columns] = segmenter(np.ascontiguousarray(rgb[rows, columns]), Hints())
    mask = np.zeros_like(seen)
    mask[top:bottom, left:right] = seen[top:bottom, left:right]
    return mask


@dataclass(frozen=True)
class _Part:
    """One connected part of a mask.

    Attributes:
        label: its number.
        pixels: its area.
        sure: the mean of the mask in it, 0..1.
        place: (x, y) of a pixel well inside.
    """

    label: int
    pixels: int
    sure: float
    place: Point


def _kept(
    mask: Mask, points: Sequence[Point], name: str, *, all_wanted: bool
) -> tuple[Mask, tuple[str, ...]]:
    """The subject's part of a mask, and notes for the user."""
    import cv2

    inside = (mask >= _INSIDE).astype(np.uint8)
    count, found, statistics, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    labels = np.asarray(found, np.int32)  # (H, W)
    areas = statistics[1:, cv2.CC_STAT_AREA]  # of the parts 1, 2, ...; 0 is outside
    least = max(_LEAST * mask.size, _SPECK * float(areas.max(initial=0)))
    sums = np.bincount(labels.ravel(), weights=mask.ravel(), minlength=count)
    parts = [
        _Part(label, int(area), sums[label] / area, _inside(labels == label))
        for label, area in enumerate(areas, start=1)
        if area >= least
    ]
    if not parts:
        raise NoSubjectError(_nothing_found(name))
    notes: list[str] = []
    if points:
        chosen = {_at(point, labels, parts) for point in points}
        kept = [part for part in parts if part.label in chosen]
    elif all_wanted:
        kept = parts
    else:
        kept, notes = _sure_ones(parts)
    if all(part.sure < _SURE for part in kept):
        notes.append(
            f"The segmenter {name!r} is unsure about this subject; look at the result, or paint"
            " the trimap in deepmatte studio."
        )
    dropped = np.isin(labels, [part.label for part in kept], invert=True) & (inside > 0)
    return _without(mask, dropped, inside > 0), tuple(notes)


def _sure_ones(parts: list[_Part]) -> tuple[list[_Part], list[str]]:
    """The parts of which the segmenter is sure, or all if there is none; and a note."""
    sure = [part for part in parts if part.sure >= _SURE] or parts
    notes = []
    if len(sure) > 1:
        notes.append(
            f"{len(sure)} separate subjects were found, at {_places(sure)} (x, y), and all of them"
            " are kept; a point keeps the one that it lies on."
        )
    unsure = [part for part in parts if part not in sure]
    if unsure:
        notes.append(
            f"What was found at {_places(unsure)} (x, y) is unsure and was left out; a point on it"
            " keeps it."
        )
    return sure, notes


def _places(parts: list[_Part]) -> str:
    return "; ".join(f"{part.place[0]},{part.place[1]}" for part in parts)


def _at(point: Point, labels: NDArray[np.int32], parts: list[_Part]) -> int:
    """The label of the part at a point, or very near it."""
    x, y = point
    reach = max(1, round(_NEAR * math.sqrt(labels.size)))
    left, top = max(0, x - reach), max(0, y - reach)
    around = labels[top : y + reach + 1, left : x + reach + 1]
    rows, columns = np.nonzero(np.isin(around, [part.label for part in parts]))
    if not rows.size:
        raise SubjectError(
            f"There is no subject at the point {x}, {y}; some were found at {_places(parts)}"
            " (x, y)."
        )
    nearest = np.argmin((rows + top - y) ** 2 + (columns + left - x) ** 2)
    return int(around[rows[nearest], columns[nearest]])


def _inside(part: NDArray[np.bool_]) -> Point:
    """(x, y) of the pixel furthest from the part's edge."""
    import cv2

    padded = np.pad(part.astype(np.uint8), 1)  # the picture's edge counts as an edge
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return int(x), int(y)


def _without(mask: Mask, dropped: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Mask:
    """The mask without some parts and the pixels nearer to them than to the others."""
    from deepmatte.trimap import distance_to

    if not dropped.any():
        return mask
    nearer = distance_to(dropped) < distance_to(inside & ~dropped)
    return np.where(nearer, np.float32(0), mask)


def _nothing_found(name: str) -> str:
    knows = " It knows people only." if name == "people" else ""
    return (
        f"The segmenter {name!r} found no subject in the picture.{knows} A box around the subject"
        " or deepmatte studio finds it."
    )
