"""The documentation: the site builds strictly, and every example in it runs.

A code block that needs something a test has not (data, a browser, minutes) has a comment
``<!-- not executed: REASON -->`` in the line above it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import deepmatte
from deepmatte.cli import main
from deepmatte.images import encode_image

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "src" / "deepmatte" / "samples"
# Log and explanation show commands that were run once; these pages show commands to run now.
PAGES = [
    ROOT / "README.md",
    *(ROOT / "docs" / name for name in ("index.md", "trimap.md", "command-line.md")),
    *(ROOT / "docs" / name for name in ("studio.md", "evaluation.md", "datasets.md")),
    *(ROOT / "docs" / name for name in ("training.md", "privacy.md", "formats.md")),
    ROOT / "docs" / "batches.md",
    *(ROOT / "docs" / name for name in ("subject.md", "serve.md", "plugins.md", "devices.md")),
]
BLOCK = re.compile(
    r"(?P<before>[^\n]*)\n```(?P<language>sh|python)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """One fenced code block that is to be executed."""

    page: Path
    line: int
    language: str
    code: str


def _blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        # tests/test_package.py and .ci/run hold the commands that set up an environment.
        sets_up = re.match(r"python3 -m venv|source ", match["code"])
        if not (match["before"].startswith("<!-- not executed: ") or sets_up):
            line = text.count("\n", 0, match.start("code"))
            found.append(Block(page, line, match["language"], match["code"]))
    return found


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the examples name; the shipped sample at a third of its size."""
    size = (400, 300)
    photo = Image.open(SAMPLES / "fur.jpg").resize(size, Image.Resampling.BOX)
    trimap = Image.open(SAMPLES / "fur.trimap.png").convert("L").resize(size, 0)
    labels = np.asarray(trimap)
    photo.save(tmp_path / "photo.jpg")
    photo.save(tmp_path / "photo.tif")
    trimap.save(tmp_path / "trimap.png")
    for name, pixels in (("plate.exr", photo), ("hint.exr", trimap)):
        (tmp_path / name).write_bytes(encode_image(np.asarray(pixels), ".exr"))
    Image.fromarray(np.where(labels > 0, 255, 0).astype(np.uint8)).save(tmp_path / "person.png")
    strokes = np.full(labels.shape, 128, np.uint8)
    strokes[140:150, 190:220], strokes[10:20, 20:380] = 255, 0
    Image.fromarray(strokes).save(tmp_path / "strokes.png")
    Image.linear_gradient("L").resize(size).convert("RGB").save(tmp_path / "beach.jpg")
    for name in ("cutouts", "photos", "trimaps", "masks"):
        (tmp_path / name).mkdir()
    trimap.save(tmp_path / "trimaps" / "beach.png")
    trimap.point(lambda level: 255 if level else 0).save(tmp_path / "masks" / "beach.png")
    cutout = photo.copy()
    cutout.putalpha(trimap)
    cutout.save(tmp_path / "cutouts" / "animal.png")
    (tmp_path / "beach.jpg").rename(tmp_path / "photos" / "beach.jpg")
    photo.copy().save(tmp_path / "beach.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _blocks(page)], ids=lambda page: page.name
)
@pytest.mark.usefixtures("examples")
def test_the_examples_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, object] = {}
    for block in _blocks(page):
        if block.language == "python":
            exec(compile("\n" * block.line + block.code, str(page), "exec"), names)
            continue
        for command in block.code.replace("\\\n", "").splitlines():
            code = _run(command, monkeypatch)
            assert code == 0, f"{page}, line {block.line}: exit code {code} from {command}"


def _run(command: str, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """The exit code of one line of shell; a plain deepmatte command runs in this process."""
    words = shlex.split(command, comments=True)
    if not words:
        return 0
    if words[0] != "deepmatte" or {"|", ">"} & set(words):
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        arguments = ["bash", "-euo", "pipefail", "-c", command]
        return subprocess.run(arguments, env=environment, check=False, timeout=300).returncode
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.usefixtures("examples")
def test_the_notebook_runs() -> None:
    notebook = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)

    assert isinstance(names["matte"], deepmatte.Matte)
    assert Path("cutout.png").stat().st_size > 0


def test_every_public_name_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^::: deepmatte\.(\w+)", page, re.MULTILINE))
    errors = {name for name in deepmatte.__all__ if name.endswith("Error")}

    assert set(deepmatte.__all__) - errors - {"__version__"} <= named
    assert "errors" in named


def test_the_reference_has_todays_help_pages() -> None:
    tool = _module(ROOT / "tools" / "cli_reference.py")

    assert tool.PAGE.read_text(encoding="utf-8") == tool.page(), (
        "run: python tools/cli_reference.py"
    )


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning, such as a link that leads nowhere, fails the build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_the_site_has_every_page(site: Path) -> None:
    pages = {page.relative_to(site).parent.name for page in site.glob("**/index.html")}

    assert {page.stem for page in ROOT.glob("docs/*.md")} - {"index"} <= pages


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r"<(?:script|link|img|iframe)[^>]*\b(?:src|href)=\"?(?:https?:)?//[^>]*>")
    for page in site.glob("**/*.html"):
        assert not loaded.findall(page.read_text(encoding="utf-8")), page


def test_the_site_explains_the_arguments_of_the_python_functions(site: Path) -> None:
    page = (site / "reference" / "python" / "index.html").read_text(encoding="utf-8")

    for name in ("deepmatte.matte", "deepmatte.Matter", "deepmatte.trimap.from_mask"):
        assert f'id="{name}"' in page
    assert "straight" in page
