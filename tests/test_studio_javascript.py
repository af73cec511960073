"""The page's JavaScript is linted and type-checked, where its tools are installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools" / "javascript"


def test_the_page_is_linted_and_type_checked() -> None:
    npm = shutil.which("npm")
    if npm is None or not (TOOLS / "node_modules").is_dir():
        pytest.skip("needs node and `npm install --prefix tools/javascript`")
    checked = subprocess.run(
        [npm, "run", "--silent", "check"], cwd=TOOLS, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
