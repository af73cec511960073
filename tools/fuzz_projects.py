"""Project files of the studio for `fuzz.py`: sound ones, changes, and how the page opens them."""

from __future__ import annotations

import base64
import copy
import functools
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_ODD: tuple[Any, ...] = (None, True, -1, 0, 7, 1.5, 2**31, 1e300, "", "x", "\n", [], {})


def make() -> dict[str, bytes]:
    """Files that the studio saves, where Node.js can open them."""
    if shutil.which("node") is None:
        return {}
    box = {"left": 0, "top": 0, "right": 8, "bottom": 4}
    # Runs of `model/history.js`: 32 pixels from unknown to foreground; then 3 of 6 to background.
    whole, some = bytes([5 | 128, 4]), bytes([6 | 3 << 4, 15 | 3 << 4])
    steps = [
        {
            "kind": kind,
            "name": name,
            "rectangle": rectangle,
            "runs": base64.b64encode(runs).decode(),
        }
        for kind, name, rectangle, runs in (
            ("trimap", "box", box, whole),
            ("marks", "stroke", {**box, "right": 3, "bottom": 2}, some),
            ("nothing", "clear", {**box, "right": 1, "bottom": 1}, b""),
        )
    ]
    settings = {"size": 40, "view": "marks", "behind": "checks", "colour": "#00b140"}
    settings |= {"compare": False, "split": 50, "smooth": 0, "decontaminate": 100}
    content = {
        "format": "deepmatte studio project",
        "version": 1,
        "picture": {"name": "photo.png", "width": 8, "height": 4, "fingerprint": "f"},
        "settings": settings,
        "position": 2,
        "steps": steps,
    }
    return {"project": json.dumps(content).encode()}


def changed(content: bytes, random: np.random.Generator) -> bytes:
    """Some values other: of another type, huge, negative, or of another place."""
    project = json.loads(content)
    for _ in range(int(random.integers(1, 4))):
        places = list(_places(project))
        holder, key = places[random.integers(len(places))]
        other, its = places[random.integers(len(places))]
        odd = [*_ODD, other[its]]
        holder[key] = copy.deepcopy(odd[random.integers(len(odd))])
    # JSON has no infinity, but JavaScript reads one of this.
    return json.dumps(project).replace("1e+300", "1e999").encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each holder and key below a value of JSON."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def open_project(content: bytes, folder: Path) -> None:
    """As a project, in the page's own JavaScript."""
    node = _node()
    assert node.stdin is not None
    assert node.stdout is not None
    node.stdin.write(base64.b64encode(content) + b"\n")
    node.stdin.flush()
    said = json.loads(node.stdout.readline())
    if said:
        raise AssertionError(said)


@functools.cache
def _node() -> subprocess.Popen[bytes]:
    """A process that answers one project after the other, and ends with this one."""
    script = Path(__file__).parent / "javascript" / "read_projects.js"
    command = ["node", "--no-warnings", str(script)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
