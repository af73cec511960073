"""Output folders as CorridorKey writes them, for pipelines built for it.

``Matte`` holds alpha alone, ``FG`` the subject's straight colours as sRGB values, ``Processed`` the
cut-out in linear light, premultiplied, all three as EXRs of half floats; ``Comp`` a preview over a
checkerboard as PNG.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np

from deepmatte.images import convert_colours, encode_exr, encode_image, write_exr
from deepmatte.matting import Matte
from deepmatte.sheet import checkerboard

Folder: TypeAlias = Literal["Matte", "FG", "Processed", "Comp"]
PATTERNS: dict[Folder, str] = {
    "Matte": "Matte/{stem}.exr",
    "FG": "FG/{stem}.exr",
    "Processed": "Processed/{stem}.exr",
    "Comp": "Comp/{stem}.png",
}
"""Where the files of a frame lie in the shot's folder."""


def shot_files(matte: Matte, name: str) -> dict[str, bytes]:
    """The files of one frame.

    Args:
        matte: the frame's.
        name: of the frame, without a suffix.

    Returns:
        Paths in the shot's folder, as ``Matte/<name>.exr``, and what they hold.

    Raises:
        ImageError: the library OpenEXR is not installed.
    """
    return {
        PATTERNS[folder].format(stem=name): shot_file(matte, folder) for folder in get_args(Folder)
    }


def shot_file(matte: Matte, folder: Folder) -> bytes:
    """The file of a frame in one of the folders.

    Raises:
        ImageError: the library OpenEXR is not installed.
    """
    metadata = matte.picture.metadata
    if folder == "Matte":
        return encode_exr(matte.alpha, metadata, half=True)
    if folder == "Processed":
        return encode_exr(matte.levels("cutout", "float"), metadata, half=True)
    if folder == "Comp":
        preview = matte.composite_levels(checkerboard(*matte.alpha.shape), 8)
        return encode_image(preview, ".png", metadata=metadata)
    colours = matte.levels("foreground", "float")
    if metadata.primaries is None:
        colours = convert_colours(colours, metadata.icc_profile, None)
    return write_exr(colours.astype(np.float16), {"deepmatte:transfer": "sRGB"})
