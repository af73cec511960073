"""More than 8 bits per channel: OpenCV encodes the pixels, Pillow the metadata.

Pillow has no 16-bit colours, and OpenCV stores neither profiles nor EXIF. So each encodes its part,
and this module joins the two.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from deepmatte.images.metadata import (
    EXIF_BLOCK,
    EXIF_UNIT,
    EXIF_X_RESOLUTION,
    EXIF_Y_RESOLUTION,
    GPS_BLOCK,
    INCH,
    Metadata,
    exif_to_write,
)

_PIXEL_CHUNKS = (b"IHDR", b"IDAT", b"IEND")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_STRIP_OFFSETS, _EXTRA_SAMPLES, _XMP, _ICC_PROFILE = 273, 338, 700, 34675
_UNASSOCIATED = 2  # colours that are not multiplied by alpha
_LZW, _HORIZONTAL, _FLOATING = 5, 2, 3
_ROWS_PER_STRIP = 64


def encode_png(pixels: NDArray[np.uint16], beside: bytes) -> bytes:
    """A PNG of 16 bits.

    Args:
        pixels: (H, W), (H, W, 3) or (H, W, 4), straight alpha.
        beside: an 8-bit PNG whose metadata is copied.
    """
    header, *body = [
        chunk for kind, chunk in _chunks(_encode(".png", pixels, [])) if kind in _PIXEL_CHUNKS
    ]
    metadata = [chunk for kind, chunk in _chunks(beside) if kind not in _PIXEL_CHUNKS]
    return b"".join([_SIGNATURE, header, *metadata, *body])


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and whole chunks. Source: PNG specification, section 5.3: length, kind, data, sum."""
    start = len(_SIGNATURE)
    while start < len(png):
        end = start + 12 + int.from_bytes(png[start : start + 4], "big")
        yield png[start + 4 : start + 8], png[start:end]
        start = end


def encode_tiff(pixels: NDArray[Any], metadata: Metadata) -> bytes:
    """A TIFF of 8 or 16 bits, or of floats.

    Args:
        pixels: uint8, uint16 or float32; (H, W), (H, W, 3) or (H, W, 4), straight alpha.
        metadata: its profile is stored as it is.
    """
    import cv2

    predictor = _FLOATING if pixels.dtype.kind == "f" else _HORIZONTAL
    options = [cv2.IMWRITE_TIFF_COMPRESSION, _LZW, cv2.IMWRITE_TIFF_PREDICTOR, predictor]
    options += [cv2.IMWRITE_TIFF_ROWSPERSTRIP, _ROWS_PER_STRIP]
    tags = tags_of(metadata)
    if pixels.shape[2:] == (4,):
        tags[_EXTRA_SAMPLES] = _UNASSOCIATED
    return with_tags(_encode(".tif", pixels, options), tags)


def tags_of(metadata: Metadata) -> dict[int, Any]:
    """The tags that hold metadata in a TIFF."""
    exif = exif_to_write(metadata, with_resolution=False)
    tags: dict[int, Any] = dict(exif)
    for pointer in (EXIF_BLOCK, GPS_BLOCK):
        if pointer in exif:
            tags[pointer] = dict(exif.get_ifd(pointer))
    if metadata.dpi is not None:
        tags[EXIF_X_RESOLUTION], tags[EXIF_Y_RESOLUTION] = metadata.dpi
        tags[EXIF_UNIT] = INCH
    for tag, block in ((_ICC_PROFILE, metadata.icc_profile), (_XMP, metadata.xmp)):
        if block is not None:
            tags[tag] = block
    return tags


def with_tags(tiff: bytes, tags: dict[int, Any]) -> bytes:
    """A one-page TIFF with more tags: a new directory is written in front of the pixels."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(tiff[:8])
    stream = io.BytesIO(tiff)
    stream.seek(directory.next)
    directory.load(stream)
    dict(directory)  # decodes the tags, which are written only then
    # Pillow adds the end of what it writes to these, which is where the rest then lies.
    directory[_STRIP_OFFSETS] = tuple(offset - 8 for offset in directory[_STRIP_OFFSETS])
    for tag, value in tags.items():
        directory[tag] = value
    start = struct.pack("<I" if tiff[:2] == b"II" else ">I", 8)
    return b"".join([tiff[:4], start, directory.tobytes(8), tiff[8:]])


def _encode(suffix: str, pixels: NDArray[Any], options: list[int]) -> bytes:
    import cv2

    order = pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    done, data = cv2.imencode(suffix, np.ascontiguousarray(order), options)
    if not done:
        raise ValueError("OpenCV could not encode it")
    return data.tobytes()
