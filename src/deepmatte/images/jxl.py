"""JPEG XL. Needs pillow-jxl-plugin, in the extra ``formats``.

The plug-in decodes a file when it opens it, so the size must be known before. It gives
8 bits per channel and ignores XMP. Source: ISO/IEC 18181-1, Annex D (header of the
codestream), and 18181-2, clause 9 (boxes of the container).
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from deepmatte.errors import ImageError
from deepmatte.images.quiet import quietly

_CODESTREAM, _CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
# Bits of a number of pixels, and the ratios of width to height that have a code.
_WIDTHS = (9, 13, 18, 30)
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_DEPTHS = (8, 10, 12)
_FORMAT = "JXL"


@dataclass(frozen=True)
class JxlHeader:
    """What a file says of itself.

    Attributes:
        size: (width, height) as it is stored.
        is_deep: whether its colours have more than 8 bits, as far as is known.
    """

    size: tuple[int, int]
    is_deep: bool


def is_jxl(data: bytes) -> bool:
    """Whether a file is a JPEG XL."""
    return data.startswith((_CODESTREAM, _CONTAINER))


def register_jxl() -> None:
    """Let Pillow read and write JPEG XL.

    Raises:
        ImageError: pillow-jxl-plugin is not installed.
    """
    try:
        importlib.import_module("pillow_jxl")
    except ImportError as error:
        raise ImageError(
            'JPEG XL needs pillow-jxl-plugin: pip install "deepmatte[formats]".'
        ) from error


def open_jxl(data: bytes) -> Image.Image:
    """A picture, already decoded, upright and with its XMP.

    Raises:
        ImageError: pillow-jxl-plugin is not installed.
    """
    register_jxl()
    with quietly():
        image = Image.open(io.BytesIO(data), formats=(_FORMAT,))
    for kind, content in _boxes(data):
        if kind == b"xml ":
            image.info["xmp"] = content
    return image


def jxl_header(data: bytes, name: str) -> JxlHeader:
    """Read the header of a file.

    Raises:
        ImageError: it is damaged.
    """
    kinds = {b"jxlc": 0, b"jxlp": 4}  # what stands before the codestream in such a box
    stream = data
    if not data.startswith(_CODESTREAM):
        parts = ((kinds[kind], content) for kind, content in _boxes(data) if kind in kinds)
        skipped, stream = next(parts, (0, b""))
        stream = stream[skipped:]
    if not stream.startswith(_CODESTREAM) or len(stream) < 4:
        raise ImageError(f"{name} is damaged: it has no header of a JPEG XL.")
    bits = _Bits(stream[2:34])
    is_small = bits.take(1) == 1
    height = _side(bits, is_small)
    ratio = bits.take(3)
    across, down = _RATIOS[ratio - 1]
    width = height * across // down if ratio else _side(bits, is_small)
    return JxlHeader((width, height), _is_deep(bits))


class _Bits:
    """Numbers out of bytes, the lowest bits first; 0 beyond their end."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        """The next bits as a number."""
        taken = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return taken


def _side(bits: _Bits, is_small: bool) -> int:
    if is_small:
        return 8 * (1 + bits.take(5))
    return 1 + bits.take(_WIDTHS[bits.take(2)])


def _is_deep(bits: _Bits) -> bool:
    """Whether the metadata, which follow the size, say so; not looked for behind other fields."""
    if bits.take(1) or bits.take(1):  # all as usual; orientation, preview or animation come first
        return False
    if bits.take(1):  # floats
        return True
    kind = bits.take(2)
    return (_DEPTHS[kind] if kind < len(_DEPTHS) else 1 + bits.take(6)) > _DEPTHS[0]


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and contents of the boxes of a container; nothing of a bare codestream."""
    at = 0 if data.startswith(_CONTAINER) else len(data)
    while at + 8 <= len(data):
        length, head = int.from_bytes(data[at : at + 4], "big"), 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = at + length if length else len(data)
        yield data[at + 4 : at + 8], data[at + head : end]
        if end < at + head:
            return  # damaged
        at = end
