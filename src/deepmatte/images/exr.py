"""OpenEXR: linear light in half or full floats, as compositing programs exchange it.

Colours of an EXR are usually premultiplied by alpha. The attribute ``deepmatte:alpha`` says whether
these are. Needs the library OpenEXR, in the extra ``exr``.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import ImageError
from deepmatte.images.arrays import to_unit
from deepmatte.images.light import srgb_to_light, to_light
from deepmatte.images.metadata import Metadata
from deepmatte.images.picture import Admit, check_size
from deepmatte.images.quiet import silently

# x and y of red, green, blue and white. Source: ITU-R BT.709-6, items 1.3 and 1.4.
REC_709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
ALPHA_ATTRIBUTE, STRAIGHT, PREMULTIPLIED = "deepmatte:alpha", "straight", "premultiplied"
OIIO_STRAIGHT = "oiio:UnassociatedAlpha"  # 1 is how OpenImageIO says the same
MAGIC = b"\x76\x2f\x31\x01"
_LARGEST_HALF = np.float32(65504)
# Rows processed at a time.
_STRIP = 256
_UNREADABLE = (
    "{} is damaged, or an EXR of an unsupported kind; expected one flat picture in the"
    " channels R, G and B, or Y."
)


def encode_exr(
    levels: NDArray[Any], metadata: Metadata, *, half: bool, straight: bool = False
) -> bytes:
    """Display values as an EXR of linear light.

    Args:
        levels: (H, W), an alpha matte, stored as it is in channel Y; or (H, W, 3) or (H, W, 4),
            straight display values; uint8, uint16 or float.
        metadata: its profile defines the colours. They are stored with the primaries of Rec. 709,
            unless it names others.
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
    openexr = check_exr()
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


def check_exr() -> ModuleType:
    """Import the library OpenEXR.

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


@dataclass(frozen=True, eq=False)
class ExrPixels:
    """The numbers of an EXR, in its display window.

    Attributes:
        colour: float32 (H, W) or (H, W, 3), straight: divided by alpha.
        alpha: float32 (H, W), or None.
        primaries: x and y of red, green, blue and white where they are not Rec. 709's, or None.
        dots: per inch, or None.
    """

    colour: NDArray[np.float32]
    alpha: NDArray[np.float32] | None
    primaries: tuple[float, ...] | None
    dots: float | None


def exr_size(data: bytes, name: str) -> tuple[int, int]:
    """(width, height) of an EXR's display window, by its header alone.

    Raises:
        ImageError: the header cannot be read, or the library OpenEXR is not installed.
    """
    return _size(_header(data, name)["displayWindow"])


def decode_exr(data: bytes, name: str, admit: Admit) -> ExrPixels:
    """Read the first part of an EXR: its colours (R, G, B), its grey (Y) or its only channel.

    Args:
        data: of the file.
        name: what an error message calls it.
        admit: is asked with (height, width) before the pixels are decoded.

    Raises:
        ImageError: it has none of these, is too large or damaged, or its numbers are not finite;
            or the library OpenEXR is not installed.
    """
    header = _header(data, name)
    for window in ("dataWindow", "displayWindow"):
        size = _size(header[window])
        check_size(size, name)
        admit(size[::-1])
    names = _wanted(header["channels"], name)
    try:
        with silently():
            # Of damaged pixels the newer `File` only prints something; this raises an error.
            stored = check_exr().InputFile(io.BytesIO(data)).channels(names, _float())
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise ImageError(_UNREADABLE.format(name)) from error
    planes = [np.frombuffer(plane, np.float32) for plane in stored]
    width, height = _size(header["dataWindow"])
    levels = np.stack(planes, axis=1).reshape(height, width, len(names))  # (H, W, C)
    if not np.isfinite(levels).all():
        raise ImageError(f"{name} holds values that are not finite; expected finite numbers.")
    levels = _in_display_window(levels, header)
    colour, alpha = levels, None
    if len(names) in (2, 4):
        colour, alpha = levels[..., :-1], levels[..., -1].clip(0, 1)
        if header.get(ALPHA_ATTRIBUTE) != STRAIGHT and header.get(OIIO_STRAIGHT) != 1:
            share = np.where(alpha > 0, alpha, 1)[..., None]  # (H, W, 1)
            colour = np.divide(colour, share, dtype=np.float32)
    dots = header.get("xDensity")
    return ExrPixels(
        np.ascontiguousarray(colour[..., 0] if colour.shape[2] == 1 else colour),
        alpha,
        _primaries(header) if colour.shape[2] == 3 else None,
        float(dots) if isinstance(dots, (int, float)) and dots > 0 else None,
    )


def _header(data: bytes, name: str) -> dict[str, Any]:
    openexr = check_exr()
    try:
        with silently():
            header: dict[str, Any] = (
                openexr.File(io.BytesIO(data), header_only=True).parts[0].header
            )
        _size(header["dataWindow"]), _size(header["displayWindow"])
    except (IndexError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise ImageError(_UNREADABLE.format(name)) from error
    return header


def _float() -> Any:
    import Imath  # comes with OpenEXR

    return Imath.PixelType(Imath.PixelType.FLOAT)


def _size(window: Any) -> tuple[int, int]:
    first, last = window
    return int(last[0]) - int(first[0]) + 1, int(last[1]) - int(first[1]) + 1


def _wanted(stored: list[Any], name: str) -> list[str]:
    channels = {channel.name: channel for channel in stored}
    colours = next((names for names in ("RGB", "Y") if channels.keys() >= set(names)), "")
    names = [*colours, "A"] if colours and "A" in channels else list(colours)
    if not names and len(channels) == 1:
        names = list(channels)
    if not names or "RY" in channels:
        found = ", ".join(sorted(channels))
        raise ImageError(f"{name} has the channels {found}; expected R, G and B, or Y.")
    for channel in names:
        kind = channels[channel]
        if kind.xSampling != 1 or kind.ySampling != 1:
            raise ImageError(
                f"{name} has a channel {channel} of fewer pixels than the others; expected"
                " one size."
            )
    return names


def _primaries(header: dict[str, Any]) -> tuple[float, ...] | None:
    found = header.get("chromaticities")
    if found is None:
        return None
    numbers = tuple(float(number) for number in found)
    return None if np.allclose(numbers, REC_709, atol=1e-3) else numbers


def _in_display_window(levels: NDArray[np.float32], header: dict[str, Any]) -> NDArray[np.float32]:
    """The pixels inside the display window; 0 where none are stored."""
    data, shown = header["dataWindow"], header["displayWindow"]
    left, top = (int(data[0][axis]) - int(shown[0][axis]) for axis in (0, 1))
    width, height = _size(shown)
    if (left, top) == (0, 0) and levels.shape[:2] == (height, width):
        return levels
    canvas = np.zeros((height, width, levels.shape[2]), np.float32)
    part = levels[max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
    if part.size:
        first = max(0, top), max(0, left)
        canvas[first[0] : first[0] + part.shape[0], first[1] : first[1] + part.shape[1]] = part
    return canvas
