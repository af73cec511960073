"""Pictures from files, bytes, streams, Pillow and NumPy, and back: the only file that uses Pillow.

Reading gives plain arrays with everything odd about the file already resolved:

- the EXIF orientation is applied once, so that row 0 is the top of the picture as people see it;
- 16 bit grey, RGB and RGBA keep their 16 bits;
- palettes become colours, a transparent palette entry or colour key becomes an alpha channel;
- CMYK goes through its embedded profile to sRGB, grey through its grey profile; the profile of an
  RGB picture is left alone and handed on, so that what is saved looks the same;
- of an animation or a file of several pages the first frame is taken.

Writing goes through a temporary file in the same folder, so that a reader sees the old picture or
the new one and never half of one.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import os
import struct
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, UnidentifiedImageError

from deepmatte.errors import ImageError, MattingError, TrimapError
from deepmatte.files import name_of, read_bytes, reason_of, write_files
from deepmatte.pixels import (
    check_array,
    check_floats,
    depth_of,
    name_of_array,
    to_bytes,
    to_unit,
    turn_upright,
)

Source: TypeAlias = Union[
    str, "os.PathLike[str]", bytes, bytearray, memoryview, BinaryIO, Image.Image, NDArray[Any]
]
Target: TypeAlias = Union[str, "os.PathLike[str]", BinaryIO]

# More pixels than any camera or scanner in common use; a picture of this size takes 3.6 GB as
# float32 RGB. Checked from the header, before anything is decompressed.
MAX_PIXELS = 300_000_000

READABLE = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "AVIF", "HEIF", "BMP", "GIF")
LOSSY = frozenset({"JPEG", "MPO", "WEBP", "AVIF", "HEIF"})
SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
}
# Cut-outs are stored without loss where the format can, and quickly: PNG level 4 takes a third of
# the time of the default 6 for 5 % more bytes, AVIF speed 8 a third of 6 for 9 % more. In WebP,
# "quality" is the effort of the lossless coder. TIFF 317 = 2 is the predictor that makes LZW work
# on photos.
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 4},
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "WEBP": {"lossless": True, "exact": True, "quality": 30, "method": 2},
    "TIFF": {"compression": "tiff_lzw", "tiffinfo": {317: 2}},
    "AVIF": {"quality": 90, "subsampling": "4:4:4", "speed": 8},
}
# A grey picture stored as RGB by a lossy coder may differ this much between its channels (of 255).
GREY_TOLERANCE = 8

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
EXIF_ORIENTATION, EXIF_X_RESOLUTION, EXIF_Y_RESOLUTION, EXIF_UNIT = 274, 282, 283, 296
INCH, CENTIMETRE = 2, 3

_process_state = threading.Lock()


@dataclass(frozen=True, eq=False)
class Picture:
    """A photo, ready to be matted.

    Attributes:
        levels: (H, W, 3), display values (not linear light) as the picture has them: uint8, uint16,
            or float32 in 0..1. As float32 throughout, most pictures would take four times the
            memory; `pixels.to_unit` makes that of the part that is worked on.
        alpha: float32 (H, W), 0..1: the transparency that the picture itself came with, or None
            where it is opaque everywhere. The colours are not multiplied by it.
        icc_profile: the RGB profile that the colours are meant in, or None (then sRGB by custom).
        dpi: dots per inch (across, down), or None.
    """

    levels: NDArray[Any]
    alpha: NDArray[np.float32] | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.levels.shape[0], self.levels.shape[1]

    @property
    def rgb(self) -> NDArray[np.float32]:
        """The colours as float32 (H, W, 3), 0..1, made anew each time."""
        return to_unit(self.levels)

    def crop(self, window: tuple[slice, slice]) -> Picture:
        """The part in some rows and columns; it shares this picture's memory."""
        alpha = None if self.alpha is None else self.alpha[window]
        return replace(self, levels=self.levels[window], alpha=alpha)


@dataclass(frozen=True)
class GreyPicture:
    """A trimap, mask or stroke picture as it is stored, before anybody says what its levels mean.

    Attributes:
        levels: (H, W), uint8, uint16, or float32 in 0..1.
        alpha: float32 (H, W), 0..1, or None where the picture is opaque everywhere.
        lossy: whether it came from a format (JPEG, WebP, AVIF) that does not keep exact levels.
        name: what an error message calls it.
    """

    levels: NDArray[Any]
    alpha: NDArray[np.float32] | None
    lossy: bool
    name: str


@dataclass(frozen=True)
class _Decoded:
    """The pixels of any source; colour and alpha are uint8, uint16, or float32 in 0..1."""

    colour: NDArray[Any]  # (H, W) or (H, W, 3)
    alpha: NDArray[Any] | None  # (H, W)
    name: str
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    lossy: bool = False


