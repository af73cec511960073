"""Files of networks and checkpoints: changed bytes, foreign content, and what is never written."""

from __future__ import annotations

import dataclasses
import math
import os
import pickle
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deepmatte
from deepmatte.errors import DataError, ModelError
from deepmatte.weights import catalogue
from deepmatte.weights.seal import sealed

torch = pytest.importorskip("torch", reason="needs deepmatte[train]")

import onnx  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from torch.utils.data import Dataset  # noqa: E402

from deepmatte import images, networks  # noqa: E402
from deepmatte.networks.dim import DeepImageMatting, DimConfig  # noqa: E402
from deepmatte.training import checkpoint  # noqa: E402
from deepmatte.training.lite import LiteTraining  # noqa: E402
from deepmatte.training.loop import train  # noqa: E402
from deepmatte.training.recipes import lite  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


# --- ONNX ---------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The default network as a user's own file, as `deepmatte export` ends it."""
    path = tmp_path / "own.onnx"
    path.write_bytes(sealed(catalogue.find("lite")))
    return path


def test_a_sealed_network_is_the_same_network(own: Path) -> None:
    assert onnx.load(own).graph == onnx.load_from_string(catalogue.find("lite")).graph
    deepmatte.Matter(own)


@pytest.mark.parametrize("place", [100, 2_000_000, -1])
def test_a_byte_that_has_changed_is_noticed(own: Path, place: int) -> None:
    content = bytearray(own.read_bytes())
    content[place] ^= 1
    own.write_bytes(content)

    with pytest.raises(ModelError, match="damaged: it does not fit the checksum"):
        deepmatte.Matter(own)


@pytest.mark.parametrize("where", ["/etc/passwd", "../secret", "weights.bin"])
def test_weights_in_other_files_are_refused(tmp_path: Path, where: str) -> None:
    model = onnx.load_from_string(catalogue.find("lite"))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", where
    path = tmp_path / "linked.onnx"
    path.write_bytes(model.SerializeToString())

    with pytest.raises(ModelError, match="weights lie in other files"):
        deepmatte.Matter(path)


def _of_one_node(path: Path, *nodes: Any, values: dict[str, Any] | None = None) -> Path:
    """A network of a few nodes, from ``inputs`` to ``alpha``."""
    size: list[str | int] = [1, 4, "height", "width"]
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in (values or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"channels": "red,green,blue,trimap"})
    path.write_bytes(model.SerializeToString())
    return path


