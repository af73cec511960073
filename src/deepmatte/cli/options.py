"""What options of several verbs have in common."""

from __future__ import annotations

import re

import typer

_UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}


def parse_memory(text: str) -> int:
    """Bytes of "1.5GB", "800 MB", "2g" or a plain number.

    Raises:
        BadParameter: it is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", text.strip().upper())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no amount of memory; expected 1.5GB or 800MB.")
    return round(float(match[1]) * _UNITS[match[2]])


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
