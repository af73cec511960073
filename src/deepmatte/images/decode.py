"""Any source to plain arrays, with all peculiarities of the file format resolved.

- The EXIF orientation is applied once, so that row 0 is the top of the picture as people see it.
- 16-bit grey, RGB and RGBA keep their 16 bits.
- Palettes become colours; a transparent palette entry or colour key becomes an alpha channel.
- CMYK goes through its embedded profile to sRGB, grey through its grey profile. The profile of an
  RGB picture is left alone and handed on, so that what is saved looks the same.
- An animation gives its first frame, a TIFF its largest page; a note says so.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from deepmatte.errors import ImageError, MattingError
from deepmatte.images import exr
from deepmatte.images.arrays import (
    check_array,
    check_floats,
    name_of_array,
    turn_upright,
)
from deepmatte.images.damage import check_png, grey_below, is_blank_below
from deepmatte.images.files import name_of, read_bytes, reason_of
from deepmatte.images.jxl import is_jxl, jxl_header, open_jxl
from deepmatte.images.kinds import check_kind, refused_tiff
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
    kept_exif_of_tiff,
    kept_xmp,
)
from deepmatte.images.picture import MAX_PIXELS, Admit, Source, admit_all, check_size
from deepmatte.images.planes import (
    in_separate_planes,
    pillow_planes,
    raw_mode_of,
    separate_planes,
    sixteen_bit_planes,
)
from deepmatte.images.primaries import profile_of_primaries
from deepmatte.images.profiles import manage_profile
from deepmatte.images.quiet import quietly, silently
from deepmatte.images.raw import develop, is_raw, raw_size

READABLE = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "AVIF", "HEIF", "BMP", "GIF")
LOSSY = frozenset({"JPEG", "MPO", "WEBP", "AVIF", "HEIF", "JXL"})
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Decoded:
    """The pixels of any source; colour and alpha are uint8, uint16, or float32 in 0..1."""

    colour: NDArray[Any]  # (H, W) or (H, W, 3)
    alpha: NDArray[Any] | None  # (H, W)
    name: str
    metadata: Metadata = NO_METADATA
    lossy: bool = False
    notes: tuple[str, ...] = ()


def decode(source: Source, *, labels: bool = False, admit: Admit = admit_all) -> Decoded:
    """Decode any source.

    Args:
        source: see there.
        labels: take the stored levels, untouched by colour management.
        admit: called with (height, width) before a file's pixels are decoded; raises an error to
            refuse them. The EXIF orientation is not applied yet.
    """
    if isinstance(source, np.ndarray):
        pixels = check_array(source, MAX_PIXELS)
        name = name_of_array(source)
        admit(pixels.shape[:2])
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            return Decoded(pixels[..., :3], pixels[..., 3], name)
        return Decoded(pixels, None, name)
    if isinstance(source, Image.Image):
        name = f"The Pillow image {getattr(source, 'filename', '') or source.mode}"
        with as_image_error(name):
            return _decode_pil(source, None, name, labels, admit)
    name = name_of(source)
    data = read_bytes(source)
    with as_image_error(name):
        if data.startswith(exr.MAGIC):
            return _decode_exr(data, name, labels, admit)
        if is_raw(data):
            developed = develop(data, name, admit)
            with quietly():
                metadata = Metadata(exif=kept_exif_of_tiff(data))
            return Decoded(developed, None, name, metadata)
        if is_jxl(data):
            return _decode_jxl(data, name, labels, admit)
        check_kind(data, name, heif="HEIF" in _readable_formats())
        try:
            image = open_header(data)
        except UnidentifiedImageError as error:
            raise refused_tiff(data, name) or error from None
        return _decode_pil(image, data, name, labels, admit)


def _decode_exr(data: bytes, name: str, labels: bool, admit: Admit) -> Decoded:
    """Linear light becomes display values; labels and mattes stay as they are stored."""
    found = exr.decode_exr(data, name, admit)
    dpi = None if found.dots is None else (found.dots, found.dots)
    profile = None if found.primaries is None else profile_of_primaries(found.primaries)
    metadata = Metadata(icc_profile=profile, dpi=dpi, primaries=found.primaries)
    if labels:
        return Decoded(check_floats(found.colour, name), found.alpha, name, metadata)
    return Decoded(light_to_srgb(found.colour), found.alpha, name, metadata)


def _decode_jxl(data: bytes, name: str, labels: bool, admit: Admit) -> Decoded:
    header = jxl_header(data, name)
    check_size(header.size, name)
    admit(header.size[::-1])
    decoded = _decode_pil(open_jxl(data), data, name, labels, admit)
    if not header.is_deep or decoded.colour.dtype != np.uint8:
        return decoded
    return replace(decoded, notes=(*decoded.notes, "The JPEG XL was read with 8 bits only."))


def header_size(data: bytes, name: str) -> tuple[int, int]:
    """(width, height) of any picture file, by its header alone.

    Raises:
        ImageError: the header cannot be read.
    """
    if data.startswith(exr.MAGIC):
        return exr.exr_size(data, name)
    if is_raw(data):
        return raw_size(data, name)
    if is_jxl(data):
        return jxl_header(data, name).size
    return open_header(data).size


def open_header(data: bytes) -> Image.Image:
    """The picture in a file's bytes, of which only the header is read yet."""
    formats = _readable_formats()
    with quietly():
        return Image.open(io.BytesIO(data), formats=formats)


