"""What is taken out of the studio: the files that `deepmatte matte` writes, byte for byte."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, replace
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import ImageError
from deepmatte.images import displayed, encode_image, open_image, parse_colour
from deepmatte.images.arrays import to_bytes, to_unit
from deepmatte.images.resize import fit
from deepmatte.studio.pictures import OpenPicture, Settled

KINDS = ("cutout", "alpha", "foreground", "trimap")
FORMATS = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "tif": "image/tiff",
    "avif": "image/avif",
}
"""Endings and media types."""

# The longest side of a JPEG.
_LONGEST = 65_500
_NAME = 120  # characters


def encoded(picture: OpenPicture, settled: Settled, kind: str, ending: str) -> bytes:
    """One of `KINDS` as a file.

    Raises:
        ImageError: the format cannot hold it.
    """
    pixels = {
        "cutout": settled.colours,
        "alpha": settled.colours[..., 3],
        "foreground": settled.colours[..., :3],
        "trimap": settled.matte.trimap,
    }[kind]
    return _encode(picture, pixels, ending)


def composite(picture: OpenPicture, settled: Settled, background: object, ending: str) -> bytes:
    """The subject on a colour, "#rrggbb", or a gradient, "TOP:BOTTOM", as a file.

    Raises:
        ImageError: it is neither, or as `encoded`.
    """
    # A string that is no colour would be the path of a file.
    colours = background.split(":") if isinstance(background, str) else []
    if not isinstance(background, str) or not (
        len(colours) in (1, 2) and all(parse_colour(colour) for colour in colours)
    ):
        raise ImageError(f"{background!r} is neither a colour nor a gradient of two (white:#888).")
    return _encode(picture, np.asarray(replace(settled.matte).over(background)), ending)


def composite_on_picture(
    picture: OpenPicture,
    settled: Settled,
    file: bytes,
    place: tuple[float, float, float] | None,
    ending: str,
) -> bytes:
    """The subject on a picture, as a file.

    Args:
        picture: with the subject.
        settled: its matte.
        file: the background's bytes.
        place: where its left and its top edge lie in the picture, in the picture's pixels, and how
            many of those its own pixels are wide; None lets it cover all, as `Matte.over` does.
        ending: of the format.

    Raises:
        ImageError: it cannot be read, or as `encoded`.
    """
    behind: bytes | NDArray[np.uint8] = file
    if place is not None:
        behind = _placed(file, *place, picture.picture.shape)
    return _encode(picture, np.asarray(replace(settled.matte).over(behind)), ending)


def view(picture: OpenPicture) -> tuple[bytes, str]:
    """What a page shows of a picture, upright and in sRGB: a file and its media type."""
    opened = picture.picture
    levels = opened.levels if opened.levels.dtype == np.uint8 else to_bytes(to_unit(opened.levels))
    pixels = displayed(levels, opened.metadata.icc_profile)
    if opened.alpha is not None:
        pixels = np.concatenate([pixels, to_bytes(opened.alpha)[..., None]], axis=2)
    flat = opened.alpha is None and max(opened.shape) <= _LONGEST
    ending = "jpg" if flat else "png"
    return encode_image(pixels, ending), FORMATS[ending]


def clean_name(name: str) -> str:
    """The last part of a path without what a file's name should not have; "picture" if none."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*')
    stem, suffix = os.path.splitext(kept.strip(" ."))
    return f"{stem[:_NAME]}{suffix[:_NAME]}" or "picture"


def disposition(name: str, what: str, ending: str) -> str:
    """The header that names a download: "photo.jpg" and "cutout" make photo.cutout.png.

    Source: RFC 6266.
    """
    file = f"{os.path.splitext(name)[0]}.{what}.{ending}"
    plain = "".join(letter if letter.isascii() and letter != "%" else "_" for letter in file)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file, safe='')}"


def _encode(picture: OpenPicture, pixels: NDArray[np.uint8], ending: str) -> bytes:
    opened = picture.picture
    return encode_image(pixels, ending, name=picture.name, metadata=opened.metadata)


@dataclass(frozen=True)
class _Span:
    """What can be seen of a scaled background along one axis.

    Attributes:
        source: its own pixels, and no more of them than needed: all of a large picture, enlarged,
            could fill any memory.
        length: how many pixels these become.
        seen: which of those lie in the picture.
        target: where.
    """

    source: slice
    length: int
    seen: slice
    target: slice


def _span(start: float, scale: float, length: int, room: int) -> _Span | None:
    """The part of a background from ``start`` on that lies in 0..``room``; None if none does."""
    first = max(0, math.floor(-start / scale) - 1)
    last = min(length, math.ceil((room - start) / scale) + 1)
    if first >= last:
        return None
    scaled, begin = max(1, round((last - first) * scale)), round(start + first * scale)
    target = slice(max(0, begin), min(room, begin + scaled))
    if target.start >= target.stop:
        return None
    return _Span(
        slice(first, last), scaled, slice(target.start - begin, target.stop - begin), target
    )


def _placed(
    file: bytes, left: float, top: float, scale: float, shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """A background picture where it is wanted, on white: uint8 (H, W, 3)."""
    behind = open_image(file)
    canvas = np.full((*shape, 3), 255, np.uint8)
    rows = _span(top, scale, behind.shape[0], shape[0])
    columns = _span(left, scale, behind.shape[1], shape[1])
    if rows is None or columns is None:
        return canvas
    part = behind.crop((rows.source, columns.source))
    colours = part.rgb
    if part.alpha is not None:
        colours = 1 - part.alpha[..., None] * (1 - colours)
    scaled = fit(colours, (rows.length, columns.length))
    canvas[rows.target, columns.target] = to_bytes(scaled[rows.seen, columns.seen])
    return canvas
