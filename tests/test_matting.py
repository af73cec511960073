from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageCms

import deepmatte
from deepmatte.images import open_image

if TYPE_CHECKING:
    from conftest import Scene


@pytest.fixture(scope="module")
def matter() -> deepmatte.Matter:
    return deepmatte.Matter()


def test_alpha_has_the_contracts_form_and_keeps_known_pixels(
    matter: deepmatte.Matter, scene: Scene
) -> None:
    matte = matter(scene.picture, scene.trimap)

    assert matte.alpha.dtype == np.float32
    assert matte.alpha.shape == scene.labels.shape
    assert 0 <= matte.alpha.min() <= matte.alpha.max() <= 1
    assert (matte.alpha[scene.labels == 255] == 1).all()
    assert (matte.alpha[scene.labels == 0] == 0).all()
    assert matte.notes == ()


def test_alpha_is_near_the_truth_where_it_was_unknown(
    matter: deepmatte.Matter, scene: Scene
) -> None:
    unknown = scene.labels == 128
    error = np.abs(matter(scene.picture, scene.trimap).alpha - scene.alpha)[unknown]

    assert error.mean() < 0.1


@pytest.mark.parametrize("kind", ["path", "string", "bytes", "stream", "pil", "array"])
def test_every_kind_of_source_gives_the_same_matte(
    matter: deepmatte.Matter, scene: Scene, kind: str
) -> None:
    expected = matter(scene.picture, scene.trimap).alpha
    with scene.picture.open("rb") as picture, scene.trimap.open("rb") as trimap:
        sources: dict[str, tuple[Any, Any]] = {
            "path": (scene.picture, scene.trimap),
            "string": (str(scene.picture), str(scene.trimap)),
            "bytes": (scene.picture.read_bytes(), scene.trimap.read_bytes()),
            "stream": (picture, trimap),
            "pil": (Image.fromarray(scene.image), Image.fromarray(scene.labels)),
            "array": (scene.image.astype(np.float32) / 255, scene.labels),
        }
        alpha = matter(*sources[kind]).alpha

    np.testing.assert_allclose(alpha, expected, atol=1e-3)


def test_one_call_equals_a_matter_of_ones_own(matter: deepmatte.Matter, scene: Scene) -> None:
    once = deepmatte.matte(scene.picture, scene.trimap)

    np.testing.assert_array_equal(once.alpha, matter(scene.picture, scene.trimap).alpha)


def test_foreground_is_free_of_the_background(matter: deepmatte.Matter, scene: Scene) -> None:
    matte = matter(scene.picture, scene.trimap)
    soft = (scene.alpha > 0.3) & (scene.alpha < 0.8)

    mixed = np.abs(matte.picture.rgb - scene.foreground)[soft].mean()
    cleaned = np.abs(matte.foreground - scene.foreground)[soft].mean()

    assert matte.foreground.shape == (*scene.labels.shape, 3)
    assert cleaned < mixed / 3


def test_foreground_is_computed_once(matter: deepmatte.Matter, scene: Scene) -> None:
    matte = matter(scene.picture, scene.trimap)

    assert matte.foreground is matte.foreground


def test_cutout_has_straight_alpha(matter: deepmatte.Matter, scene: Scene) -> None:
    matte = matter(scene.picture, scene.trimap)
    cutout = matte.cutout()
    pixels = np.asarray(cutout)
    soft = (matte.alpha > 0.2) & (matte.alpha < 0.8)

    assert cutout.mode == "RGBA"
    np.testing.assert_array_equal(pixels[..., 3], np.rint(matte.alpha * 255))
    # Multiplied colours would be darker by alpha.
    np.testing.assert_allclose(pixels[soft][:, :3] / 255, matte.foreground[soft], atol=0.01)


@pytest.mark.parametrize(
    ("background", "colour"),
    [("#00b140", (0, 177, 64)), ("white", (255, 255, 255)), ((10, 20, 30), (10, 20, 30))],
)
def test_over_a_colour(
    matter: deepmatte.Matter,
    scene: Scene,
    background: str | tuple[int, int, int],
    colour: tuple[int, int, int],
) -> None:
    composite = matter(scene.picture, scene.trimap).over(background)
    pixels = np.asarray(composite)

    assert composite.mode == "RGB"
    assert (pixels[scene.labels == 0] == colour).all()
    np.testing.assert_array_equal(pixels[scene.labels == 255], scene.image[scene.labels == 255])


def test_over_a_picture(matter: deepmatte.Matter, scene: Scene) -> None:
    beach = np.zeros((45, 60, 3), np.uint8)
    beach[..., 1] = 200
    Image.fromarray(beach).save(scene.folder / "beach.png")

    pixels = np.asarray(matter(scene.picture, scene.trimap).over(scene.folder / "beach.png"))

    assert pixels.shape == scene.image.shape
    assert (pixels[scene.labels == 0] == (0, 200, 0)).all()


