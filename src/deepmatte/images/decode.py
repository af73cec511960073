"""Any source to plain arrays, with everything odd about the file already resolved.

- The EXIF orientation is applied once, so that row 0 is the top of the picture as people see it.
- 16-bit grey, RGB and RGBA keep their 16 bits.
- Palettes become colours; a transparent palette entry or colour key becomes an alpha channel.
- CMYK goes through its embedded profile to sRGB, grey through its grey profile. The profile of an
  RGB picture is left alone and handed on, so that what is saved looks the same.
- Of an animation or a file of several pages the first frame is taken.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from deepmatte.errors import ImageError, MattingError
from deepmatte.images import exr
from deepmatte.images.arrays import check_array, check_floats, name_of_array, to_unit, turn_upright
from deepmatte.images.files import name_of, read_bytes, reason_of
from deepmatte.images.light import light_to_srgb
from deepmatte.images.metadata import (
    CENTIMETRE,
    EXIF_ORIENTATION,
    EXIF_UNIT,
    EXIF_X_RESOLUTION,
    EXIF_Y_RESOLUTION,
    INCH,
    NO_METADATA,
    Metadata,
    kept_exif,
    kept_xmp,
)
from deepmatte.images.picture import MAX_PIXELS, Source, check_size
from deepmatte.images.profiles import cmyk_to_rgb, manage_profile
from deepmatte.images.raw import develop, is_raw

READABLE = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "AVIF", "HEIF", "BMP", "GIF")
LOSSY = frozenset({"JPEG", "MPO", "WEBP", "AVIF", "HEIF"})
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_process_state = threading.Lock()


@dataclass(frozen=True)
class Decoded:
    """The pixels of any source; colour and alpha are uint8, uint16, or float32 in 0..1."""

    colour: NDArray[Any]  # (H, W) or (H, W, 3)
    alpha: NDArray[Any] | None  # (H, W)
    name: str
    metadata: Metadata = NO_METADATA
    lossy: bool = False


def decode(source: Source, *, labels: bool = False) -> Decoded:
    """Decode any source; `labels` asks for stored levels, untouched by colour management."""
    if isinstance(source, np.ndarray):
        pixels = check_array(source, MAX_PIXELS, wide_integers=labels)
        name = name_of_array(source)
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            return Decoded(pixels[..., :3], pixels[..., 3], name)
        return Decoded(pixels, None, name)
    if isinstance(source, Image.Image):
        name = f"The Pillow image {getattr(source, 'filename', '') or source.mode}"
        with as_image_error(name):
            return _decode_pil(source, None, name, labels)
    name = name_of(source)
    data = read_bytes(source)
    with as_image_error(name):
        if data.startswith(exr.MAGIC):
            return _decode_exr(data, name, labels)
        if is_raw(data):
            return Decoded(develop(data, name), None, name)
        check_libraries(data, name)
        return _decode_pil(open_header(data), data, name, labels)


def _decode_exr(data: bytes, name: str, labels: bool) -> Decoded:
    """Linear light becomes display values; labels and mattes stay as they are stored."""
    found = exr.decode_exr(data, name)
    dpi = None if found.dots is None else (found.dots, found.dots)
    metadata = Metadata(dpi=dpi, primaries=found.primaries)
    if labels:
        return Decoded(check_floats(found.colour, name), found.alpha, name, metadata)
    return Decoded(light_to_srgb(found.colour), found.alpha, name, metadata)


def check_libraries(data: bytes, name: str) -> None:
    """Name the library that a file needs, where it is one of those that bring none along.

    Raises:
        ImageError: it is a HEIC picture without pillow-heif, or a JPEG XL, which is never read.
    """
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in _HEIC_BRANDS and b"avif" not in data[:64] and "HEIF" not in _readable_formats():
        raise ImageError(
            f"{name} is a HEIC picture; opening it needs pillow-heif: pip install pillow-heif."
        )
    if data.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        raise ImageError(f"{name} is a JPEG XL picture, which can be written only; use a PNG.")


def open_header(data: bytes) -> Image.Image:
    """The picture in a file's bytes, of which only the header is read yet."""
    formats = _readable_formats()
    with _quietly():
        return Image.open(io.BytesIO(data), formats=formats)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep Pillow from warning, be it of damaged metadata or, from 89 megapixels on, of bombs.

    Bombs have a plain error of their own here. Filters, limit and OpenCV's log level belong to the
    whole process, hence the lock; no 8 bit pixels are decoded inside, so that it is short.
    """
    with _process_state, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@functools.cache
def _readable_formats() -> tuple[str, ...]:
    Image.init()
    with contextlib.suppress(ImportError):  # HEIC, for those who have installed pillow-heif
        importlib.import_module("pillow_heif").register_heif_opener()
    return tuple(name for name in READABLE if name in Image.OPEN)


def _decode_pil(image: Image.Image, data: bytes | None, name: str, labels: bool) -> Decoded:
    check_size(image.size, name)
    raw_mode = _raw_mode(image)
    profile = image.info.get("icc_profile")
    # Pillow turns a TIFF upright by itself as it loads it, but not its resolution.
    turned_by_pillow = getattr(image, "tag_v2", {}).get(EXIF_ORIENTATION)
    image.load()
    if ";16" in raw_mode and image.mode in ("RGB", "RGBA") and data is not None:
        colour, alpha = _decode_sixteen_bit(data, image, raw_mode)
    else:
        colour, alpha = _pillow_planes(image, None if labels else profile)
    if profile is not None and not labels:
        colour, profile = manage_profile(colour, profile)
    with _quietly():
        orientation, dpi = _orientation(image), _dots_per_inch(image)
        exif, xmp = kept_exif(image), kept_xmp(image)
    if dpi is not None and (orientation >= 5 or turned_by_pillow in range(5, 9)):
        dpi = dpi[::-1]
    metadata = Metadata(icc_profile=profile, dpi=dpi, exif=exif, xmp=xmp)
    return Decoded(
        colour=turn_upright(colour, orientation),
        alpha=None if alpha is None else turn_upright(alpha, orientation),
        name=name,
        metadata=metadata,
        lossy=image.format in LOSSY,
    )


def without_profile(data: bytes) -> bytes:
    """A PNG less its colour profile, for one that is broken badly enough stops Pillow.

    Source: PNG specification, section 5.3: length, type, data, checksum.
    """
    if not data.startswith(PNG_SIGNATURE):
        return data
    kept, start = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while data[start + 4 : start + 8] not in (b"IDAT", b""):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        if data[start + 4 : start + 8] != b"iCCP":
            kept.append(data[start:end])
        start = end
    return b"".join([*kept, data[start:]])


def _raw_mode(image: Image.Image) -> str:
    """How the pixels lie in the file, e.g. "RGB;16B"; "" where Pillow does not say."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        return ""
    arguments = tiles[0][3]
    if isinstance(arguments, tuple):
        arguments = arguments[0] if arguments else ""
    return arguments if isinstance(arguments, str) else ""


