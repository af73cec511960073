"""The plug-in for Krita, installed and run by Krita's own script runner."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

import deepmatte

if TYPE_CHECKING:
    from conftest import Scene

pytestmark = pytest.mark.slow

INTEGRATIONS = Path(__file__).parents[1] / "integrations"

krita = pytest.mark.skipif(
    shutil.which("kritarunner") is None
    or not Path("/usr/lib/python3/dist-packages/PyQt5").is_dir(),
    reason="needs Debian's krita and python3-pyqt5",
)

SCRIPT = """
import json, traceback
from krita import Krita, Selection
from PyQt5.QtGui import QImage
from deepmatte import cut_out

def main(arguments):
    picture, trimap, out = arguments
    said = []
    try:
        for way in ("box", "shape", "trimap"):
            said.append(run(way, picture, trimap, f"{out}/{way}.png"))
    except Exception:
        said = traceback.format_exc()
    with open(f"{out}/said.json", "w") as file:
        json.dump(said, file)

def run(way, picture, trimap, out):
    document = Krita.instance().openDocument(picture)
    document.setBatchmode(True)
    photo = document.rootNode().childNodes()[0]
    width, height = document.width(), document.height()
    selection = Selection()
    if way == "box":
        selection.select(20, 8, 80, 74, 255)
    elif way == "shape":
        selection.select(30, 20, 60, 50, 255)
        selection.select(40, 12, 40, 66, 255)
    if way in ("box", "shape"):
        document.setSelection(selection)
    if way == "trimap":
        layer = document.createNode("Trimap", "paintlayer")
        document.rootNode().addChildNode(layer, photo)
        levels = QImage(trimap).convertToFormat(QImage.Format_ARGB32)
        layer.setPixelData(cut_out._bytes(levels, 4), 0, 0, width, height)
    document.refreshProjection()
    document.waitForDone()
    try:
        notes = cut_out.cut_out(document, photo)
    except cut_out.HostError as error:
        return [str(error)]
    document.refreshProjection()
    document.waitForDone()
    pixels = bytes(document.pixelData(0, 0, width, height))
    QImage(pixels, width, height, 4 * width, QImage.Format_ARGB32).save(out)
    names = [[node.name(), node.visible()] for node in document.rootNode().childNodes()]
    return [notes, names]
"""


LAYERS = """
from krita import Krita
from PyQt5.QtGui import QImage

def main(arguments):
    for path in arguments:
        document = Krita.instance().openDocument(path)
        document.setBatchmode(True)
        depth, width, height = document.colorDepth(), document.width(), document.height()
        names = [node.name() for node in document.rootNode().childNodes()]
        document.setColorSpace("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")
        document.refreshProjection()
        document.waitForDone()
        pixels = bytes(document.pixelData(0, 0, width, height))
        QImage(pixels, width, height, 4 * width, QImage.Format_ARGB32).save(path + ".png")
        with open(path + ".txt", "w") as file:
            file.write(" ".join([depth, *names]))
"""


def run_in_krita(folder: Path, script: str, *arguments: str) -> None:
    """Run a script's `main` in Krita with the plug-in installed."""
    plugins = folder / "plugins"
    install = [sys.executable, str(INTEGRATIONS / "install.py"), "krita", "--to", str(plugins)]
    subprocess.run(install, check=True, capture_output=True)
    (plugins / "deepmatte_test.py").write_text(script)
    command = folder / "command"
    source = Path(deepmatte.__file__).parents[1]
    command.write_text(f'#!/bin/sh\nPYTHONPATH={source} exec {sys.executable} -m deepmatte "$@"\n')
    command.chmod(0o755)
    names = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
    homes = {name: str(folder / name) for name in names}
    for home in homes.values():
        Path(home).mkdir(mode=0o700)
    environment = {**os.environ, **homes, "PYTHONPATH": str(plugins), "DEEPMATTE": str(command)}
    subprocess.run(
        ["kritarunner", "-s", "deepmatte_test", "-f", "main", *arguments],
        env={**environment, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        timeout=100,
        check=False,  # it ends with a complaint about memory of its own
    )


@krita
def test_krita_shows_the_colours_of_layered_files(scene: Scene, tmp_path: Path) -> None:
    pytest.importorskip("psd_tools")
    photos = {"U8": scene.image, "U16": scene.image.astype(np.uint16) * 257 ^ 0x11}
    files = [tmp_path / f"{depth}{suffix}" for depth in photos for suffix in (".ora", ".psd")]
    for file in files:
        matte = deepmatte.matte(photos[file.stem], scene.trimap)
        matte.save_layers(file)
    run_in_krita(tmp_path, LAYERS, *map(str, files))

    expected = np.asarray(deepmatte.matte(scene.image, scene.trimap).cutout()).astype(int)
    seen = expected[..., 3] > 25
    for file in files:
        said, *layers = Path(f"{file}.txt").read_text().split()
        assert layers == ["Photo", "Subject"], file
        assert file.suffix == ".ora" or said == file.stem  # Krita reads OpenRaster in 8 bits
        shown = np.asarray(Image.open(f"{file}.png").convert("RGBA")).astype(int)
        assert np.abs(shown - expected)[seen].max() <= 4, file


@krita
def test_krita_gets_a_layer_of_the_subject(scene: Scene, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    run_in_krita(tmp_path, SCRIPT, str(scene.picture), str(scene.trimap), str(out))

    box, shape, painted = json.loads((out / "said.json").read_text())
    assert box == [
        ["The subject was found by the segmenter 'box'."],
        [["Background", False], ["Background (cut out)", True], ["Selection Mask", True]],
    ]
    assert shape[0] == []
    assert painted[1] == [["Background", False], ["Background (cut out)", True], ["Trimap", False]]
    expected = np.asarray(deepmatte.matte(scene.picture, scene.trimap).cutout())
    cutout = np.asarray(Image.open(out / "trimap.png").convert("RGBA"))
    np.testing.assert_array_equal(cutout[..., 3], expected[..., 3])
    seen = expected[..., 3] > 0
    assert np.abs(cutout[seen].astype(int) - expected[seen]).max() <= 2
    mask = np.zeros(scene.alpha.shape, np.float32)
    mask[20:70, 30:90] = mask[12:78, 40:80] = 1
    for way, matte in (
        ("shape", deepmatte.matte_mask(scene.picture, mask)),
        ("box", deepmatte.matte_subject(scene.picture, box=(20, 8, 100, 82))),
    ):
        alpha = np.asarray(Image.open(out / f"{way}.png").convert("RGBA"))[..., 3] / 255
        np.testing.assert_allclose(alpha, matte.alpha, atol=0.003)
