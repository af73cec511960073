"""Arrays to picture files.

Writing goes through a temporary file in the same folder, so that a reader sees the old picture or
the new one, never half of one.
"""

from __future__ import annotations

import io
import os
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from deepmatte.arguments import check_word
from deepmatte.errors import ImageError, MattingError
from deepmatte.images import deep, exr
from deepmatte.images.arrays import to_levels
from deepmatte.images.files import name_of, reason_of, write_files
from deepmatte.images.jxl import register_jxl
from deepmatte.images.light import convert_colours
from deepmatte.images.metadata import NO_METADATA, Metadata, exif_to_write, fits_jpeg
from deepmatte.images.picture import Target
from deepmatte.images.profiles import profile_space

Depth: TypeAlias = Literal[8, 16, "half", "float"]
"""Bits of each colour: integers of 8 or 16, or floats of 16 (half) or 32."""

SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
    ".jxl": "JXL",
    ".exr": "EXR",
}
DEPTHS: dict[str, tuple[Depth, ...]] = {
    "PNG": (8, 16),
    "JPEG": (8,),
    "WEBP": (8,),
    "TIFF": (8, 16, "float"),
    "AVIF": (8,),
    "JXL": (8,),
    "EXR": ("half", "float"),
}
"""What each format can hold; an EXR is half unless asked for otherwise."""

_TYPES: dict[Depth, str] = {8: "uint8", 16: "uint16", "half": "float32", "float": "float32"}
# Cut-outs are stored without loss where the format can, and quickly: PNG level 4 takes a third of
# the time of the default 6 for 5 % more bytes, AVIF speed 8 a third of 6 for 9 % more. In WebP,
# "quality" is the effort of the lossless coder.
PILLOW_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 4},
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "WEBP": {"lossless": True, "exact": True, "quality": 30, "method": 2},
    "AVIF": {"quality": 90, "subsampling": "4:4:4", "speed": 8},
    "JXL": {"lossless": True, "effort": 3, "use_container": True},
}


def save_image(
    target: Target,
    pixels: NDArray[Any],
    *,
    metadata: Metadata = NO_METADATA,
    depth: Depth | None = None,
    straight: bool = False,
    format: str | None = None,  # noqa: A002 (Pillow's name for it, which people know)
) -> None:
    """Write a picture to a file, whole or not at all, or to a binary stream.

    Args:
        target: a path, whose suffix (.png, .jpg, .webp, .tif, .avif, .jxl, .exr) chooses the
            format, or a binary stream. An existing file is replaced in one step.
        pixels: float in 0..1, uint8 or uint16, of shape (H, W), (H, W, 3) or (H, W, 4) with
            straight alpha; display values, which an EXR stores as linear light.
        metadata: stored as far as the format allows. A grey file gets no RGB profile.
        depth: of each colour. None is 16 for uint16 pixels where the format can, half for an EXR,
            and else 8.
        straight: do not multiply an EXR's colours by alpha. No other format ever does.
        format: "png", "jpeg", ...: overrules the suffix; a stream without it gets PNG.

    Raises:
        ImageError: the format is unknown, does not support the depth or an alpha channel, or needs
            a library that is not installed; the folder is missing, not writable or full.

    Example:
        save_image("cutout.png", matte_rgba, metadata=picture.metadata)
    """
    suffix = format or suffix_of(target)
    data = encode_image(
        pixels,
        suffix,
        name=name_of(target),
        metadata=metadata,
        depth=depth,
        straight=straight,
    )
    write_files([(target, data)])


def encode_image(
    pixels: NDArray[Any],
    suffix: str,
    *,
    name: str = "The picture",
    metadata: Metadata = NO_METADATA,
    depth: Depth | None = None,
    straight: bool = False,
    quality: int | None = None,
) -> bytes:
    """What `save_image` would write.

    Args:
        pixels: as for `save_image`.
        suffix: of the format, ".png".
        name: what an error message calls it.
        metadata: as for `save_image`.
        depth: as for `save_image`.
        straight: as for `save_image`.
        quality: 1..100, of a JPEG, WebP or AVIF; None is high, and without loss where that can be.

    Raises:
        ImageError: the format is unknown, does not support the depth or an alpha channel, or cannot
            hold that many pixels.
    """
    kind = _format_for(suffix, name)
    _check_pixels(pixels)
    if depth is None:
        depth = _default_depth(suffix, pixels.dtype)
    check_depth(suffix, depth, name)
    if kind == "JPEG" and pixels.shape[2:] == (4,):
        raise ImageError(
            f"{name} would be a JPEG, which has no alpha channel; use .png, .webp or .tif."
        )
    try:
        return _encode(pixels, kind, depth, straight, metadata, quality)
    except (MattingError, MemoryError):
        raise
    except Exception as error:  # each encoder has its own limits and its own exceptions
        raise ImageError(f"{name} cannot be encoded as {kind}: {reason_of(error)}.") from error


def _default_depth(suffix: str, dtype: np.dtype[Any]) -> Depth:
    """What `encode_image` takes for levels of a type: 16 for uint16 if the format can."""
    depths = DEPTHS.get(SUFFIXES.get(dotted(suffix), ""), (8,))
    return 16 if 16 in depths and dtype == np.uint16 else depths[0]


def depth_for(suffix: str, photo: NDArray[Any]) -> Depth:
    """What results of a photo with these levels are written in where nothing is asked for."""
    return _default_depth(suffix, np.dtype(np.uint8 if photo.dtype == np.uint8 else np.uint16))


