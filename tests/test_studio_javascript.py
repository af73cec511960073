"""The page's JavaScript is linted and type-checked, where its tools are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import deepmatte
from deepmatte.images import OPENED_SUFFIXES

TOOLS = Path(__file__).parents[1] / "tools" / "javascript"
PAGE = Path(deepmatte.__file__).parent / "studio" / "page"


def test_the_page_is_linted_and_type_checked() -> None:
    npm = shutil.which("npm")
    if npm is None or not (TOOLS / "node_modules").is_dir():
        pytest.skip("needs node and `npm install --prefix tools/javascript`")
    checked = subprocess.run(
        [npm, "run", "--silent", "check"], cwd=TOOLS, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_page_offers_every_file_that_can_be_opened() -> None:
    commands = PAGE / "ui" / "commands.js"
    offered = set(re.findall(r"\.\w+", commands.read_text(encoding="utf-8").split(";")[1]))
    by_kind = {".png", ".jpg", ".jpeg", ".jfif", ".mpo", ".webp", ".bmp", ".gif"}  # image/*
    assert offered | by_kind == OPENED_SUFFIXES
