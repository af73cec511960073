"""Pictures from files, bytes, streams, Pillow and NumPy, and back.

Nothing else in the package uses Pillow.
"""

from deepmatte.images.encode import (
    SUFFIXES,
    Depth,
    check_depth,
    depth_for,
    encode_image,
    level_type,
    save_image,
    suffix_of,
    to_pil,
)
from deepmatte.images.exr import check_exr, encode_exr, write_exr
from deepmatte.images.layers import LAYERED_SUFFIXES, Layer, encode_layers, layers_of, save_layers
from deepmatte.images.light import convert_colours
from deepmatte.images.metadata import Metadata
from deepmatte.images.open import (
    OPENED_SUFFIXES,
    open_alpha,
    open_grey,
    open_image,
    open_levels,
    open_mask,
    open_unmanaged,
    parse_colour,
    read_size,
    resize_bicubic,
)
from deepmatte.images.picture import MAX_PIXELS, GreyPicture, Picture, Source, Target
from deepmatte.images.profiles import displayed
from deepmatte.images.raw import RAW_SUFFIXES
from deepmatte.images.result import to_result

__all__ = [
    "LAYERED_SUFFIXES",
    "MAX_PIXELS",
    "OPENED_SUFFIXES",
    "RAW_SUFFIXES",
    "SUFFIXES",
    "Depth",
    "GreyPicture",
    "Layer",
    "Metadata",
    "Picture",
    "Source",
    "Target",
    "check_depth",
    "check_exr",
    "convert_colours",
    "depth_for",
    "displayed",
    "encode_exr",
    "encode_image",
    "encode_layers",
    "layers_of",
    "level_type",
    "open_alpha",
    "open_grey",
    "open_image",
    "open_levels",
    "open_mask",
    "open_unmanaged",
    "parse_colour",
    "read_size",
    "resize_bicubic",
    "save_image",
    "save_layers",
    "suffix_of",
    "to_pil",
    "to_result",
    "write_exr",
]
