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
