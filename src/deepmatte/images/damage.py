"""Finds truncated files that their decoder does not notice."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import ImageError

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Of PNG's colour types."""
# Adam7's passes: first column and row, and steps.
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_GREY = 128
_ROWS = 16
"""Rows of the largest block of a JPEG."""


def check_png(data: bytes, name: str) -> None:
    """Count the rows of a PNG: Pillow fills missing ones with zeros.

    Source: PNG specification, sections 4.6 and 8.

    Raises:
        ImageError: the file has fewer rows than its header says.
    """
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    bits = data[24] * _CHANNELS.get(data[25], 0)
    passes = _PASSES if data[28] else ((0, 0, 1, 1),)
    expected = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            expected += rows * (1 + (columns * bits + 7) // 8)  # a byte names the row's filter
    unpacker, found = zlib.decompressobj(), 0
    for part in _image_data(data):
        while part and not unpacker.eof:
            found += len(unpacker.decompress(part, 1 << 20))
            part = unpacker.unconsumed_tail
    if found < expected:
        raise ImageError(
            f"{name} is damaged: it holds {found / expected:.0%} of its pixels, the rest is gone."
        )


def _image_data(data: bytes) -> Iterator[bytes]:
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            yield data[at + 8 : at + 8 + length]
        at += 12 + length


def is_blank_below(pixels: NDArray[Any]) -> bool:
    """Whether the lowest row (W,) or (W, C) is all zero, as if it were missing."""
    return not np.any(pixels[-1])


def grey_below(pixels: NDArray[np.uint8]) -> float:
    """The share of a JPEG's lowest rows that are plain grey, as where it was cut off: 0..1.

    Pixels are (H, W) or (H, W, 3). Fewer rows than a block has do not count.
    """
    if not (pixels[-1] == _GREY).all():
        return 0.0
    plain = (pixels == _GREY).reshape(len(pixels), -1).all(axis=1)  # (H,)
    rows = int(np.argmin(plain[::-1])) if not plain.all() else 0
    return rows / len(pixels) if rows >= _ROWS else 0.0
