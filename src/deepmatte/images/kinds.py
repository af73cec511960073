"""Files that cannot be read: names their format, and says what to do."""

from __future__ import annotations

from deepmatte.errors import ImageError

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
_SIGNATURES = (
    (b"\0\0\0\x0cjP  \r\n", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"8BPS", "a Photoshop file"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "a PostScript file"),
    (b"gimp xcf", "a GIMP file"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"DDS ", "a DirectDraw texture"),
    (b"\0\0\1\0", "an icon"),
    (b"<svg", "an SVG drawing"),
    (b"\x1a\x45\xdf\xa3", "a video"),
    (b"PK\3\4", "a ZIP archive"),
)
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of a JPEG's frame header."""


def check_kind(data: bytes, name: str, *, heif: bool) -> None:
    """Refuse a file that needs another library or program, and name its format.

    Args:
        data: of the file.
        name: what an error message calls it.
        heif: whether HEIC pictures can be read.

    Raises:
        ImageError: the file is of such a format.
    """
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in _HEIC_BRANDS and b"avif" not in data[:64]:
        if heif:
            return
        raise ImageError(
            f"{name} is a HEIC picture; opening it needs pillow-heif: pip install pillow-heif."
        )
    kind = next((kind for sign, kind in _SIGNATURES if data.startswith(sign)), "")
    if brand and brand not in (b"avif", b"avis"):
        kind = "a video"
    if data.startswith(b"<?xml") and b"<svg" in data[:2000]:
        kind = "an SVG drawing"
    bits = _bits_of_jpeg(data)
    if bits not in (0, 8):
        kind = f"a JPEG of {bits} bits"
    if kind:
        raise ImageError(
            f"{name} is {kind}, which cannot be read; save it as a PNG, TIFF or JPEG first."
        )


def refused_tiff(data: bytes, name: str) -> ImageError | None:
    """The error for a TIFF of a kind that Pillow does not read."""
    if not data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return None
    return ImageError(
        f"{name} is a TIFF of a kind that cannot be read, such as one of floating-point colours;"
        " save it with 8 or 16 bits for each colour first."
    )


def _bits_of_jpeg(data: bytes) -> int:
    """Bits per channel; 0 if it is not a JPEG or does not say. Source: ITU-T T.81, B.2.2."""
    if not data.startswith(b"\xff\xd8\xff"):
        return 0
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _FRAMES:
            return data[at + 4]
        at += 2 + length
    return 0
