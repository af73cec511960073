"""OpenEXR: linear light in half or full floats, as compositing programs exchange it.

The colours of an EXR are multiplied by alpha by custom. The header says what was done, as
``deepmatte:alpha``. Needs the library OpenEXR, in the extra ``exr``.
"""

from __future__ import annotations

import io
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import ImageError
from deepmatte.images.arrays import to_unit
from deepmatte.images.light import srgb_to_light, to_light
from deepmatte.images.metadata import Metadata

# x and y of red, green, blue and white. Source: ITU-R BT.709-6, items 1.3 and 1.4.
REC_709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
ALPHA_ATTRIBUTE, STRAIGHT, PREMULTIPLIED = "deepmatte:alpha", "straight", "premultiplied"
OIIO_STRAIGHT = "oiio:UnassociatedAlpha"  # 1 is how OpenImageIO says the same
_LARGEST_HALF = np.float32(65504)
# Rows that are worked on at a time.
_STRIP = 256


def encode_exr(
    levels: NDArray[Any], metadata: Metadata, *, half: bool, straight: bool = False
) -> bytes:
    """Display values as an EXR of linear light.

    Args:
        levels: (H, W), an alpha matte, stored as it is in channel Y; or (H, W, 3) or (H, W, 4),
            straight display values; uint8, uint16 or float.
        metadata: its profile says what light the colours are. They are stored for the primaries of
            Rec. 709, unless it names others.
        half: 16 bits for each number instead of 32.
        straight: do not multiply the colours by alpha.

    Raises:
        ImageError: the library OpenEXR is not installed.
    """
    values = np.empty(levels.shape, np.float16 if half else np.float32)
    for top in range(0, len(levels), _STRIP):
        rows = slice(top, top + _STRIP)
        values[rows] = np.clip(_linear(levels[rows], metadata, straight), *_range(half))
    attributes: dict[str, Any] = {}
    if levels.ndim == 3:
        attributes["chromaticities"] = metadata.primaries or REC_709
    if levels.ndim == 3 and levels.shape[2] == 4:
        attributes[ALPHA_ATTRIBUTE] = STRAIGHT if straight else PREMULTIPLIED
        if straight:
            attributes[OIIO_STRAIGHT] = 1
    if metadata.dpi is not None:
        attributes["xDensity"] = metadata.dpi[0]
    return write_exr(values, attributes)


def write_exr(values: NDArray[Any], attributes: dict[str, Any]) -> bytes:
    """Numbers as they are, float16 or float32; (H, W) is channel Y, else RGB or RGBA.

    Raises:
        ImageError: the library OpenEXR is not installed.
    """
    openexr = library()
    header = {
        "compression": openexr.ZIP_COMPRESSION,
        "type": openexr.scanlineimage,
        "software": "deepmatte",
        **attributes,
    }
    channels = "Y" if values.ndim == 2 else "RGBA"[: values.shape[2]]
    stream = io.BytesIO()
    openexr.File(header, {channels: np.ascontiguousarray(values)}).write(stream)
    return stream.getvalue()


def library() -> ModuleType:
    """The library OpenEXR.

    Raises:
        ImageError: it is not installed.
    """
    try:
        import OpenEXR
    except ImportError as error:
        raise ImageError('EXR files need OpenEXR: pip install "deepmatte[exr]".') from error
    module: ModuleType = OpenEXR
    return module


def _range(half: bool) -> tuple[np.float32, np.float32]:
    most = _LARGEST_HALF if half else np.finfo(np.float32).max
    return -most, most


def _linear(levels: NDArray[Any], metadata: Metadata, straight: bool) -> NDArray[np.float32]:
    if levels.ndim == 2:
        return to_unit(levels)
    colours = levels[..., :3]
    if metadata.primaries is None:
        light = to_light(colours, metadata.icc_profile)
    else:
        light = srgb_to_light(to_unit(colours))
    if levels.shape[2] == 3:
        return light
    alpha = to_unit(levels[..., 3:])  # (H, W, 1)
    return np.concatenate([light if straight else light * alpha, alpha], axis=2)