@functools.cache
def _readable_formats() -> tuple[str, ...]:
    Image.init()
    with contextlib.suppress(ImportError):  # HEIC, for those who have installed pillow-heif
        importlib.import_module("pillow_heif").register_heif_opener()
    return tuple(name for name in READABLE if name in Image.OPEN)


def _decode_pil(
    image: Image.Image, data: bytes | None, name: str, labels: bool, admit: Admit
) -> Decoded:
    notes = () if data is None else _one_of_many(image)
    check_size(image.size, name)
    admit((image.height, image.width))
    raw_mode = raw_mode_of(image)
    profile = image.info.get("icc_profile")
    tags = getattr(image, "tag_v2", {})
    # Pillow turns a TIFF upright by itself as it loads it, but not its resolution.
    turned_by_pillow = tags.get(EXIF_ORIENTATION)
    with silently() if image.format == "TIFF" else contextlib.nullcontext():
        if in_separate_planes(tags):
            planes, turned_by_pillow = separate_planes(data, tags), None
        else:
            planes = None
            image.load()
    if planes is not None:
        colour, alpha = planes
    elif ";16" in raw_mode and image.mode in ("RGB", "RGBA") and data is not None:
        colour, alpha = sixteen_bit_planes(data, image, raw_mode)
    else:
        colour, alpha = pillow_planes(image, None if labels else profile)
    if data is not None:
        notes += _damage(image, data, name, colour, labels)
    if profile is not None and not labels:
        colour, profile = manage_profile(colour, profile)
    with quietly():
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
        notes=notes,
    )


def _one_of_many(image: Image.Image) -> tuple[str, ...]:
    """Select the largest page of a TIFF; return a note about pages or frames left out."""
    with quietly():
        count = getattr(image, "n_frames", 1)
    if count == 1 or image.format not in ("GIF", "PNG", "WEBP", "AVIF", "TIFF"):
        return ()  # the other pictures of a phone's MPO and HEIC are previews and depths
    if image.format != "TIFF":
        return (f"The picture has {count} frames; only the first was taken.",)
    areas = []
    with quietly():
        for page in range(count):
            image.seek(page)
            areas.append(image.width * image.height)
        largest = areas.index(max(areas))
        image.seek(largest)
    return (f"The TIFF has {count} pages; only page {largest + 1}, the largest, was taken.",)


def _damage(
    image: Image.Image, data: bytes, name: str, colour: NDArray[Any], labels: bool
) -> tuple[str, ...]:
    """Detect missing rows that the decoder does not report."""
    if image.format == "PNG" and is_blank_below(colour):
        check_png(data, name)
    if image.format in ("JPEG", "MPO") and not labels:
        grey = grey_below(colour)
        if grey:
            return (f"The lower {grey:.0%} of the picture are plain grey, as of a damaged file.",)
    return ()


def without_profile(data: bytes) -> bytes:
    """A PNG without its colour profile: Pillow fails on badly broken ones.

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


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation still to be applied; 1 (upright) if it is unreadable."""
    if image.format == "JXL":  # turned already, by its own header, which overrules EXIF's
        return 1
    try:
        orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # damaged EXIF must not stop the picture
        return 1
    return orientation if orientation in range(1, 9) else 1


def _dots_per_inch(image: Image.Image) -> tuple[float, float] | None:
    """The resolution from the format's own field, or else from EXIF (WebP and AVIF have only
    that).
    """
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
    """Turn any error of a decoder into one sentence; hostile files make Pillow raise all kinds."""
    try:
        yield
    except UnidentifiedImageError as error:
        formats = ", ".join(_readable_formats())
        raise ImageError(f"{name} is not a picture; expected one of {formats}.") from error
    except ImageError as error:
        if name in str(error):
            raise
        raise ImageError(f"{name} cannot be read: {reason_of(error)}.") from error
    except (MattingError, MemoryError):  # the file is not to blame
        raise
    except Exception as error:
        raise ImageError(f"{name} cannot be read as a picture: {reason_of(error)}.") from error