def open_image(source: Source) -> Picture:
    """Read a picture from a path, bytes, a binary stream, a Pillow image or an array.

    Arrays are bool, uint8, uint16 or float in 0..1, of shape (H, W), (H, W, 1), (H, W, 3) or
    (H, W, 4), the channels in the order R, G, B, alpha. A Pillow image holds at most 8 bits for
    each colour; give the path instead to keep 16.

    Raises:
        ImageError: there is no such file, it is no picture, is damaged, has more than MAX_PIXELS,
            or the array has another type, shape or range.

    Example:
        picture = open_image("photo.jpg")
        picture.rgb.shape   # (H, W, 3)
    """
    decoded = _decode(source)
    levels = decoded.colour
    if levels.ndim == 2:
        levels = np.repeat(levels[..., None], 3, axis=2)  # (H, W, 3)
    elif isinstance(source, np.ndarray):
        levels = levels.copy()  # the caller may change the array later
    return Picture(levels, _real_alpha(decoded), decoded.icc_profile, decoded.dpi)


def open_grey(source: Source) -> GreyPicture:
    """Read the levels of a trimap, mask or stroke picture, unscaled.

    As `open_image`, except that integer arrays of any width are taken as long as their values
    lie in 0..65535, and that colour profiles are ignored: the levels are labels, not light.

    Raises:
        ImageError: as `open_image`.
        TrimapError: the picture has colours where greys were expected.
    """
    decoded = _decode(source, labels=True)
    return GreyPicture(_grey_levels(decoded), _real_alpha(decoded), decoded.lossy, decoded.name)


def open_levels(source: Source) -> NDArray[Any]:
    """Read only the levels of `open_grey`: (H, W), uint8, uint16, or float32 in 0..1."""
    return open_grey(source).levels


def open_alpha(source: Source) -> NDArray[np.float32]:
    """Read a mask or an alpha matte: float32 (H, W), 0..1.

    Of a picture with real transparency (a cut-out) the alpha channel is taken, of any other its
    grey levels, scaled by the bit depth. Integers of which none is above 1, or none above 2, are
    divided by that, as in a trimap: 0 and 2 are then 0 and 1.

    Raises:
        ImageError: as `open_image`.
        TrimapError: an opaque picture has colours.
    """
    decoded = _decode(source, labels=True)
    alpha = _real_alpha(decoded)
    if alpha is not None:
        return alpha
    levels = _grey_levels(decoded)
    if levels.dtype.kind == "u" and not decoded.lossy and levels.max() in (1, 2):
        levels = levels / np.float32(levels.max())
    return to_unit(levels)


