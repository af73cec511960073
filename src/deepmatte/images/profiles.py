"""ICC colour profiles, and conversion to sRGB."""

from __future__ import annotations

import contextlib
import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepmatte.images.arrays import to_unit


def displayed(pixels: NDArray[np.uint8], icc_profile: bytes | None) -> NDArray[np.uint8]:
    """Convert colours to sRGB, for a screen without colour management such as a web page's canvas.

    Args:
        pixels: uint8 (H, W, 3).
        icc_profile: the RGB profile of the pixels; without a usable one they stay as they are.

    Returns:
        uint8 (H, W, 3) in sRGB.
    """
    if icc_profile is None or profile_space(icc_profile) != "RGB":
        return pixels
    with contextlib.suppress(Exception):  # an unusable profile counts as none
        return np.asarray(through_profiles(Image.fromarray(pixels), icc_profile, None))
    return pixels


def profile_space(profile: bytes | None) -> str:
    """The colour space of an ICC profile ("RGB", "GRAY", "CMYK"), "" for none or a damaged one."""
    if not profile or len(profile) < 128 or profile[36:40] != b"acsp":
        return ""
    return profile[16:20].decode("ascii", "replace").strip()


def manage_profile(colour: NDArray[Any], profile: bytes) -> tuple[NDArray[Any], bytes | None]:
    """Convert colours so that they have an RGB profile; return both."""
    space = profile_space(profile)
    if space == "RGB":
        return colour, profile
    if space == "GRAY" and colour.ndim == 2:
        return _through_grey_profile(colour, profile), srgb_profile()
    return colour, srgb_profile() if space == "CMYK" else None


def srgb_profile() -> bytes:
    """An ICC profile of sRGB, the same at any time."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Without its timestamp (ICC.1, 7.2.1), so that equal pictures give equal files.
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


def through_profiles(image: Image.Image, source: bytes | None, target: bytes | None) -> Image.Image:
    """A picture's colours in one profile as 8-bit RGB in another; None is sRGB.

    Raises:
        Exception: Pillow's, where a profile cannot be used.
    """
    from PIL import ImageCms

    converted = ImageCms.profileToProfile(
        image,
        _readable(source),
        _readable(target),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # None comes only from a conversion in place
    return converted


def _readable(profile: bytes | None) -> Any:
    from PIL import ImageCms

    if profile is None:
        return ImageCms.createProfile("sRGB")
    return ImageCms.ImageCmsProfile(io.BytesIO(profile))


def cmyk_to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """CMYK to sRGB by its profile, or by Pillow's formula if there is no usable one."""
    if profile is not None and profile_space(profile) == "CMYK":
        # An unusable profile counts as none.
        with contextlib.suppress(Exception):
            return through_profiles(image, profile, None)
    return image.convert("RGB")


def _through_grey_profile(levels: NDArray[Any], profile: bytes) -> NDArray[np.float32]:
    """Convert grey levels (H, W) of any depth to sRGB by the profile's curve, sampled at 256
    points.
    """
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])  # (1, 256)
    try:
        curve = np.asarray(through_profiles(ramp, profile, None))[0, :, 1] / 255  # (256,)
    except Exception:  # an unusable profile counts as none
        return to_unit(levels)
    return np.interp(to_unit(levels), np.linspace(0, 1, 256), curve).astype(np.float32)
