"""Cameras' raw files, developed by LibRaw. Needs rawpy, in the extra ``formats``."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from deepmatte.errors import ImageError
from deepmatte.images.picture import check_size

# How Canon's CR2 and CR3, Fujifilm's RAF, Olympus's ORF, Panasonic's RW2 and Sigma's X3F begin.
_SIGNATURES = (
    (8, b"CR\x02"),
    (4, b"ftypcrx "),
    (0, b"FUJIFILMCCD-RAW"),
    (0, b"IIRO"),
    (0, b"IIRS"),
    (0, b"MMOR"),
    (0, b"IIU\0"),
    (0, b"FOVb"),
)
# The power and the slope at black of the sRGB curve, as LibRaw wants them.
_SRGB_CURVE = (2.4, 12.92)
_TIFF = (b"II*\0", b"MM\0*")
_SUBFILE_TYPE, _SUB_DIRECTORIES, _DNG_VERSION = 254, 330, 50706


def is_raw(data: bytes) -> bool:
    """Whether a file is a camera's raw one: by its signature, or as the TIFF that most are.

    The first picture in such a TIFF is a small preview, and the sensor's lies in a sub-directory.
    """
    if any(data[at : at + len(sign)] == sign for at, sign in _SIGNATURES):
        return True
    if not data.startswith(_TIFF):
        return False
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        stream = io.BytesIO(data)
        stream.seek(directory.next)
        directory.load(stream)
        is_preview = directory.get(_SUBFILE_TYPE) == 1 and _SUB_DIRECTORIES in directory
        return _DNG_VERSION in directory or is_preview
    except Exception:  # a damaged directory raises anything; the decoder will say what is wrong
        return False


def develop(data: bytes, name: str) -> NDArray[np.uint16]:
    """Develop a raw file: the camera's white balance, sRGB, no change of brightness.

    Returns:
        uint16 (H, W, 3), upright.

    Raises:
        ImageError: it cannot be developed, or rawpy is not installed.
    """
    try:
        import rawpy
    except ImportError as error:
        raise ImageError(
            f"{name} is a camera's raw file; opening it needs rawpy:"
            ' pip install "deepmatte[formats]".'
        ) from error
    try:
        with rawpy.imread(io.BytesIO(data)) as file:
            check_size((file.sizes.width, file.sizes.height), name)
            developed: NDArray[Any] = file.postprocess(
                output_bps=16, use_camera_wb=True, no_auto_bright=True, gamma=_SRGB_CURVE
            )
    except rawpy.LibRawError as error:
        raise ImageError(f"{name} cannot be developed: {error}.") from error
    return developed
