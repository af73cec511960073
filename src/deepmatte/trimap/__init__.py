"""Trimaps: which pixels are known background, known foreground, or unknown.

Inside deepmatte a trimap is a uint8 array (H, W) of exactly three values. `open_trimap` reads one
from a file of any kind; `from_mask`, `from_alpha`, `from_scribbles` and `from_box` make one from
other hints.

Example:
    trimap = open_trimap("trimap.png", (height, width))
    trimap = from_mask("mask.png", width=30)
"""

from deepmatte.trimap.make import (
    BAND,
    SURE_BACKGROUND,
    SURE_FOREGROUND,
    checked_box,
    distance_to,
    from_alpha,
    from_box,
    from_mask,
    from_rough_mask,
    from_scribbles,
    widen,
)
from deepmatte.trimap.read import FLOAT_TOLERANCE, LOSSY_TOLERANCE, open_trimap, read_trimap
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Trimap

__all__ = [
    "BACKGROUND",
    "BAND",
    "FLOAT_TOLERANCE",
    "FOREGROUND",
    "LOSSY_TOLERANCE",
    "SURE_BACKGROUND",
    "SURE_FOREGROUND",
    "UNKNOWN",
    "Trimap",
    "checked_box",
    "distance_to",
    "from_alpha",
    "from_box",
    "from_mask",
    "from_rough_mask",
    "from_scribbles",
    "open_trimap",
    "read_trimap",
    "widen",
]