def open_unmanaged(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read colours just as they are stored, as programs without colour management do.

    No profile is applied, however broken, and no EXIF orientation; transparency is dropped and the
    colours under it are kept. Palettes become colours and greys are repeated. Of 16 bit colours
    the upper 8 bits are taken, of deeper greys the nearest level of 8 bits.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ImageError: as `open_image`.
    """
    name = name_of(path)
    data = _without_profile(read_bytes(path))
    with _as_image_error(name):
        image = _open_header(data)
        _check_size(image.size, name)
        image.load()
        if image.mode == "F" or image.mode.startswith("I"):
            image = to_pil(to_unit(_deep_grey_planes(image)[0]))
        image.info.pop("transparency", None)  # Pillow warns that it is lost
        return np.asarray(image.convert("RGB"))


def resize_bicubic(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize uint8 (H, W, 3) by Pillow's bicubic filter, whose bytes no other library gives.

    Raises:
        ImageError: the result would have more than MAX_PIXELS.
    """
    _check_size((width, height), "The enlarged picture")
    resized: NDArray[np.uint8] = np.asarray(
        Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    )
    return resized


def save_image(
    target: Target,
    pixels: NDArray[Any],
    *,
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    format: str | None = None,  # noqa: A002 (Pillow's name for it, which people know)
) -> None:
    """Write a picture to a file, whole or not at all, or to a binary stream.

    Args:
        target: a path, whose suffix (.png, .jpg, .webp, .tif, .avif) chooses the format, or a
            binary stream. An existing file is replaced in one step.
        pixels: float in 0..1 (clipped and rounded to 8 bits) or uint8, of shape (H, W), (H, W, 3)
            or (H, W, 4) with straight alpha.
        icc_profile: stored where it fits the channels (an RGB profile is left out of a grey file).
        dpi: dots per inch (across, down).
        format: "png", "jpeg", ...: overrules the suffix; a stream without it gets PNG.

    Raises:
        ImageError: unknown format, alpha in a JPEG, missing folder, nothing writable, disk full.

    Example:
        save_image("cutout.png", matte_rgba, icc_profile=picture.icc_profile, dpi=picture.dpi)
    """
    if format is None:
        is_path = isinstance(target, (str, os.PathLike))
        format = os.path.splitext(name_of(target))[1] if is_path else ".png"  # noqa: A001
    name = name_of(target)
    data = encode_image(pixels, format, name=name, icc_profile=icc_profile, dpi=dpi)
    write_files([(target, data)])


def encode_image(
    pixels: NDArray[Any],
    suffix: str,
    *,
    name: str = "The picture",
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """What `save_image` would write.

    Args:
        pixels: as for `save_image`.
        suffix: of the format, ".png".
        name: what an error message calls it.
        icc_profile: as for `save_image`.
        dpi: as for `save_image`.

    Raises:
        ImageError: unknown format, alpha in a JPEG, or more pixels than the format can have.
    """
    kind = _format_for(suffix, name)
    image = to_pil(pixels)
    if kind == "JPEG" and image.mode == "RGBA":
        raise ImageError(
            f"{name} would be a JPEG, which has no alpha channel; use .png, .webp or .tif."
        )
    return _encode(image, kind, name, icc_profile, dpi)


def to_pil(pixels: NDArray[Any]) -> Image.Image:
    """Turn float 0..1 or uint8 pixels (H, W), (H, W, 3) or (H, W, 4) into a Pillow image.

    Raises:
        ImageError: another shape or type, or values that are not finite.
    """
    if not isinstance(pixels, np.ndarray) or pixels.size == 0:
        raise ImageError("The pixels to be saved are not an array with anything in it.")
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise ImageError(
            f"Pixels of shape {pixels.shape} cannot be saved; expected (H, W), (H, W, 3) or"
            " (H, W, 4)."
        )
    if pixels.dtype.kind == "f":
        if not np.isfinite(pixels).all():
            raise ImageError("The pixels to be saved hold values that are not finite numbers.")
        pixels = to_bytes(pixels)
    elif pixels.dtype != np.uint8:
        raise ImageError(f"Pixels of type {pixels.dtype} cannot be saved; expected float or uint8.")
    return Image.fromarray(np.ascontiguousarray(pixels))


def displayed(pixels: NDArray[np.uint8], icc_profile: bytes | None) -> NDArray[np.uint8]:
    """Colours for a screen that knows of no profiles, such as the canvas of a web page.

    Args:
        pixels: uint8 (H, W, 3).
        icc_profile: the RGB profile that they are meant in; without one they stay as they are, as
            with one that cannot be used.

    Returns:
        uint8 (H, W, 3) in sRGB.
    """
    if icc_profile is None or _profile_space(icc_profile) != "RGB":
        return pixels
    with contextlib.suppress(Exception):  # a profile that cannot be used is as good as none
        return np.asarray(_to_srgb(Image.fromarray(pixels), icc_profile))
    return pixels


def parse_colour(text: str) -> tuple[int, int, int] | None:
    """Read a colour: a CSS name, "#rgb", "#rrggbb", "rgb(...)", "hsl(...)"; None if it is none."""
    try:
        colour = ImageColor.getrgb(text.strip())
    except ValueError:
        return None
    if len(colour) != 3 or max(colour) > 255:
        return None
    return colour[0], colour[1], colour[2]


# --- reading ------------------------------------------------------------------------------------


def _decode(source: Source, *, labels: bool = False) -> _Decoded:
    """Decode any source; `labels` asks for stored levels, untouched by colour management."""
    if isinstance(source, np.ndarray):
        pixels = check_array(source, MAX_PIXELS, wide_integers=labels)
        name = name_of_array(source)
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            return _Decoded(pixels[..., :3], pixels[..., 3], name)
        return _Decoded(pixels, None, name)
    if isinstance(source, Image.Image):
        name = f"The Pillow image {getattr(source, 'filename', '') or source.mode}"
        with _as_image_error(name):
            return _decode_pil(source, None, name, labels)
    name = name_of(source)
    data = read_bytes(source)
    with _as_image_error(name):
        return _decode_pil(_open_header(data), data, name, labels)


def _open_header(data: bytes) -> Image.Image:
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


def _decode_pil(image: Image.Image, data: bytes | None, name: str, labels: bool) -> _Decoded:
    _check_size(image.size, name)
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
        colour, profile = _manage_profile(colour, profile)
    with _quietly():
        orientation, dpi = _orientation(image), _dots_per_inch(image)
    if dpi is not None and (orientation >= 5 or turned_by_pillow in range(5, 9)):
        dpi = dpi[::-1]
    return _Decoded(
        colour=turn_upright(colour, orientation),
        alpha=None if alpha is None else turn_upright(alpha, orientation),
        name=name,
        icc_profile=profile,
        dpi=dpi,
        lossy=image.format in LOSSY,
    )


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} has {width} x {height} pixels, more than the limit of"
            f" {MAX_PIXELS // 1_000_000} megapixels."
        )
    if width * height == 0:
        raise ImageError(f"{name} has no pixels ({width} x {height}).")