def test_profile_and_resolution_reach_the_results(matter: deepmatte.Matter, scene: Scene) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(scene.image).save(scene.picture, icc_profile=profile, dpi=(300, 300))

    matte = matter(scene.picture, scene.trimap)

    for result in (matte.cutout(), matte.over("white")):
        assert result.info["icc_profile"] == profile
        assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("name", ["result.png", "result.jpg", "result.tif"])
def test_what_the_results_carry_can_be_saved_with_them(
    matter: deepmatte.Matter, scene: Scene, name: str
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    every: list[dict[str, Any]] = [{"icc_profile": profile, "dpi": (300, 300)}, {}]
    for options in every:
        Image.fromarray(scene.image).save(scene.picture, **options)
        result = matter(scene.picture, scene.trimap).over("white")

        result.save(scene.folder / name, **{str(key): value for key, value in result.info.items()})

        saved = open_image(scene.folder / name)
        assert saved.metadata.icc_profile == options.get("icc_profile")
        assert saved.metadata.dpi == pytest.approx(options.get("dpi"), abs=0.1)


def test_a_trimap_of_another_size_is_refused_unless_resizing_is_asked_for(
    matter: deepmatte.Matter, scene: Scene
) -> None:
    small = scene.labels[::2, ::2]

    with pytest.raises(deepmatte.TrimapError, match=r"60 x 45.*120 x 90"):
        matter(scene.picture, small)
    resized = matter(scene.picture, small, resize_trimap=True)

    assert resized.alpha.shape == scene.labels.shape
    assert set(np.unique(resized.trimap)) == {0, 128, 255}


@pytest.mark.parametrize("label", [0, 255])
def test_a_trimap_without_unknown_pixels_is_the_matte(
    matter: deepmatte.Matter, scene: Scene, label: int
) -> None:
    alpha = matter(scene.picture, np.full_like(scene.labels, label)).alpha

    assert (alpha == label / 255).all()


@pytest.mark.parametrize("kept", [0, 255])
def test_trimaps_without_foreground_or_without_background_work(
    matter: deepmatte.Matter, scene: Scene, kept: int
) -> None:
    labels = np.where(scene.labels == kept, kept, 128).astype(np.uint8)

    alpha = matter(scene.picture, labels).alpha

    assert np.isfinite(alpha).all()
    assert (alpha[labels == kept] == kept / 255).all()


@pytest.mark.parametrize(
    ("levels", "missing"),
    [
        ((0, 128, 255), []),
        ((0, 100, 255), []),
        ((0, 127, 254), ["foreground"]),
        ((16, 128, 255), ["background"]),
        ((16, 128, 235), ["foreground and no background"]),
    ],
)
def test_a_kind_that_the_trimap_does_not_mark_is_said(
    matter: deepmatte.Matter, scene: Scene, levels: tuple[int, int, int], missing: list[str]
) -> None:
    labels = np.select([scene.labels == 0, scene.labels == 128], levels[:2], levels[2])

    notes = matter(scene.picture, labels.astype(np.uint8)).notes

    assert [f"marks no {kind}" in note for kind, note in zip(missing, notes, strict=True)] == [
        True for _ in missing
    ]


def test_what_is_no_picture_is_an_image_error(matter: deepmatte.Matter, scene: Scene) -> None:
    scene.picture.write_text("not a picture")

    with pytest.raises(deepmatte.ImageError, match="photo"):
        matter(scene.picture, scene.trimap)


def test_an_unknown_model_or_device_is_a_model_error() -> None:
    with pytest.raises(deepmatte.ModelError):
        deepmatte.Matter("no such network")
    with pytest.raises(deepmatte.ModelError):
        deepmatte.Matter(device="abacus")


def test_a_matte_shows_itself(matter: deepmatte.Matter, scene: Scene) -> None:
    matte = matter(scene.picture, scene.trimap)

    assert repr(matte) == "<deepmatte.Matte of 120 x 90 pixels, 23% unknown>"
    preview = open_image(matte._repr_png_())
    assert preview.shape == scene.labels.shape
    assert preview.alpha is not None


def test_a_matter_can_be_pickled(scene: Scene) -> None:
    matter = deepmatte.Matter(memory="1GB", threads=1, quality="high")

    again = pickle.loads(pickle.dumps(matter))

    expected, found = (one(scene.picture, scene.trimap).alpha for one in (matter, again))
    np.testing.assert_array_equal(found, expected)


def test_the_function_takes_what_a_matter_takes(scene: Scene) -> None:
    words: dict[str, Any] = {"quality": "high", "memory": "1GB", "threads": 1}

    matte = deepmatte.matte(scene.picture, scene.trimap, **words)

    expected = deepmatte.Matter(**words)(scene.picture, scene.trimap)
    np.testing.assert_array_equal(matte.alpha, expected.alpha)
    for word in (*words, "resize_trimap", "transparency"):
        assert f"{word}: " in (deepmatte.matte.__doc__ or "")


@pytest.mark.parametrize("text", ["a lot", "-1GB", "1TB", ""])
def test_a_text_that_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(deepmatte.MattingError, match="amount of memory"):
        deepmatte.Matter(memory=text)
