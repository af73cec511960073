"""The fuzz script runs, and damaged projects of the studio are refused or opened without harm."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

TOOLS = Path(__file__).parents[1] / "tools"
PROJECT: dict[str, Any] = {
    "format": "deepmatte studio project",
    "version": 1,
    "picture": {"name": "photo.png", "width": 8, "height": 4, "fingerprint": "f"},
    "settings": {"view": "cutout", "colour": "#123456"},
    "position": 0,
    "steps": [],
}

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


@pytest.mark.parametrize(
    "kind", ["pictures", "networks", "stored", pytest.param("projects", marks=needs_node)]
)
def test_a_moment_of_fuzzing_finds_nothing(kind: str) -> None:
    command = [sys.executable, str(TOOLS / "fuzz.py"), "--only", kind, "--inputs", "8"]

    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{{'{kind}': 8}} inputs, 0 failures, seed 0" in done.stdout


@needs_node
@pytest.mark.parametrize(
    "changes",
    [
        {},
        *({"settings": {"size": size}} for size in ("SIZE", -1, 0, "40", None)),
        {"settings": {"view": "other", "behind": "", "colour": "red", "second": "#12345g"}},
        {"settings": [], "picture": None},
        {"steps": [{"kind": "marks", "name": {"toString": 1}, "rectangle": {}, "runs": "*"}]},
        {"position": 1},
    ],
)
def test_a_project_changes_nothing_that_the_page_cannot(changes: dict[str, Any]) -> None:
    project = json.dumps(PROJECT | changes).replace('"SIZE"', "1e999")  # infinity in JavaScript
    command = ["node", "--no-warnings", str(TOOLS / "javascript" / "read_projects.js")]

    said = subprocess.run(
        command,
        input=base64.b64encode(project.encode()) + b"\n",
        stdout=subprocess.PIPE,
        check=True,
    ).stdout

    assert json.loads(said) == ""
