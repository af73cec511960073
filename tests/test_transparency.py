"""Pictures with transparency of their own: cut out before, veiled, or to be solved anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from command import run_as_text
from numpy.typing import NDArray
from PIL import Image

import deepmatte
from deepmatte.images import open_image

if TYPE_CHECKING:
    from conftest import Scene

Colours = NDArray[np.float32]


def cut_out(scene: Scene, hidden: str) -> Colours:
    """The disc cut out by its true alpha, (H, W, 4); what is left under it differs."""
    alpha = scene.alpha[..., None]
    photo = scene.image / np.float32(255)
    colours = {
        "the photo": photo,
        "black": np.where(alpha > 0, photo, 0),
        "white": np.where(alpha > 0, photo, 1),
        "the subject's colours": scene.foreground,
        "the subject's colours, and black": np.where(alpha > 0, scene.foreground, 0),
    }[hidden]
    return np.concatenate([colours, alpha], axis=2).astype(np.float32)


@pytest.mark.parametrize(
    "hidden",
    [
        "the photo",
        "black",
        "white",
        "the subject's colours",
        "the subject's colours, and black",
    ],
)
def test_a_picture_cut_out_before_keeps_its_edge(scene: Scene, hidden: str) -> None:
    matte = deepmatte.matte(cut_out(scene, hidden), scene.trimap)

    soft = (scene.alpha > 0) & (scene.alpha < 1)
    np.testing.assert_allclose(matte.alpha[soft], scene.alpha[soft], atol=1e-6)  # 0.5 is no 0.25
    assert np.abs(matte.alpha - scene.alpha).max() < 0.1
    assert matte.notes[0].startswith("The picture has transparency of its own, which was kept")


def test_its_colours_are_the_subjects(scene: Scene) -> None:
    picture = cut_out(scene, "the subject's colours, and black")

    colours = deepmatte.matte(picture, scene.trimap).colours

    soft = (scene.alpha > 0.1) & (scene.alpha < 1)
    assert np.abs(colours[soft] - 255 * scene.foreground[soft]).max() < 4


def test_its_own_cut_out_comes_back(scene: Scene) -> None:
    first = deepmatte.matte(scene.picture, scene.trimap)
    first.cutout().save(scene.folder / "cutout.png")

    again = deepmatte.matte(scene.folder / "cutout.png", scene.trimap)

    np.testing.assert_allclose(again.alpha, first.alpha, atol=0.02)


def test_what_the_trimap_calls_background_goes(scene: Scene) -> None:
    picture = cut_out(scene, "the photo")
    labels = scene.labels.copy()
    labels[:, :60] = 0

    assert not deepmatte.matte(picture, labels).alpha[:, :60].any()


def test_a_veil_is_multiplied_and_said(scene: Scene) -> None:
    veil = np.full((*scene.labels.shape, 1), 255, np.uint8)
    veil[:, : veil.shape[1] // 2] = 102  # 0.4
    picture = np.concatenate([scene.image, veil], axis=2)
    opaque = deepmatte.matte(scene.picture, scene.trimap)

    matte = deepmatte.matte(picture, scene.trimap, transparency="multiply")

    np.testing.assert_allclose(matte.alpha, opaque.alpha * (veil[..., 0] / 255), atol=1e-6)
    np.testing.assert_allclose(matte.foreground, opaque.foreground, atol=1e-6)
    assert matte.notes == (
        "The picture has transparency of its own; the matte was multiplied by it.",
    )


def test_what_is_ignored_counts_for_nothing(scene: Scene) -> None:
    picture = np.concatenate([scene.image, np.full((*scene.labels.shape, 1), 9, np.uint8)], axis=2)

    matte = deepmatte.matte(picture, scene.trimap, transparency="ignore")

    np.testing.assert_array_equal(matte.alpha, deepmatte.matte(scene.picture, scene.trimap).alpha)
    assert matte.notes == ("The picture has transparency of its own, which was ignored.",)


def test_another_word_is_refused(scene: Scene) -> None:
    with pytest.raises(deepmatte.MattingError, match="expected keep, multiply, ignore"):
        deepmatte.Matter(transparency="drop")  # type: ignore[arg-type]


def test_the_command_line_says_which_was_done(scene: Scene) -> None:
    picture = np.rint(255 * cut_out(scene, "black")).astype(np.uint8)
    Image.fromarray(picture).save(scene.folder / "before.png")
    command = ("matte", "before.png", "trimap.png", "--alpha", "alpha.png")

    kept, ignored = (
        run_as_text(*command, *words, folder=scene.folder)
        for words in ((), ("--transparency", "ignore"))
    )

    assert (kept.returncode, ignored.returncode) == (0, 0)
    assert "which was kept as the subject's edge" in kept.stderr
    assert "which was ignored" in ignored.stderr
    assert open_image(scene.folder / "alpha.png").shape == scene.alpha.shape
