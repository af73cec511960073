"""Which module may import which, and what an import must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import deepmatte

if TYPE_CHECKING:
    from conftest import Scene

PACKAGE = Path(deepmatte.__file__).parent

# From the bottom up: a module imports only from lines above its own, or from its own package.
# The empty name is deepmatte/__init__.py, the public surface.
ORDER = (
    ("errors", "privacy", "types", "version", "workers"),
    ("arguments",),
    ("images", "machine", "weights"),
    ("composite", "foreground", "framing", "sheet", "solver", "transparency", "trimap"),
    ("datasets", "matted", "networks"),
    ("evaluation", "matting"),
    ("corridorkey", "subject", "training"),
    ("", "batch", "service", "studio"),
    ("cli",),
    ("__main__",),
)
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}

HEAVY = ("torch", "cv2", "onnxruntime", "starlette", "uvicorn")


def _top(path: Path) -> str:
    """The module or sub-package of deepmatte that a file belongs to."""
    name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if name == "__init__" else name


def _imports(path: Path) -> Iterator[str]:
    """The modules and sub-packages of deepmatte that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "deepmatte":
                known = len(parts) > 1 and parts[1] in RANK
                yield parts[1] if known else ""


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_every_module_has_a_place_in_the_order() -> None:
    assert {_top(path) for path in _sources()} <= RANK.keys()


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downward(path: Path) -> None:
    own = _top(path)
    upward = {
        name
        for name in _imports(path)
        # `from deepmatte import trimap` under TYPE_CHECKING in __init__ itself is no cycle.
        if name != own and RANK[name] >= RANK[own]
    }

    assert not upward


def _module(path: Path) -> str:
    """The dotted name of a file."""
    name = ".".join(("deepmatte", *path.relative_to(PACKAGE).with_suffix("").parts))
    return name.removesuffix(".__init__")


def test_no_module_imports_itself_by_way_of_others() -> None:
    names = {_module(path) for path in _sources()}
    graph = {}
    for path in _sources():
        imports = [
            (node.module or "", alias.name)
            for node in _run_time_nodes(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ]
        used = {f"{of}.{name}" if f"{of}.{name}" in names else of for of, name in imports}
        graph[_module(path)] = (used & names) - {_module(path)}

    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def _run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Everything in a file but what only a type checker reads."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _run_time_nodes(child)


def _loaded(code: str) -> set[str]:
    """The heavy modules that a fresh interpreter has loaded after some code."""
    report = f"import sys\n{code}\nprint(*[n for n in {HEAVY!r} if n in sys.modules])"
    command = [sys.executable, "-c", report]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert _loaded("import deepmatte; deepmatte.Matter; deepmatte.matte") == set()


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    assert _loaded("import deepmatte.cli") == set()


def test_a_matte_never_loads_torch(scene: Scene) -> None:
    loaded = _loaded(
        f"""
import deepmatte
matte = deepmatte.matte({str(scene.picture)!r}, {str(scene.trimap)!r})
matte.cutout(), matte.over("white")
"""
    )

    assert loaded == {"cv2", "onnxruntime"}
