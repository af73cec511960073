"""The subject found without a trimap: by MediaPipe's weights, by rembg and osam, and in a box."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from command import run_as_text
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

import deepmatte
from deepmatte import trimap
from deepmatte.subject import look_for_subject, segmenters
from deepmatte.subject.segmenters import Hints

if TYPE_CHECKING:
    from conftest import Scene

pytestmark = pytest.mark.slow


people = pytest.mark.skipif(
    segmenters.people_weights() is None, reason="needs MediaPipe 0.10.21, whose wheel has weights"
)


class Drawn:
    """A segmenter that knows its answer."""

    name = "drawn"
    follows_hints = False

    def __init__(self, mask: NDArray[np.float32]) -> None:
        self.mask, self.seen = mask, (0, 0)

    def __call__(self, rgb: NDArray[np.uint8], hints: Hints) -> NDArray[np.float32]:
        self.seen = (rgb.shape[0], rgb.shape[1])
        return np.ones(self.seen, np.float32) if self.mask.shape != self.seen else self.mask


@pytest.fixture
def grey() -> NDArray[np.uint8]:
    return np.full((100, 200, 3), 90, np.uint8)


def _discs(*discs: tuple[int, int, int, float]) -> NDArray[np.float32]:
    """A mask (100, 200) of discs: x, y, radius, level."""
    rows, columns = np.mgrid[:100, :200]
    mask = np.zeros((100, 200), np.float32)
    for x, y, radius, level in discs:
        mask[np.hypot(rows - y, columns - x) <= radius] = level
    return mask


# --- what of a mask is the subject --------------------------------------------------------------


def test_specks_are_dropped_and_several_subjects_said(grey: NDArray[np.uint8]) -> None:
    mask = _discs((50, 50, 30, 1), (150, 50, 20, 0.95), (110, 10, 3, 1))

    found = look_for_subject(grey, segmenter=Drawn(mask))

    np.testing.assert_array_equal(found.mask >= 0.5, _discs((50, 50, 30, 1), (150, 50, 20, 1)) > 0)
    (note,) = found.notes
    assert "2 separate subjects" in note
    assert "50,50; 150,50" in note


def test_a_point_keeps_the_subject_that_it_lies_on(grey: NDArray[np.uint8]) -> None:
    mask = np.maximum(_discs((50, 50, 30, 1), (150, 50, 20, 0.6)), 0.05)

    found = look_for_subject(grey, points=[(150, 60)], segmenter=Drawn(mask))

    np.testing.assert_array_equal(found.mask >= 0.5, _discs((150, 50, 20, 1)) > 0)
    assert found.mask[50, 50] == 0
    assert ["unsure" in note for note in found.notes] == [True]


def test_an_unsure_part_beside_a_sure_one_is_left_out_and_said(grey: NDArray[np.uint8]) -> None:
    mask = _discs((50, 50, 30, 1), (150, 50, 20, 0.6))

    found = look_for_subject(grey, segmenter=Drawn(mask))

    np.testing.assert_array_equal(found.mask >= 0.5, _discs((50, 50, 30, 1)) > 0)
    assert ["150,50" in note and "left out" in note for note in found.notes] == [True]


@pytest.mark.parametrize(
    ("points", "box", "sentence"),
    [
        ([(120, 10)], None, "no subject at the point 120, 10; some were found at 50,50"),
        ([(200, 10)], None, "The point 200, 10"),
        ([], (10, 10, 400, 90), "does not lie in the picture"),
        ([], (0, 0, 200, 100), "the whole picture"),
    ],
)
def test_hints_that_make_no_sense(
    grey: NDArray[np.uint8], points: Any, box: Any, sentence: str
) -> None:
    with pytest.raises(deepmatte.SubjectError, match=sentence):
        deepmatte.find_subject(
            grey, points=points, box=box, segmenter=Drawn(_discs((50, 50, 30, 1)))
        )


def test_an_empty_mask_is_no_subject(grey: NDArray[np.uint8]) -> None:
    with pytest.raises(deepmatte.SubjectError, match="found no subject"):
        deepmatte.find_subject(grey, segmenter=Drawn(_discs()))


def test_a_segmenter_sees_little_more_than_the_box(grey: NDArray[np.uint8]) -> None:
    drawn = Drawn(_discs())

    mask = deepmatte.find_subject(grey, box=(20, 30, 60, 80), segmenter=drawn)

    assert drawn.seen == (50 + 2 * 8, 40 + 2 * 6)
    expected = np.zeros((100, 200))
    expected[30:80, 20:60] = 1
    np.testing.assert_array_equal(mask, expected)


# --- the trimap of a rough mask -----------------------------------------------------------------


def test_a_part_narrower_than_the_band_keeps_a_known_middle() -> None:
    mask = np.zeros((200, 200), np.float32)
    mask[40:160, 40:100] = 1
    mask[95:105, 100:180] = 1  # an arm of 10 pixels
    mask[:, :8] = mask[:, 12:20] = 1  # and a gap of 4

    labels = trimap.from_rough_mask(mask, width=40)

    assert set(labels[100, 130:170]) == {255}
    assert set(labels[90, 130:170]) == {128}
    assert labels[20, 10] == 0
    assert labels[100, 70] == 255
    assert labels[100, 50] == 128
    assert set(trimap.from_mask(mask, width=40)[100, 130:170]) == {128}


def test_softness_does_not_count() -> None:
    hard = _discs((100, 50, 40, 1))
    soft = np.clip(hard * 0.4 + 0.3, 0, 1)

    np.testing.assert_array_equal(
        trimap.from_rough_mask(soft, width=10), trimap.from_rough_mask(hard, width=10)
    )


@pytest.mark.parametrize("level", [0, 1])
def test_a_mask_of_one_kind_stays_known(level: int) -> None:
    labels = trimap.from_rough_mask(np.full((40, 50), level, np.float32))

    assert set(labels.ravel()) == {255 * level}


@pytest.fixture
def ball() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """An orange ball on blue, larger than the scene, and its alpha (400, 500)."""
    rows, columns = np.mgrid[:400, :500]
    alpha = np.clip((120 - np.hypot(rows - 200, columns - 250)) / 6, 0, 1).astype(np.float32)
    colours = np.random.default_rng(0).normal(0, 8, (400, 500, 3))  # cloth is never one colour
    colours += alpha[..., None] * (230, 130, 30) + (1 - alpha[..., None]) * (30, 60, 180)
    return np.clip(colours, 0, 255).astype(np.uint8), alpha


@pytest.mark.parametrize("wrong", [-6, 6])
def test_a_mask_wrong_by_pixels_gives_the_matte_of_a_right_one(
    ball: tuple[NDArray[np.uint8], NDArray[np.float32]], wrong: int
) -> None:
    picture, alpha = ball
    away = np.hypot(*(np.mgrid[:400, :500] - np.array([[[200]], [[250]]])))

    def error(radius: int) -> float:
        mask = (away < radius).astype(np.float32)
        matte = deepmatte.matte_subject(picture, segmenter=_Fixed(mask))
        assert matte.notes == ("The subject was found by the segmenter 'fixed'.",)
        return float(np.abs(matte.alpha - alpha).mean())

    assert error(117 + wrong) < error(117) + 0.002


@pytest.mark.parametrize(("wrong", "share"), [(-10, 0.75), (0, 1.1), (10, 0.8)])
def test_a_given_mask_gets_a_band_that_fits(
    ball: tuple[NDArray[np.uint8], NDArray[np.float32]], wrong: int, share: float
) -> None:
    picture, alpha = ball
    away = np.hypot(*(np.mgrid[:400, :500] - np.array([[[200]], [[250]]])))
    mask = (away < 117 + wrong).astype(np.float32)  # wrong by more than half of the plain band

    fitted = np.abs(deepmatte.matte_mask(picture, mask).alpha - alpha).mean()
    plain = np.abs(deepmatte.matte(picture, trimap.from_mask(mask)).alpha - alpha).mean()

    assert fitted < share * plain


def test_what_is_too_fine_for_the_small_copy_stays_unknown() -> None:
    picture = np.full((1200, 1200, 3), 90, np.uint8)
    mask = np.zeros((1200, 1200), np.float32)
    picture[300:900, 300:900], mask[300:900, 300:900] = 200, 1
    picture[600:602, 900:1150], mask[600:602, 900:1150] = 200, 1  # less than a pixel of the copy

    labels = deepmatte.matte_mask(picture, mask).trimap

    assert not (labels[600:602, 930:1140] == 0).any()


class _Fixed:
    name = "fixed"
    follows_hints = True

    def __init__(self, mask: NDArray[np.float32]) -> None:
        self.mask = mask

    def __call__(self, rgb: NDArray[np.uint8], hints: Hints) -> NDArray[np.float32]:
        return self.mask


# --- segmenters ---------------------------------------------------------------------------------


def test_a_box_needs_nothing_installed(
    ball: tuple[NDArray[np.uint8], NDArray[np.float32]], tmp_path: Path
) -> None:
    picture, alpha = ball
    Image.fromarray(picture).save(tmp_path / "photo.png")
    hints = ["--segmenter", "box", "--box", "110,60,390,340"]

    done = run_as_text("matte", "photo.png", *hints, folder=tmp_path)

    assert done.returncode == 0, done.stderr
    cutout = np.asarray(Image.open(tmp_path / "photo.cutout.png"))
    assert np.abs(cutout[..., 3] / 255 - alpha).mean() < 0.005
    assert "found by the segmenter 'box'" in done.stderr


@people
def test_people_are_found_by_the_weights_in_mediapipes_wheel(tmp_path: Path) -> None:
    skimage = importlib.util.find_spec("skimage")
    if skimage is None or skimage.origin is None:
        pytest.skip("needs scikit-image, which has NASA's photo of an astronaut")
    photo = Path(skimage.origin).parent / "data" / "astronaut.png"

    mask = deepmatte.find_subject(photo, segmenter="people")

    assert mask[100:170, 195:255].min() > 0.9  # the face
    assert mask[:100, :120].max() < 0.1  # a flag
    assert mask[:90, 320:].max() < 0.1
    assert "mediapipe" not in sys.modules
    with pytest.raises(deepmatte.SubjectError, match="It knows people only"):
        deepmatte.find_subject(np.full((80, 80, 3), 200, np.uint8), segmenter="people")


def _save_network(path: Path, inputs: dict[str, Any], outputs: dict[str, Any], nodes: Any) -> bytes:
    def values(shapes: dict[str, Any]) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, kind, shape)
            for name, (kind, shape) in shapes.items()
        ]

    graph = helper.make_graph(nodes, "small", values(inputs), values(outputs))
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path.read_bytes()


@pytest.fixture
def orange_u2net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network with U2-Net's interface that finds what is more red than blue."""
    pytest.importorskip("rembg", exc_type=ImportError)
    home = tmp_path / "rembg"
    monkeypatch.setenv("U2NET_HOME", str(home))
    monkeypatch.setenv("MODEL_CHECKSUM_DISABLED", "1")
    file = home / "models" / "u2net" / "u2net.onnx"
    picture, answer = (TensorProto.FLOAT, [1, 3, 320, 320]), (TensorProto.FLOAT, [1, 1, 320, 320])
    nodes = [
        helper.make_node("Split", ["input"], ["red", "green", "blue"], axis=1, num_outputs=3),
        helper.make_node("Sub", ["red", "blue"], ["more"]),
        helper.make_node("Sigmoid", ["more"], ["mask"]),
    ]
    nodes[0].attribute.pop()  # three equal parts are what it makes by itself
    _save_network(file, {"input": picture}, {"mask": answer}, nodes)
    return file


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Segmenters that are loaded anew."""
    segmenters.named.cache_clear()
    return segmenters.named


@pytest.mark.usefixtures("orange_u2net", "fresh")
def test_rembg_finds_the_subject(scene: Scene) -> None:
    matte = deepmatte.matte_subject(scene.picture, segmenter="rembg")

    assert np.abs(matte.alpha - scene.alpha).mean() < 0.02
    assert matte.notes == ("The subject was found by the segmenter 'rembg:u2net'.",)
    assert segmenters.choose(Hints()) == "rembg"
    with pytest.raises(deepmatte.SubjectError, match="no model 'cat'; expected one of"):
        deepmatte.find_subject(scene.picture, segmenter="rembg:cat")


@pytest.mark.parametrize("model", ["withoutbg", "atlascloud"])
def test_a_model_of_rembgs_that_sends_pictures_away_is_refused(scene: Scene, model: str) -> None:
    pytest.importorskip("rembg", exc_type=ImportError)

    with pytest.raises(deepmatte.SubjectError, match=r"no model|sends the picture to another"):
        deepmatte.find_subject(scene.picture, segmenter=f"rembg:{model}")


def test_a_name_that_is_no_segmenter(scene: Scene) -> None:
    with pytest.raises(deepmatte.SubjectError, match="expected one of people, rembg, osam, box"):
        deepmatte.find_subject(scene.picture, segmenter="cats")


@pytest.mark.usefixtures("fresh")
def test_osam_is_asked_with_points_and_boxes(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network with EfficientSAM's interface: the encoder passes red less blue on."""
    pytest.importorskip("osam", exc_type=ImportError)
    from osam import apis, types
    from osam._models.efficientsam import EfficientSam10m

    monkeypatch.setenv("HOME", str(tmp_path))
    files = [_encoder(tmp_path / "encoder.onnx"), _decoder(tmp_path / "decoder.onnx")]
    digests = [f"sha256:{hashlib.sha256(file).hexdigest()}" for file in files]

    class Small(EfficientSam10m):  # type: ignore[misc]
        name = "small:latest"
        _blobs: dict[str, Any] = {  # noqa: RUF012
            part: types.Blob(url="http://127.0.0.1:9/none.onnx", hash=digest)
            for part, digest in zip(("encoder", "decoder"), digests, strict=True)
        }

    for blob, file in zip(Small._blobs.values(), files, strict=True):
        Path(blob.path).parent.mkdir(parents=True, exist_ok=True)
        Path(blob.path).write_bytes(file)
    monkeypatch.setattr(apis, "registered_model_types", [*apis.registered_model_types, Small])

    for hints in ({"points": [(60, 45)]}, {"box": (20, 8, 100, 82)}):
        matte = deepmatte.matte_subject(scene.picture, segmenter="osam:small", **hints)
        assert np.abs(matte.alpha - scene.alpha).mean() < 0.02
    with pytest.raises(deepmatte.SubjectError, match="asks where the subject is"):
        deepmatte.find_subject(scene.picture, segmenter="osam:small")
    with pytest.raises(deepmatte.SubjectError, match="osam has no model 'cat'; expected one of"):
        deepmatte.find_subject(scene.picture, segmenter="osam:cat", points=[(1, 1)])