def test_a_network_that_never_ends_is_given_up(tmp_path: Path) -> None:
    loop = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["still"]),
            helper.make_node("Conv", ["state", "kernel"], ["next"], pads=[1, 1, 1, 1]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    values = {
        "steps": np.array(2**62, np.int64),
        "true": np.array(True),
        "kernel": np.ones((4, 4, 3, 3), np.float32),
    }
    node = helper.make_node("Loop", ["steps", "true", "inputs"], ["alpha"], body=loop)
    began = time.monotonic()

    with pytest.raises(ModelError, match="takes more than"):
        deepmatte.Matter(_of_one_node(tmp_path / "endless.onnx", node, values=values))

    assert time.monotonic() - began < 60


def test_what_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    node = helper.make_node("NoSuch\nOperator", ["inputs"], ["alpha"])

    with pytest.raises(ModelError) as raised:
        deepmatte.Matter(_of_one_node(tmp_path / "odd.onnx", node))
    assert "\n" not in str(raised.value)


# --- checkpoints --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    noise = np.random.default_rng(0).random((9, 12, 3)).astype(np.float32)
    for name in ("one.png", "two.png"):
        images.save_image(folder / name, np.kron(noise, np.ones((20, 20, 1), np.float32)))
    return folder


def toy(photos: Path, out: Path, **changes: Any) -> LiteTraining:
    training = dataclasses.replace(
        lite((), (photos,), out, workers=0),
        start=Path("lite"),
        steps=2,
        scenes=1,
        per_scene=2,
        sides=(64,),
        crop=64,
        warmup=0,
        release=0,
        held_out=1,
        threads=1,
        save_minutes=0,
    )
    return dataclasses.replace(training, **changes)


@pytest.fixture(scope="module")
def trained(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step, with its checkpoint and its best network."""
    out = tmp_path_factory.mktemp("run")
    train(toy(photos, out, steps=1))
    return out


def test_weights_that_are_not_finite_are_never_written(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    training = toy(photos, out, steps=6, learning_rate=1e30)

    with pytest.raises(DataError, match="lower the learning rate"):
        train(training)

    for path in out.glob("*.pt"):
        for value in checkpoint.averaged_weights(checkpoint.load(path)).values():
            assert value.isfinite().all()


def test_a_good_checkpoint_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save({"step": 1, "network": {"weight": torch.ones(3)}}, path)
    before = path.read_bytes()

    with pytest.raises(DataError, match="weight is not finite any more"):
        checkpoint.save({"step": 2, "network": {"weight": torch.full((3,), math.nan)}}, path)

    assert path.read_bytes() == before


def _changed(state: dict[str, Any], case: str) -> Any:
    """A checkpoint with one thing that is not as it should be."""
    moments = dict(state["optimizer"]["state"])
    first = next(iter(moments))
    changes: dict[str, Any] = {
        "a list": [1, 2],
        "no optimiser": {k: v for k, v in state.items() if k != "optimizer"},
        "no settings": {k: v for k, v in state.items() if k != "training"},
        "settings in a list": {**state, "training": ["lite"]},
        "an optimiser of another network": {
            **state,
            "optimizer": {"state": {}, "param_groups": []},
        },
        "moments of another shape": {
            **state,
            "optimizer": {
                **state["optimizer"],
                "state": {**moments, first: {**moments[first], "exp_avg": torch.ones(2, 2)}},
            },
        },
        "a step in words": {**state, "step": "one"},
        "a negative step": {**state, "step": -1},
        "weights in a list": {**state, "network": [torch.ones(2)]},
        "weights that are numbers": {**state, "network": {"a": 1}},
        "weights of another shape": {
            **state,
            "network": {name: torch.ones(1) for name in state["network"]},
        },
        "no average": {k: v for k, v in state.items() if k != "average"},
        "best in words": {**state, "best": "good"},
    }
    return changes[case]


CASES = (
    "a list",
    "no optimiser",
    "no settings",
    "settings in a list",
    "an optimiser of another network",
    "moments of another shape",
    "a step in words",
    "a negative step",
    "weights in a list",
    "weights that are numbers",
    "weights of another shape",
    "no average",
    "best in words",
)


@pytest.mark.parametrize("case", CASES)
def test_odd_checkpoints_are_one_sentence(
    photos: Path, trained: Path, tmp_path: Path, case: str
) -> None:
    state = torch.load(trained / "checkpoint.pt", weights_only=True)
    torch.save(_changed(state, case), tmp_path / "checkpoint.pt")

    def resume() -> None:
        checkpoint.load(tmp_path / "checkpoint.pt")  # refuses most of them, and is quick
        train(toy(photos, tmp_path, steps=1), resume=True)

    with pytest.raises(DataError) as raised:
        resume()
    assert "\n" not in str(raised.value)
    assert "checkpoint.pt" in str(raised.value)


def test_the_best_network_under_the_name_of_the_checkpoint(
    photos: Path, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "checkpoint.pt").write_bytes((trained / "best.pt").read_bytes())

    with pytest.raises(DataError, match=r"cannot be resumed.*best network"):
        train(toy(photos, tmp_path, steps=1), resume=True)


def test_a_changed_byte_in_a_checkpoint_is_noticed(trained: Path, tmp_path: Path) -> None:
    content = bytearray((trained / "checkpoint.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "checkpoint.pt").write_bytes(content)

    with pytest.raises(DataError, match="damaged"):
        checkpoint.load(tmp_path / "checkpoint.pt")


class _Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.getcwd, ()


def test_nobody_is_told_to_run_what_is_in_a_file(tmp_path: Path) -> None:
    torch.save({"step": 1, "network": {}, "more": _Runs()}, tmp_path / "one.pt")
    (tmp_path / "two.pt").write_bytes(pickle.dumps(_Runs()))

    for name in ("one.pt", "two.pt"):
        with pytest.raises(DataError) as raised:
            checkpoint.load(tmp_path / name)
        assert "weights_only" not in str(raised.value)
        assert "trust" not in str(raised.value)


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (-1, "expected 0 or more"),
        (2**63, "expected a number from 0"),
        (2**70, "expected a number from 0"),
    ],
)
def test_seeds_beyond_what_torch_takes(
    photos: Path, tmp_path: Path, seed: int, expected: str
) -> None:
    with pytest.raises(DataError, match=expected):
        train(toy(photos, tmp_path, seed=seed))


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_a_killed_process_that_composes_is_one_sentence(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = toy(photos, tmp_path, workers=1, steps=50)
    whole = type(training).samples

    def samples(self: LiteTraining, *, held_out: bool) -> Any:
        found = whole(self, held_out=held_out)
        return found if held_out else _Deadly(found)

    monkeypatch.setattr(type(training), "samples", samples)

    with pytest.raises(DataError, match="was killed"):
        train(training)


class _Deadly(Dataset[Any]):
    """Samples whose process the system kills."""

    def __init__(self, samples: Any) -> None:
        self._samples = samples

    def __getitem__(self, index: int) -> Any:
        if torch.utils.data.get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._samples[index]


def test_a_changed_byte_in_safetensors_is_noticed(tmp_path: Path) -> None:
    network = DeepImageMatting(DimConfig(width=1 / 16, fc6_kernel=None))
    path = tmp_path / "dim.safetensors"
    networks.save(network, path)
    networks.load(path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)

    with pytest.raises(DataError, match="damaged"):
        networks.load(path)


@pytest.mark.parametrize("width", ["Infinity", "-1", "NaN", "1e9"])
def test_impossible_settings_in_safetensors(tmp_path: Path, width: str) -> None:
    import safetensors.torch

    settings = '{"width": %s, "batch_norm": [], "fc6_kernel": null}' % width  # noqa: UP031
    path = tmp_path / "dim.safetensors"
    path.write_bytes(safetensors.torch.save({"a": torch.ones(1)}, {"deep_image_matting": settings}))

    with pytest.raises(DataError):
        networks.load(path)
