"""What the plug-ins of drawing programs share, and how they are installed."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import deepmatte

if TYPE_CHECKING:
    from conftest import Scene

pytestmark = pytest.mark.slow

INTEGRATIONS = Path(__file__).parents[1] / "integrations"


@pytest.fixture(scope="module")
def host() -> Any:
    spec = importlib.util.spec_from_file_location("host", INTEGRATIONS / "deepmatte_host.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["host"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command as it is installed, within a program that points Python at itself."""
    script = tmp_path / "bin" / "deepmatte"
    script.parent.mkdir()
    source = Path(deepmatte.__file__).parents[1]
    script.write_text(f'#!/bin/sh\nPYTHONPATH={source} exec {sys.executable} -m deepmatte "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("DEEPMATTE", str(script))
    monkeypatch.setenv("PYTHONHOME", str(tmp_path / "of the host"))
    return script


@pytest.mark.usefixtures("command")
def test_a_trimap_gives_colours_and_alpha(host: Any, scene: Scene, tmp_path: Path) -> None:
    foreground, alpha = tmp_path / "f.png", tmp_path / "a.png"

    notes = host.matte(
        scene.picture, host.Hints(trimap=scene.trimap), foreground=foreground, alpha=alpha
    )

    expected = deepmatte.matte(scene.picture, scene.trimap)
    assert notes == []
    np.testing.assert_array_equal(np.asarray(Image.open(foreground)), expected.colours)
    np.testing.assert_allclose(np.asarray(Image.open(alpha)) / 255, expected.alpha, atol=0.003)


@pytest.mark.usefixtures("command")
def test_what_deepmatte_says_is_said(host: Any, scene: Scene, tmp_path: Path) -> None:
    files = {"foreground": tmp_path / "f.png", "alpha": tmp_path / "a.png"}

    notes = host.matte(scene.picture, host.Hints(box=(20, 8, 100, 82)), **files)
    assert notes == ["The subject was found by the segmenter 'box'."]
    with pytest.raises(host.HostError, match=r"^The box .* does not lie in the picture"):
        host.matte(scene.picture, host.Hints(box=(20, 8, 900, 82)), **files)


def test_the_kinds_of_hints(host: Any) -> None:
    assert host.Hints().options() == ["--subject"]
    assert host.Hints(mask=Path("/m.png")).options() == ["--mask", str(Path("/m.png"))]
    full = b"\xff" * 200
    assert host.box_of(full, 20, 10)
    assert not host.box_of(full[:190] + b"\0" * 10, 20, 10)


def test_a_missing_command_is_one_sentence(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPMATTE", "no-such-command")

    with pytest.raises(host.HostError, match=r"no-such-command is not installed .* pip install"):
        host.command()


@pytest.mark.parametrize("program", ["krita", "gimp"])
def test_a_plugin_is_installed_whole(program: str, tmp_path: Path) -> None:
    script = str(INTEGRATIONS / "install.py")
    subprocess.run(
        [sys.executable, script, program, "--to", str(tmp_path)], check=True, capture_output=True
    )

    plugin = tmp_path / "deepmatte"
    files = sorted(path.name for path in plugin.iterdir())
    assert "deepmatte_host.py" in files
    for name in files:
        if name.endswith(".py"):
            py_compile.compile(str(plugin / name), str(tmp_path / "compiled"), doraise=True)
    if program == "krita":
        assert (tmp_path / "deepmatte.desktop").is_file()
    else:  # GIMP starts the file that has its folder's name
        assert os.access(plugin / "deepmatte.py", os.X_OK)
