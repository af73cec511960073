"""Metadata of a picture file, and which of it the results keep.

Kept are the colour profile, the resolution, EXIF's description (camera, lens, exposure, date,
author, copyright, place) and XMP. Left out is what would be wrong: the orientation, since pictures
are turned upright when they are opened; thumbnails, which show the old background; the size in
pixels; and the maker's notes, whose offsets break when they are moved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from PIL import Image

EXIF_ORIENTATION, EXIF_X_RESOLUTION, EXIF_Y_RESOLUTION, EXIF_UNIT = 274, 282, 283, 296
INCH, CENTIMETRE = 2, 3
EXIF_BLOCK, GPS_BLOCK = 34665, 34853

# Description, maker, model, software, date, artist, host, two ratings, copyright, and Windows'
# title, comment, author, keywords and subject. A TIFF's own tags (size, strips) describe no photo.
_DESCRIPTIVE = (270, 271, 272, 305, 306, 315, 316, 18246, 18249, 33432, *range(40091, 40096))
# The maker's notes, the width and height in pixels, and the pointer to a block about other files.
_UNTRUE = (37500, 40962, 40963, 40965)
_UNTRUE_XMP = re.compile(
    rb"""\s(?:tiff:Orientation|xmpNote:HasExtendedXMP)=(?:"[^"]*"|'[^']*')"""
    rb"|<tiff:Orientation>[^<]*</tiff:Orientation>"
    rb"|<xmp:Thumbnails>.*?</xmp:Thumbnails>",
    re.DOTALL,
)
# A JPEG's block holds 65,533 bytes; the name of an XMP block takes 29 of them.
_LONGEST_JPEG_BLOCK = 65_533 - 29


@dataclass(frozen=True)
class Metadata:
    """What a picture carries besides its pixels.

    Attributes:
        icc_profile: the RGB profile of the colours, or None (sRGB is assumed).
        dpi: dots per inch (across, down), or None.
        exif: an EXIF block as Pillow writes and takes it, or None.
        xmp: an XMP packet in UTF-8, or None.
        primaries: x and y of red, green, blue and white, for a picture from an EXR with other
            primaries than Rec. 709; an EXR made of it gets the same ones. None otherwise.
    """

    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    primaries: tuple[float, ...] | None = None


NO_METADATA = Metadata()


def kept_exif(image: Image.Image) -> bytes | None:
    """The part of a picture's EXIF that its results keep, or None where there is none."""
    try:
        return _described(image.getexif())
    except Exception:  # a damaged EXIF block must not cost the picture; Pillow raises many kinds
        return None


def kept_exif_of_tiff(data: bytes) -> bytes | None:
    """As `kept_exif`, of a file built like a TIFF, as most cameras' raw files are."""
    try:
        stored = Image.Exif()
        stored.load(data)
        return _described(stored)
    except Exception:  # as above, or no TIFF
        return None


def _described(stored: Image.Exif) -> bytes | None:
    kept = Image.Exif()
    for tag in _DESCRIPTIVE:
        if tag in stored:
            kept[tag] = stored[tag]
    for pointer in (EXIF_BLOCK, GPS_BLOCK):
        block = dict(stored.get_ifd(pointer))
        for tag in _UNTRUE:
            block.pop(tag, None)
        if block:
            kept[pointer] = block
    return kept.tobytes() if len(kept) else None


def kept_xmp(image: Image.Image) -> bytes | None:
    """A picture's XMP without entries that are wrong for its results, or None."""
    stored = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(stored, str):
        stored = stored.encode()
    if not isinstance(stored, bytes):
        return None
    kept = _UNTRUE_XMP.sub(b"", stored.rstrip(b"\0"))
    try:
        kept.decode()
    except UnicodeDecodeError:  # damaged: not all formats could store it
        return None
    return kept or None


def exif_to_write(metadata: Metadata, *, with_resolution: bool) -> Image.Exif:
    """EXIF for a new file.

    Args:
        metadata: of the photo.
        with_resolution: write the resolution even if there is no other entry, for formats without a
            field of their own for it.
    """
    exif = Image.Exif()
    if metadata.exif is not None:
        exif.load(metadata.exif)
    if metadata.dpi is not None and (with_resolution or metadata.exif is not None):
        exif[EXIF_X_RESOLUTION], exif[EXIF_Y_RESOLUTION] = metadata.dpi
        exif[EXIF_UNIT] = INCH
    return exif


def fits_jpeg(block: bytes) -> bool:
    """Whether a block of EXIF or XMP is short enough for a JPEG."""
    return len(block) <= _LONGEST_JPEG_BLOCK
