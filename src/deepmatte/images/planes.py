"""An opened Pillow image as arrays: colour (H, W) or (H, W, 3), and alpha (H, W) or None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepmatte.errors import ImageError
from deepmatte.images.arrays import check_floats, narrowed, to_unit
from deepmatte.images.profiles import cmyk_to_rgb
from deepmatte.images.quiet import silently

_BITS, _PHOTOMETRIC, _PLANES = 258, 262, 284  # tags of TIFF


def raw_mode_of(image: Image.Image) -> str:
    """The layout of the pixels in the file, e.g. "RGB;16B"; "" if Pillow does not say."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        return ""
    arguments = tiles[0][3]
    if isinstance(arguments, tuple):
        arguments = arguments[0] if arguments else ""
    return arguments if isinstance(arguments, str) else ""


def check_planes(tags: Mapping[int, Any]) -> None:
    """Refuse 16-bit colours in separate planes, which neither Pillow nor OpenCV decodes correctly.

    Raises:
        ImageError: the colours are stored so.
    """
    bits = tags.get(_BITS, (8,))
    if tags.get(_PLANES, 1) == 2 and len(bits) > 1 and max(bits) > 8:
        raise ImageError(
            f"its {max(bits)}-bit colours lie in separate planes; save it with interleaved (chunky)"
            " ones"
        )


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
