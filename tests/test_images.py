"""Every kind of picture gives the right pixels or one sentence; writing is all or nothing."""

from __future__ import annotations

import functools
import io
import os
import pathlib
import stat
import struct
import subprocess
import sys
import time
import warnings
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, features

from deepmatte.errors import ImageError, TrimapError
from deepmatte.images import (
    Metadata,
    Picture,
    open_alpha,
    open_image,
    open_levels,
    parse_colour,
    save_image,
    to_pil,
)

needs_avif = pytest.mark.skipif(
    not features.check("avif"), reason="this Pillow was built without AVIF"
)


def random_pixels(*shape: int, dtype: type = np.uint8) -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def gradient(height: int = 30, width: int = 40) -> NDArray[np.uint8]:
    """A smooth picture (H, W, 3), which lossy formats keep well."""
    down, across = np.mgrid[0:height, 0:width]
    return np.stack([down * 6, across * 5, 200 - down - across], axis=2).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(pixels: NDArray[Any], colour_type: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG written by hand, for the kinds that neither Pillow nor OpenCV writes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width = pixels.shape[:2]
    bits = pixels.dtype.itemsize * 8
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    body = b"".join(chunk(*each) for each in ((b"IHDR", header), *chunks, (b"IDAT", data)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def icc(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A minimal input profile. Source: ICC.1:2001-04, sections 6.1 and 6.2."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)  # D50 in 1/65536
    tags = {b"wtpt": white, **tags}
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", start + len(data), len(content))
        data += content + b"\0" * (-len(content) % 4)
    header = struct.pack(">I4sI", start + len(data), b"test", 0x02400000)
    header += b"prtr" + space.ljust(4) + connection.ljust(4) + b"\0" * 12 + b"acsp"
    header += b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + data


def cmyk_profile() -> bytes:
    """A press whose black ink prints pure red, and whose other inks print nothing."""
    identity = bytes(range(256))
    white, red = bytes((255, 128, 128)), bytes((138, 209, 198))  # L, a, b in 8 bits
    corners = b"".join(red if index & 1 else white for index in range(16))  # black varies fastest
    matrix = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + matrix + identity * 4 + corners + identity * 3
    return icc(b"CMYK", b"Lab", {b"A2B0": table})


def grey_profile(gamma: float) -> bytes:
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    return icc(b"GRAY", b"XYZ", {b"kTRC": curve})


@functools.cache  # it holds the second in which it was made: two of them may differ
def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


class TestSources:
    def test_every_kind_of_source_gives_the_same_pixels(self, tmp_path: pathlib.Path) -> None:
        pixels = random_pixels(6, 5, 3)
        path = tmp_path / "picture.png"
        Image.fromarray(pixels).save(path)
        sources = (
            str(path),
            path,
            path.read_bytes(),
            memoryview(path.read_bytes()),
            io.BytesIO(path.read_bytes()),
            Image.open(path),
            pixels,
            pixels / 255,
        )
        for source in sources:
            picture = open_image(source)
            assert picture.rgb.dtype == np.float32
            np.testing.assert_allclose(picture.rgb * 255, pixels, atol=1e-4)
            assert picture.alpha is None

    def test_a_pipe_is_read_though_it_cannot_seek(self) -> None:
        reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as end:
            end.write(encoded(Image.fromarray(gradient()), "PNG"))
        with os.fdopen(reading, "rb") as end:
            np.testing.assert_array_equal(np.rint(open_image(end).rgb * 255), gradient())

    @pytest.mark.parametrize("scale", [1, 255, 65535])
    def test_arrays_are_scaled_by_their_type(self, scale: int) -> None:
        dtype = {1: np.float64, 255: np.uint8, 65535: np.uint16}[scale]
        pixels = np.array([[0, scale]]).astype(dtype)
        np.testing.assert_array_equal(open_image(pixels).rgb[0], [[0, 0, 0], [1, 1, 1]])
        np.testing.assert_array_equal(open_alpha(pixels), [[0, 1]])

    def test_bool_and_big_endian_arrays_are_taken(self) -> None:
        np.testing.assert_array_equal(open_image(np.eye(2, dtype=bool)).rgb[..., 1], np.eye(2))
        np.testing.assert_array_equal(open_alpha(np.array([[0, 65535]], ">u2")), [[0, 1]])

    def test_a_trailing_axis_and_an_alpha_channel_of_an_array(self) -> None:
        grey = random_pixels(4, 5, 1)
        np.testing.assert_array_equal(open_image(grey).rgb, open_image(grey[..., 0]).rgb)
        rgba = random_pixels(4, 5, 4)
        picture = open_image(rgba)
        assert picture.alpha is not None
        np.testing.assert_array_equal(picture.alpha, rgba[..., 3] / np.float32(255))
        rgba[..., 3] = 255
        assert open_image(rgba).alpha is None

    @pytest.mark.parametrize("kind", [np.uint16, np.int16, np.int32, np.int64, np.uint64])
    def test_integers_that_are_wider_than_what_they_hold(self, kind: Any) -> None:
        levels = np.array([[0, 128, 255], [7, 8, 9]], kind)
        np.testing.assert_array_equal(open_levels(levels), levels)
        np.testing.assert_array_equal(open_image(levels).levels[..., 0], levels)
        assert open_image(levels).levels.dtype == np.uint8
        assert open_image(np.array([[0, 256, 30000]], kind)).levels.dtype == np.uint16
        with pytest.raises(ImageError, match=r"0\.\.65535"):
            open_image(np.array([[-1, 70000]], np.int64))

    @pytest.mark.parametrize(
        "pixels",
        [
            np.zeros((0, 5, 3), np.uint8),
            np.zeros((5, 5, 2), np.uint8),
            np.zeros((5, 5, 5), np.uint8),
            np.zeros(5, np.uint8),
            np.zeros((2, 2, 2, 3), np.uint8),
            np.full((2, 2), 1.5),
            np.full((2, 2), -0.1),
            np.full((2, 2), np.nan),
            np.full((2, 2), np.inf),
            np.zeros((2, 2), complex),
            np.array([["a"]]),
        ],
        ids=lambda pixels: f"{pixels.dtype}-{pixels.shape}",
    )
    def test_other_arrays_are_refused(self, pixels: NDArray[Any]) -> None:
        for read in (open_image, open_levels, open_alpha):
            with pytest.raises(ImageError):
                read(pixels)

    @pytest.mark.parametrize("source", [None, 5, [[0, 1]], io.StringIO("text")])
    def test_other_things_are_refused(self, source: Any) -> None:
        with pytest.raises(ImageError, match="expected a"):
            open_image(source)


class TestFormats:
    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP", "GIF", "JPEG", "AVIF", "MPO"])
    @pytest.mark.parametrize("mode", ["RGB", "L", "1", "P"])
    def test_modes_without_transparency(self, kind: str, mode: str) -> None:
        if kind == "AVIF" and not features.check("avif"):
            pytest.skip("this Pillow was built without AVIF")
        stored = Image.fromarray(gradient()).convert(mode)
        if kind in ("JPEG", "MPO") and mode == "P":  # which has no palettes
            stored = stored.convert("L")
        every: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}
        options = every.get(kind, {})
        picture = open_image(encoded(stored, kind, **options))
        expected = np.asarray(stored.convert("RGB")) / 255
        tolerance = 0.35 if mode in ("1", "P") and kind in ("JPEG", "MPO", "AVIF") else 0.04
        assert np.abs(picture.rgb - expected).mean() < tolerance / 4
        if kind in ("PNG", "TIFF", "BMP", "WEBP"):
            np.testing.assert_allclose(picture.rgb, expected, atol=1e-6)
        assert picture.alpha is None

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_alpha_channels_are_kept(self, kind: str, mode: str) -> None:
        rgba = np.dstack([gradient(), np.tile(np.arange(40, dtype=np.uint8) * 6, (30, 1))])
        stored = Image.fromarray(rgba).convert(mode)
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        picture = open_image(encoded(stored, kind, **options))
        expected = np.asarray(stored.convert("RGBA")) / 255
        np.testing.assert_allclose(picture.rgb, expected[..., :3], atol=1e-6)
        assert picture.alpha is not None
        np.testing.assert_allclose(alpha_of(picture), expected[..., 3], atol=1e-6)

    def test_a_transparent_palette_entry_becomes_alpha(self) -> None:
        stored = Image.frombytes("P", (3, 1), bytes((0, 1, 2)))
        stored.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
        one = open_image(encoded(stored, "PNG", transparency=1))
        np.testing.assert_array_equal(one.alpha, [[1, 0, 1]])
        np.testing.assert_array_equal(np.rint(one.rgb[0, ::2] * 255), [[10, 20, 30], [70, 80, 90]])
        soft = open_image(encoded(stored, "PNG", transparency=bytes((0, 51, 255))))
        np.testing.assert_allclose(alpha_of(soft), np.array([[0, 0.2, 1]]), atol=1e-6)

    def test_a_colour_key_becomes_alpha_at_any_depth(self) -> None:
        for dtype in (np.uint8, np.uint16):
            rgb = random_pixels(3, 3, 3, dtype=dtype)
            key = struct.pack(">3H", *rgb[1, 1].tolist())
            picture = open_image(png(rgb, 2, (b"tRNS", key)))
            np.testing.assert_array_equal(picture.alpha, np.eye(9)[4].reshape(3, 3) == 0)
            np.testing.assert_allclose(picture.rgb * np.iinfo(dtype).max, rgb, rtol=1e-6)
            grey = rgb[..., 0]
            key = struct.pack(">H", int(grey[1, 1]))
            picture = open_image(png(grey, 0, (b"tRNS", key)))
            np.testing.assert_array_equal(picture.alpha, grey != grey[1, 1])

    def test_an_animation_gives_its_first_frame(self) -> None:
        frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
        for kind in ("GIF", "WEBP", "PNG", "TIFF"):
            data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
            rgb = open_image(data).rgb
            assert rgb.shape == (3, 4, 3)
            assert rgb[..., 0].min() > 0.9
            assert rgb[..., 2].max() < 0.1

    def test_other_pillow_modes_are_converted(self) -> None:
        photo = Image.fromarray(gradient())
        for mode in ("HSV", "YCbCr", "RGBX", "CMYK"):
            rgb = open_image(photo.convert(mode)).rgb
            np.testing.assert_allclose(rgb * 255, gradient(), atol=8)
        premultiplied = Image.new("RGBA", (1, 1), (200, 100, 50, 128)).convert("RGBa")
        np.testing.assert_allclose(
            open_image(premultiplied).rgb[0, 0] * 255, (200, 100, 50), atol=2
        )

    def test_floats_are_taken_in_their_range_only(self) -> None:
        inside = Image.fromarray(np.array([[0, 0.25, 1]], np.float32))
        np.testing.assert_array_equal(open_alpha(encoded(inside, "TIFF")), [[0, 0.25, 1]])
        outside = Image.fromarray(np.array([[0, 255.5]], np.float32))
        with pytest.raises(ImageError, match=r"0 to 255\.5"):
            open_image(encoded(outside, "TIFF"))


class TestDepth:
    @pytest.mark.parametrize("suffix", [".png", ".tiff"])
    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_sixteen_bits_are_kept(self, suffix: str, channels: int) -> None:
        pixels = random_pixels(9, 7, channels, dtype=np.uint16)
        order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
        data = cv2.imencode(suffix, pixels[..., order])[1].tobytes()
        picture = open_image(data)
        expected = pixels.astype(np.float64) / 65535
        if channels == 1:
            expected = np.repeat(expected, 3, axis=2)
        np.testing.assert_allclose(picture.rgb, expected[..., :3], atol=1e-6)
        if channels == 4:
            np.testing.assert_allclose(alpha_of(picture), expected[..., 3], atol=1e-6)
        else:
            assert picture.alpha is None

    def test_sixteen_bit_grey_with_alpha(self) -> None:
        pixels = random_pixels(5, 6, 2, dtype=np.uint16)
        picture = open_image(png(pixels, 4))
        np.testing.assert_allclose(picture.rgb[..., 2] * 65535, pixels[..., 0], rtol=1e-6)
        np.testing.assert_allclose(alpha_of(picture) * 65535, pixels[..., 1], rtol=1e-6)

    def test_sixteen_bit_levels_are_neither_clipped_nor_scaled(self) -> None:
        levels = np.array([[0, 300, 32768, 65535]], np.uint16)
        for kind in ("PNG", "TIFF"):
            data = encoded(Image.fromarray(levels), kind)
            np.testing.assert_array_equal(open_levels(data), levels)
            np.testing.assert_allclose(open_alpha(data) * 65535, levels, rtol=1e-6)

    def test_sixteen_bits_that_are_multiplied_by_alpha_are_divided_by_it(self) -> None:
        stored = np.array([[[1000, 5000, 10000, 20000], [0, 0, 0, 0]]], np.uint16)
        data = cv2.imencode(".tiff", stored[..., [2, 1, 0, 3]])[1].tobytes()
        picture = open_image(tiff_tagged(data, 338, 1))  # extra sample: associated alpha
        np.testing.assert_allclose(
            picture.rgb[0], np.array([[0.05, 0.25, 0.5], [0, 0, 0]]), atol=1e-4
        )
        np.testing.assert_allclose(alpha_of(picture), np.array([[20000 / 65535, 0]]), atol=1e-6)

    def test_opencv_says_nothing_on_stderr(self, capfd: pytest.CaptureFixture[str]) -> None:
        data = cv2.imencode(".tiff", random_pixels(4, 4, 4, dtype=np.uint16))[1].tobytes()
        capfd.readouterr()
        open_image(data)
        assert capfd.readouterr().err == ""


def alpha_of(picture: Picture) -> NDArray[np.float32]:
    assert picture.alpha is not None
    return picture.alpha


def turned(upright: NDArray[Any], orientation: int) -> NDArray[Any]:
    """What a camera stores so that `orientation` makes it upright again, as the EXIF table says."""
    ways: dict[int, NDArray[Any]] = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }
    return ways[orientation]


def tiff_tagged(data: bytes, tag: int, value: int) -> bytes:
    """Add or replace a tag of one short in a little-endian TIFF of one page."""
    assert data[:2] == b"II"
    start = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, start)[0]
    tags = [data[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    tags = [entry for entry in tags if entry[:2] != struct.pack("<H", tag)]
    tags.append(struct.pack("<HHIHH", tag, 3, 1, value, 0))
    tags.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    data += b"\0" * (len(data) % 2)
    directory = struct.pack("<H", len(tags)) + b"".join(tags) + b"\0\0\0\0"
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


@pytest.mark.parametrize("orientation", range(1, 9))
class TestOrientation:
    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG", "AVIF"])
    def test_is_applied_once(self, kind: str, orientation: int) -> None:
        if kind == "AVIF" and not features.check("avif"):
            pytest.skip("this Pillow was built without AVIF")
        exif = Image.Exif()
        exif[274] = orientation
        stored = Image.fromarray(np.ascontiguousarray(turned(gradient(), orientation)))
        data = encoded(stored, kind, exif=exif, quality=95)
        for source in (data, Image.open(io.BytesIO(data))):
            rgb = open_image(source).rgb
            assert rgb.shape == (30, 40, 3)
            np.testing.assert_allclose(rgb * 255, gradient(), atol=14)

    def test_is_applied_to_trimaps_and_masks_alike(self, orientation: int) -> None:
        levels = gradient()[..., 0]
        exif = Image.Exif()
        exif[274] = orientation
        stored = Image.fromarray(np.ascontiguousarray(turned(levels, orientation)))
        data = encoded(stored, "PNG", exif=exif)
        np.testing.assert_array_equal(open_levels(data), levels)
        np.testing.assert_allclose(open_alpha(data) * 255, levels, rtol=1e-6)

    @pytest.mark.parametrize("channels", [3, 4])
    def test_is_applied_once_to_sixteen_bits(self, channels: int, orientation: int) -> None:
        upright = random_pixels(5, 7, channels, dtype=np.uint16)
        stored = np.ascontiguousarray(turned(upright, orientation))
        order = [2, 1, 0, 3][:channels]
        exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes((orientation, 0, 0))
        as_png = png(stored, {3: 2, 4: 6}[channels], (b"eXIf", exif + b"\0\0\0\0"))
        as_tiff = cv2.imencode(".tiff", np.ascontiguousarray(stored[..., order]))[1].tobytes()
        for data in (as_png, tiff_tagged(as_tiff, 274, orientation)):
            picture = open_image(data)
            assert picture.rgb.shape == (5, 7, 3)
            np.testing.assert_allclose(picture.rgb * 65535, upright[..., :3], rtol=1e-6)
            if channels == 4:
                np.testing.assert_allclose(alpha_of(picture) * 65535, upright[..., 3], rtol=1e-6)


class TestMetadata:
    def test_cmyk_goes_through_its_profile(self) -> None:
        inks = Image.new("CMYK", (8, 8), (0, 0, 0, 255))
        for kind in ("JPEG", "TIFF"):
            picture = open_image(encoded(inks, kind, icc_profile=cmyk_profile()))
            red, green, blue = picture.rgb.mean((0, 1))
            assert red > 0.9
            assert max(green, blue) < 0.2
            assert picture.metadata.icc_profile is not None
            assert ImageCms.getProfileName(io.BytesIO(picture.metadata.icc_profile)).startswith(
                "sRGB"
            )
            # Without a profile, black ink is black.
            assert open_image(encoded(inks, kind)).rgb.max() < 0.02

    def test_one_picture_has_one_profile_whenever_it_is_opened(self) -> None:
        inks = encoded(Image.new("CMYK", (8, 8)), "TIFF", icc_profile=cmyk_profile())
        first = open_image(inks).metadata.icc_profile
        time.sleep(1.1)
        assert first is not None
        assert open_image(inks).metadata.icc_profile == first

    def test_a_damaged_cmyk_profile_is_as_good_as_none(self) -> None:
        inks = Image.new("CMYK", (8, 8), (0, 0, 0, 255))
        profile = cmyk_profile()[:200]
        assert open_image(encoded(inks, "TIFF", icc_profile=profile)).rgb.max() < 0.02

    def test_an_rgb_profile_is_handed_on_unchanged(self) -> None:
        profile = srgb_profile()
        photo = Image.fromarray(gradient())
        for kind in ("PNG", "JPEG", "TIFF", "WEBP"):
            picture = open_image(encoded(photo, kind, icc_profile=profile))
            assert picture.metadata.icc_profile == profile
        np.testing.assert_array_equal(
            open_image(encoded(photo, "PNG", icc_profile=profile)).rgb, open_image(photo).rgb
        )

    def test_a_profile_for_other_channels_or_a_damaged_one_is_left_out(self) -> None:
        photo = Image.fromarray(gradient())
        for profile in (cmyk_profile()[:60], b"nonsense" * 40):
            assert (
                open_image(encoded(photo, "TIFF", icc_profile=profile)).metadata.icc_profile is None
            )

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_grey_goes_through_its_profile_but_labels_do_not(self, dtype: type) -> None:
        top = np.iinfo(dtype).max
        levels: NDArray[Any] = np.linspace(0, top, 8).astype(dtype)[None]
        data = encoded(Image.fromarray(levels), "TIFF", icc_profile=grey_profile(1.0))
        picture = open_image(data)
        linear = np.linspace(0, 1, 8)
        expected = np.where(
            linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
        )
        np.testing.assert_allclose(picture.rgb[0, :, 0], expected, atol=0.01)
        assert picture.metadata.icc_profile is not None
        np.testing.assert_array_equal(open_levels(data), levels)

    def test_resolution_is_read_from_every_format(self) -> None:
        for kind in ("PNG", "JPEG", "TIFF", "BMP"):
            data = encoded(Image.fromarray(gradient()), kind, dpi=(300, 150))
            assert open_image(data).metadata.dpi == pytest.approx((300, 150), rel=1e-3)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
    def test_a_picture_without_resolution_has_none(self, kind: str) -> None:
        assert open_image(encoded(Image.fromarray(gradient()), kind)).metadata.dpi is None

    def test_a_resolution_without_unit_is_none(self) -> None:
        data = encoded(
            Image.fromarray(gradient()), "TIFF", resolution_unit=1, x_resolution=4, y_resolution=2
        )
        assert open_image(data).metadata.dpi is None

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
    def test_resolution_turns_with_the_picture(self, kind: str) -> None:
        exif = Image.Exif()
        exif[274] = 6
        data = encoded(Image.fromarray(gradient()), kind, dpi=(300, 150), exif=exif)
        assert open_image(data).metadata.dpi == pytest.approx((150, 300), rel=1e-3)

    def test_damaged_metadata_does_not_cost_the_picture(self) -> None:
        for kind in ("JPEG", "PNG", "WEBP"):
            data = encoded(
                Image.fromarray(gradient()), kind, exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff"
            )
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert open_image(data).rgb.shape == (30, 40, 3)


class TestGreys:
    def test_rgb_greys_and_grey_palettes_are_reduced(self) -> None:
        levels = np.array([[0, 128, 255]], np.uint8)
        grey = Image.fromarray(levels)
        for stored in (grey.convert("RGB"), grey.convert("P"), grey.convert("RGBA")):
            np.testing.assert_array_equal(open_levels(encoded(stored, "PNG")), levels)

    def test_colours_are_refused_with_the_name_of_the_file(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "photo.png"
        Image.fromarray(gradient()).save(path)
        for read in (open_levels, open_alpha):
            with pytest.raises(TrimapError, match=r"photo\.png is a colour picture"):
                read(path)

    def test_the_alpha_channel_of_a_cutout_is_a_mask(self) -> None:
        rgba = random_pixels(4, 4, 4)
        np.testing.assert_allclose(open_alpha(Image.fromarray(rgba)) * 255, rgba[..., 3], rtol=1e-6)

    def test_the_grey_of_an_opaque_picture_is_a_mask(self) -> None:
        grey = np.array([[0, 51, 255]], np.uint8)
        opaque = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
        np.testing.assert_allclose(open_alpha(opaque), np.array([[0, 0.2, 1]]), atol=1e-6)

    def test_integers_of_zero_and_one_are_a_mask(self) -> None:
        for dtype in (np.uint8, np.int32, np.uint16):
            np.testing.assert_array_equal(open_alpha(np.eye(3, dtype=dtype)), np.eye(3))


class TestDamage:
    def check(self, source: Any, *words: str) -> None:
        for read in (open_image, open_levels, open_alpha):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with pytest.raises(ImageError) as caught:
                    read(source)
            message = str(caught.value)
            assert all(word in message for word in words), message
            assert "\n" not in message
            assert " object at " not in message

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"])
    def test_truncated_files(self, kind: str, tmp_path: pathlib.Path) -> None:
        if kind == "AVIF" and not features.check("avif"):
            pytest.skip("this Pillow was built without AVIF")
        data = encoded(Image.fromarray(random_pixels(64, 64, 3)), kind)
        for share in (0.02, 0.5, 0.9):
            path = tmp_path / f"short-{share}"
            path.write_bytes(data[: int(len(data) * share)])
            self.check(path, path.name)

    def test_truncated_sixteen_bit_files(self) -> None:
        for suffix in (".png", ".tiff"):
            data = cv2.imencode(suffix, random_pixels(64, 64, 3, dtype=np.uint16))[1].tobytes()
            self.check(data[: len(data) // 2], "bytes")

    def test_what_is_no_picture(self, tmp_path: pathlib.Path) -> None:
        self.check(tmp_path, tmp_path.name, "folder")
        self.check(tmp_path / "missing.png", "missing.png", "does not exist")
        (tmp_path / "empty.png").touch()
        self.check(tmp_path / "empty.png", "empty.png is empty")
        (tmp_path / "text.png").write_text("not a picture")
        self.check(tmp_path / "text.png", "text.png is not a picture", "JPEG")
        self.check(b"", "empty")
        self.check("", "empty path does not exist")
        self.check("nul\0byte.png", "cannot be opened")

    def test_formats_that_were_not_asked_for_stay_closed(self) -> None:
        data = encoded(Image.fromarray(gradient()), "PCX")
        self.check(data, "not a picture")

    def test_bombs_are_refused_by_their_header(self) -> None:
        data = bytearray(encoded(Image.new("L", (1, 1)), "PNG"))
        data[16:24] = struct.pack(">II", 20_000, 20_000)
        data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
        self.check(bytes(data), "20000 x 20000", "300 megapixels")

    def test_large_pictures_below_the_limit_are_read_without_a_warning(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Pillow alone would refuse this; its own limit, a setting of the program, stays in place.
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
        data = encoded(Image.new("1", (100, 90)), "PNG")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert open_levels(data).shape == (90, 100)
        kept = Image.MAX_IMAGE_PIXELS
        assert kept == 1000

    def test_a_picture_without_pixels(self) -> None:
        self.check(Image.new("RGB", (0, 5)), "no pixels")

    @pytest.mark.parametrize("seed", range(30))
    def test_flipped_bytes_give_a_picture_or_an_image_error(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        kind = ("PNG", "JPEG", "TIFF", "WEBP", "GIF")[seed % 5]
        data = np.frombuffer(encoded(Image.fromarray(gradient()), kind), np.uint8).copy()
        at = generator.integers(0, len(data), 12)
        data[at] = generator.integers(0, 256, 12)
        message = ""
        try:
            open_image(data.tobytes())
        except ImageError as error:
            message = str(error)
        assert "\n" not in message


class TestSaving:
    rgba = np.dstack([gradient(), np.tile(np.arange(40, dtype=np.uint8) * 6, (30, 1))])

    @pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".tiff", ".PNG"])
    def test_cutouts_come_back_exactly(self, suffix: str, tmp_path: pathlib.Path) -> None:
        path = tmp_path / f"cutout{suffix}"
        save_image(path, self.rgba, metadata=Metadata(icc_profile=srgb_profile(), dpi=(300, 150)))
        picture = open_image(path)
        np.testing.assert_array_equal(np.rint(picture.rgb * 255), self.rgba[..., :3])
        assert picture.alpha is not None
        np.testing.assert_array_equal(np.rint(picture.alpha * 255), self.rgba[..., 3])
        assert picture.metadata.icc_profile == srgb_profile()
        assert picture.metadata.dpi == pytest.approx((300, 150), rel=1e-3)
        assert os.listdir(tmp_path) == [path.name]

    @pytest.mark.parametrize("suffix", [".jpg", ".jpeg", pytest.param(".avif", marks=needs_avif)])
    def test_lossy_formats_come_back_nearly(self, suffix: str, tmp_path: pathlib.Path) -> None:
        path = tmp_path / f"photo{suffix}"
        save_image(
            str(path), gradient(), metadata=Metadata(icc_profile=srgb_profile(), dpi=(300, 150))
        )
        picture = open_image(path)
        np.testing.assert_allclose(picture.rgb * 255, gradient(), atol=12)
        assert picture.metadata.icc_profile == srgb_profile()
        assert picture.metadata.dpi == pytest.approx((300, 150), rel=1e-3)

    @needs_avif
    def test_avif_keeps_alpha(self, tmp_path: pathlib.Path) -> None:
        save_image(tmp_path / "cutout.avif", self.rgba)
        alpha = alpha_of(open_image(tmp_path / "cutout.avif"))
        np.testing.assert_allclose(alpha * 255, self.rgba[..., 3], atol=4)

    def test_grey_stays_grey_and_drops_a_profile_for_colours(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "alpha.png"
        save_image(path, gradient()[..., 0], metadata=Metadata(icc_profile=srgb_profile()))
        with Image.open(path) as stored:
            assert stored.mode == "L"
            assert "icc_profile" not in stored.info
        np.testing.assert_array_equal(open_levels(path), gradient()[..., 0])

    def test_floats_are_clipped_and_rounded(self) -> None:
        pixels = np.array([[-0.5, 0, 0.499 / 255, 0.501 / 255, 1, 2]], np.float32)
        np.testing.assert_array_equal(np.asarray(to_pil(pixels)), [[0, 0, 0, 1, 255, 255]])

    def test_a_stream_gets_png_or_what_is_asked_for(self) -> None:
        for wanted, stored in ((None, "PNG"), ("webp", "WEBP"), ("JPG", "JPEG"), (".tif", "TIFF")):
            stream = io.BytesIO()
            save_image(stream, gradient(), format=wanted)
            assert Image.open(stream).format == stored

    def test_a_pipe_is_written_though_it_cannot_seek(self) -> None:
        reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as end:
            save_image(end, gradient())
        with os.fdopen(reading, "rb") as end:
            np.testing.assert_array_equal(np.rint(open_image(end).rgb * 255), gradient())

    def test_a_closed_pipe_is_one_sentence(self) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "wb", buffering=0) as end, pytest.raises(ImageError, match="pipe"):
            save_image(end, gradient())

    def test_jpeg_has_no_alpha(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(ImageError, match=r"out\.jpg.*no alpha"):
            save_image(tmp_path / "out.jpg", self.rgba)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("name", ["out.xyz", "out", "out.gif", ".png"])
    def test_unknown_suffixes_list_the_known_ones(self, name: str, tmp_path: pathlib.Path) -> None:
        with pytest.raises(ImageError, match=r"\.png, \.jpg"):
            save_image(tmp_path / name, gradient())

    def test_places_that_cannot_be_written(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(ImageError, match=r"folder .* does not exist"):
            save_image(tmp_path / "missing" / "out.png", gradient())
        (tmp_path / "folder.png").mkdir()
        with pytest.raises(ImageError, match=r"folder\.png cannot be written: it is a folder"):
            save_image(tmp_path / "folder.png", gradient())
        assert os.listdir(tmp_path) == ["folder.png"]

    def test_a_failure_leaves_the_old_file_and_nothing_else(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "out.webp"
        path.write_bytes(b"old")
        with pytest.raises(ImageError, match="WEBP"):  # WebP ends at 16383 pixels
            save_image(path, np.zeros((2, 20_000), np.uint8))
        with pytest.raises(ImageError, match="cannot be written"):  # fails at the very last step
            save_image(tmp_path / f"{'long' * 80}.png", gradient())
        with pytest.raises(ImageError, match="finite"):
            save_image(path, np.full((2, 2), np.nan, np.float32))
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["out.webp"]

    @pytest.mark.skipif(os.name != "posix", reason="file modes and links are POSIX")
    def test_modes_links_and_devices_are_respected(self, tmp_path: pathlib.Path) -> None:
        old = os.umask(0o027)
        try:
            save_image(tmp_path / "out.png", gradient())
        finally:
            os.umask(old)
        assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == 0o640
        (tmp_path / "link.png").symlink_to(tmp_path / "out.png")
        save_image(tmp_path / "link.png", gradient()[..., 0])
        assert (tmp_path / "link.png").is_symlink()
        assert open_levels(tmp_path / "out.png").shape == (30, 40)
        os.mkfifo(tmp_path / "fifo.png")
        reading = os.open(tmp_path / "fifo.png", os.O_RDONLY | os.O_NONBLOCK)
        save_image(tmp_path / "fifo.png", np.zeros((2, 2), np.uint8))
        assert os.read(reading, 4) == b"\x89PNG"
        os.close(reading)
        assert stat.S_ISFIFO((tmp_path / "fifo.png").stat().st_mode)

    @pytest.mark.parametrize(
        "pixels",
        [np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2), np.int64), np.zeros((0, 2), np.uint8)],
        ids=["channels", "type", "empty"],
    )
    def test_other_pixels_are_refused(self, pixels: NDArray[Any]) -> None:
        with pytest.raises(ImageError):
            save_image(io.BytesIO(), pixels)


def test_colours_are_parsed() -> None:
    assert parse_colour("white") == (255, 255, 255)
    assert parse_colour(" #00b140 ") == (0, 177, 64)
    assert parse_colour("#0f0") == (0, 255, 0)
    assert parse_colour("rgb(1, 2, 3)") == (1, 2, 3)
    assert parse_colour("rgb(300, 0, 0)") is None
    assert parse_colour("beach.jpg") is None
    assert parse_colour("#00000080") is None


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_too_little_memory_is_not_the_pictures_fault(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (6000, 6000)).save(path)
    code = """
import resource, sys
from pathlib import Path
from deepmatte.images import open_image
open_image(sys.argv[2])  # whatever is loaded at first use
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 50_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    open_image(sys.argv[1])
except MemoryError:
    print("MemoryError")
"""
    Image.new("RGB", (8, 8)).save(tmp_path / "small.png")
    words = [sys.executable, "-c", code, str(path), str(tmp_path / "small.png")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "MemoryError"
