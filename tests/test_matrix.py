"""Formats, modes, orientations and sizes, as a photo, a trimap and a mask: the pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, features

from deepmatte.images import open_image, open_mask
from deepmatte.trimap import open_trimap

Pixels = NDArray[Any]

HEIGHT, WIDTH = 24, 37
LOSSY = {"JPEG": 12.0, "AVIF": 16.0}
"""Levels by which a coder may miss smooth colours, at its best."""
BEST: dict[str, dict[str, Any]] = {
    "PNG": {},
    "BMP": {},
    "GIF": {},
    "TIFF": {},
    "WEBP": {"lossless": True, "exact": True},
    "JPEG": {"quality": 98, "subsampling": "4:4:4"},
    "AVIF": {"quality": 98, "subsampling": "4:4:4"},
}
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "PNG": [{}, {"optimize": True}, {"compress_level": 0}],
    "TIFF": [{"compression": name} for name in ("raw", "tiff_lzw", "tiff_deflate", "packbits")],
    "JPEG": [{}, {"progressive": True}, {"optimize": True}],
    "WEBP": [{}],
    "BMP": [{}],
    "GIF": [{}],
    "AVIF": [{}],
}
MODES: dict[str, tuple[str, ...]] = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"),
    "JPEG": ("L", "RGB"),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("L", "P"),
    "AVIF": ("RGB", "RGBA"),
}
# What an orientation does to the stored pixels; source: EXIF 2.32, tag 0x0112.
TURNED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: p[::-1].swapaxes(0, 1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: p[:, ::-1].swapaxes(0, 1),
}
SIZES = ((1, 1), (1, 2), (2, 1), (7, 8), (8, 8), (9, 17), (1, 300), (300, 1), (31, 64), (33, 65))


def smooth(height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """(H, W, 4): three slopes, and an alpha of its own."""
    rows, columns = np.mgrid[:height, :width]
    down, across = rows / max(1, height - 1), columns / max(1, width - 1)
    planes = (60 + 120 * across, 40 + 150 * down, 200 - 90 * across * down, 30 + 200 * across)
    levels: NDArray[np.uint8] = np.rint(np.stack(planes, axis=2)).astype(np.uint8)
    return levels


def stored(pixels: Pixels, mode: str) -> tuple[Image.Image, Pixels, Pixels | None]:
    """A picture of a mode, and the colours and the alpha, 0..255, that it stands for."""
    rgba = Image.fromarray(pixels)
    if mode == "I;16":
        deep = pixels[..., 0].astype(np.uint16) * 257
        return Image.fromarray(deep), deep[..., None] / 257, None
    image = rgba.convert("RGB").convert(mode) if mode not in ("LA", "RGBA") else rgba.convert(mode)
    grey_alpha = mode in ("LA", "RGBA")
    shown = np.asarray(image.convert("RGBA"))
    return image, shown[..., :3], shown[..., 3] if grey_alpha else None


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **{**BEST[kind], **options})
    return stream.getvalue()


def kinds() -> list[str]:
    return [kind for kind in MODES if kind != "AVIF" or features.check("avif")]


def compare(found: Pixels, expected: Pixels, kind: str) -> None:
    assert found.shape[:2] == expected.shape[:2]
    scale = 255 / (np.iinfo(found.dtype).max if found.dtype.kind == "u" else 1)
    difference = np.abs(found * scale - np.broadcast_to(expected, found.shape))
    assert difference.max() <= LOSSY.get(kind, 0.51)


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [(kind, mode, words) for kind in kinds() for mode in MODES[kind] for words in VARIANTS[kind]],
)
def test_modes_as_a_photo(kind: str, mode: str, options: dict[str, Any]) -> None:
    image, colours, alpha = stored(smooth(), mode)

    picture = open_image(encoded(image, kind, **options))

    compare(picture.levels, colours, kind)
    assert (picture.alpha is None) == (alpha is None)
    if alpha is not None and picture.alpha is not None:
        compare(picture.alpha, alpha, kind)


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind not in ("GIF", "BMP")])
@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_orientations(kind: str, orientation: int, mode: str) -> None:
    if mode not in MODES[kind]:
        mode = "RGB"
    exif = Image.Exif()
    exif[274] = orientation
    image, colours, _ = stored(smooth(), mode)

    picture = open_image(encoded(image, kind, exif=exif.tobytes()))

    # An AVIF's turn stands in the picture itself, which the decoder turns.
    compare(picture.levels, TURNED[orientation](colours), kind)


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("size", SIZES)
def test_sizes(kind: str, size: tuple[int, int]) -> None:
    mode = "RGB" if "RGB" in MODES[kind] else "L"
    image, colours, _ = stored(smooth(*size), mode)

    compare(open_image(encoded(image, kind)).levels, colours, kind)


@pytest.mark.parametrize(
    ("kind", "mode", "orientation"),
    [
        (kind, mode, orientation)
        for kind in kinds()
        for mode in MODES[kind]
        for orientation in ([1] if kind in ("GIF", "BMP") else [1, 6])
        if mode != "CMYK"
    ],
)
def test_modes_as_a_trimap_and_a_mask(kind: str, mode: str, orientation: int) -> None:
    # Blocks of 16, for what a lossy coder smears stays in them.
    labels = np.kron([[0, 255, 128], [255, 0, 255]], np.ones((16, 16))).astype(np.uint8)
    if mode == "1":
        labels[labels == 128] = 0
    mask = np.where(labels == 128, 0, labels)
    exif = Image.Exif()
    exif[274] = orientation
    options = {"exif": exif.tobytes()} if orientation > 1 else {}

    def data(levels: NDArray[np.uint8]) -> bytes:
        opaque = np.full_like(levels, 255)
        image, _, _ = stored(np.stack([levels, levels, levels, opaque], axis=2), mode)
        return encoded(image, kind, **options)

    np.testing.assert_array_equal(open_trimap(data(labels)), TURNED[orientation](labels))
    found = open_mask(data(mask))
    np.testing.assert_array_equal(found > 0.5, TURNED[orientation](mask) > 0)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("channels", [0, 1, 3, 4])
@pytest.mark.parametrize("layout", ["C", "F", "reversed", "big-endian"])
def test_arrays(kind: Any, channels: int, layout: str) -> None:
    whole = smooth()
    pixels = whole[..., 0] if channels == 0 else whole[..., :channels]
    given = (pixels / 255).astype(kind) if np.dtype(kind).kind == "f" else pixels.astype(kind)
    if layout == "F":
        given = np.asfortranarray(given)
    elif layout == "reversed":
        given = np.ascontiguousarray(given[::-1])[::-1]
    elif layout == "big-endian":
        given = given.astype(given.dtype.newbyteorder(">"))

    picture = open_image(given)

    colours = np.atleast_3d(pixels)[..., :3]
    compare(picture.levels, colours, "")
    assert (picture.alpha is None) == (channels < 4)
    if picture.alpha is not None:
        compare(picture.alpha, pixels[..., 3], "")