def _without_profile(data: bytes) -> bytes:
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
        return _deep_grey_planes(image)
    if image.mode == "CMYK":
        return np.asarray(_cmyk_to_rgb(image, profile)), None
    if image.has_transparency_data:
        grey = image.mode in ("1", "L", "LA", "La")
        pixels = np.asarray(image.convert("LA" if grey else "RGBA"))
        return (pixels[..., 0] if grey else pixels[..., :3]), pixels[..., -1]
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB")), None


def _deep_grey_planes(image: Image.Image) -> tuple[NDArray[Any], NDArray[Any] | None]:
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


def _grey_levels(decoded: _Decoded) -> NDArray[Any]:
    levels = decoded.colour
    if levels.ndim == 2:
        return levels
    tolerance = GREY_TOLERANCE * depth_of(levels) / 255
    coloured = levels.max(axis=2) - levels.min(axis=2) > tolerance  # (H, W)
    if decoded.alpha is not None:
        coloured &= decoded.alpha > 0  # the colour of an invisible pixel means nothing
    if coloured.any():
        raise TrimapError(
            f"{decoded.name} is a colour picture; a trimap or mask is grey: black for background,"
            " white for foreground."
        )
    return np.ascontiguousarray(levels[..., 1])


def _real_alpha(decoded: _Decoded) -> NDArray[np.float32] | None:
    if decoded.alpha is None or decoded.alpha.min() == depth_of(decoded.alpha):
        return None
    return to_unit(decoded.alpha)


# --- metadata -----------------------------------------------------------------------------------


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


def _profile_space(profile: bytes | None) -> str:
    """The colour space of an ICC profile ("RGB", "GRAY", "CMYK"), "" for none or a damaged one."""
    if not profile or len(profile) < 128 or profile[36:40] != b"acsp":
        return ""
    return profile[16:20].decode("ascii", "replace").strip()


def _manage_profile(colour: NDArray[Any], profile: bytes) -> tuple[NDArray[Any], bytes | None]:
    """The colours and the RGB profile that they are meant in from here on."""
    space = _profile_space(profile)
    if space == "RGB":
        return colour, profile
    if space == "GRAY" and colour.ndim == 2:
        return _through_grey_profile(colour, profile), _srgb_profile()
    return colour, _srgb_profile() if space == "CMYK" else None


def _srgb_profile() -> bytes:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Less the second in which it was made (ICC.1, 7.2.1): one picture, one file, whenever written.
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    from PIL import ImageCms

    converted = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # None comes only from a conversion in place
    return converted


def _cmyk_to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile is not None and _profile_space(profile) == "CMYK":
        # A profile that cannot be used is as good as none.
        with contextlib.suppress(Exception):
            return _to_srgb(image, profile)
    return image.convert("RGB")


def _through_grey_profile(levels: NDArray[Any], profile: bytes) -> NDArray[np.float32]:
    """Take grey levels (H, W) of any depth to sRGB by the profile's curve, read at 256 points."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])  # (1, 256)
    try:
        curve = np.asarray(_to_srgb(ramp, profile))[0, :, 1] / 255  # (256,)
    except Exception:  # a profile that cannot be used is as good as none
        return to_unit(levels)
    return np.interp(to_unit(levels), np.linspace(0, 1, 256), curve).astype(np.float32)


# --- writing ------------------------------------------------------------------------------------


def _format_for(suffix: str, name: str) -> str:
    kind = SUFFIXES.get("." + suffix.lower().lstrip("."), "")
    Image.init()
    if kind not in Image.SAVE:
        known = ", ".join(known for known, kind in SUFFIXES.items() if kind in Image.SAVE)
        raise ImageError(f"{name} cannot be saved as '{suffix}'; expected one of {known}.")
    return kind


def _encode(
    image: Image.Image,
    kind: str,
    name: str,
    icc_profile: bytes | None,
    dpi: tuple[float, float] | None,
) -> bytes:
    options = dict(SAVE_OPTIONS[kind])
    if icc_profile and _profile_space(icc_profile) == ("GRAY" if image.mode == "L" else "RGB"):
        options["icc_profile"] = icc_profile
    if dpi is not None and kind in ("WEBP", "AVIF"):  # neither has a field of its own for it
        exif = Image.Exif()
        exif[EXIF_X_RESOLUTION], exif[EXIF_Y_RESOLUTION] = dpi
        exif[EXIF_UNIT] = INCH
        options["exif"] = exif.tobytes()
    elif dpi is not None:
        options["dpi"] = dpi
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options)
    except Exception as error:  # each encoder has its own limits and its own exceptions
        raise ImageError(f"{name} cannot be encoded as {kind}: {reason_of(error)}.") from error
    return buffer.getvalue()


@contextlib.contextmanager
def _as_image_error(name: str) -> Iterator[None]:
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
