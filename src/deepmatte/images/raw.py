"""Cameras' raw files, developed by LibRaw. Needs rawpy, in the extra ``formats``."""

from __future__ import annotations

import io
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from deepmatte.errors import ImageError
from deepmatte.images.files import reason_of
from deepmatte.images.picture import Admit, check_size
from deepmatte.images.quiet import quietly, silently

RAW_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("dng", "nef", "nrw", "cr2", "cr3", "arw", "sr2", "raf", "orf", "rw2", "rwl", "pef"),
        *("srw", "3fr", "x3f"),
    )
)
"""Of cameras' raw files."""

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
# Gamma and slope at black of the sRGB curve, as LibRaw expects them.
_SRGB_CURVE = (2.4, 12.92)
_TIFF = (b"II*\0", b"MM\0*")
_SUBFILE_TYPE, _PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION = 254, 262, 330, 50706
_COLOUR_FILTERS = 32803


def is_raw(data: bytes) -> bool:
    """Whether a file is a camera's raw file, by its signature or as a TIFF.

    The first picture in such a TIFF is the sensor's, or it is a small preview and the sensor's lies
    in a sub-directory.
    """
    if any(data[at : at + len(sign)] == sign for at, sign in _SIGNATURES):
        return True
    if not data.startswith(_TIFF):
        return False
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        stream = io.BytesIO(data)
        stream.seek(directory.next)
        with quietly():
            directory.load(stream)
        is_preview = directory.get(_SUBFILE_TYPE) == 1 and _SUB_DIRECTORIES in directory
        is_sensor = directory.get(_PHOTOMETRIC) == _COLOUR_FILTERS
        return _DNG_VERSION in directory or is_preview or is_sensor
    except Exception:  # a damaged directory raises all kinds; the decoder will report it
        return False


def raw_size(data: bytes, name: str) -> tuple[int, int]:
    """(width, height) of a raw file as it is stored, by its header alone.

    Raises:
        ImageError: the header cannot be read, or rawpy is not installed.
    """
    rawpy = _library(name)
    try:
        with silently(), rawpy.imread(io.BytesIO(data)) as file:
            return file.sizes.width, file.sizes.height
    except rawpy.LibRawError as error:
        raise ImageError(f"{name} cannot be developed: {reason_of(error)}.") from error


def develop(data: bytes, name: str, admit: Admit) -> NDArray[np.uint16]:
    """Develop a raw file: the camera's white balance, sRGB, no change of brightness.

    Args:
        data: of the file.
        name: what an error message calls it.
        admit: is asked with (height, width) before the pixels are decoded.

    Returns:
        uint16 (H, W, 3), upright.

    Raises:
        ImageError: it cannot be developed, or rawpy is not installed.
    """
    width, height = raw_size(data, name)
    check_size((width, height), name)
    admit((height, width))
    rawpy = _library(name)
    try:
        with silently(), rawpy.imread(io.BytesIO(data)) as file:
            developed: NDArray[np.uint16] = file.postprocess(
                output_bps=16, use_camera_wb=True, no_auto_bright=True, gamma=_SRGB_CURVE
            )
    except rawpy.LibRawError as error:
        raise ImageError(f"{name} cannot be developed: {reason_of(error)}.") from error
    return developed


def _library(name: str) -> ModuleType:
    try:
        import rawpy
    except ImportError as error:
        raise ImageError(
            f"{name} is a camera's raw file; opening it needs rawpy:"
            ' pip install "deepmatte[formats]".'
        ) from error
    module: ModuleType = rawpy
    return module
