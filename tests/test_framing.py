"""Cropped, resized, with a shadow: the same matte in another frame; and the command's options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from command import run_as_text
from PIL import Image

import deepmatte

if TYPE_CHECKING:
    from conftest import Scene


@pytest.fixture(scope="module")
def matter() -> deepmatte.Matter:
    return deepmatte.Matter()


def test_a_crop_fits_the_subject_and_changes_no_pixel(
    matter: deepmatte.Matter, scene: Scene
) -> None:
    matte = matter(scene.picture, scene.trimap)
    rows, columns = np.nonzero(np.rint(matte.alpha * 255))
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]

    cropped = matte.cropped()

    np.testing.assert_array_equal(cropped.alpha, matte.alpha[window])
    np.testing.assert_array_equal(cropped.picture.levels, scene.image[window])
    np.testing.assert_array_equal(cropped.trimap, matte.trimap[window])
    opaque = cropped.alpha == 1
    np.testing.assert_array_equal(cropped.colours[opaque], matte.colours[window][opaque])
    soft = cropped.alpha > 0.2
    np.testing.assert_allclose(cropped.foreground[soft], matte.foreground[window][soft], atol=0.05)


def test_a_margin_beyond_the_picture_is_transparent(matter: deepmatte.Matter, scene: Scene) -> None:
    matte = matter(scene.picture, scene.trimap)
    height, width = matte.cropped().alpha.shape
    wide = matte.cropped(40)
    assert wide.alpha.shape == (height + 80, width + 80)
    assert wide.alpha.shape[0] > scene.labels.shape[0]
    assert wide.alpha[:10].max() == 0
    np.testing.assert_array_equal(wide.alpha[40:-40, 40:-40], matte.cropped().alpha)
    share = matte.cropped(share=0.5)
    assert share.alpha.shape == (height + 2 * round(0.5 * max(height, width)),) * 2
    assert np.asarray(wide.cutout()).shape == (*wide.alpha.shape, 4)


def test_a_margin_is_transparent_where_the_subject_touches_the_edge(
    matter: deepmatte.Matter, scene: Scene
) -> None:
    matte = matter(scene.picture, np.full_like(scene.labels, 255)).cropped(5)
    assert matte.alpha.shape == (100, 130)
    assert matte.alpha[5:-5, 5:-5].min() == 1
    assert matte.alpha.sum() == scene.labels.size
    np.testing.assert_array_equal(matte.picture.levels[0], matte.picture.levels[5])


def test_an_empty_matte_cannot_be_cropped(matter: deepmatte.Matter, scene: Scene) -> None:
    empty = matter(scene.picture, np.zeros_like(scene.labels))
    with pytest.raises(deepmatte.MattingError, match="expected a subject"):
        empty.cropped()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_resizing_takes_means(matter: deepmatte.Matter, scene: Scene, dtype: type) -> None:
    picture = scene.image.astype(dtype) * dtype(257 if dtype is np.uint16 else 1)
    matte = matter(picture, scene.trimap)
    half = matte.resized(60)
    assert half.alpha.shape == (45, 60)
    means = matte.alpha.reshape(45, 2, 60, 2).mean((1, 3))
    np.testing.assert_allclose(half.alpha, means, atol=1e-5)
    assert half.picture.levels.dtype == dtype
    assert set(np.unique(half.trimap)) <= {0, 128, 255}
    assert matte.resized(500).alpha.shape == matte.alpha.shape
    soft = (half.alpha > 0.3) & (half.alpha < 1)
    np.testing.assert_allclose(np.median(half.foreground[soft], axis=0), (0.9, 0.5, 0.1), atol=0.05)


def test_an_invisible_pixels_colour_does_not_spread_when_it_is_resized(
    matter: deepmatte.Matter, scene: Scene
) -> None:
    veil = np.full((*scene.labels.shape, 1), 255, np.uint8)
    veil[:, ::2] = 0
    image = scene.image.copy()
    image[:, ::2] = (0, 255, 0)  # hidden
    matte = matter(np.concatenate([image, veil], axis=2), scene.trimap).resized(60)
    middle = matte.picture.rgb[20:25, 28:32]
    np.testing.assert_allclose(middle, scene.image[45, 61] / 255 + 0 * middle, atol=0.02)


def test_a_shadow_lies_under_the_subject(matter: deepmatte.Matter, scene: Scene) -> None:
    plain = matter(scene.picture, scene.trimap)
    matte = plain.shadowed(0.5)
    cutout, bare = (np.asarray(one.cutout()).astype(int) for one in (matte, plain))
    opaque = plain.alpha == 1
    np.testing.assert_array_equal(cutout[opaque], bare[opaque])
    gained = cutout[..., 3] - bare[..., 3]
    assert gained.min() >= 0
    assert 20 < gained.max() <= 128
    rows = np.nonzero(gained > 10)[0]
    assert rows.mean() > scene.labels.shape[0] / 2  # more of it below
    only_shadow = (plain.alpha == 0) & (gained > 3)
    assert (cutout[only_shadow][:, :3] == 0).all()
    # The same over a background as the cut-out laid over it by Pillow.
    over = np.asarray(matte.over("#4080c0")).astype(int)
    canvas = Image.new("RGBA", plain.cutout().size, "#4080c0")
    canvas.alpha_composite(Image.fromarray(cutout.astype(np.uint8)))
    np.testing.assert_allclose(over, np.asarray(canvas)[..., :3], atol=2)
    # Neither alpha nor the colours change, and a crop leaves room for it.
    np.testing.assert_array_equal(matte.alpha, plain.alpha)
    framed = matte.cropped()
    assert framed.alpha.shape > plain.cropped().alpha.shape
    edge = np.asarray(framed.cutout())[..., 3]
    assert max(edge[0].max(), edge[-1].max(), edge[:, 0].max(), edge[:, -1].max()) <= 3


def test_wrong_arguments_are_said_in_one_sentence(matter: deepmatte.Matter, scene: Scene) -> None:
    matte: Any = matter(scene.picture, scene.trimap)
    widen: Any = deepmatte.trimap.widen
    find: Any = deepmatte.find_subject

    slips: list[tuple[Callable[[], object], str]] = [
        (lambda: matte.cropped(-3), "margin is -3"),
        (lambda: matte.cropped("20"), "margin is '20'"),
        (lambda: matte.resized(0), "longer side is 0"),
        (lambda: matte.shadowed(5), "opacity is 5"),
        (lambda: matte.save("x.png", "matte"), "part is 'matte'"),
        (lambda: matte.save("x.png", depth=12), "depth is 12; expected 8, 16, half, float"),
        (lambda: widen("trimap.png", 3), "trimap is 'trimap.png'; expected uint8"),
        (lambda: find(scene.picture, points=(3, 4)), "A point is 3"),
    ]
    for act, said in slips:
        with pytest.raises(deepmatte.MattingError, match=said):
            act()


def test_the_commands_options(scene: Scene) -> None:
    openexr = pytest.importorskip("OpenEXR")
    pytest.importorskip("psd_tools")
    folder = scene.folder
    names = [folder / name for name in ("cut.png", "alpha.tif", "new.jpg", "l.ora")]
    options = ["--crop", "5%", "--resize", "50", "--shadow", "40%", "--over", "white"]
    outputs: list[str | Path] = ["--cutout", names[0], "--alpha", names[1]]
    outputs += ["--composite", names[2]]
    outputs += ["--layers", names[3], "--corridorkey", folder / "shot"]
    done = run_as_text(
        "matte", scene.picture, scene.trimap, *options, *outputs, folder=scene.folder
    )
    assert done.returncode == 0, done.stderr
    with Image.open(names[0]) as cutout, Image.open(names[1]) as alpha, Image.open(names[2]) as new:
        assert cutout.mode == "RGBA"
        assert max(cutout.size) == 50
        assert alpha.size == new.size == cutout.size
        preview = np.asarray(new)
    assert preview[0, 0].min() > 240
    shot = folder / "shot"
    found = {str(path.relative_to(shot)) for path in shot.rglob("*.*")}
    assert found == {"Matte/photo.exr", "FG/photo.exr", "Processed/photo.exr", "Comp/photo.png"}
    channels = {
        kind: openexr.File(str(shot / kind / "photo.exr")).channels()
        for kind in ("Matte", "FG", "Processed")
    }
    matte = channels["Matte"]["Y"].pixels.astype(np.float32)
    colours = channels["FG"]["RGB"].pixels.astype(np.float32)
    processed = channels["Processed"]["RGBA"].pixels.astype(np.float32)
    inside = matte == 1
    np.testing.assert_allclose(np.median(colours[inside], axis=0), (0.9, 0.5, 0.1), atol=0.01)
    light = ((0.9 + 0.055) / 1.055) ** 2.4
    assert np.median(processed[inside][:, 0]) == pytest.approx(light, abs=0.01)
    assert processed[..., 3][inside].min() == 1


def test_depth_and_straight_on_the_command_line(scene: Scene) -> None:
    openexr = pytest.importorskip("OpenEXR")
    path = scene.folder / "cut.exr"
    words = ("matte", scene.picture, scene.trimap, "--depth", "float", "--straight")
    done = run_as_text(*words, "--cutout", path, folder=scene.folder)
    assert done.returncode == 0, done.stderr
    stored = openexr.File(str(path)).channels()["RGBA"].pixels
    assert stored.dtype == np.float32
    soft = (stored[..., 3] > 0.2) & (stored[..., 3] < 0.5)
    light = ((0.9 + 0.055) / 1.055) ** 2.4
    assert np.median(stored[soft][:, 0]) == pytest.approx(light, rel=0.15)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--composite", "new.jpg", "--over", "white", "--depth", "16"], "JPEG holds 8"),
        (["--layers", "layers.png"], r".ora or .psd"),
        (["--depth", "12"], "no depth"),
        (["--crop", "wide"], "no margin"),
        (["--shadow", "140%"], "no opacity"),
        (["--cutout", "cut.jpg"], "no alpha"),
    ],
)
def test_what_cannot_work_is_refused(scene: Scene, options: list[str], message: str) -> None:
    before = sorted(scene.folder.iterdir())
    done = run_as_text("matte", scene.picture, scene.trimap, *options, folder=scene.folder)
    assert done.returncode == 2
    assert message in done.stderr.replace("\n", " ")
    assert sorted(scene.folder.iterdir()) == before
