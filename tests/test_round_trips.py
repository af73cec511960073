"""Every format that is written, read back by another library: colours, alpha and depth right."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from deepmatte.errors import ImageError
from deepmatte.images import (
    Depth,
    Metadata,
    Picture,
    encode_image,
    open_alpha,
    open_image,
    read_size,
    save_image,
)

oiio = pytest.importorskip("OpenImageIO")
pytest.importorskip("OpenEXR")

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>me</rdf:RDF></x:xmpmeta>'

AP1 = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
"""ACEScg's primaries and white."""


def alpha_of(picture: Picture) -> NDArray[np.float32]:
    assert picture.alpha is not None
    return picture.alpha


def cutout(dtype: type = np.uint16, channels: int = 4) -> NDArray[Any]:
    """Smooth colours and an alpha from 0 to 1, (40, 60, channels)."""
    down, across = np.mgrid[0:40, 0:60]
    planes = [across / 59, down / 39, 1 - across / 118 - down / 78, (across + down) / 98]
    unit = np.stack(planes[:channels], axis=2)  # (H, W, C)
    levels: NDArray[Any] = np.rint(unit * np.iinfo(dtype).max).astype(dtype)
    return levels


def read(path: Path) -> tuple[NDArray[Any], Any]:
    """Stored numbers and header by OpenImageIO, which is told not to multiply by alpha."""
    wish = oiio.ImageSpec()
    wish.attribute("oiio:UnassociatedAlpha", 1)
    file = oiio.ImageInput.open(str(path), wish)
    assert file is not None, oiio.geterror()
    spec = file.spec()
    pixels = np.asarray(file.read_image(str(spec.format)))
    file.close()
    return pixels, spec


