"""The frames of which an answer to an edit consists.

Four bytes of length (little-endian), a header in JSON, and for "pixels" the pixels of a rectangle.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from deepmatte.images import displayed
from deepmatte.studio.pictures import OpenPicture
from deepmatte.studio.rectangle import Rectangle


def frame(**header: Any) -> bytes:
    """A frame without pixels: its length and its header."""
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text


def pixels(picture: OpenPicture, area: Rectangle, final: bool) -> bytes:
    """A frame with the shown pixels of an area, refined and in sRGB: straight RGBA.

    Args:
        picture: of which something is shown.
        area: where.
        final: whether they are those of the whole picture's matte.
    """
    shown = picture.shown.colours
    assert shown is not None  # nothing is sent before
    shape, reach = picture.picture.shape, picture.refinement.reach
    area = area.grown(reach, shape)
    wider = area.grown(reach, shape)
    photo = picture.picture.crop(wider.window).levels
    refined = picture.refinement.cutout(shown[wider.window], photo)
    colours = refined[area.moved(-wider.left, -wider.top).window].copy()
    colours[..., :3] = displayed(
        np.ascontiguousarray(colours[..., :3]), picture.picture.metadata.icc_profile
    )
    header = {"left": area.left, "top": area.top, "width": area.width, "height": area.height}
    sent: bytes = colours.tobytes()
    return frame(kind="pixels", **header, final=final) + sent
