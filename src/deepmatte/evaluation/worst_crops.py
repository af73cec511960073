"""Crops of pictures where mattes are wrong, side by side."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import MattingError
from deepmatte.evaluation.job import open_matte
from deepmatte.evaluation.results import Evaluation, Row
from deepmatte.images import encode_image, open_alpha, open_image
from deepmatte.images.resize import limited, shrink
from deepmatte.trimap import open_trimap
from deepmatte.types import UNKNOWN

SIDE = 224
"""Pixels of a crop's side, at most. Shown at 1:1, five stand side by side on a small laptop."""
_TOO_OPAQUE = np.array([1.0, 0.55, 0.1], np.float32)
_TOO_TRANSPARENT = np.array([0.25, 0.65, 1.0], np.float32)
_KNOWN = np.float32(0.2)
_FRAME = (1.0, 0.16, 0.3)
# Few levels compress well: half the bytes of 256, and error maps look the same.
_STEPS = 16


@dataclass(frozen=True)
class Crop:
    """The same crop of everything that belongs to one picture and one trimap.

    All pictures are data URIs.

    Attributes:
        trimap, picture: as in `Row`.
        place: the whole picture, small, with a frame around the crop.
        image, shown_trimap, alpha: the part of the picture, its trimap and its true alpha.
        predictions, errors: the part of each method's alpha and of its error map (`error_map`),
            in the order of the evaluation's methods; None where the method failed.
    """

    trimap: str
    picture: str
    place: str
    image: str
    shown_trimap: str
    alpha: str
    predictions: tuple[str | None, ...]
    errors: tuple[str | None, ...]

    def size(self) -> int:
        """Number of characters of all pictures together."""
        uris = (self.place, self.image, self.shown_trimap, self.alpha)
        return sum(len(uri or "") for uri in (*uris, *self.predictions, *self.errors))


def worst_crops(evaluation: Evaluation, limit: int) -> tuple[Crop, ...]:
    """Crop the pictures on which the first method is worst.

    First comes the worst picture of each kind of trimap, then the second worst of each, and so on
    until the next one would bring the data URIs over `limit` characters. A picture whose own
    files cannot be read or do not fit each other is left out.
    """
    crops: list[Crop] = []
    total = 0
    for rows in _worst_first(evaluation):
        crop = _crop(rows)
        if crop is None:
            continue
        total += crop.size()
        if total > limit:
            break
        crops.append(crop)
    return tuple(crops)


def _worst_first(evaluation: Evaluation) -> Iterator[list[Row]]:
    """The rows of all methods for each picture and trimap, those of all trimaps in turn."""
    found = {(row.trimap, row.picture, row.method): row for row in evaluation.rows}
    first, pictures = evaluation.methods[0], evaluation.pictures
    orders = []
    for trimap in evaluation.trimaps:
        badness = {picture: _badness(found[trimap, picture, first]) for picture in pictures}
        orders.append(sorted(pictures, key=badness.__getitem__, reverse=True))
    for place in range(len(pictures)):
        for trimap, order in zip(evaluation.trimaps, orders, strict=True):
            yield [found[trimap, order[place], method] for method in evaluation.methods]


def _badness(row: Row) -> float:
    return np.inf if row.errors is None else row.errors["sad"]


def error_map(
    prediction: NDArray[np.float32], alpha: NDArray[np.float32], unknown: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Draw a matte's errors: orange where it is too opaque, blue where too transparent.

    The brightness is the square root of the error, so that small ones are visible. Known pixels are
    dark grey.

    Args:
        prediction: (H, W), 0..1.
        alpha: (H, W), 0..1, the truth.
        unknown: (H, W), the pixels that count.

    Returns:
        float32 (H, W, 3), 0..1.
    """
    difference = (prediction - alpha)[..., None]  # (H, W, 1)
    brightness = np.rint(np.sqrt(np.abs(difference)) * _STEPS) / np.float32(_STEPS)
    colours = brightness * np.where(difference > 0, _TOO_OPAQUE, _TOO_TRANSPARENT)  # (H, W, 3)
    drawn: NDArray[np.float32] = np.where(unknown[..., None], colours, _KNOWN)
    return drawn


def _crop(rows: list[Row]) -> Crop | None:
    try:
        image = open_image(rows[0].image).rgb  # (H, W, 3)
        trimap = open_trimap(rows[0].shown_trimap, image.shape[:2])  # (H, W)
        alpha = open_alpha(rows[0].alpha)  # (H, W)
        predictions = [
            None if row.prediction is None else open_matte(row.prediction)  # (H, W)
            for row in rows
        ]
    except MattingError:
        return None
    if any(p is not None and p.shape != trimap.shape for p in (alpha, *predictions)):
        return None
    unknown = trimap == UNKNOWN
    wrong = next((abs(p - alpha) * unknown for p in predictions if p is not None), unknown)
    part = _densest(wrong if wrong.any() else unknown)
    return Crop(
        trimap=rows[0].trimap,
        picture=rows[0].picture,
        place=_uri(_framed(image, part), ".jpg"),
        image=_uri(image[part], ".jpg"),
        shown_trimap=_uri(trimap[part], ".webp"),
        alpha=_uri(alpha[part], ".webp"),
        predictions=tuple(None if p is None else _uri(p[part], ".webp") for p in predictions),
        errors=tuple(
            None if p is None else _uri(error_map(p[part], alpha[part], unknown[part]), ".webp")
            for p in predictions
        ),
    )


def _densest(weights: NDArray[Any]) -> tuple[slice, slice]:
    """The crop of `SIDE` x `SIDE` pixels in which the weights (H, W) have the largest sum."""
    import cv2

    height, width = (min(SIDE, length) for length in weights.shape)
    sums = cv2.integral(weights.astype(np.float32))  # (H + 1, W + 1)
    inside = (
        sums[height:, width:]
        - sums[:-height, width:]
        - sums[height:, :-width]
        + sums[:-height, :-width]
    )  # (H - height + 1, W - width + 1)
    top, left = (int(i) for i in np.unravel_index(inside.argmax(), inside.shape))
    return slice(top, top + height), slice(left, left + width)


def _framed(image: NDArray[np.float32], part: tuple[slice, slice]) -> NDArray[np.float32]:
    """The whole picture (H, W, 3), no larger than a crop, with a frame around a part."""
    import cv2

    scale = min(1.0, SIDE / max(image.shape[:2]))
    small = shrink(image, limited(image.shape, SIDE))
    corners = [
        (round(columns * scale), round(rows * scale))
        for rows, columns in ((s.start for s in part), (s.stop - 1 for s in part))
    ]
    return np.asarray(cv2.rectangle(small, corners[0], corners[1], _FRAME, 2))


def _uri(pixels: NDArray[Any], suffix: str) -> str:
    kind = {".jpg": "jpeg"}.get(suffix, suffix[1:])
    data = base64.b64encode(encode_image(pixels, suffix)).decode()
    return f"data:image/{kind};base64,{data}"