def _encoder(path: Path) -> bytes:
    nodes = [
        helper.make_node("Split", ["batched_images"], ["red", "green", "blue"], axis=1),
        helper.make_node("Sub", ["red", "blue"], ["embedding"]),
    ]
    picture = (TensorProto.FLOAT, [1, 3, "h", "w"])
    return _save_network(
        path,
        {"batched_images": picture},
        {"embedding": (TensorProto.FLOAT, [1, 1, "h", "w"])},
        nodes,
    )


def _decoder(path: Path) -> bytes:
    """The mask is positive where red exceeds blue, if the prompt's labels are 1, or 2 and 3."""
    nodes = [
        helper.make_node("ReduceMin", ["batched_point_labels"], ["lowest"], keepdims=0),
        helper.make_node("Unsqueeze", ["image_embeddings", "first"], ["masks"]),
        helper.make_node("Constant", [], ["first"], value_ints=[1]),
        helper.make_node("Identity", ["lowest"], ["scores"]),
        helper.make_node("Identity", ["batched_point_coords"], ["coordinates"]),
        helper.make_node("Identity", ["orig_im_size"], ["size"]),
    ]
    nodes.insert(0, nodes.pop(2))
    floats = TensorProto.FLOAT
    return _save_network(
        path,
        {
            "image_embeddings": (floats, [1, 1, "h", "w"]),
            "batched_point_coords": (floats, [1, 1, "n", 2]),
            "batched_point_labels": (floats, [1, 1, "n"]),
            "orig_im_size": (TensorProto.INT64, [2]),
        },
        {
            "masks": (floats, [1, 1, 1, "h", "w"]),
            "scores": (floats, []),
            "coordinates": (floats, [1, 1, "n", 2]),
        },
        nodes[:-1],
    )


def test_what_is_said_of_subjects_fits_python_http_and_the_page_too() -> None:
    """The options of the command line are its own; what is below it does not name them."""
    folder = Path(segmenters.__file__).parent
    for module in folder.glob("*.py"):
        assert not re.search(r"--[a-z]", module.read_text(encoding="utf-8")), module


def test_a_bare_picture_is_told_the_three_ways(scene: Scene) -> None:
    done = run_as_text("matte", scene.picture, folder=scene.folder)

    assert done.returncode == 2
    for way in ("--subject", "--box LEFT,TOP,RIGHT,BOTTOM", "deepmatte studio"):
        assert way in done.stderr
    assert not list(scene.folder.glob("*.cutout.png"))
