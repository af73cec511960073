"""What is shipped: the wheel, the README's commands, continuous integration."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import deepmatte

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

BASE_DEPENDENCIES = {
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "rich",
    "typer",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.iterdir()
    assert path.stat().st_size < 20_000_000
    return zipfile.ZipFile(path)


def _metadata(wheel: zipfile.ZipFile) -> dict[str, list[str]]:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    message = message_from_string(wheel.read(name).decode())
    return {key: message.get_all(key, []) for key in message.keys()}  # noqa: SIM118


def test_the_wheel_holds_what_runs_without_a_download(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())

    for name in (
        "deepmatte/py.typed",
        "deepmatte/samples/cat.jpg",
        "deepmatte/samples/cat.trimap.png",
        "deepmatte/samples/fur.jpg",
        "deepmatte/samples/fur.trimap.png",
        "deepmatte/weights/lite.onnx",
        "deepmatte/evaluation/report.html",
        "deepmatte/weights/lite.md",
        "deepmatte/weights/dim.onnx",
        "deepmatte/weights/dim.md",
    ):
        assert name in names
    assert all(name.startswith(("deepmatte/", "deepmatte-")) for name in names)


def test_the_wheels_metadata(wheel: zipfile.ZipFile) -> None:
    metadata = _metadata(wheel)

    assert metadata["Version"] == [deepmatte.__version__]
    assert metadata["License-Expression"] == ["Apache-2.0"]
    assert metadata["Requires-Python"] == [">=3.10"]


def test_the_base_install_needs_neither_torch_nor_numba(wheel: zipfile.ZipFile) -> None:
    required = {
        re.split(r"[<>=!~ ;\[]", line)[0].lower()
        for line in _metadata(wheel)["Requires-Dist"]
        if "extra ==" not in line
    }

    assert required == BASE_DEPENDENCIES


def _commands() -> list[str]:
    """The README's lines that set something up on a fresh machine."""
    return [line for line in README.splitlines() if line.startswith("python3 -m venv")]


def test_the_readme_has_one_line_to_try_and_one_to_check() -> None:
    demo, check = _commands()

    assert demo.endswith("deepmatte demo")
    assert check.endswith("pytest")


def test_continuous_integration_runs_the_readmes_command() -> None:
    script = ROOT / ".ci" / "run"

    assert script.stat().st_mode & 0o111
    assert _commands()[1] in script.read_text(encoding="utf-8").splitlines()
    assert _commands()[1] in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", deepmatte.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(deepmatte, name) is not None
    assert name in dir(deepmatte)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="mat"):
        _ = deepmatte.mat


def test_the_lowest_set_is_what_the_package_allows() -> None:
    def pairs(text: str, sign: str) -> dict[str, str]:
        found = re.findall(rf"([A-Za-z0-9._-]+)(?:\[\w+\])?{sign}([0-9][0-9.]*)", text)
        return {name.lower(): version for name, version in found}

    allowed = pairs((ROOT / "pyproject.toml").read_text(encoding="utf-8"), ">=")
    lowest = pairs((ROOT / "requirements-lowest.txt").read_text(encoding="utf-8"), "==")

    assert set(lowest) >= BASE_DEPENDENCIES
    for name, version in lowest.items():
        assert (version + ".").startswith(allowed[name] + "."), name
