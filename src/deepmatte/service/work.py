"""Carries out an order: from files in to a file out, without HTTP."""

from __future__ import annotations

import contextlib
import io
import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deepmatte.errors import ImageError, MattingError
from deepmatte.images import Picture, depth_for, encode_image, open_image, read_size
from deepmatte.images.files import name_of
from deepmatte.matted import framed
from deepmatte.matting import Matte, Matter
from deepmatte.service.orders import FILES, Order, Quality
from deepmatte.solver.runtime import Progress
from deepmatte.subject import matte_mask, matte_subject, segmenters

MEDIA_TYPES = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "tif": "image/tiff",
    "avif": "image/avif",
    "exr": "image/x-exr",
    "zip": "application/zip",
}


@dataclass(frozen=True)
class Done:
    """What an order gave.

    Attributes:
        content: of a file.
        media_type: of the file.
        width: of what is in it, pixels.
        height: of what is in it, pixels.
        notes: sentences about anything that a user should know.
    """

    content: bytes
    media_type: str
    width: int
    height: int
    notes: Sequence[str]


class TooLargeError(ImageError):
    """A picture has more pixels than this server takes."""


class Worker:
    """Does one order at a time; its networks are loaded once and kept.

    Args:
        model: as `deepmatte.Matter` takes it, and so the rest.
        device: where the network runs.
        threads: of the network.
        memory: bytes for one picture, or None.
        segmenter: finds subjects; None takes the best that is installed.
        pixels: of the largest picture.

    Raises:
        ModelError: there is no such model or device.
        SubjectError: there is no such segmenter.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str,
        threads: int,
        memory: int | None,
        segmenter: str | None,
        pixels: int,
    ) -> None:
        self._model, self._device = model, device
        self._threads, self._memory = threads, memory
        self._matters: dict[Quality, Matter] = {}
        self._segmenter, self._pixels = segmenter, pixels
        self._matter("normal")  # what is wrong with them is said before the first order
        if segmenter is not None:
            segmenters.named(segmenter)

    def __call__(self, order: Order, progress: Progress) -> Done:
        """Do an order.

        Raises:
            TooLargeError: a picture of it has too many pixels.
            MattingError: a file of it cannot be read, does not fit, or its subject is not found.
            concurrent.futures.CancelledError: by ``progress``.
            MemoryError: there is not enough memory.
        """
        with _named(order):
            self._check_sizes(order)
            picture = open_image(order.image)
            matte = framed(self._matte(order, picture, progress), order.framing)
            matte = _limited(matte, order.most_pixels)
            height, width = matte.alpha.shape
            content = _zipped(matte) if order.format == "zip" else _encoded(matte, order)
        return Done(content, MEDIA_TYPES[order.format], width, height, matte.notes)

    def _check_sizes(self, order: Order) -> None:
        """Look at the headers of all files before any of them is decoded."""
        for file in (order.image, order.trimap, order.mask, order.background):
            if not isinstance(file, bytes):
                continue
            width, height = read_size(file)
            if width * height > self._pixels:
                raise TooLargeError(
                    f"A picture has {width} x {height} pixels; expected at most"
                    f" {self._pixels / 1e6:g} megapixels."
                )

    def _matte(self, order: Order, picture: Picture, progress: Progress) -> Matte:
        matter = self._matter(order.quality)
        if order.subject:
            return matte_subject(
                picture,
                points=order.points,
                box=None if order.box is None else order.box.within(picture.shape),
                segmenter=self._segmenter,
                matter=matter,
                progress=progress,
            )
        resize = order.resize_trimap
        if order.mask is not None:
            return matte_mask(
                picture, order.mask, resize_mask=resize, matter=matter, progress=progress
            )
        labels = order.trimap or b""
        return matter(picture, labels, resize_trimap=resize, progress=progress)

    def _matter(self, quality: Quality) -> Matter:
        if quality not in self._matters:
            self._matters[quality] = Matter(
                self._model,
                device=self._device,
                threads=self._threads,
                memory=self._memory,
                quality=quality,
            )
        return self._matters[quality]


@contextlib.contextmanager
def _named(order: Order) -> Iterator[None]:
    """Let errors name the files as the request does; below here they are bytes without a name."""
    try:
        yield
    except MattingError as error:
        sentence = str(error)
        for name in FILES:
            content = getattr(order, name)
            if isinstance(content, bytes):
                sentence = sentence.replace(name_of(content), f"The file '{name}'")
        raise type(error)(sentence) from error


def _limited(matte: Matte, pixels: int | None) -> Matte:
    """A matte of at most so many pixels."""
    height, width = matte.alpha.shape
    if pixels is None or height * width <= pixels:
        return matte
    return matte.resized(max(1, int(max(height, width) * math.sqrt(pixels / (height * width)))))


def _encoded(matte: Matte, order: Order) -> bytes:
    depth = order.depth or depth_for(f".{order.format}", matte.picture.levels)
    if order.output in ("alpha", "foreground", "cutout"):
        pixels = matte.levels(order.output, depth)
    else:
        assert order.background is not None
        pixels = matte.composite_levels(order.background, depth)
    return encode_image(
        pixels,
        f".{order.format}",
        name="The answer",
        metadata=matte.picture.metadata,
        depth=depth,
        straight=order.straight,
    )


def _zipped(matte: Matte) -> bytes:
    """Colours and alpha as two files, named as remove.bg names them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, pixels in (("color.jpg", matte.colours), ("alpha.png", matte.alpha)):
            data = encode_image(pixels, name[-4:], metadata=matte.picture.metadata)
            archive.writestr(zipfile.ZipInfo(name), data)
    return packed.getvalue()
