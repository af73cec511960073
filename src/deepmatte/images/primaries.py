"""An ICC profile for the primaries that an EXR names, so that a PNG of it is shown right."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

_D50 = np.array([0.9642, 1.0, 0.8249])
# From XYZ to cone responses. Source: Bradford, as in ICC.1:2010, annex E.
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_COLOURS = (b"rXYZ", b"gXYZ", b"bXYZ")
# The sRGB curve as a parametric one of kind 3. Source: IEC 61966-2-1.
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def profile_of_primaries(primaries: tuple[float, ...]) -> bytes | None:
    """A profile (ICC.1:2010) of RGB with the sRGB curve, or None where there can be none.

    Args:
        primaries: x and y of red, green, blue and white.
    """
    points = np.array(primaries, np.float64).reshape(4, 2)
    with np.errstate(all="ignore"):
        xyz = np.stack([points[:, 0], points[:, 1], 1 - points.sum(axis=1)]) / points[:, 1]
    try:
        matrix = xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3])
        scale = (_BRADFORD @ _D50) / (_BRADFORD @ xyz[:, 3])
        adapting = np.linalg.solve(_BRADFORD, scale[:, None] * _BRADFORD)
        columns = (adapting @ matrix).T
        tags = {name: _xyz(column) for name, column in zip(_COLOURS, columns, strict=True)}
    except (np.linalg.LinAlgError, struct.error, ValueError):
        return None
    curve = b"para\0\0\0\0\0\3\0\0" + _fixed(*_CURVE)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    tags |= {b"wtpt": _xyz(_D50), b"chad": b"sf32\0\0\0\0" + _fixed(*adapting.ravel())}
    tags |= {b"desc": _text("Primaries of the EXR, sRGB curve"), b"cprt": _text("No copyright")}
    return _joined(tags)


def _fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(float(number) * 65536) for number in numbers))


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28) + encoded


def _joined(tags: dict[bytes, bytes]) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(data), len(content))
        data += content + b"\0" * (-len(content) % 4)
    header = struct.pack(">IIi4s4s4s", start + len(data), 0, 0x04200000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s", 2000, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28 + _fixed(*_D50)
    return header.ljust(128, b"\0") + table + data
