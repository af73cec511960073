"""Files of several layers: OpenRaster for Krita, GIMP and MyPaint, PSD for Photoshop and Affinity.

An OpenRaster file is a ZIP of PNGs and a list of them (https://www.openraster.org, version 0.0.6);
its layers have transparency but no masks. A PSD is written by psd-tools, in the extra ``formats``.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepmatte.errors import ImageError
from deepmatte.images.arrays import to_levels
from deepmatte.images.encode import encode_image
from deepmatte.images.files import name_of, reason_of, write_files
from deepmatte.images.metadata import NO_METADATA, Metadata
from deepmatte.images.picture import Picture, Target
from deepmatte.images.profiles import profile_space, srgb_profile

LAYERED_SUFFIXES = (".ora", ".psd")
_THUMBNAIL = 256  # pixels, the most that OpenRaster allows


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of a file.

    Attributes:
        name: what a drawing program calls it.
        colours: (H, W, 3), uint8 or uint16.
        alpha: (H, W), of the same type: the layer's transparency, in a PSD its mask; or None.
        visible: whether it is shown when the file is opened.
    """

    name: str
    colours: NDArray[Any]
    alpha: NDArray[Any] | None = None
    visible: bool = True


def layers_of(picture: Picture, colours: NDArray[Any], alpha: NDArray[np.float32]) -> list[Layer]:
    """The subject, and the photo, hidden, below it.

    Args:
        picture: the photo.
        colours: of the subject, (H, W, 3), uint8 or uint16, the type of both layers.
        alpha: float32 (H, W), 0..1.
    """
    photo = to_levels(picture.levels, colours.dtype)
    own = None if picture.alpha is None else to_levels(picture.alpha, colours.dtype)
    return [
        Layer("Subject", colours, to_levels(alpha, colours.dtype)),
        Layer("Photo", photo, own, visible=False),
    ]


def save_layers(
    target: Target,
    layers: Sequence[Layer],
    *,
    metadata: Metadata = NO_METADATA,
    format: str | None = None,  # noqa: A002 (Pillow's name for it, which people know)
) -> None:
    """Write layers to a file, whole or not at all, or to a binary stream.

    Args:
        target: a path ending in .ora or .psd, or a binary stream.
        layers: from the top down, all of one size.
        metadata: stored as far as the format allows.
        format: "ora" or "psd": overrules the suffix; a stream without it gets ora.

    Raises:
        ImageError: the suffix is another, psd-tools is not installed, or the file cannot be
            written.
    """
    is_path = isinstance(target, (str, os.PathLike))
    suffix = format or (os.path.splitext(name_of(target))[1] if is_path else ".ora")
    data = encode_layers(layers, suffix, name=name_of(target), metadata=metadata)
    write_files([(target, data)])


def encode_layers(
    layers: Sequence[Layer],
    suffix: str,
    *,
    name: str = "The picture",
    metadata: Metadata = NO_METADATA,
) -> bytes:
    """What `save_layers` would write.

    Raises:
        ImageError: the suffix is another, or psd-tools is not installed.
    """
    dotted = "." + suffix.lower().lstrip(".")
    if dotted not in LAYERED_SUFFIXES:
        known = " or ".join(LAYERED_SUFFIXES)
        raise ImageError(f"{name} cannot have layers; expected a name that ends in {known}.")
    if layers[0].colours.dtype != np.uint8 and metadata.icc_profile is None:
        # Without a profile Krita takes a PSD of 16 bits for linear light, and asks at an .ora.
        metadata = replace(metadata, icc_profile=srgb_profile())
    if dotted == ".ora":
        return _open_raster(layers, metadata)
    try:
        return _photoshop(layers, metadata)
    except ImportError as error:
        raise ImageError(
            'PSD files need psd-tools: pip install "deepmatte[formats]"; .ora needs nothing.'
        ) from error
    except (ValueError, TypeError, OSError) as error:
        raise ImageError(f"{name} cannot be encoded as PSD: {reason_of(error)}.") from error


