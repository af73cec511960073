"""Pictures that are damaged, odd, or not what they seem: read right, refused, or said."""

from __future__ import annotations

import io
import os
import pathlib
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import deepmatte
from deepmatte.errors import ImageError, ModelError, TrimapError
from deepmatte.images import open_image, open_levels, open_mask
from deepmatte.trimap import from_mask, open_trimap

if TYPE_CHECKING:
    from conftest import Scene

GREY = np.arange(48 * 60, dtype=np.uint16).reshape(48, 60) * 20


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def tiff(pixels: NDArray[Any], *, photometric: int, planar: int = 1) -> bytes:
    """An uncompressed TIFF of (H, W), or of (C, H, W) in planes. Source: TIFF 6.0."""
    planes = pixels if planar == 2 else pixels[None]
    count, height, width = planes.shape
    data = planes.astype("<" + pixels.dtype.str[1:]).tobytes()
    size = len(data) // count
    bits, place = [8 * pixels.itemsize] * count, 8
    tags: list[tuple[int, int, list[int]]] = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, bits),
        (259, 3, [1]),
        (262, 3, [photometric]),
        (273, 4, [place + index * size for index in range(count)]),
        (277, 3, [count]),
        (278, 4, [height]),
        (279, 4, [size] * count),
        (284, 3, [planar]),
        (339, 3, [3 if pixels.dtype.kind == "f" else 1] * count),
    ]
    entries, extra = b"", b""
    behind = place + len(data) + 2 + 12 * len(tags) + 4
    for tag, kind, values in tags:
        packed = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            at, extra = behind + len(extra), extra + packed
            packed = struct.pack("<I", at)
        entries += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + b"\0" * 4
    return b"II*\0" + struct.pack("<I", place + len(data)) + data + directory + extra


