"""What options of several verbs have in common."""

from __future__ import annotations

import re

import typer

from deepmatte.errors import MattingError
from deepmatte.machine import bytes_of


def parse_memory(text: str) -> int:
    """Bytes of "1.5GB", "800 MB", "2g" or a plain number.

    Raises:
        BadParameter: it is none of these.
    """
    try:
        return bytes_of(text)
    except MattingError as error:
        raise typer.BadParameter(str(error)) from error


def parse_point(text: str) -> tuple[int, int]:
    """The two whole numbers of "120,300".

    Raises:
        BadParameter: it is something else.
    """
    x, y = _whole_numbers(text, "X,Y")
    return x, y


def parse_box(text: str) -> tuple[int, int, int, int]:
    """The four whole numbers of "40,30,620,900".

    Raises:
        BadParameter: it is something else.
    """
    left, top, right, bottom = _whole_numbers(text, "LEFT,TOP,RIGHT,BOTTOM")
    return left, top, right, bottom


def _whole_numbers(text: str, form: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != form.count(",") + 1 or not all(re.fullmatch(r"-?\d+", part) for part in parts):
        raise typer.BadParameter(f"{text!r} came, expected whole numbers of pixels: {form}.")
    return [int(part) for part in parts]
