"""Downloads of the studio: byte for byte the files that `deepmatte matte` writes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deepmatte.composite import add_shadow, backdrop, blend, cutout
from deepmatte.errors import ImageError
from deepmatte.framing import crop_plane, soft_shadow, subject_box
from deepmatte.images import (
    Layer,
    depth_for,
    displayed,
    encode_image,
    encode_layers,
    parse_colour,
)
from deepmatte.images.arrays import to_bytes, to_levels, to_unit
from deepmatte.images.resize import fit, limited, shrink
from deepmatte.studio import placing
from deepmatte.studio.backdrops import blurred_surroundings
from deepmatte.studio.pictures import OpenPicture
from deepmatte.studio.placing import Place
from deepmatte.studio.refine import Refinement
from deepmatte.studio.whole import Settled

LAYERED = ("ora", "psd")
KINDS = ("cutout", "alpha", "foreground", "trimap")
FORMATS = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "tif": "image/tiff",
    "avif": "image/avif",
    "ora": "image/openraster",
    "psd": "image/vnd.adobe.photoshop",
}
"""Endings and media types."""

# The longest side of a JPEG.
_LONGEST = 65_500
_NAME = 120  # characters
# The longest side of what a page shows of a background.
_SCREEN = 2000
# Rows that are worked on at a time: float copies of the whole are what costs memory.
_STRIP = 256
_BLUR = re.compile(r"blur:([0-9]{1,2}(?:\.[0-9]{1,3})?)")


@dataclass(frozen=True)
class Wanted:
    """What a file is to be like.

    Attributes:
        ending: one of `FORMATS`.
        depth: bits of each colour, 8 or 16.
        margin: pixels around the subject, to which the picture is cropped; None leaves all of it.
        longest: pixels of the longer side, to which a larger picture is shrunk; None leaves it.
        quality: 1..100 of a format with loss; None is high, or without loss.
        shadow: how dark a soft shadow below the subject is, 0..1.
        subject: where the subject is moved to on a background; None leaves it.
    """

    ending: str = "png"
    depth: Literal[8, 16] = 8
    margin: int | None = None
    longest: int | None = None
    quality: int | None = None
    shadow: float = 0.0
    subject: Place | None = None


def depth(picture: OpenPicture, ending: str) -> Literal[8, 16]:
    """Bits of each colour where nothing is asked for: those that `deepmatte matte` writes."""
    suffix = ".png" if ending in LAYERED else f".{ending}"
    return 16 if depth_for(suffix, picture.picture.levels) == 16 else 8


def encoded(picture: OpenPicture, settled: Settled, kind: str, wanted: Wanted) -> bytes:
    """One of `KINDS` as a file.

    Raises:
        ImageError: the format cannot hold it.
        MattingError: it is to be cropped to a subject, and there is none.
    """
    if kind == "trimap":
        return _encode(picture, settled.matte.trimap, Wanted(wanted.ending))
    cutout = _cutout(picture, settled, wanted)
    if wanted.shadow and kind == "cutout":
        cutout = cutout.copy()
        add_shadow(cutout, soft_shadow(to_unit(cutout[..., 3]), wanted.shadow))
    if kind == "cutout" and wanted.ending in LAYERED:
        return _layered(picture, settled, cutout, wanted)
    framed = _framed(cutout, cutout[..., 3], wanted)
    pixels = {"cutout": framed, "alpha": framed[..., 3], "foreground": framed[..., :3]}[kind]
    return _encode(picture, pixels, wanted)


def _layered(picture: OpenPicture, settled: Settled, cutout: NDArray[Any], wanted: Wanted) -> bytes:
    """The subject above the photo, which is hidden, and as it is on the page."""
    photo = to_levels(picture.picture.levels, cutout.dtype)
    subject = _framed(cutout, cutout[..., 3], wanted)
    below = _framed(photo, cutout[..., 3], wanted)
    layers = [
        Layer("Subject", np.ascontiguousarray(subject[..., :3]), subject[..., 3].copy()),
        Layer("Photo", below, None, visible=False),
    ]
    metadata = picture.picture.metadata
    return encode_layers(layers, wanted.ending, name=picture.name, metadata=metadata)


def composite(picture: OpenPicture, settled: Settled, background: object, wanted: Wanted) -> bytes:
    """The subject on a colour ("#rrggbb"), a gradient ("TOP:BOTTOM") or what is behind it, blurred.

    The latter is "blur:PERCENT", of the longer side.

    Raises:
        ImageError: it is none of these, or as `encoded`.
    """
    if isinstance(background, str) and (match := _BLUR.fullmatch(background)):
        behind = surroundings(picture, settled, float(match[1]), _behind(wanted))
        return _over(picture, settled, behind, wanted)
    # A string that is no colour would be the path of a file.
    colours = background.split(":") if isinstance(background, str) else []
    if not isinstance(background, str) or not (
        len(colours) in (1, 2) and all(parse_colour(colour) for colour in colours)
    ):
        raise ImageError(
            f"The background is {background!r}; expected a colour (#00b140) or a gradient"
            " (white:#888)."
        )
    return _over(picture, settled, background, wanted)


def composite_on_picture(
    picture: OpenPicture,
    settled: Settled,
    file: bytes,
    place: Place | None,
    wanted: Wanted,
) -> bytes:
    """The subject on a picture, as a file.

    Args:
        picture: with the subject.
        settled: its matte.
        file: the background's bytes.
        place: where it lies; None lets it cover all, as `Matte.over` does.
        wanted: of the file.

    Raises:
        ImageError: it cannot be read, or as `encoded`.
    """
    behind: bytes | NDArray[Any] = file
    if place is not None:
        behind = placing.background(file, place, picture.picture.shape, _behind(wanted))
    return _over(picture, settled, behind, wanted)


def surroundings(
    picture: OpenPicture, settled: Settled, percent: float, dtype: DTypeLike = np.uint8
) -> NDArray[Any]:
    """The photo's own background, blurred, as `composite` takes it: (H, W, 3)."""
    photo, alpha = picture.picture.levels, settled.matte.alpha
    return blurred_surroundings(photo, alpha, percent, dtype)


