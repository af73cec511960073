"""Conversion of colours between profiles, and to linear light, at any depth.

Pillow's colour management has 8 bits only. Nearly all RGB profiles are three curves and a matrix
(ICC.1:2010, section 8.4.3): these are applied here. Pillow converts all others.
"""

from __future__ import annotations

import contextlib
import functools
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepmatte.images.arrays import depth_of, to_levels, to_unit
from deepmatte.images.profiles import through_profiles

Matrix = NDArray[np.float64]

# Rows processed at a time.
_STRIP = 256
# Steps of a curve: linear interpolation between them is off by less than 1e-7.
_STEPS = 4096
_GRID = np.linspace(0, 1, _STEPS + 1)
# Linear sRGB to XYZ under D50. Source: IEC 61966-2-1, adapted by Bradford's matrix.
_SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
# Profiles that differ by less than this (of 1) count as the same, rounded differently.
_SAME = 1e-3
_MATRIX_TAGS = (b"rXYZ", b"gXYZ", b"bXYZ")
_CURVE_TAGS = (b"rTRC", b"gTRC", b"bTRC")


@dataclass(frozen=True, eq=False)
class _Space:
    """An RGB space: the curves (3, _STEPS + 1) from levels to light, and light to XYZ (3, 3)."""

    curves: NDArray[np.float64]
    matrix: Matrix

    def is_near(self, other: _Space) -> bool:
        return (
            float(np.abs(self.curves - other.curves).max()) < _SAME
            and float(np.abs(self.matrix - other.matrix).max()) < _SAME
        )


