"""Opening pictures, trimaps, masks and mattes from files, bytes, streams, Pillow and NumPy."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from deepmatte.errors import TrimapError
from deepmatte.images.arrays import depth_of, to_unit
from deepmatte.images.decode import (
    Decoded,
    as_image_error,
    decode,
    header_size,
    open_header,
    without_profile,
)
from deepmatte.images.encode import SUFFIXES, to_pil
from deepmatte.images.files import name_of, read_bytes
from deepmatte.images.picture import (
    Admit,
    GreyPicture,
    Picture,
    Source,
    admit_all,
    check_size,
)
from deepmatte.images.planes import deep_grey_planes
from deepmatte.images.raw import RAW_SUFFIXES

OPENED_SUFFIXES = frozenset(
    (*SUFFIXES, ".jfif", ".mpo", ".bmp", ".gif", ".heic", ".heif", *RAW_SUFFIXES)
)
"""Of the files in a folder that are taken for pictures; a file that is named may have any."""

# Channels of a grey picture stored as RGB by a lossy coder may differ by this (of 255).
GREY_TOLERANCE = 8
# In 0, 1, 2 the 1 means unknown. Levels from 3 up to this are class numbers.
_FEWEST_SOFT, _MOST_CLASSES = 2, 25


def open_image(source: Source, *, admit: Admit = admit_all) -> Picture:
    """Read a picture from a path, bytes, a binary stream, a Pillow image or an array.

    Arrays are bool, integers in 0..65535 or float in 0..1, of shape (H, W), (H, W, 1), (H, W, 3) or
    (H, W, 4), the channels in the order R, G, B, alpha. Integers of 16 bits and more of which none
    exceeds 255 are taken as 8 bits. A Pillow image holds at most 8 bits for each colour; give the
    path instead to keep 16.

    Args:
        source: see there.
        admit: called with (height, width) before a file's pixels are decoded; raises an error to
            refuse them. The EXIF orientation is not applied yet.

    Raises:
        ImageError: the file is missing, not a picture, damaged or larger than MAX_PIXELS, or the
            array has another type, shape or range.

    Example:
        picture = open_image("photo.jpg")
        picture.rgb.shape   # (H, W, 3)
    """
    decoded = decode(source, admit=admit)
    levels = decoded.colour
    if levels.ndim == 2:
        levels = np.repeat(levels[..., None], 3, axis=2)  # (H, W, 3)
    elif isinstance(source, np.ndarray):
        levels = levels.copy()  # the caller may change the array later
    return Picture(levels, _real_alpha(decoded), decoded.metadata, decoded.notes)


def open_grey(source: Source, *, admit: Admit = admit_all) -> GreyPicture:
    """Read the levels of a trimap, mask or stroke picture, unscaled.

    As `open_image`, except that colour profiles are ignored: the levels are labels, not light.

    Raises:
        ImageError: as `open_image`.
        TrimapError: the picture has colours where greys were expected.
    """
    decoded = decode(source, labels=True, admit=admit)
    levels, alpha = _grey_levels(decoded), _real_alpha(decoded)
    return GreyPicture(levels, alpha, decoded.lossy, decoded.name, decoded.notes)


def open_levels(source: Source) -> NDArray[Any]:
    """Read only the levels of `open_grey`: (H, W), uint8, uint16, or float32 in 0..1."""
    return open_grey(source).levels


def open_mask(source: Source, *, admit: Admit = admit_all) -> NDArray[np.float32]:
    """Read a mask: float32 (H, W), 0..1.

    As `open_alpha`, but of two levels of which one is 0 the other counts as 1, because many
    segmenters write a class number. ``admit`` is that of `open_image`.

    Raises:
        ImageError: as `open_image`.
        TrimapError: as `open_alpha`, or there are several classes.
    """
    decoded = decode(source, labels=True, admit=admit)
    alpha = _real_alpha(decoded)
    if alpha is not None:
        return alpha
    levels = _grey_levels(decoded)
    highest = int(levels.max())
    if levels.dtype.kind != "u" or decoded.lossy or highest <= 1 or levels.min() > 0:
        return _scaled(levels, decoded)
    if (levels[levels > 0] == highest).all():
        return (levels > 0).astype(np.float32)
    if _FEWEST_SOFT < highest <= _MOST_CLASSES:
        classes = ", ".join(str(number) for number in np.unique(levels)[:8])
        raise TrimapError(
            f"{decoded.name} holds the classes {classes}; expected a mask of one: 0 is background,"
            " the other level is the subject."
        )
    return _scaled(levels, decoded)


def open_alpha(source: Source) -> NDArray[np.float32]:
    """Read a mask or an alpha matte: float32 (H, W), 0..1.

    A picture with transparency (a cut-out) gives its alpha channel, any other its grey levels,
    scaled by the bit depth. Integers up to 1, or up to 2, are divided by that, as in a trimap.

    Raises:
        ImageError: as `open_image`.
        TrimapError: the picture is opaque and has colours.
    """
    decoded = decode(source, labels=True)
    alpha = _real_alpha(decoded)
    if alpha is not None:
        return alpha
    return _scaled(_grey_levels(decoded), decoded)


def read_size(data: bytes) -> tuple[int, int]:
    """Read (width, height) from a picture file's header, without decoding pixels.

    Raises:
        ImageError: the header cannot be read.
    """
    with as_image_error(name_of(data)):
        return header_size(data, name_of(data))


def open_unmanaged(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read colours as they are stored, without colour management.

    No profile is applied, however broken, and no EXIF orientation; transparency is dropped and the
    colours under it are kept. Palettes become colours and greys are repeated. Of 16 bit colours
    the upper 8 bits are taken, of deeper greys the nearest level of 8 bits.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ImageError: as `open_image`.
    """
    name = name_of(path)
    data = without_profile(read_bytes(path))
    with as_image_error(name):
        image = open_header(data)
        check_size(image.size, name)
        image.load()
        if image.mode == "F" or image.mode.startswith("I"):
            image = to_pil(to_unit(deep_grey_planes(image)[0]))
        image.info.pop("transparency", None)  # Pillow warns that it is lost
        return np.asarray(image.convert("RGB"))


