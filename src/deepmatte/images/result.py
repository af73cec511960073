"""Pillow images whose ``save`` works like `deepmatte.images.save_image`."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepmatte.images import deep
from deepmatte.images.encode import (
    SUFFIXES,
    dotted,
    pillow_options,
    save_image,
    suffix_of,
    to_pil,
)
from deepmatte.images.files import write_files
from deepmatte.images.metadata import Metadata

_CARRIED = ("icc_profile", "dpi", "exif", "xmp")


class ResultImage(Image.Image):
    """A Pillow image whose ``save`` has the defaults of `save_image`.

    Pillow's own ``save`` drops the colour profile, the resolution and EXIF, and stores a JPEG in
    quality 75 with colours of half the size. The metadata is in ``info``, under Pillow's names.
    """

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:  # noqa: A002
        """Save to a path or a stream, whole or not at all.

        Args:
            fp: path or binary stream.
            format: "PNG", "JPEG", ...; None takes the suffix.
            params: Pillow's own options, which replace the defaults.

        Raises:
            ImageError: as `save_image`.
        """
        suffix = format or suffix_of(fp)
        kind = SUFFIXES.get(dotted(suffix), "")
        if not kind or self.mode not in ("L", "RGB", "RGBA"):
            super().save(fp, format, **params)
            return
        carried = {name: params.pop(name, self.info.get(name)) for name in _CARRIED}
        if isinstance(carried["exif"], Image.Exif):
            carried["exif"] = carried["exif"].tobytes()
        metadata = Metadata(**carried)
        if not params:
            save_image(fp, np.asarray(self), metadata=metadata, format=suffix)
            return
        stream = io.BytesIO()
        if kind == "TIFF":
            super().save(stream, kind, **{"compression": "tiff_lzw", **params})
            data = deep.with_tags(stream.getvalue(), deep.tags_of(metadata))
        else:
            super().save(stream, kind, **{**pillow_options(kind, metadata), **params})
            data = stream.getvalue()
        write_files([(fp, data)])

    def _new(self, im: Any) -> Image.Image:
        """Pillow makes changed copies with this, so they have the same ``save``."""
        return _as_result(super()._new(im))


def to_result(pixels: NDArray[Any], metadata: Metadata) -> ResultImage:
    """Make a `ResultImage` of pixels that `to_pil` accepts, with metadata."""
    result = _as_result(to_pil(pixels))
    for name in _CARRIED:
        if getattr(metadata, name) is not None:
            result.info[name] = getattr(metadata, name)
    return result


def _as_result(image: Image.Image) -> ResultImage:
    image.__class__ = ResultImage
    assert isinstance(image, ResultImage)
    return image
