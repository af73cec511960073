"""Formats, modes, orientations and sizes, as a photo, a trimap and a mask: the pixels."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, features

from deepmatte.images import encode_image, open_image, open_mask
from deepmatte.images.deep import encode_png, with_tags
from deepmatte.trimap import open_trimap

Pixels = NDArray[Any]

EXACT = 0.51
LOSSY = {"JPEG": 12.0, "AVIF": 16.0, "HEIF": 12.0}
"""Levels by which a coder may miss smooth colours, at its best."""
BEST: dict[str, dict[str, Any]] = {
    "WEBP": {"lossless": True, "exact": True},
    "JPEG": {"quality": 98, "subsampling": "4:4:4"},
    "AVIF": {"quality": 98, "subsampling": "4:4:4"},
    "HEIF": {"quality": -1, "chroma": "444"},
    "JXL": {"lossless": True},
}
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "PNG": [{}, {"optimize": True}, {"compress_level": 0}],
    "TIFF": [
        *({"compression": name} for name in ("raw", "tiff_lzw", "tiff_deflate", "packbits")),
        {"big_tiff": True},
    ],
    "JPEG": [
        *({}, {"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 2}),
        *({"subsampling": "4:2:0"}, {"quality": 92}),
    ],
}
GREYS = ("1", "L", "LA", "P", "I;16")
# Of "key" one colour is transparent, "PA" has a palette with alpha, "white" calls zero white; the
# number is that of bits where Pillow has no such mode.
MODES: dict[str, tuple[str, ...]] = {
    "PNG": (*GREYS, "RGB", "RGBA", "PA", "L key", "RGB key", "RGB 16", "RGBA 16"),
    "TIFF": (*GREYS, "RGB", "RGBA", "CMYK", "L white", "F", "I;16B", "RGB 16", "RGBA 16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("L", "P", "PA"),
    "AVIF": ("RGB", "RGBA"),
    "HEIF": ("L", "RGB", "RGBA"),
    "JXL": ("L", "RGB", "RGBA"),
    "EXR": ("RGB half", "RGB float", "RGBA float"),
}
# What an orientation does to the stored pixels; source: EXIF 2.32, tag 0x0112.
TURNED: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: p[::-1].swapaxes(0, 1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: p[:, ::-1].swapaxes(0, 1),
}
TURNS = ("PNG", "TIFF", "JPEG", "WEBP", "AVIF", "HEIF")
USUAL = (24, 37)
SIZES = (
    *((1, 1), (1, 2), (2, 1), (2, 3), (7, 8), (8, 8), (9, 17)),
    *((1, 300), (300, 1), (31, 64), (33, 65), (64, 64), (65, 33)),
)


class Case(NamedTuple):
    """A file, and what it is opened as."""

    kind: str
    mode: str
    options: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    orientation: int = 1
    size: tuple[int, int] = USUAL
    role: Literal["photo", "trimap", "mask"] = "photo"


def kinds() -> list[str]:
    """Those that this environment can write and read."""
    libraries = {"HEIF": "pillow_heif", "JXL": "pillow_jxl", "EXR": "OpenEXR"}
    missing = {kind for kind, name in libraries.items() if importlib.util.find_spec(name) is None}
    if not features.check("avif"):
        missing.add("AVIF")
    return [kind for kind in MODES if kind not in missing]


def cases() -> Iterator[Case]:
    for kind in kinds():
        usual = "RGB half" if kind == "EXR" else "RGB" if "RGB" in MODES[kind] else "L"
        deep = [mode for mode in MODES[kind] if mode.endswith(" 16")]
        for mode in MODES[kind]:
            # OpenCV writes the deep ones in one way. Pillow reads no BigTIFF of "MM" that it wrote.
            one_way = mode in (*deep, "I;16B", "L white")
            for options in [{}] if one_way else VARIANTS.get(kind, [{}]):
                yield Case(kind, mode, options)
        for orientation in TURNED if kind in TURNS else ():
            for mode in dict.fromkeys(("L", "RGB", "RGBA", *deep)):
                if mode in MODES[kind]:
                    yield Case(kind, mode, orientation=orientation)
        for mode in (usual, *deep[:1]):
            yield from (Case(kind, mode, size=size) for size in SIZES)
        for mode in MODES[kind]:
            if mode.split()[-1] in ("CMYK", "key", "half", "float"):  # other greys, or linear light
                continue
            for orientation in (1, 6, 7) if kind in TURNS and mode not in ("I;16B", "PA") else (1,):
                yield Case(kind, mode, orientation=orientation, role="trimap")
                yield Case(kind, mode, orientation=orientation, role="mask")


def name_of(case: Case) -> str:
    options = "+".join(f"{name}={value}" for name, value in case.options.items())
    size = "x".join(map(str, case.size))
    return "-".join([case.role, case.kind, case.mode, options, f"turn{case.orientation}", size])


@pytest.mark.parametrize("case", list(cases()), ids=name_of)
def test_pixels(case: Case) -> None:
    turned = TURNED[case.orientation]
    if case.role == "photo":
        data, colours, alpha = encoded(smooth(*case.size), case)
        picture = open_image(data)
        # Half floats have 11 bits, and dark light few of them as a display shows it.
        tolerance = 1.0 if case.kind == "EXR" else LOSSY.get(case.kind, EXACT)
        compare(picture.levels, turned(colours), tolerance)
        assert (picture.alpha is None) == (alpha is None)
        if alpha is not None and picture.alpha is not None:
            compare(picture.alpha, turned(alpha), tolerance)
        return
    # Blocks of 16, for what a lossy coder smears stays in them.
    labels = np.kron([[0, 255, 128], [255, 0, 255]], np.ones((16, 16))).astype(np.uint8)
    if case.role == "mask" or case.mode == "1":
        labels[labels == 128] = 0
    opaque = np.full_like(labels, 255)
    data, _, _ = encoded(np.stack([labels, labels, labels, opaque], axis=2), case)
    if case.role == "trimap":
        np.testing.assert_array_equal(open_trimap(data), turned(labels))
    else:
        np.testing.assert_array_equal(open_mask(data) > 0.5, turned(labels) > 0)


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    """(H, W, 4): three slopes, and an alpha of its own."""
    rows, columns = np.mgrid[:height, :width]
    down, across = rows / max(1, height - 1), columns / max(1, width - 1)
    planes = (60 + 120 * across, 40 + 150 * down, 200 - 90 * across * down, 30 + 200 * across)
    pixels: NDArray[np.uint8] = np.rint(np.stack(planes, axis=2)).astype(np.uint8)
    return pixels


def encoded(pixels: NDArray[np.uint8], case: Case) -> tuple[bytes, Pixels, Pixels | None]:
    """A file, and the colours and the alpha, 0..255, that it stands for."""
    kind, mode = case.kind, case.mode
    exif = Image.Exif()
    exif[274] = case.orientation
    options = {**BEST.get(kind, {}), **case.options}
    if case.orientation > 1:
        options["exif"] = exif.tobytes()
    name, _, how = mode.partition(" ")
    if how in ("16", "half", "float"):
        channels = pixels[..., : len(name)]
        alpha = channels[..., 3] if name == "RGBA" else None
        return _deep(channels, kind, how, options), channels[..., :3], alpha
    rgb = Image.fromarray(pixels).convert("RGB")
    if mode in ("I;16", "I;16B", "F"):
        grey = pixels[..., 0]
        levels = grey / np.float32(255) if mode == "F" else grey.astype(np.uint16) * 257
        image = Image.fromarray(levels.astype({"F": "<f4", "I;16": "<u2", "I;16B": ">u2"}[mode]))
        return _saved(image, kind, options), grey[..., None], None
    if name == "PA":
        image = Image.fromarray(pixels).quantize(32)
        if kind == "GIF":  # which has no half transparency
            image = rgb.quantize(32)
            options["transparency"] = 3
            image.info["transparency"] = 3
    elif name in ("LA", "RGBA"):
        image = Image.fromarray(pixels).convert(name)
    else:
        image = rgb.convert(name)
    if how == "key":
        key = image.getpixel((0, 0))
        options["transparency"] = image.info["transparency"] = key
    if how == "white":
        options = {"tiffinfo": {262: 0, 274: case.orientation}}  # in place of EXIF
    data = _saved(image, kind, options)
    shown = np.asarray(image.convert("RGBA"))
    opaque = name not in ("LA", "RGBA", "PA") and how != "key"
    return data, shown[..., :3], None if opaque else shown[..., 3]


def _saved(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.from_pillow(image).save(stream, **options)
    else:
        if kind == "JXL":
            import pillow_jxl  # noqa: F401 (Pillow knows the format from then on)
        image.save(stream, kind, **options)
    return stream.getvalue()


def _deep(pixels: NDArray[np.uint8], kind: str, how: str, options: dict[str, Any]) -> bytes:
    """A file of 16 bits, or of floats."""
    if kind == "EXR":
        depth: Any = how
        return encode_image(pixels / np.float32(255), ".exr", depth=depth)
    wide = pixels.astype(np.uint16) * 257
    if kind == "PNG":
        return encode_png(wide, _saved(Image.new("RGB", (1, 1)), "PNG", options))
    data = encode_image(wide, ".tif")
    if "exif" not in options:
        return data
    exif = Image.Exif()
    exif.load(options["exif"])
    return with_tags(data, dict(exif))


def compare(found: Pixels, expected: Pixels, tolerance: float) -> None:
    assert found.shape[:2] == expected.shape[:2]
    scale = 255 / (np.iinfo(found.dtype).max if found.dtype.kind == "u" else 1)
    difference = np.abs(found * scale - np.broadcast_to(expected, found.shape))
    assert difference.max() <= tolerance


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("channels", [0, 1, 3, 4])
@pytest.mark.parametrize("layout", ["C", "F", "reversed", "big-endian"])
def test_arrays(kind: Any, channels: int, layout: str) -> None:
    whole = smooth(*USUAL)
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
    compare(picture.levels, colours, EXACT)
    assert (picture.alpha is None) == (channels < 4)
    if picture.alpha is not None:
        compare(picture.alpha, pixels[..., 3], EXACT)