def surroundings_shown(picture: OpenPicture, settled: Settled, percent: float) -> bytes:
    """The same as a page shows it: a JPEG in sRGB, no larger than a screen."""
    pixels = surroundings(picture, settled, percent)
    pixels = fit(pixels, limited(pixels.shape, _SCREEN))
    return encode_image(displayed(pixels, picture.picture.metadata.icc_profile), "jpg")


def shadow_shown(picture: OpenPicture, settled: Settled) -> tuple[bytes, Place]:
    """The subject's shadow as a page shows it: a file, and its place."""
    cutout = _cutout(picture, settled, Wanted())
    return placing.shadow_shown(to_unit(cutout[..., 3]))


def _behind(wanted: Wanted) -> DTypeLike:
    """The type of a background: floats for 16 bits, as dark levels of 16 could be taken for 8."""
    return np.uint8 if wanted.depth == 8 else np.float32


def _over(
    picture: OpenPicture,
    settled: Settled,
    background: str | bytes | NDArray[Any],
    wanted: Wanted,
) -> bytes:
    shape = picture.picture.shape
    if picture.refinement == Refinement() and not wanted.shadow and wanted.subject is None:
        mixed = replace(settled.matte).composite_levels(background, wanted.depth)
        return _encode(picture, _framed(mixed, settled.colours[..., 3], wanted), wanted)
    cutout = _cutout(picture, settled, wanted)
    shadowed = cutout
    if wanted.subject is not None:
        shadowed = placing.subject(cutout, wanted.subject, shape, wanted.shadow)
        if wanted.margin is not None:
            cutout = placing.subject(cutout, wanted.subject, shape)
    elif wanted.shadow:
        shadowed = cutout.copy()
        add_shadow(shadowed, soft_shadow(to_unit(cutout[..., 3]), wanted.shadow))
    profile = picture.picture.metadata.icc_profile
    behind = backdrop(background, *shape, profile)
    mixed = np.empty(behind.shape, cutout.dtype)
    for top in range(0, len(mixed), _STRIP):
        rows = slice(top, top + _STRIP)
        strip = to_unit(shadowed[rows])
        colours = np.ascontiguousarray(strip[..., :3])
        mixed[rows] = to_levels(blend(colours, strip[..., 3], behind[rows]), mixed.dtype)
    return _encode(picture, _framed(mixed, cutout[..., 3], wanted), wanted)


def _cutout(picture: OpenPicture, settled: Settled, wanted: Wanted) -> NDArray[Any]:
    """The refined cut-out in the depth that is wanted: (H, W, 4), uint8 or uint16."""
    refinement, photo = picture.refinement, picture.picture.levels
    if wanted.depth == 8:
        return refinement.cutout(settled.colours, photo)
    matte = replace(settled.matte)
    colours = refinement.colours(matte.levels("foreground", 16), photo)
    return cutout(colours, refinement.alpha(matte.alpha), np.uint16)


def _framed(pixels: NDArray[Any], alpha: NDArray[Any], wanted: Wanted) -> NDArray[Any]:
    """Cropped to the subject and made smaller, if that is wanted."""
    if wanted.margin is not None:
        left, top, right, bottom = subject_box(to_unit(alpha))
        margin = wanted.margin
        box = (left - margin, top - margin, right + margin, bottom + margin)
        if pixels.ndim == 3 and pixels.shape[2] == 3:  # what is opaque ends where the photo ends
            height, width = alpha.shape
            box = (max(0, box[0]), max(0, box[1]), min(width, box[2]), min(height, box[3]))
        pixels = crop_plane(pixels, box)
    if wanted.longest is not None and max(pixels.shape[:2]) > wanted.longest:
        pixels = _shrunk(pixels, limited(pixels.shape, wanted.longest))
    return pixels


def _shrunk(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Smaller, each pixel's colour counting by its alpha."""
    if pixels.ndim != 3 or pixels.shape[2] != 4:
        return shrink(pixels, size)
    unit = to_unit(pixels)
    alpha = shrink(unit[..., 3], size)
    weighted = shrink(unit[..., :3] * unit[..., 3:], size)
    plain = shrink(unit[..., :3], size)
    share = alpha[..., None]
    colours = np.where(share > 0, weighted / np.maximum(share, 1e-6), plain)
    return cutout(np.clip(colours, 0, 1), alpha, pixels.dtype)


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


def _encode(picture: OpenPicture, pixels: NDArray[Any], wanted: Wanted) -> bytes:
    if wanted.ending in LAYERED:
        raise ImageError("Only the cut-out can be saved in layers; choose another format.")
    return encode_image(
        np.ascontiguousarray(pixels),
        wanted.ending,
        name=picture.name,
        metadata=picture.picture.metadata,
        quality=wanted.quality,
    )
