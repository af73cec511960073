"""Parsers of options that several commands share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deepmatte.errors import MattingError
from deepmatte.machine import bytes_of

if TYPE_CHECKING:
    from deepmatte.images import Depth

Device = Annotated[
    str,
    typer.Option(
        metavar="cpu|cuda|openvino|coreml|directml",
        help="The device for the network; the installed ONNX Runtime must support it.",
    ),
]

Model = Annotated[
    str, typer.Option(metavar="lite|FILE", help="The shipped network, or the ONNX file of another.")
]
Quality = Annotated[
    Literal["normal", "high"],
    typer.Option(help="high is finer and takes several times as long."),
]
ResizeTrimap = Annotated[
    bool,
    typer.Option(
        "--resize-trimap",
        help="Resize a trimap or mask of another size to the picture by nearest neighbour.",
    ),
]


def parse_memory(text: str) -> int:
    """Bytes of "1.5GB", "800 MB", "2g" or a plain number.

    Raises:
        BadParameter: the text is something else.
    """
    try:
        return bytes_of(text)
    except MattingError as error:
        raise typer.BadParameter(str(error)) from error


def parse_point(text: str) -> tuple[int, int]:
    """The two whole numbers of "120,300".

    Raises:
        BadParameter: the text is something else.
    """
    x, y = _whole_numbers(text, "X,Y")
    return x, y


def parse_box(text: str) -> tuple[int, int, int, int]:
    """The four whole numbers of "40,30,620,900".

    Raises:
        BadParameter: the text is something else.
    """
    left, top, right, bottom = _whole_numbers(text, "LEFT,TOP,RIGHT,BOTTOM")
    return left, top, right, bottom


def _whole_numbers(text: str, form: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != form.count(",") + 1 or not all(re.fullmatch(r"-?\d+", part) for part in parts):
        raise typer.BadParameter(f"{text!r} came, expected whole numbers of pixels: {form}.")
    return [int(part) for part in parts]


def parse_depth(text: str) -> Depth:
    """Bits of each colour: "8", "16", "half" or "float".

    Raises:
        BadParameter: the text is something else.
    """
    depths: dict[str, Depth] = {"8": 8, "16": 16, "half": "half", "float": "float"}
    if text.strip().lower() not in depths:
        raise typer.BadParameter(f"{text!r} is no depth; expected 8, 16, half or float.")
    return depths[text.strip().lower()]


def parse_margin(text: str) -> tuple[int, float]:
    """A margin in pixels and as a share of the subject: "20", "20px" or "5%".

    Raises:
        BadParameter: the text is something else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(px|%)?", text.strip().lower())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no margin; expected 20 (pixels) or 5%.")
    if match[2] == "%":
        return 0, float(match[1]) / 100
    return round(float(match[1])), 0.0


def parse_opacity(text: str) -> float:
    """A share in 0..1: "0.4" or "40%".

    Raises:
        BadParameter: the text is something else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%)?", text.strip())
    opacity = -1.0 if match is None else float(match[1]) / (100 if match[2] else 1)
    if not 0 <= opacity <= 1:
        raise typer.BadParameter(f"{text!r} is no opacity; expected 0.4 or 40%.")
    return opacity
