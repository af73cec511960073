"""Arrays to picture files.

Writing goes through a temporary file in the same folder, so that a reader sees the old picture or
the new one and never half of one.
"""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepmatte.errors import ImageError
from deepmatte.images.arrays import to_bytes
from deepmatte.images.decode import EXIF_UNIT, EXIF_X_RESOLUTION, EXIF_Y_RESOLUTION, INCH
from deepmatte.images.files import name_of, reason_of, write_files
from deepmatte.images.picture import Target
from deepmatte.images.profiles import profile_space

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
    if icc_profile and profile_space(icc_profile) == ("GRAY" if image.mode == "L" else "RGB"):
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