def _decode_sixteen_bit(
    data: bytes, image: Image.Image, raw_mode: str
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Decode 16 bit colours with OpenCV, since Pillow keeps only the upper 8 bits of them.

    Pillow has decoded the file before this is called: it is the one that notices truncation.
    Like Pillow, OpenCV turns a TIFF upright by itself and no other format.
    """
    import cv2

    logging = cv2.utils.logging
    with _quietly():
        level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)  # its TIFF reader prints to stderr
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        finally:
            logging.setLogLevel(level)
    if pixels is None or pixels.ndim != 3 or pixels.shape[:2] != image.size[::-1]:
        raise ImageError("the 16 bit pixels could not be decoded")
    colour: NDArray[Any] = np.ascontiguousarray(pixels[..., 2::-1])  # (H, W, 3), BGR to RGB
    alpha: NDArray[Any] | None = pixels[..., 3] if image.mode == "RGBA" else None
    if alpha is not None and raw_mode.startswith("RGBa"):
        # Premultiplied: both are in 0..65535, so their ratio is in 0..1.
        share = np.maximum(alpha, 1).astype(np.float32)[..., None]  # (H, W, 1)
        colour = np.clip(colour / share, 0, 1).astype(np.float32)
        alpha = to_unit(alpha)
    key = image.info.get("transparency")
    if alpha is None and isinstance(key, tuple):
        visible = (colour != np.array(key, dtype=np.uint16)).any(axis=2)  # (H, W)
        alpha = visible.astype(np.uint16) * np.uint16(65535)
    return colour, alpha


def _pillow_planes(
    image: Image.Image, profile: bytes | None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Split a decoded Pillow image of any mode into colour and alpha."""
    if image.mode == "F" or image.mode.startswith("I"):
        return deep_grey_planes(image)
    if image.mode == "CMYK":
        return np.asarray(cmyk_to_rgb(image, profile)), None
    if image.has_transparency_data:
        grey = image.mode in ("1", "L", "LA", "La")
        pixels = np.asarray(image.convert("LA" if grey else "RGBA"))
        return (pixels[..., 0] if grey else pixels[..., :3]), pixels[..., -1]
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB")), None


def deep_grey_planes(image: Image.Image) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Read grey of more than 8 bits by value: Pillow's own conversion to 8 bits would clip it."""
    levels = np.asarray(image)
    if image.mode == "F":
        if levels.max() > 1 and np.isin(levels, np.arange(256)).all():  # 8 bit levels in a float
            return levels.astype(np.uint8), None
        return check_floats(levels, "it"), None
    if levels.min() < 0 or levels.max() > 65535:
        raise ImageError("its 32 bit integers exceed the range of 16 bits")
    levels = levels.astype(np.uint16)
    key = image.info.get("transparency")
    if isinstance(key, int):
        return levels, (levels != key).astype(np.uint16) * np.uint16(65535)
    return levels, None


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation that is still to be applied, 1 (upright) where it is unreadable."""
    try:
        orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block must not cost the picture; Pillow raises many kinds
        return 1
    return orientation if orientation in range(1, 9) else 1


def _dots_per_inch(image: Image.Image) -> tuple[float, float] | None:
    """The resolution: the format's own field, or else EXIF, the only place in WebP and AVIF."""
    try:
        stored = image.info.get("dpi")
        if stored in (None, (1, 1)):  # (1, 1) is also what Pillow says of a TIFF without any
            exif = image.getexif()
            scale = {INCH: 1.0, CENTIMETRE: 2.54}[exif.get(EXIF_UNIT, INCH)]
            stored = [float(exif[tag]) * scale for tag in (EXIF_X_RESOLUTION, EXIF_Y_RESOLUTION)]
        across, down = float(stored[0]), float(stored[1])
    except Exception:  # absent, zero by zero, or damaged: the same as none
        return None
    if 0 < across < np.inf and 0 < down < np.inf:
        return across, down
    return None


@contextlib.contextmanager
def as_image_error(name: str) -> Iterator[None]:
    """Turn what a decoder raises into one sentence: hostile files make Pillow raise anything."""
    try:
        yield
    except UnidentifiedImageError as error:
        formats = ", ".join(_readable_formats())
        raise ImageError(f"{name} is not a picture; expected one of {formats}.") from error
    except MattingError as error:
        if name in str(error):
            raise
        raise ImageError(f"{name} cannot be read: {reason_of(error)}.") from error
    except MemoryError:  # nothing is wrong with the file
        raise
    except Exception as error:
        raise ImageError(f"{name} cannot be read as a picture: {reason_of(error)}.") from error
