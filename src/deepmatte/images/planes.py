"""An opened Pillow image as arrays: colour (H, W) or (H, W, 3), and alpha (H, W) or None."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from deepmatte.errors import ImageError
from deepmatte.images.arrays import check_floats, narrowed, to_unit
from deepmatte.images.profiles import cmyk_to_rgb
from deepmatte.images.quiet import silently

# Tags of TIFF 6.0.
_BITS, _PHOTOMETRIC, _STRIPS, _SAMPLES, _STRIP_BYTES = 258, 262, 273, 277, 279
_PLANES, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 284, 338, 339
_KEPT = (256, 257, 259, 278, 317)  # width, height, compression, rows of a strip, predictor


def raw_mode_of(image: Image.Image) -> str:
    """The layout of the pixels in the file, e.g. "RGB;16B"; "" if Pillow does not say."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        return ""
    arguments = tiles[0][3]
    if isinstance(arguments, tuple):
        arguments = arguments[0] if arguments else ""
    return arguments if isinstance(arguments, str) else ""


def in_separate_planes(tags: Mapping[int, Any]) -> bool:
    """Whether a TIFF holds colours of more than 8 bits one plane after the other."""
    bits = tags.get(_BITS, (8,))
    return tags.get(_PLANES, 1) == 2 and len(bits) > 1 and max(bits) > 8


def separate_planes(
    data: bytes | None, tags: Mapping[int, Any]
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Decode 16 bit colours in separate planes, which Pillow and OpenCV get wrong, as greys.

    Args:
        data: the file; None where only Pillow's image is known, which is wrong.
        tags: of the page that is wanted.

    Raises:
        ImageError: the planes are of another kind.
    """
    bits, kinds = tags[_BITS], set(tags.get(_SAMPLE_FORMAT, (1,)))
    straight = len(bits) == 3 or (len(bits) == 4 and tags.get(_EXTRA_SAMPLES) == (2,))
    plain = tags.get(_PHOTOMETRIC) == 2 and kinds == {1} and set(bits) == {16}
    strips = _STRIP_BYTES in tags and len(tags.get(_STRIPS, (0,))) % len(bits) == 0
    classic = data is not None and data[2:4] in (b"*\0", b"\0*")
    if data is None or not (classic and strips and straight and plain):
        raise ImageError(
            f"its {max(bits)}-bit colours lie in separate planes; save it with interleaved (chunky)"
            " ones"
        )
    planes = [_plane(data, tags, index) for index in range(len(bits))]
    return narrowed(np.stack(planes[:3], axis=2)), planes[3] if len(bits) == 4 else None


def _plane(data: bytes, tags: Mapping[int, Any], index: int) -> NDArray[np.uint16]:
    """One plane: a directory before the file calls its strips a grey picture."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
    for tag in _KEPT:
        if tag in tags:
            directory[tag] = tags[tag]
    directory[_BITS], directory[_PHOTOMETRIC], directory[_SAMPLES] = 16, 1, 1
    count = len(tags[_STRIPS]) // len(tags[_BITS])
    own = slice(index * count, (index + 1) * count)
    # Pillow adds the end of what it writes to these, which is where the rest then lies.
    directory[_STRIPS] = tuple(place - 8 for place in tags[_STRIPS][own])
    directory[_STRIP_BYTES] = tags[_STRIP_BYTES][own]
    start = struct.pack("<I" if data[:2] == b"II" else ">I", 8)
    with Image.open(io.BytesIO(data[:4] + start + directory.tobytes(8) + data[8:])) as image:
        return np.asarray(image).astype(np.uint16)


def sixteen_bit_planes(
    data: bytes, image: Image.Image, raw_mode: str
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Decode 16 bit colours with OpenCV, since Pillow keeps only the upper 8 bits of them.

    Pillow decodes the file first, because it detects truncation.
    Like Pillow, OpenCV turns a TIFF upright by itself and no other format.
    """
    import cv2

    with silently():
        content, page = np.frombuffer(data, np.uint8), image.tell()
        if page:
            _, pages = cv2.imdecodemulti(content, cv2.IMREAD_UNCHANGED)
            pixels = pages[page] if page < len(pages) else None
        else:
            pixels = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[:2] != image.size[::-1]:
        raise ImageError("the 16 bit pixels could not be decoded")
    colour: NDArray[Any] = np.ascontiguousarray(pixels[..., 2::-1])  # (H, W, 3), BGR to RGB
    colour = narrowed(colour)
    alpha: NDArray[Any] | None = pixels[..., 3] if image.mode == "RGBA" else None
    if alpha is not None and raw_mode.startswith("RGBa"):
        # Premultiplied: both are in 0..65535, so their ratio is in 0..1.
        share = np.maximum(alpha, 1).astype(np.float32)[..., None]  # (H, W, 1)
        colour = np.clip(colour / share, 0, 1).astype(np.float32)
        alpha = to_unit(alpha)
    key = image.info.get("transparency")
    if alpha is None and isinstance(key, tuple):
        visible = (colour != np.array(key)).any(axis=2)  # (H, W)
        alpha = visible.astype(np.uint16) * np.uint16(65535)
    return colour, alpha


def pillow_planes(
    image: Image.Image, profile: bytes | None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Split a decoded Pillow image of any mode into colour and alpha."""
    if image.mode == "F" or image.mode.startswith("I"):
        return deep_grey_planes(image)
    if image.mode == "CMYK":
        return np.asarray(cmyk_to_rgb(image, profile)), None
    if image.has_transparency_data:
        grey = image.mode in ("1", "L", "LA", "La")
        pixels = np.asarray(image.convert("LA" if grey else "RGBA"))
        return (pixels[..., 0] if grey else pixels[..., :3]), pixels[..., -1]
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB")), None


def deep_grey_planes(image: Image.Image) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Read grey of more than 8 bits; Pillow's conversion to 8 bits would clip it."""
    levels = np.asarray(image)
    white_is_zero = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0  # Pillow turns 8 bits only
    if image.mode == "F":
        if levels.max() > 1 and np.isin(levels, np.arange(256)).all():  # 8 bit levels in a float
            levels = levels.astype(np.uint8)
            return 255 - levels if white_is_zero else levels, None
        levels = check_floats(levels, "it")
        return 1 - levels if white_is_zero else levels, None
    if levels.min() < 0 or levels.max() > 65535:
        raise ImageError("its 32 bit integers exceed the range of 16 bits")
    levels = levels.astype(np.uint16)
    key = image.info.get("transparency")
    alpha = None
    if isinstance(key, int):
        alpha = (levels != key).astype(np.uint16) * np.uint16(65535)
    return 65535 - levels if white_is_zero else narrowed(levels), alpha