def level_type(depth: Depth) -> np.dtype[Any]:
    """The type of levels that `encode_image` stores at this depth without conversion.

    Raises:
        ImageError: there is no such depth.
    """
    check_word(depth, "The depth", ImageError, tuple(_TYPES))
    return np.dtype(_TYPES[depth])


def check_depth(suffix: str, depth: Depth, name: str) -> None:
    """Check that a format supports this depth.

    Raises:
        ImageError: it cannot.
    """
    kind = SUFFIXES.get(dotted(suffix), "")
    if kind and depth not in DEPTHS[kind]:
        known = " or ".join(str(known) for known in DEPTHS[kind])
        able = [known for known, kind in SUFFIXES.items() if depth in DEPTHS[kind]]
        raise ImageError(
            f"{name} cannot have a depth of {depth}: {kind} holds {known}; use {' or '.join(able)}."
        )


def to_pil(pixels: NDArray[Any]) -> Image.Image:
    """Turn float 0..1 or integer pixels (H, W), (H, W, 3) or (H, W, 4) into an 8-bit Pillow image.

    Raises:
        ImageError: another shape or type, or values that are not finite.
    """
    _check_pixels(pixels)
    return Image.fromarray(np.ascontiguousarray(to_levels(pixels, np.uint8)))


def suffix_of(target: Any) -> str:
    """The suffix that chooses a target's format; PNG for a stream."""
    is_path = isinstance(target, (str, os.PathLike))
    return os.path.splitext(name_of(target))[1] if is_path else ".png"


def dotted(suffix: str) -> str:
    """The form in which `SUFFIXES` has them: "PNG" is ".png"."""
    return "." + suffix.lower().lstrip(".")


def _format_for(suffix: str, name: str) -> str:
    kind = SUFFIXES.get(dotted(suffix), "")
    Image.init()
    if kind == "EXR":
        exr.check_exr()
    elif kind == "JXL":
        register_jxl()
    elif kind not in Image.SAVE:
        known = ", ".join(suffix for suffix, kind in SUFFIXES.items() if _is_at_hand(kind))
        if dotted(suffix) in (".ora", ".psd"):
            known += "; layers are saved by save_layers or --layers"
        if not suffix:
            raise ImageError(f"{name} has no suffix, which chooses the format; expected {known}.")
        raise ImageError(f"{name} cannot be saved as '{suffix}'; expected one of {known}.")
    return kind


def _is_at_hand(kind: str) -> bool:
    return kind in Image.SAVE or kind in ("JXL", "EXR")


def _check_pixels(pixels: NDArray[Any]) -> None:
    if not isinstance(pixels, np.ndarray) or pixels.size == 0:
        raise ImageError(
            "The pixels to be saved are no picture; expected (H, W), (H, W, 3) or (H, W, 4)."
        )
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise ImageError(
            f"Pixels of shape {pixels.shape} cannot be saved; expected (H, W), (H, W, 3) or"
            " (H, W, 4)."
        )
    if pixels.dtype.kind == "f":
        if not np.isfinite(pixels).all():
            raise ImageError(
                "The pixels to be saved hold values that are not finite; expected finite numbers."
            )
    elif pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"Pixels of type {pixels.dtype} cannot be saved; expected float, uint8 or uint16."
        )


def _encode(
    pixels: NDArray[Any],
    kind: str,
    depth: Depth,
    straight: bool,
    metadata: Metadata,
    quality: int | None,
) -> bytes:
    if kind == "EXR":
        return exr.encode_exr(pixels, metadata, half=depth == "half", straight=straight)
    if kind == "JXL" and pixels.ndim == 3:  # the plug-in cannot store a profile
        colours = convert_colours(pixels[..., :3], metadata.icc_profile, None)
        pixels = np.concatenate([colours, pixels[..., 3:]], axis=2)
    if not _fits(metadata.icc_profile, pixels) or kind == "JXL":
        metadata = replace(metadata, icc_profile=None)
    levels = to_levels(pixels, level_type(depth))
    if kind == "TIFF":
        return deep.encode_tiff(levels, metadata)
    if depth == 8:
        return _by_pillow(levels, kind, metadata, quality)
    return deep.encode_png(
        levels, _by_pillow(to_levels(levels[:1, :1], np.uint8), kind, metadata, None)
    )


def _fits(icc_profile: bytes | None, pixels: NDArray[Any]) -> bool:
    return profile_space(icc_profile) == ("GRAY" if pixels.ndim == 2 else "RGB")


def _by_pillow(
    levels: NDArray[np.uint8], kind: str, metadata: Metadata, quality: int | None
) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(levels))
    stream = io.BytesIO()
    options = pillow_options(kind, metadata)
    if quality is not None and kind in ("JPEG", "WEBP", "AVIF"):
        options["quality"] = quality
        if "lossless" in options:
            options["lossless"] = False
    image.save(stream, kind, **options)
    return stream.getvalue()


def pillow_options(kind: str, metadata: Metadata) -> dict[str, Any]:
    """The arguments of Pillow's ``save`` for a format of `PILLOW_OPTIONS`."""
    options = dict(PILLOW_OPTIONS[kind])
    if metadata.icc_profile is not None:
        options["icc_profile"] = metadata.icc_profile
    if metadata.dpi is not None and kind in ("PNG", "JPEG"):  # others have no field
        options["dpi"] = metadata.dpi
    exif = exif_to_write(metadata, with_resolution=kind not in ("PNG", "JPEG"))
    for name, block in (("exif", exif.tobytes() if len(exif) else None), ("xmp", metadata.xmp)):
        if block is not None and (kind != "JPEG" or fits_jpeg(block)):
            options[name] = block
    if kind == "PNG" and "xmp" in options:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode())
    return options