def srgb_light(levels: NDArray[Any]) -> NDArray[np.float64]:
    """IEC 61966-2-1."""
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def wide_profile() -> bytes:
    """Adobe RGB's primaries and curve as a matrix profile, ICC.1:2001."""
    import struct

    def s15(*numbers: float) -> bytes:
        return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))

    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + b"\0" * 78,
        b"wtpt": b"XYZ \0\0\0\0" + s15(0.9642, 1, 0.8249),
        b"rXYZ": b"XYZ \0\0\0\0" + s15(0.60974, 0.31111, 0.01947),
        b"gXYZ": b"XYZ \0\0\0\0" + s15(0.20528, 0.62567, 0.06087),
        b"bXYZ": b"XYZ \0\0\0\0" + s15(0.14919, 0.06322, 0.74457),
    }
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.19921875 * 256)) + b"\0\0"
    tags.update(dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content + b"\0" * (-len(content) % 4)
    head = struct.pack(">I4sI", start + len(data), b"test", 0x02400000)
    head += b"mntrRGB XYZ " + b"\0" * 12 + b"acsp" + b"\0" * 28 + s15(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + table + data


def camera_exif() -> bytes:
    exif = Image.Exif()
    exif[271], exif[272], exif[33432], exif[274] = "Maker", "Model", "(c) me", 6
    exif.get_ifd(34665).update({33434: 0.01, 37500: b"notes" * 9, 40962: 640})
    exif.get_ifd(34853).update({1: "N", 2: (47.0, 22.0, 0.0)})
    return exif.tobytes()


@pytest.mark.parametrize(
    ("suffix", "depth"), [(".png", 16), (".tif", 16), (".tif", "float"), (".png", 8), (".tif", 8)]
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_exact_formats_come_back_exactly(
    tmp_path: Path, suffix: str, depth: Depth, channels: int
) -> None:
    pixels = cutout(np.uint8 if depth == 8 else np.uint16, channels)
    path = tmp_path / f"cutout{suffix}"
    save_image(path, pixels[..., 0] if channels == 1 else pixels, depth=depth)

    stored, spec = read(path)
    stored = stored.reshape(pixels.shape)

    assert str(spec.format) == {8: "uint8", 16: "uint16", "float": "float"}[depth]
    expected = pixels / np.float32(65535) if depth == "float" else pixels
    np.testing.assert_array_equal(stored, expected)
    # And as deepmatte itself reads it.
    unit = pixels / np.iinfo(pixels.dtype).max
    if depth == "float" and channels > 1:
        return  # colours in floats have no reader here
    if channels == 1:
        np.testing.assert_allclose(open_alpha(path), unit[..., 0], atol=1e-6)
    else:
        np.testing.assert_allclose(open_image(path).rgb, unit[..., :3], atol=1e-6)
    if channels == 4:
        np.testing.assert_allclose(alpha_of(open_image(path)), unit[..., 3], atol=1e-6)


@pytest.mark.parametrize(
    ("suffix", "channels", "tolerance"),
    [(".webp", 4, 0), (".jxl", 4, 0), (".jpg", 3, 6), (".avif", 4, 8)],
)
def test_formats_of_eight_bits_are_read_by_others(
    tmp_path: Path, suffix: str, channels: int, tolerance: int
) -> None:
    if suffix == ".jxl":
        pytest.importorskip("pillow_jxl")
    pixels, path = cutout(np.uint8, channels), tmp_path / f"cutout{suffix}"
    save_image(path, pixels)
    if suffix == ".avif":
        found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if found is None:
            pytest.skip("this OpenCV was built without AVIF")
        stored = found[..., [2, 1, 0, 3]]
    else:
        stored = read(path)[0]
    np.testing.assert_allclose(stored.astype(int), pixels, atol=tolerance)


def test_a_tiff_says_that_its_colours_are_not_multiplied(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    for dtype in (np.uint8, np.uint16):
        save_image(tmp_path / "cutout.tif", cutout(dtype))
        with tifffile.TiffFile(tmp_path / "cutout.tif") as file:
            assert file.pages[0].extrasamples == (2,)


def test_sixteen_bits_are_the_default_for_a_picture_that_has_them() -> None:
    for suffix, depth in ((".png", 16), (".tif", 16), (".webp", 8)):
        pixels = open_image(encode_image(cutout(), suffix)).levels
        assert pixels.dtype == {16: np.uint16, 8: np.uint8}[depth]


@pytest.mark.parametrize("depth", ["half", "float"])
@pytest.mark.parametrize("straight", [False, True])
def test_an_exr_holds_linear_light(tmp_path: Path, depth: Depth, straight: bool) -> None:
    pixels = cutout()
    path = tmp_path / "cutout.exr"
    save_image(path, pixels, depth=depth, straight=straight)

    stored, spec = read(path)

    unit = pixels / 65535
    light = srgb_light(unit[..., :3])
    expected = light if straight else light * unit[..., 3:]
    assert str(spec.format) == depth
    tolerance = {"half": 1e-3, "float": 1e-6}[str(depth)]
    np.testing.assert_allclose(stored[..., :3], expected, rtol=tolerance, atol=1e-6)
    np.testing.assert_allclose(stored[..., 3], unit[..., 3], rtol=tolerance, atol=1e-6)
    assert spec.getattribute("deepmatte:alpha") == ("straight" if straight else "premultiplied")
    assert spec.getattribute("chromaticities")[:2] == pytest.approx((0.64, 0.33))


def test_an_exr_of_alpha_alone_is_not_taken_for_light(tmp_path: Path) -> None:
    alpha = cutout()[..., 3] / np.float32(65535)
    save_image(tmp_path / "alpha.exr", alpha, depth="float")
    stored, spec = read(tmp_path / "alpha.exr")
    assert spec.channelnames == ("Y",)
    np.testing.assert_array_equal(stored.reshape(alpha.shape), alpha)


def test_an_exr_of_a_wide_photo_has_the_light_of_rec_709(tmp_path: Path) -> None:
    # Adobe RGB to linear sRGB: Lindbloom's matrices, both under D50.
    to_xyz = [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
    from_xyz = [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
    for dtype in (np.uint8, np.uint16):
        pixels = cutout(dtype, 3)
        metadata = Metadata(icc_profile=wide_profile())
        save_image(tmp_path / "wide.exr", pixels, depth="float", metadata=metadata)
        light = (pixels / np.iinfo(dtype).max) ** 2.19921875
        expected = light @ (np.array(from_xyz) @ np.array(to_xyz)).T
        np.testing.assert_allclose(read(tmp_path / "wide.exr")[0], expected, atol=2e-4)


def test_jpeg_xl_is_exact_and_in_srgb(tmp_path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    pixels = cutout(np.uint8)
    save_image(tmp_path / "cutout.jxl", pixels)
    with Image.open(tmp_path / "cutout.jxl") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
    opened = open_image(tmp_path / "cutout.jxl")
    np.testing.assert_array_equal(opened.levels, pixels[..., :3])
    assert opened.alpha is not None
    np.testing.assert_array_equal(np.rint(opened.alpha * 255), pixels[..., 3])
    save_image(tmp_path / "described.jxl", pixels, metadata=Metadata(xmp=XMP, dpi=(300, 300)))
    described = open_image(tmp_path / "described.jxl").metadata
    assert (described.xmp, described.dpi) == (XMP, (300, 300))
    # Its profile cannot be stored, so the colours are converted.
    save_image(tmp_path / "wide.jxl", pixels, metadata=Metadata(icc_profile=wide_profile()))
    converted = ImageCms.profileToProfile(
        Image.fromarray(pixels[..., :3].copy()),
        ImageCms.ImageCmsProfile(io.BytesIO(wide_profile())),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    with Image.open(tmp_path / "wide.jxl") as image:
        stored = np.asarray(image)[..., :3].astype(int)
    np.testing.assert_allclose(stored, np.asarray(converted), atol=2)


@pytest.mark.parametrize(
    ("suffix", "depth"),
    [(".png", 8), (".png", 16), (".tif", 8), (".tif", 16), (".jpg", 8), (".webp", 8), (".avif", 8)],
)
def test_metadata_are_kept_less_orientation_and_thumbnail(
    tmp_path: Path, suffix: str, depth: Depth
) -> None:
    source = tmp_path / "photo.jpg"
    profile = wide_profile()
    Image.fromarray(cutout(np.uint8, 3)).save(
        source, exif=camera_exif(), xmp=XMP, icc_profile=profile, dpi=(300, 300)
    )
    picture = open_image(source)
    assert picture.shape == (60, 40)  # turned upright
    path = tmp_path / f"result{suffix}"
    save_image(path, picture.levels, metadata=picture.metadata, depth=depth)

    with Image.open(path) as image:
        exif = image.getexif()
        assert [exif.get(tag) for tag in (271, 272, 33432)] == ["Maker", "Model", "(c) me"]
        assert exif.get(274, 1) == 1
        inner = exif.get_ifd(34665)
        assert float(inner[33434]) == pytest.approx(0.01)
        assert not inner.keys() & {37500, 40962, 40963}
        assert exif.get_ifd(34853)[1] == "N"
        assert not exif.get_ifd(1)  # the thumbnail's block
        assert image.info["icc_profile"] == profile
        xmp = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]
        assert (xmp if isinstance(xmp, bytes) else xmp.encode()) == XMP
    again = open_image(path)
    assert again.shape == picture.shape
    assert again.metadata.dpi == pytest.approx((300, 300), rel=1e-3)


@pytest.mark.parametrize(
    "untrue",
    [
        b' tiff:Orientation="6"',
        b" tiff:Orientation='6'",
        b"><tiff:Orientation>6</tiff:Orientation><b",
        b"><xmp:Thumbnails>\n<rdf:Alt>JPEG</rdf:Alt>\n</xmp:Thumbnails><b",
    ],
)
def test_orientation_and_thumbnails_in_xmp_are_left_out(untrue: bytes) -> None:
    stream = io.BytesIO()
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:D%s a="b"/></x:xmpmeta>' % untrue
    Image.new("RGB", (4, 3)).save(stream, "JPEG", xmp=packet)
    kept = open_image(stream.getvalue()).metadata.xmp
    rest = b"><b" if untrue.startswith(b">") else b""
    assert kept == packet.replace(untrue, rest)


def test_metadata_too_long_for_a_jpeg_do_not_cost_the_picture() -> None:
    xmp = XMP.replace(b"me", b"m" * 70_000)
    stored = open_image(encode_image(cutout(np.uint8, 3), ".jpg", metadata=Metadata(xmp=xmp)))
    assert stored.metadata.xmp is None


@pytest.mark.parametrize(
    ("suffix", "depth", "message"),
    [
        (".jpg", 16, r"JPEG holds 8; use \.png or \.tif"),
        (".png", "half", r"PNG holds 8 or 16; use \.exr"),
        (".exr", 8, "EXR holds half or float"),
    ],
)
def test_a_depth_that_a_format_lacks_is_refused(suffix: str, depth: Depth, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        encode_image(cutout(np.uint8, 3), suffix, depth=depth)


def linear_exr(path: Path, pixels: NDArray[Any], **attributes: Any) -> None:
    """An EXR by the library itself."""
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **attributes}
    channels = "Y" if pixels.ndim == 2 else "RGBA"[: pixels.shape[2]]
    OpenEXR.File(header, {channels: np.ascontiguousarray(pixels)}).write(str(path))


@pytest.mark.parametrize("size", [(8, 8), (256, 64), (33, 21), (40, 30), (600, 3), (1, 9000)])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_jpeg_xl_of_another_writer_is_opened(
    tmp_path: Path, size: tuple[int, int], kind: str
) -> None:
    pytest.importorskip("pillow_jxl")
    imageio = pytest.importorskip("OpenImageIO")
    path, (width, height) = tmp_path / "other.jxl", size
    pixels = np.random.default_rng(0).integers(0, 65536, (height, width, 3)).astype(np.uint16)
    pixels = pixels if kind == "uint16" else (pixels >> 8).astype(np.uint8)
    spec = imageio.ImageSpec(width, height, 3, kind)
    spec["compression"] = "jpegxl:100"  # without loss
    output = imageio.ImageOutput.create(str(path))
    assert output.open(str(path), spec)
    output.write_image(pixels)
    output.close()

    picture = open_image(path)

    assert read_size(path.read_bytes()) == size
    shown = pixels if kind == "uint8" else np.rint(pixels / 257)
    np.testing.assert_allclose(picture.levels.astype(float), shown, atol=1)
    assert picture.notes == (() if kind == "uint8" else ("The JPEG XL was read with 8 bits only.",))
    with pytest.raises(ImageError, match=r"damaged|cannot be read"):
        open_image(path.read_bytes()[: len(path.read_bytes()) // 2])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_an_exr_is_opened_as_display_values(tmp_path: Path, dtype: type) -> None:
    unit = cutout() / 65535
    light = srgb_light(unit[..., :3]) * np.maximum(unit[..., 3:], 0.05)
    alpha = np.maximum(unit[..., 3:], 0.05)
    linear_exr(tmp_path / "shot.exr", np.concatenate([light, alpha], axis=2).astype(dtype))

    picture = open_image(tmp_path / "shot.exr")

    tolerance = 2e-3 if dtype is np.float16 else 1e-5
    np.testing.assert_allclose(picture.levels, unit[..., :3], atol=tolerance)
    np.testing.assert_allclose(alpha_of(picture), alpha[..., 0], atol=tolerance)
    # An alpha hint or trimap in an EXR is no light.
    linear_exr(tmp_path / "hint.exr", unit[..., 3].astype(dtype))
    np.testing.assert_allclose(open_alpha(tmp_path / "hint.exr"), unit[..., 3], atol=tolerance)


def test_light_brighter_than_white_and_the_primaries_come_back(tmp_path: Path) -> None:
    light = (cutout(channels=3) / 65535 * 9 - 0.5).astype(np.float32)
    linear_exr(tmp_path / "shot.exr", light, chromaticities=AP1)
    picture = open_image(tmp_path / "shot.exr")
    assert picture.levels.max() > 2
    save_image(tmp_path / "out.exr", picture.levels, metadata=picture.metadata, depth="float")
    stored, spec = read(tmp_path / "out.exr")
    np.testing.assert_allclose(stored, light, rtol=1e-5, atol=1e-6)
    assert spec.getattribute("chromaticities") == pytest.approx(AP1)


def test_a_png_of_an_exr_with_other_primaries_is_shown_right(tmp_path: Path) -> None:
    # ACEScg's primaries to linear sRGB, adapted by Bradford's matrix. Source: ACES TB-2014-004.
    to_srgb = [
        [1.70505, -0.62179, -0.08326],
        [-0.13026, 1.1408, -0.01055],
        [-0.024, -0.12897, 1.15297],
    ]
    light = np.full((8, 8, 3), (0.4, 0.3, 0.2), np.float32)
    linear_exr(tmp_path / "shot.exr", light, chromaticities=AP1)
    picture = open_image(tmp_path / "shot.exr")
    save_image(tmp_path / "shot.png", picture.levels, metadata=picture.metadata)
    with Image.open(tmp_path / "shot.png") as image:
        shown = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])),
            ImageCms.createProfile("sRGB"),
        )
    expected = np.array(to_srgb) @ light[0, 0]
    np.testing.assert_allclose(srgb_light(np.asarray(shown)[0, 0] / 255), expected, atol=5e-3)


def test_only_the_display_window_of_an_exr_is_opened(tmp_path: Path) -> None:
    light = (cutout(channels=3) / 65535).astype(np.float32)
    for left, top in ((5, 3), (-5, -3)):
        first = np.array([left, top], np.int32)
        window = (first, first + np.array([59, 39], np.int32))
        shown = (np.array([0, 0], np.int32), np.array([49, 29], np.int32))
        linear_exr(tmp_path / "shot.exr", light, dataWindow=window, displayWindow=shown)
        levels = open_image(tmp_path / "shot.exr").levels
        assert levels.shape == (30, 50, 3)
        at = (10, 20)
        expected = light[at[0] - top, at[1] - left]
        np.testing.assert_allclose(srgb_light(levels[at]), expected, atol=1e-5)


def test_sizes_are_read_and_asked_about_before_the_pixels() -> None:
    pytest.importorskip("rawpy")
    for data in (encode_image(cutout(), ".exr"), dng(np.full((40, 60, 3), 9000, np.uint16))):
        assert read_size(data) == (60, 40)
        asked: list[tuple[int, ...]] = []

        def refuse(size: tuple[int, ...], asked: list[tuple[int, ...]] = asked) -> None:
            asked.append(size)
            raise ImageError("too large for this test")

        with pytest.raises(ImageError, match="too large"):
            open_image(data, admit=refuse)
        assert asked == [(40, 60)]


def test_odd_exrs_are_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    linear_exr(tmp_path / "nan.exr", np.full((4, 4, 3), np.nan, np.float32))
    with pytest.raises(ImageError, match="not finite"):
        open_image(tmp_path / "nan.exr")
    whole = encode_image(cutout(), ".exr")
    for damaged in (whole[:100], whole[: len(whole) // 2], whole[:4] + b"\xff" * 90):
        with pytest.raises(ImageError, match="damaged"):
            open_image(damaged)
    assert capfd.readouterr() == ("", "")


def dng(rgb: NDArray[np.uint16]) -> bytes:
    """A raw file: what a camera with a Bayer pattern sees of linear colours (H, W, 3)."""
    tifffile = pytest.importorskip("tifffile")
    sensor = np.empty(rgb.shape[:2], np.uint16)
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        sensor[row::2, column::2] = rgb[row::2, column::2, channel]
    # The camera's own colours are linear sRGB's: XYZ under D65 to these.
    matrix = [3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.204, 1.057]
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True),  # version
        (50708, "s", 0, "Test camera", True),
        (33421, "H", 2, (2, 2), True),  # the pattern's size, and the pattern
        (33422, "B", 4, (0, 1, 1, 2), True),
        (50721, "2i", 9, [part for one in matrix for part in (round(one * 10000), 10000)], True),
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),  # white balance
        (50778, "H", 1, 21, True),  # D65
        (50717, "I", 1, 65535, True),  # white
        (33432, "s", 0, "(c) me", True),
    ]
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as file:
        file.write(sensor, photometric="CFA", extratags=tags)
    return stream.getvalue()


def test_a_raw_file_is_developed_to_srgb() -> None:
    pytest.importorskip("rawpy")
    light = np.full((120, 160, 3), (0.30, 0.12, 0.05))
    picture = open_image(dng((light * 65535).astype(np.uint16)))
    assert picture.levels.dtype == np.uint16
    middle = picture.rgb[40:80, 60:100].mean((0, 1))
    np.testing.assert_allclose(srgb_light(middle), (0.30, 0.12, 0.05), rtol=0.1)
    stored = Image.open(io.BytesIO(encode_image(picture.levels, ".png", metadata=picture.metadata)))
    assert stored.getexif()[33432] == "(c) me"


@pytest.mark.parametrize(
    ("module", "data", "message"),
    [
        ("pillow_heif", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 40, "install pillow-heif"),
        ("rawpy", b"FUJIFILMCCD-RAW 0201" + b"\0" * 99, "needs rawpy"),
        ("OpenEXR", b"\x76\x2f\x31\x01" + b"\0" * 40, r"deepmatte\[exr\]"),
        ("pillow_jxl", b"\xff\x0a\x08\x70" + b"\0" * 40, "needs pillow-jxl-plugin"),
    ],
)
def test_a_format_without_its_library_names_it(module: str, data: bytes, message: str) -> None:
    code = f"""
import sys
sys.modules[{module!r}] = None  # as if it were not installed
from deepmatte.images import open_image
from deepmatte.errors import ImageError
try:
    open_image({data!r})
except ImageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.search(message, done.stdout)