def resize_bicubic(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize uint8 (H, W, 3) by Pillow's bicubic filter; other libraries give other values.

    Raises:
        ImageError: the result would have more than MAX_PIXELS.
    """
    check_size((width, height), "The enlarged picture")
    resized: NDArray[np.uint8] = np.asarray(
        Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    )
    return resized


def parse_colour(text: str) -> tuple[int, int, int] | None:
    """Read a colour: a CSS name, "#rgb", "#rrggbb", "rgb(...)", "hsl(...)"; None for other text."""
    try:
        colour = ImageColor.getrgb(text.strip())
    except ValueError:
        return None
    if len(colour) != 3 or max(colour) > 255:
        return None
    return colour[0], colour[1], colour[2]


def _scaled(levels: NDArray[Any], decoded: Decoded) -> NDArray[np.float32]:
    if levels.dtype.kind == "u" and not decoded.lossy and levels.max() in (1, 2):
        levels = levels / np.float32(levels.max())
    return to_unit(levels)


def _grey_levels(decoded: Decoded) -> NDArray[Any]:
    levels = decoded.colour
    if levels.ndim == 2:
        return levels
    tolerance = GREY_TOLERANCE * depth_of(levels) / 255
    coloured = levels.max(axis=2) - levels.min(axis=2) > tolerance  # (H, W)
    if decoded.alpha is not None:
        coloured &= decoded.alpha > 0  # the colour of a transparent pixel means nothing
    if coloured.any():
        raise TrimapError(
            f"{decoded.name} is a colour picture; expected a grey trimap or mask: black for"
            " background, white for foreground."
        )
    return np.ascontiguousarray(levels[..., 1])


def _real_alpha(decoded: Decoded) -> NDArray[np.float32] | None:
    if decoded.alpha is None or decoded.alpha.min() == depth_of(decoded.alpha):
        return None
    return to_unit(decoded.alpha)
