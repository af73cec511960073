"""What a matte writes: the right numbers, with the photo's metadata, in files of every kind."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms
from test_round_trips import XMP, camera_exif, srgb_light, wide_profile

import deepmatte
from deepmatte.composite import over
from deepmatte.images import open_image

if TYPE_CHECKING:
    from conftest import Scene


@pytest.fixture(scope="module")
def matter() -> deepmatte.Matter:
    return deepmatte.Matter()


@pytest.fixture
def described(scene: Scene) -> Scene:
    """The scene with all that a photo can carry."""
    exif = Image.Exif()
    exif.load(camera_exif())
    del exif[274]
    Image.fromarray(scene.image).save(
        scene.picture, icc_profile=wide_profile(), dpi=(300, 300), exif=exif.tobytes()
    )
    return scene


def srgb_to_wide(colours: NDArray[np.uint8]) -> NDArray[np.int64]:
    converted = ImageCms.profileToProfile(
        Image.fromarray(colours),
        ImageCms.createProfile("sRGB"),
        ImageCms.ImageCmsProfile(io.BytesIO(wide_profile())),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    return np.asarray(converted).astype(int)


def quantisation(image: Image.Image) -> tuple[int, ...]:
    tables: dict[int, list[int]] = image.quantization  # type: ignore[attr-defined]
    return tuple(tables[0])


@pytest.mark.parametrize("way", ["over", "resized", "save_over"])
def test_a_composite_saved_the_simple_way_keeps_everything(
    matter: deepmatte.Matter, described: Scene, way: str
) -> None:
    matte, path = matter(described.picture, described.trimap), described.folder / "new.jpg"
    if way == "save_over":
        matte.save_over(path, "white")
    else:
        image = matte.over("white")
        (image if way == "over" else image.resize((60, 45))).save(path)

    with Image.open(path) as saved, io.BytesIO() as stream:
        Image.new("RGB", (8, 8)).save(stream, "JPEG", quality=95)
        assert quantisation(saved) == quantisation(Image.open(stream))
        assert vars(saved)["layer"][1][1:3] == (1, 1)  # no subsampling
        assert saved.info["icc_profile"] == wide_profile()
        assert saved.info["dpi"] == (300, 300)
        assert saved.getexif()[33432] == "(c) me"


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.avif", "a.gif", "a.bmp"])
def test_pillow_images_go_on_saving_what_pillow_saves(
    matter: deepmatte.Matter, described: Scene, name: str
) -> None:
    image = matter(described.picture, described.trimap).over("white")
    path = described.folder / name
    image.save(path)
    saved = open_image(path)
    assert saved.shape == described.labels.shape
    if name not in ("a.gif", "a.bmp"):
        assert saved.metadata.icc_profile == wide_profile()
        assert saved.metadata.exif is not None
    # Pillow's own options are obeyed, and what a picture carries may be given along.
    info = {str(key): value for key, value in image.info.items()}
    several: list[dict[str, Any]] = [info, {"save_all": False}]
    several.append({"save_all": False, "exif": image.getexif()})
    for options in several:
        image.save(path, **options)
        assert open_image(path).shape == saved.shape
        assert open_image(path).metadata.icc_profile == saved.metadata.icc_profile


def test_options_replace_the_defaults(matter: deepmatte.Matter, described: Scene) -> None:
    image = matter(described.picture, described.trimap).over("white")
    sizes = []
    every: list[dict[str, Any]] = [{}, {"quality": 20}]
    for options in every:
        image.save(described.folder / "new.jpg", **options)
        sizes.append((described.folder / "new.jpg").stat().st_size)
    assert sizes[1] < sizes[0]
    assert open_image(described.folder / "new.jpg").metadata.icc_profile == wide_profile()
    image.save(described.folder / "plain.jpg", icc_profile=None)
    assert open_image(described.folder / "plain.jpg").metadata.icc_profile is None


def test_save_writes_each_part(matter: deepmatte.Matter, described: Scene) -> None:
    matte, folder = matter(described.picture, described.trimap), described.folder
    matte.save(folder / "cutout.png")
    matte.save(folder / "alpha.tif", "alpha", depth=16)
    matte.save(folder / "colours.png", "foreground", depth=16)

    with Image.open(folder / "cutout.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(matte.cutout()))
    with Image.open(folder / "alpha.tif") as image:
        assert image.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(image), np.rint(matte.alpha * 65535))
    colours = open_image(folder / "colours.png")
    assert colours.levels.dtype == np.uint16
    np.testing.assert_array_equal(colours.levels, np.rint(matte.foreground * 65535))
    assert colours.metadata.icc_profile == wide_profile()


def test_a_photo_of_sixteen_bits_gives_sixteen(matter: deepmatte.Matter, scene: Scene) -> None:
    deep = scene.image.astype(np.uint16) * 257 - (scene.image > 128) * np.uint16(100)
    matte = matter(deep, scene.trimap)
    matte.save(scene.folder / "cutout.png")
    matte.save_over(scene.folder / "new.tif", "white")
    saved = open_image(scene.folder / "cutout.png")
    inside = scene.labels == 255
    np.testing.assert_array_equal(saved.levels[inside], deep[inside])
    new = open_image(scene.folder / "new.tif")
    np.testing.assert_array_equal(new.levels[inside], deep[inside])
    assert (new.levels[scene.labels == 0] == 65535).all()
    matte.save_over(scene.folder / "new.jpg", "white")  # has no 16 bits and does not need them


def test_an_exr_in_gives_its_light_out(matter: deepmatte.Matter, scene: Scene) -> None:
    openexr = pytest.importorskip("OpenEXR")
    light = (srgb_light(scene.image / 255) * 4).astype(np.float32)  # up to 4 times white
    header = {"type": openexr.scanlineimage}
    openexr.File(header, {"RGB": light}).write(str(scene.folder / "shot.exr"))
    matte = matter(scene.folder / "shot.exr", scene.trimap)
    matte.save(scene.folder / "cutout.exr", depth="float")
    stored = openexr.File(str(scene.folder / "cutout.exr")).channels()["RGBA"].pixels
    inside = scene.labels == 255
    np.testing.assert_allclose(stored[inside][:, :3], light[inside], rtol=1e-4)
    assert light[inside].max() > 2
    # Where alpha is right: the light of a wrong one is that of the background too.
    soft = (scene.alpha > 0.3) & (scene.alpha < 0.95) & (np.abs(matte.alpha - scene.alpha) < 0.03)
    assert soft.any()
    truth = srgb_light(np.array([0.9, 0.5, 0.1])) * 4
    straight = stored[soft][:, :3] / stored[soft][:, 3:]
    np.testing.assert_allclose(np.median(straight, axis=0), truth, rtol=0.2, atol=0.02)


@pytest.mark.parametrize("background", ["#00b140", "white:#204060", "picture", "tagged"])
def test_a_new_background_is_converted_to_the_photos_profile(
    matter: deepmatte.Matter, described: Scene, background: Any
) -> None:
    expected = None
    if background == "#00b140":
        expected = srgb_to_wide(np.array([[[0, 177, 64]]], np.uint8))[0, 0]
    elif background == "picture":  # sRGB by custom
        background = np.full((9, 12, 3), (0, 177, 64), np.uint8)
        expected = srgb_to_wide(background)[0, 0]
    elif background == "tagged":  # in the photo's profile already
        background = described.folder / "beach.png"
        Image.new("RGB", (12, 9), (0, 177, 64)).save(background, icc_profile=wide_profile())
        expected = np.array([0, 177, 64])
    else:
        expected = srgb_to_wide(np.array([[[32, 64, 96]]], np.uint8))[0, 0]

    pixels = np.asarray(matter(described.picture, described.trimap).over(background)).astype(int)

    np.testing.assert_allclose(pixels[-1, 0], expected, atol=1)


def test_a_background_of_sixteen_bits_is_converted_in_them() -> None:
    behind = np.full((2, 2, 3), (3000, 45000, 16000), np.uint16)
    nothing = np.zeros((2, 2), np.float32)
    colours = np.zeros((2, 2, 3), np.float32)
    mixed = over(colours, nothing, behind, wide_profile())[0, 0]
    rounded = srgb_to_wide(np.rint(behind / 257).astype(np.uint8))[0, 0]
    np.testing.assert_allclose(mixed * 255, rounded, atol=1)
    # The same light: Adobe RGB's to XYZ, both under D50.
    to_xyz = [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
    srgb = [[0.43607, 0.38506, 0.14308], [0.22250, 0.71688, 0.06062], [0.01393, 0.0971, 0.71417]]
    light = np.array(to_xyz) @ mixed.astype(np.float64) ** 2.19921875
    np.testing.assert_allclose(light, np.array(srgb) @ srgb_light(behind[0, 0] / 65535), atol=1e-4)


def test_open_raster_holds_subject_and_photo(matter: deepmatte.Matter, described: Scene) -> None:
    matte = matter(described.picture, described.trimap)
    matte.save_layers(described.folder / "layers.ora")

    with zipfile.ZipFile(described.folder / "layers.ora") as file:
        assert file.infolist()[0].filename == "mimetype"
        assert file.infolist()[0].compress_type == zipfile.ZIP_STORED
        assert file.read("mimetype") == b"image/openraster"
        tree = ElementTree.fromstring(file.read("stack.xml"))
        assert (tree.get("w"), tree.get("h"), tree.get("xres")) == ("120", "90", "300")
        layers = {layer.get("name"): layer for layer in tree.iter("layer")}
        assert [layers[name].get("visibility") for name in ("Subject", "Photo")] == [
            "visible",
            "hidden",
        ]
        pixels = {
            name: Image.open(io.BytesIO(file.read(str(layer.get("src")))))
            for name, layer in layers.items()
        }
        merged = Image.open(io.BytesIO(file.read("mergedimage.png")))
        thumbnail = Image.open(io.BytesIO(file.read("Thumbnails/thumbnail.png")))
    np.testing.assert_array_equal(np.asarray(pixels["Subject"]), np.asarray(matte.cutout()))
    np.testing.assert_array_equal(np.asarray(pixels["Photo"]), described.image)
    np.testing.assert_array_equal(np.asarray(merged), np.asarray(matte.cutout()))
    assert max(thumbnail.size) <= 256
    assert merged.info["icc_profile"] == wide_profile()


def test_photoshop_gets_alpha_as_a_layer_mask(matter: deepmatte.Matter, described: Scene) -> None:
    psd_tools = pytest.importorskip("psd_tools")
    matte = matter(described.picture, described.trimap)
    matte.save_layers(described.folder / "layers.psd")

    layers = {
        layer.name: layer for layer in psd_tools.PSDImage.open(described.folder / "layers.psd")
    }
    subject, photo = layers["Subject"], layers["Photo"]
    assert (subject.visible, photo.visible) == (True, False)
    np.testing.assert_array_equal(
        np.asarray(subject.topil(apply_icc=False).convert("RGB")), matte.colours
    )
    np.testing.assert_array_equal(np.asarray(subject.mask.topil()), np.rint(matte.alpha * 255))
    np.testing.assert_array_equal(
        np.asarray(photo.topil(apply_icc=False).convert("RGB")), described.image
    )
    with Image.open(described.folder / "layers.psd") as merged:
        np.testing.assert_array_equal(np.asarray(merged)[..., 3], np.rint(matte.alpha * 255))
        assert merged.info["icc_profile"] == wide_profile()


def test_a_photo_of_sixteen_bits_gives_a_psd_of_sixteen(
    matter: deepmatte.Matter, scene: Scene
) -> None:
    psd_tools = pytest.importorskip("psd_tools")
    imageio = pytest.importorskip("OpenImageIO")
    photo = (scene.image.astype(np.uint16) * 257) ^ 0x55
    matte = matter(photo, scene.trimap)
    path = scene.folder / "layers.psd"
    matte.save_layers(path)

    subject, below = matte.layers()
    layers = {layer.name: layer for layer in psd_tools.PSDImage.open(path)}
    for name, colours in (("Subject", subject.colours), ("Photo", photo)):
        stored = np.rint(layers[name].numpy("color") * 65535)
        np.testing.assert_array_equal(stored, colours)
    mask = np.rint(layers["Subject"].numpy("mask")[..., 0] * 65535)
    np.testing.assert_array_equal(mask, subject.alpha)
    assert below.colours.dtype == np.uint16
    other = imageio.ImageInput.open(str(path))  # whose pictures are the flat one and the layers
    np.testing.assert_array_equal(other.read_image(1, 0, 0, 3, "uint16"), photo)
    np.testing.assert_array_equal(other.read_image(2, 0, 0, 3, "uint16"), subject.colours)


def test_layers_need_a_layered_format(matter: deepmatte.Matter, scene: Scene) -> None:
    with pytest.raises(deepmatte.ImageError, match=r"\.ora or \.psd"):
        matter(scene.picture, scene.trimap).save_layers(scene.folder / "layers.png")


def test_xmp_reaches_the_cutout(matter: deepmatte.Matter, scene: Scene) -> None:
    Image.fromarray(scene.image).save(scene.folder / "photo.jpg", xmp=XMP)
    matter(scene.folder / "photo.jpg", scene.trimap).save(scene.folder / "cutout.webp")
    with Image.open(scene.folder / "cutout.webp") as saved:
        assert saved.info["xmp"] == XMP