def _open_raster(layers: Sequence[Layer], metadata: Metadata) -> bytes:
    height, width = layers[0].colours.shape[:2]
    image = ElementTree.Element("image", version="0.0.6", w=str(width), h=str(height))
    if metadata.dpi is not None:
        image.set("xres", str(round(metadata.dpi[0])))
        image.set("yres", str(round(metadata.dpi[1])))
    stack = ElementTree.SubElement(image, "stack")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:  # PNGs are compressed already
        _store(file, "mimetype", b"image/openraster")  # must be the first
        for index, layer in enumerate(layers):
            path = f"data/layer{index}.png"
            visible = "visible" if layer.visible else "hidden"
            ElementTree.SubElement(
                stack, "layer", name=layer.name, src=path, x="0", y="0", visibility=visible
            )
            _store(file, path, encode_image(_joined(layer), ".png", metadata=metadata))
        _store(file, "stack.xml", ElementTree.tostring(image, "utf-8", xml_declaration=True))
        shown = _merged(layers)
        merged = encode_image(shown, ".png", metadata=metadata)
        _store(file, "mergedimage.png", merged)
        small = Image.fromarray(to_levels(shown, np.uint8))
        small.thumbnail((_THUMBNAIL, _THUMBNAIL))
        _store(file, "Thumbnails/thumbnail.png", encode_image(np.asarray(small), ".png"))
    return stream.getvalue()


def _store(file: zipfile.ZipFile, path: str, data: bytes) -> None:
    file.writestr(zipfile.ZipInfo(path), data)  # dated 1980: equal contents, equal files


def _photoshop(layers: Sequence[Layer], metadata: Metadata) -> bytes:
    from psd_tools import PSDImage
    from psd_tools.constants import ColorMode, Resource
    from psd_tools.psd.document import PSD
    from psd_tools.psd.header import FileHeader
    from psd_tools.psd.image_data import ImageData
    from psd_tools.psd.image_resources import ImageResource, ImageResources

    merged = _merged(layers)  # for programs without layers
    height, width, channels = merged.shape
    header = FileHeader(
        channels=channels,
        height=height,
        width=width,
        depth=8 * merged.itemsize,
        color_mode=ColorMode.RGB,
    )
    flat = ImageData()
    flat.set_data([_big_endian(merged[..., index]) for index in range(channels)], header)
    document = PSDImage(PSD(header=header, image_data=flat, image_resources=ImageResources.new()))
    for key, data in _resources(metadata).items():
        document.image_resources[Resource(key)] = ImageResource(key=key, data=data)
    for layer in reversed(layers):
        added = document.create_pixel_layer_from_array(layer.colours, name=layer.name)
        added.visible = layer.visible
        if layer.alpha is not None:
            added.create_mask(Image.fromarray(to_levels(layer.alpha, np.uint8)))
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue() if header.depth == 8 else _with_deep_masks(stream, layers)


def _with_deep_masks(stream: io.BytesIO, layers: Sequence[Layer]) -> bytes:
    """A PSD whose masks, which psd-tools makes of 8 bits, have the layers' 16."""
    from psd_tools.constants import ChannelID
    from psd_tools.psd.document import PSD

    stream.seek(0)
    file = PSD.read(stream)
    stored = file.layer_and_mask_information.layer_info
    for layer, record, planes in zip(
        reversed(layers), stored.layer_records, stored.channel_image_data, strict=True
    ):
        for info, plane in zip(record.channel_info, planes, strict=True):
            if info.id == ChannelID.USER_LAYER_MASK and layer.alpha is not None:
                height, width = layer.alpha.shape
                mask = _big_endian(layer.alpha)
                info.length = 2 + plane.set_data(mask, width, height, file.header.depth)
    written = io.BytesIO()
    file.write(written)
    return written.getvalue()


def _big_endian(levels: NDArray[Any]) -> bytes:
    return levels.astype(levels.dtype.newbyteorder(">")).tobytes()


def _resources(metadata: Metadata) -> dict[int, bytes]:
    """Metadata by Photoshop's numbers. Source: Adobe Photoshop File Formats Specification."""
    resources = {}
    if metadata.dpi is not None:
        across, down = (round(dots * 65536) for dots in metadata.dpi)
        resources[1005] = struct.pack(">IHHIHH", across, 1, 1, down, 1, 1)  # per inch, in inches
    if metadata.icc_profile and profile_space(metadata.icc_profile) == "RGB":
        resources[1039] = metadata.icc_profile
    if metadata.exif is not None:
        resources[1058] = metadata.exif.removeprefix(b"Exif\0\0")
    if metadata.xmp is not None:
        resources[1060] = metadata.xmp
    return resources


def _joined(layer: Layer) -> NDArray[Any]:
    if layer.alpha is None:
        return layer.colours
    return np.dstack([layer.colours, layer.alpha])


def _merged(layers: Sequence[Layer]) -> NDArray[Any]:
    """The flattened picture: in these files the topmost visible layer alone."""
    return _joined(next(layer for layer in layers if layer.visible))
