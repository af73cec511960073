"""The plug-in for GIMP 3, installed and run against GIMP 3.0's documented interface."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gimp_interface
import numpy as np
import pytest

import deepmatte

if TYPE_CHECKING:
    from conftest import Scene

pytestmark = pytest.mark.slow

INTEGRATIONS = Path(__file__).parents[1] / "integrations"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The plug-in's module as it is installed, with the command that it calls."""
    install = [sys.executable, str(INTEGRATIONS / "install.py"), "gimp", "--to", str(tmp_path)]
    subprocess.run(install, check=True, capture_output=True)
    command, source = tmp_path / "command", Path(deepmatte.__file__).parents[1]
    command.write_text(f'#!/bin/sh\nPYTHONPATH={source} exec {sys.executable} -m deepmatte "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("DEEPMATTE", str(command))
    for name, module in gimp_interface.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.syspath_prepend(str(tmp_path / "deepmatte"))
    monkeypatch.delitem(sys.modules, "deepmatte_host", raising=False)
    spec = importlib.util.spec_from_file_location("plugin", tmp_path / "deepmatte" / "deepmatte.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def image(scene: Scene) -> gimp_interface.Image:
    """An image with the scene as its one layer."""
    height, width = scene.labels.shape
    made = gimp_interface.Image(width, height)
    opaque = np.full((height, width, 1), 255, np.uint8)
    layer = gimp_interface.Layer(np.concatenate([scene.image, opaque], axis=2), "Photo")
    made.insert_layer(layer, None, 0)
    return made


def run(plugin: Any, image: gimp_interface.Image) -> Any:
    """The procedure, called as GIMP calls it for the image's lowest layer."""
    (name,) = plugin.CutOut().do_query_procedures()
    procedure = plugin.CutOut().do_create_procedure(name)
    return procedure.run(procedure, 0, image, image.get_layers()[-1:], None, None)


def test_the_procedure_is_registered(plugin: Any) -> None:
    made = plugin.CutOut()

    (name,) = made.do_query_procedures()
    procedure = made.do_create_procedure(name)

    assert procedure.name == name == "plug-in-deepmatte-cut-out"
    assert procedure.told["path"] == "<Image>/Layer/Transparency"
    assert procedure.told["label"] == "Cut out with deepmatte"
    assert procedure.told["types"] == "RGB*, GRAY*"
    assert procedure.told["sensitivity"] == 1
    assert not made.do_set_i18n(name)


def test_a_painted_trimap_gives_a_layer_with_a_mask(
    plugin: Any, image: gimp_interface.Image, scene: Scene
) -> None:
    grey = np.dstack([scene.labels] * 3 + [np.full_like(scene.labels, 255)])
    image.insert_layer(gimp_interface.Layer(grey[:, 20:], "Trimap"), None, 0)
    image.layers[0].set_offsets(20, 0)  # the subject lies right of it
    labels = scene.labels.copy()
    labels[:, :20] = 0

    assert run(plugin, image) == ("success", "")

    expected = deepmatte.matte(scene.picture, labels)
    names = [(layer.get_name(), layer.visible) for layer in image.layers]
    assert names == [("Trimap", False), ("Photo (cut out)", True), ("Photo", False)]
    made = image.layers[1]
    np.testing.assert_allclose(made.pixels[..., :3].astype(int), expected.colours, atol=1)
    np.testing.assert_allclose(made.mask.pixels / 255, expected.alpha, atol=0.005)
    assert image.undo_groups == 0


def test_a_selection_says_where_the_subject_is(
    plugin: Any, image: gimp_interface.Image, scene: Scene
) -> None:
    shape = np.zeros(scene.labels.shape, np.uint8)
    shape[20:70, 30:90] = shape[12:78, 40:80] = 255
    image.selection.pixels = shape.copy()

    assert run(plugin, image) == ("success", "")

    expected = deepmatte.matte_mask(scene.picture, shape)
    np.testing.assert_allclose(image.layers[0].mask.pixels / 255, expected.alpha, atol=0.005)
    assert image.channels == []

    image.selection.pixels = np.zeros_like(shape)
    image.selection.pixels[8:82, 20:100] = 255
    box = plugin._hints(image, image.layers[-1], Path("unused")).box
    assert box == (20, 8, 100, 82)


def test_what_fails_is_said_in_one_sentence(
    plugin: Any, image: gimp_interface.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    image.insert_layer(gimp_interface.Layer(image.layers[0].pixels[:9, :9], "trimap"), None, 0)
    monkeypatch.setenv("DEEPMATTE", "no-such-command")

    status, said = run(plugin, image)
    several = plugin.run(gimp_interface.Procedure("", None), 0, image, image.layers, None, None)

    assert (status, said.startswith("no-such-command is not installed")) == ("error", True)
    assert several == ("error", "Choose one layer: the photo to be cut out.")
    assert [layer.get_name() for layer in image.layers] == ["trimap", "Photo"]
    assert image.undo_groups == 0
