"""Options that several commands share, and their parsers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from deepmatte.errors import MattingError
from deepmatte.machine import bytes_of

if TYPE_CHECKING:
    from deepmatte import images
    from deepmatte.framing import Margin

Parsed = TypeVar("Parsed")


def parse_depth(text: str) -> images.Depth:
    """Bits of each colour: "8", "16", "half" or "float".

    Raises:
        BadParameter: the text is something else.
    """
    depths: dict[str, images.Depth] = {"8": 8, "16": 16, "half": "half", "float": "float"}
    if text.strip().lower() not in depths:
        raise typer.BadParameter(f"{text!r} is no depth; expected 8, 16, half or float.")
    return depths[text.strip().lower()]


def parse_margin(text: str) -> Margin:
    """A margin in pixels and as a share of the subject; see `deepmatte.framing.margin_of`.

    Raises:
        BadParameter: the text is something else.
    """
    from deepmatte.framing import margin_of

    return _parsed(margin_of, text)


def parse_opacity(text: str) -> float:
    """A share in 0..1; see `deepmatte.framing.opacity_of`.

    Raises:
        BadParameter: the text is something else.
    """
    from deepmatte.framing import opacity_of

    return _parsed(opacity_of, text)


def parse_memory(text: str) -> int:
    """Bytes of "1.5GB", "800 MB", "2g" or a plain number.

    Raises:
        BadParameter: the text is something else.
    """
    return _parsed(bytes_of, text)


def _parsed(parse: Callable[[str], Parsed], text: str) -> Parsed:
    try:
        return parse(text)
    except MattingError as error:
        raise typer.BadParameter(str(error)) from error


Device = Annotated[
    str,
    typer.Option(
        metavar="cpu|cuda|openvino|coreml|directml",
        help="The device for the network; the installed ONNX Runtime must support it.",
    ),
]

Model = Annotated[
    str,
    typer.Option(
        metavar="lite|dim|FILE",
        help="lite, the default network; dim, that of Deep Image Matting; or the ONNX file of"
        " another.",
    ),
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
Over = Annotated[
    str | None,
    typer.Option(
        metavar="BG|COLOUR", help="The new background: a picture, a colour or a gradient."
    ),
]
# The types of parsed options are Any for typer, which knows only those that it parses itself.
Depth = Annotated[
    Any,
    typer.Option(
        metavar="8|16|half|float",
        parser=parse_depth,
        help="Bits per channel; default that of the picture, half for .exr.",
        show_default=False,
    ),
]
Straight = Annotated[
    bool, typer.Option("--straight", help="Do not multiply an EXR's colours by alpha.")
]
Crop = Annotated[
    Any,
    typer.Option(
        metavar="20|5%",
        parser=parse_margin,
        help="Crop to the subject plus this margin: pixels, or a percentage of its larger side.",
        show_default=False,
    ),
]
Resize = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Shrink the results to N pixels on the longer side."),
]
Shadow = Annotated[
    Any,
    typer.Option(
        metavar="40%",
        parser=parse_opacity,
        help="Add a soft shadow below the subject, with this opacity.",
        show_default=False,
    ),
]


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
        raise typer.BadParameter(f"{text!r} does not fit; expected {form} in whole pixels.")
    return [int(part) for part in parts]