def srgb_to_light(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sRGB curve, continued above 1 and, mirrored, below 0. Source: IEC 61966-2-1."""
    size = np.abs(levels)
    light = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.copysign(light, levels).astype(np.float32, copy=False)


def light_to_srgb(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse of `srgb_to_light`."""
    size = np.abs(light)
    levels = np.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.copysign(levels, light).astype(np.float32, copy=False)


def to_light(levels: NDArray[Any], icc_profile: bytes | None) -> NDArray[np.float32]:
    """Convert colours to linear light with the primaries of Rec. 709, which sRGB shares.

    Args:
        levels: (H, W, 3), uint8, uint16, or float32.
        icc_profile: of the levels; None is sRGB.

    Returns:
        float32 (H, W, 3); outside 0..1 for colours outside sRGB.
    """
    space = _space(icc_profile)
    if space is None:  # no curves and a matrix
        levels, space = _through_pillow(levels, icc_profile, None), _srgb()
    light = np.empty(levels.shape, np.float32)
    for rows in _strips(levels):
        if space.is_near(_srgb()):
            light[rows] = srgb_to_light(to_unit(levels[rows]))
        else:
            light[rows] = _mixed(_decoded(levels[rows], space), space, _srgb())
    return light


def convert_colours(
    levels: NDArray[Any], source: bytes | None, target: bytes | None
) -> NDArray[Any]:
    """Convert colours from one profile to another.

    Args:
        levels: (H, W, 3), uint8, uint16, or float32 in 0..1.
        source: the ICC profile of the levels; None is sRGB.
        target: the ICC profile of the result; None is sRGB.

    Returns:
        As ``levels``, in its type. Colours outside the target are clipped.
    """
    if source == target:
        return levels
    first, second = _space(source), _space(target)
    if first is None or second is None:
        return _through_pillow(levels, source, target)
    if first.is_near(second):
        return levels
    converted = np.empty_like(levels)
    for rows in _strips(levels):
        values = _encoded(_mixed(_decoded(levels[rows], first), first, second), second)
        if levels.dtype.kind == "u":
            values = np.rint(values * np.float32(depth_of(levels)))
        converted[rows] = values
    return converted


def _strips(levels: NDArray[Any]) -> list[slice]:
    return [slice(top, top + _STRIP) for top in range(0, len(levels), _STRIP)]


def _decoded(levels: NDArray[Any], space: _Space) -> NDArray[np.float32]:
    light = np.empty(levels.shape, np.float32)
    for channel, curve in enumerate(space.curves):
        plane = levels[..., channel]
        if plane.dtype.kind == "u":  # one table look-up for each pixel
            steps = np.linspace(0, 1, np.iinfo(plane.dtype).max + 1)
            light[..., channel] = np.interp(steps, _GRID, curve).astype(np.float32)[plane]
        else:
            light[..., channel] = np.interp(plane, _GRID, curve)
    return light


def _encoded(light: NDArray[np.float32], space: _Space) -> NDArray[np.float32]:
    levels = np.empty_like(light)
    for channel, curve in enumerate(space.curves):
        levels[..., channel] = np.interp(light[..., channel], curve, _GRID)
    return levels


def _mixed(light: NDArray[np.float32], source: _Space, target: _Space) -> NDArray[np.float32]:
    matrix = np.linalg.solve(target.matrix, source.matrix)
    return np.asarray(light @ matrix.T.astype(np.float32), np.float32)


def _through_pillow(
    levels: NDArray[Any], source: bytes | None, target: bytes | None
) -> NDArray[Any]:
    """`convert_colours` by Pillow's colour management, which has 8 bits only."""
    with contextlib.suppress(Exception):  # an unusable profile counts as none
        image = Image.fromarray(to_levels(levels, np.uint8))
        converted = np.asarray(through_profiles(image, source, target))
        return to_levels(converted, levels.dtype)
    return levels


@functools.lru_cache(maxsize=8)
def _space(icc_profile: bytes | None) -> _Space | None:
    """Curves and matrix of a profile; None if it has no such or is damaged."""
    if icc_profile is None:
        return _srgb()
    try:
        tags = _tags(icc_profile)
        if any(tag.startswith(b"A2B") for tag in tags):
            return None
        columns = [_numbers(tags[tag], 8, 3) for tag in _MATRIX_TAGS]
        curves = np.array([_curve(tags[tag]) for tag in _CURVE_TAGS])
    except (KeyError, IndexError, ValueError, ZeroDivisionError, struct.error):
        return None
    matrix = np.array(columns).T
    rising = np.isfinite(curves).all() and (np.diff(curves) >= 0).all()
    return _Space(curves, matrix) if rising and abs(np.linalg.det(matrix)) > 1e-6 else None


@functools.cache
def _srgb() -> _Space:
    return _Space(np.tile(srgb_to_light(_GRID.astype(np.float32)), (3, 1)), _SRGB_TO_XYZ)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Source: ICC.1:2010, section 7.3."""
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for index in range(min(count, 200)):
        name, start, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        tags[name] = profile[start : start + size]
    return tags


def _numbers(data: bytes, start: int, count: int) -> list[float]:
    """Numbers of 16 bits before and 16 after the point (ICC.1:2010, section 4.6)."""
    return [number / 65536 for number in struct.unpack_from(f">{count}i", data, start)]


def _curve(data: bytes) -> NDArray[np.float64]:
    """A curve at `_GRID`. Source: ICC.1:2010, sections 10.5 and 10.15."""
    if data[:4] == b"para":
        (kind,) = struct.unpack_from(">H", data, 8)
        return _parametric(kind, _numbers(data, 12, (1, 3, 4, 5, 7)[kind]))
    if data[:4] != b"curv":
        raise ValueError("neither of the two kinds of curves")
    (count,) = struct.unpack_from(">I", data, 8)
    if count == 0:
        return _GRID
    values = np.array(struct.unpack_from(f">{count}H", data, 12), np.float64)
    if count == 1:
        return np.asarray(_GRID ** (values[0] / 256), np.float64)
    return np.interp(_GRID, np.linspace(0, 1, count), values / 65535)


def _parametric(kind: int, numbers: list[float]) -> NDArray[np.float64]:
    gamma, a, b, c, d, e, f = numbers + [1.0, 0.0, 0.0, 0.0, 0.0, 0.0][len(numbers) - 1 :]
    if kind in (1, 2):
        d, c, f = -b / a, 0.0, c if kind == 2 else 0.0
        e = f
    power = np.maximum(a * _GRID + b, 0) ** gamma + e
    if kind == 0:
        return np.asarray(power, np.float64)
    return np.where(d <= _GRID, power, c * _GRID + f)
