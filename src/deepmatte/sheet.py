"""Contact sheets: several views of one matte side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.images.arrays import to_bytes
from deepmatte.images.resize import shrink

_GAP = 12
_LABEL_HEIGHT = 30
_PAPER = 245
_INK = (40, 40, 40)


def contact_sheet(
    panels: Sequence[tuple[str, NDArray[Any]]], *, columns: int = 3, width: int = 480
) -> NDArray[np.uint8]:
    """Lay out labelled pictures in rows.

    Args:
        panels: pairs of a label (ASCII) and a picture, (H, W) or (H, W, 3), uint8 or float in
            0..1; all with the aspect ratio of the first.
        columns: panels per row.
        width: of each panel, pixels.

    Returns:
        uint8 (H, W, 3).

    Example:
        save_image("sheet.png", contact_sheet([("picture", image), ("alpha", alpha)]))
    """
    import cv2

    first_height, first_width = panels[0][1].shape[:2]
    height = round(width * first_height / first_width)
    rows = -(-len(panels) // columns)
    cell_height, cell_width = height + _LABEL_HEIGHT + _GAP, width + _GAP
    sheet = np.full((rows * cell_height + _GAP, columns * cell_width + _GAP, 3), _PAPER, np.uint8)
    for index, (label, pixels) in enumerate(panels):
        top = _GAP + index // columns * cell_height
        left = _GAP + index % columns * cell_width
        cv2.putText(
            sheet, label, (left, top + 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, _INK, 1, cv2.LINE_AA
        )
        top += _LABEL_HEIGHT
        small = shrink(_to_rgb(pixels), (height, width))
        sheet[top : top + height, left : left + width] = small
    return sheet


def checkerboard(height: int, width: int, square: int = 16) -> NDArray[np.float32]:
    """The two greys that picture editors show behind transparency: float32 (H, W, 3), 0..1."""
    rows = np.arange(height)[:, None] // square
    columns = np.arange(width)[None, :] // square
    light = ((rows + columns) % 2).astype(np.float32)  # (H, W)
    return np.repeat((0.6 + 0.3 * light)[..., None], 3, axis=2)  # (H, W, 3)


def _to_rgb(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8:
        pixels = to_bytes(pixels)
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels  # (H, W, 3)