def test_where_white_is_zero_levels_are_turned() -> None:
    deep = open_levels(tiff(65535 - GREY, photometric=0))
    shallow = open_levels(tiff((255 - GREY // 256).astype(np.uint8), photometric=0))

    np.testing.assert_array_equal(deep, GREY)
    np.testing.assert_array_equal(shallow, GREY // 256)
    np.testing.assert_array_equal(open_levels(tiff(GREY, photometric=1)), GREY)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib", "predictor": True}])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("orientation", [1, 6])
def test_deep_colours_in_planes(
    order: str, options: dict[str, Any], alpha: bool, orientation: int
) -> None:
    tifffile = pytest.importorskip("tifffile", reason="needs tifffile")
    planes = np.stack([GREY, GREY[::-1], GREY[:, ::-1], GREY[::-1, ::-1]][: 4 if alpha else 3])
    extra = {"extrasamples": ["unassalpha"]} if alpha else {}
    stream = io.BytesIO()
    tifffile.imwrite(
        *(stream, planes),
        planarconfig="separate",
        photometric="rgb",
        byteorder=order,
        rowsperstrip=10,
        extratags=[(274, 3, 1, orientation, True)] if orientation > 1 else [],
        **options,
        **extra,
    )

    picture = open_image(stream.getvalue())

    colours = np.moveaxis(planes, 0, 2)
    if orientation == 6:
        colours = colours[::-1].swapaxes(0, 1)
    np.testing.assert_array_equal(picture.levels, colours[..., :3])
    assert (picture.alpha is not None) == alpha
    if picture.alpha is not None:
        np.testing.assert_allclose(picture.alpha, colours[..., 3] / 65535, atol=1e-6)


def test_shallow_planes_are_read_and_odd_ones_refused() -> None:
    planes = np.stack([GREY, GREY[::-1], GREY[:, ::-1]])

    levels = open_image(tiff((planes // 256).astype(np.uint8), photometric=2, planar=2)).levels
    np.testing.assert_array_equal(levels, np.moveaxis(planes // 256, 0, 2))

    tifffile = pytest.importorskip("tifffile", reason="needs tifffile")
    stream = io.BytesIO()
    tifffile.imwrite(stream, planes, planarconfig="separate", photometric="rgb", bigtiff=True)
    with pytest.raises(ImageError, match="16-bit colours lie in separate planes"):
        open_image(stream.getvalue())
    with pytest.raises(ImageError, match="16-bit colours lie in separate planes"):
        open_image(Image.open(io.BytesIO(tiff(planes, photometric=2, planar=2))))


@pytest.mark.parametrize("thumbnail_first", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "I;16"])
def test_of_several_pages_the_largest_is_taken_and_said(thumbnail_first: bool, mode: str) -> None:
    if mode == "RGB":
        page = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 60, 3), np.uint8))
    else:
        page = Image.fromarray(GREY)
    pages = [page.resize((15, 12)), page] if thumbnail_first else [page, page.resize((15, 12))]
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:])

    picture = open_image(stream.getvalue())

    number = 2 if thumbnail_first else 1
    assert picture.notes == (f"The TIFF has 2 pages; only page {number}, the largest, was taken.",)
    expected = np.asarray(page).reshape(48, 60, -1)
    np.testing.assert_array_equal(picture.levels, np.broadcast_to(expected, (48, 60, 3)))


def test_deep_colours_on_a_later_page_are_those_of_that_page() -> None:
    cv2 = pytest.importorskip("cv2")
    colours = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)
    done, data = cv2.imencodemulti(".tif", [colours[:12, :15, ::-1], colours[..., ::-1]])
    assert done

    picture = open_image(data.tobytes())

    np.testing.assert_array_equal(picture.levels, colours)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_the_frames_that_are_dropped_are_said(scene: Scene, kind: str) -> None:
    frames = [Image.fromarray(np.roll(scene.image, 9 * step, axis=1)) for step in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, kind, save_all=True, append_images=frames[1:])

    matte = deepmatte.matte(stream.getvalue(), scene.trimap)

    assert matte.notes == ("The picture has 3 frames; only the first was taken.",)


def cut_off(pixels: NDArray[np.uint8], rows: int) -> bytes:
    """A PNG of sound structure that holds only some rows. Source: PNG specification."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = b"".join(b"\0" + row.tobytes() for row in pixels[:rows])
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(content)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_a_png_without_its_lower_rows_is_refused(scene: Scene) -> None:
    assert open_image(cut_off(scene.image, 90)).shape == (90, 120)
    with pytest.raises(ImageError, match="holds 33% of its pixels"):
        open_image(cut_off(scene.image, 30))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16"])
def test_a_png_that_ends_in_black_is_whole(mode: str) -> None:
    black = Image.new(mode if mode != "P" else "L", (31, 17)).convert(mode)
    assert open_image(encoded(black, "PNG")).shape == (17, 31)


def test_a_jpeg_that_was_cut_off_is_said() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    whole = encoded(Image.fromarray(np.kron(noise[:45, :60], np.ones((8, 8, 1), np.uint8))), "JPEG")

    assert open_image(whole).notes == ()
    (note,) = open_image(whole[: len(whole) // 2] + b"\xff\xd9").notes
    assert "are plain grey, as of a damaged file" in note


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
def test_libraries_do_not_print_beside_the_error(tmp_path: pathlib.Path) -> None:
    data = bytearray(encoded(Image.fromarray(GREY), "TIFF", compression="tiff_lzw"))
    data[40:90] = os.urandom(50)
    (tmp_path / "damaged.tif").write_bytes(data)
    command = [sys.executable, "-m", "deepmatte", "trimap", "repair", "damaged.tif", "-o", "-"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True)

    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (tiff(np.zeros((3, 4, 5), np.float32), photometric=2, planar=2), "TIFF of a kind"),
        (b"\xff\xd8\xff\xc1\0\x11\x0c\0\x10\0\x10\3" + b"\0" * 40, "a JPEG of 12 bits"),
        (b"8BPS" + b"\0" * 40, "a Photoshop file"),
        (b"%PDF-1.7", "a PDF"),
        (b"<?xml version='1.0'?>\n<svg/>", "an SVG drawing"),
        (b"\0\0\0\x20ftypisom\0\0\0\0", "a video"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    ],
)
def test_what_cannot_be_read_is_named_with_a_way_out(data: bytes, said: str) -> None:
    with pytest.raises(ImageError, match=said) as raised:
        open_image(data)
    assert "save it" in str(raised.value)


# --- levels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["I", "I;16", "I;16B"])
def test_a_pillow_picture_of_small_levels_in_a_wide_mode(mode: str) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    wide = Image.fromarray(levels.astype(np.int32)).convert("I")
    picture = open_image(wide if mode == "I" else wide.convert(mode))

    np.testing.assert_array_equal(picture.levels[..., 0], levels)
    assert picture.levels.dtype == np.uint8


def test_a_png_of_16_bits_that_holds_8_is_not_black() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (9, 8, 3)).astype(np.uint16)
    cv2 = pytest.importorskip("cv2")
    _, data = cv2.imencode(".png", colours[..., ::-1])

    np.testing.assert_array_equal(open_image(data.tobytes()).levels, colours)


@pytest.mark.parametrize("subject", [1, 2, 3, 7, 100, 128, 255])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64])
def test_a_mask_of_one_class_is_a_mask(scene: Scene, subject: int, kind: Any) -> None:
    inside = scene.alpha > 0.5

    np.testing.assert_array_equal(open_mask((inside * subject).astype(kind)), inside)
    np.testing.assert_array_equal(
        from_mask((inside * subject).astype(kind), width=8), from_mask(inside, width=8)
    )


def test_several_classes_are_named(scene: Scene) -> None:
    classes = np.where(scene.alpha > 0.5, 7, 0)
    classes[:9] = 3

    with pytest.raises(TrimapError, match="holds the classes 0, 3, 7"):
        from_mask(classes)


def test_a_mask_given_as_a_trimap_is_said(scene: Scene) -> None:
    (note,) = deepmatte.matte(scene.picture, scene.mask).notes

    assert "is to be given as a mask" in note
    assert deepmatte.matte(scene.picture, scene.trimap).notes == ()


@pytest.mark.parametrize("quality", [75, 90])
def test_a_trimap_that_was_a_jpeg_once_is_read_as_one(scene: Scene, quality: int) -> None:
    large = Image.fromarray(scene.labels).resize((1200, 900), Image.Resampling.NEAREST)
    ringing = Image.open(io.BytesIO(encoded(large, "JPEG", quality=quality)))
    ringing.load()
    data = encoded(ringing, "PNG")

    matte_notes = deepmatte.matte(scene.image.repeat(10, 0).repeat(10, 1)[:900, :1200], data).notes

    assert any("as if it had been a JPEG once" in note for note in matte_notes)
    unknown = np.mean(open_trimap(data) == 128)
    assert unknown == pytest.approx(np.mean(np.asarray(large) == 128), abs=0.03)


def test_soft_and_exact_trimaps_do_not_ring(scene: Scene) -> None:
    soft = np.rint(255 * scene.alpha).astype(np.uint8)

    np.testing.assert_array_equal(open_trimap(soft) == 128, (soft > 0) & (soft < 255))
    np.testing.assert_array_equal(open_trimap(scene.labels), scene.labels)


# --- memory -------------------------------------------------------------------------------------

BOMB = b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f" + struct.pack("<I", 16382 | 16382 << 14) + b"\0" * 10
"""A header of 268 megapixels, and next to nothing behind it."""


def test_the_size_is_checked_before_anything_is_decoded(scene: Scene) -> None:
    with pytest.raises(ModelError, match=r"0\.50 GB .* 16383 x 16383 .* at least"):
        deepmatte.matte(BOMB, scene.trimap, memory="500MB")
    with pytest.raises(TrimapError, match="16383 x 16383"):
        deepmatte.matte(scene.picture, BOMB)
