"""The worst pictures of each method as a contact sheet: picture, trimap, true alpha, prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import MattingError
from deepmatte.evaluation.job import open_matte
from deepmatte.evaluation.results import Evaluation, Row
from deepmatte.evaluation.tables import format_error
from deepmatte.images import open_alpha, open_image
from deepmatte.images.arrays import to_bytes
from deepmatte.images.resize import limited, shrink
from deepmatte.sheet import contact_sheet
from deepmatte.trimap import open_trimap

COUNT = 10
"""How many pictures of each method a sheet shows."""

_SIDE = 200  # pixels of a panel
_LETTERS = 18  # of a label that fit over a panel
_PAPER = 245


def worst_rows(evaluation: Evaluation, method: str) -> list[Row]:
    """The pictures with a method's largest SAD, each with its worst trimap; the worst first.

    Pictures on which the method failed have no error and are left out.
    """
    worst: dict[str, tuple[float, Row]] = {}
    for row in evaluation.rows:
        if row.method == method and row.errors is not None:
            sad = row.errors["sad"]
            if row.picture not in worst or sad > worst[row.picture][0]:
                worst[row.picture] = (sad, row)
    ordered = sorted(worst.values(), key=lambda found: found[0], reverse=True)
    return [row for _, row in ordered[:COUNT]]


def worst_sheets(evaluation: Evaluation) -> dict[str, NDArray[np.uint8]]:
    """Draw a sheet for each method that has any prediction.

    Each of its rows is one picture: the picture, its trimap, the true alpha and the prediction. A
    picture whose files cannot be read is left out.

    Returns:
        uint8 (H, W, 3) by the method's name; all of the same width.
    """
    known: dict[Path, NDArray[np.uint8]] = {}  # the methods share the pictures
    sheets = {}
    for method in evaluation.methods:
        panels: list[tuple[str, NDArray[np.uint8]]] = []
        for row in worst_rows(evaluation, method):
            try:
                panels += _panels(row, known)
            except MattingError:
                continue
        if panels:
            sheets[method] = contact_sheet(panels, columns=4, width=_SIDE)
    return sheets


def side_by_side(sheets: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Join sheets (H, W, 3) to one, (the largest H, the sum of all W, 3)."""
    height = max(len(sheet) for sheet in sheets)
    return np.hstack(
        [
            np.pad(sheet, ((0, height - len(sheet)), (0, 0), (0, 0)), constant_values=_PAPER)
            for sheet in sheets
        ]
    )


def _panels(row: Row, known: dict[Path, NDArray[np.uint8]]) -> list[tuple[str, NDArray[np.uint8]]]:
    """The labelled panels of one picture; `known` are those that were made before, by file."""
    assert row.prediction is not None  # by worst_rows
    assert row.errors is not None
    opened: tuple[tuple[str, Path, Callable[[Path], NDArray[Any]]], ...] = (
        (row.picture, row.image, lambda path: open_image(path).rgb),
        (row.trimap, row.shown_trimap, open_trimap),
        ("true", row.alpha, open_alpha),
    )
    panels = []
    for label, path, open_file in opened:
        if path not in known:
            known[path] = _panel(open_file(path))
        panels.append((label[:_LETTERS], known[path]))
    sad = f" {format_error('sad', row.errors['sad'])}"
    label = row.method[: _LETTERS - len(sad)] + sad
    return [*panels, (label, _panel(open_matte(row.prediction)))]


def _panel(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """A picture (H, W) or (H, W, 3), shrunk into the middle of a square of paper."""
    levels = pixels if pixels.dtype == np.uint8 else to_bytes(pixels)
    height, width = limited(levels.shape, _SIDE)
    small = shrink(levels, (height, width))
    square = np.full((_SIDE, _SIDE, 3), _PAPER, np.uint8)
    top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
    square[top : top + height, left : left + width] = small if small.ndim == 3 else small[..., None]
    return square
