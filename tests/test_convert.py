"""Public checkpoints of Deep Image Matting: read, renamed, refused; and the network's own files."""

from __future__ import annotations

import itertools
import os
import pickle
import re
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from command import run_as_text
from PIL import Image

torch = pytest.importorskip("torch", reason="needs deepmatte[train]")

import safetensors.torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from deepmatte import networks  # noqa: E402
from deepmatte.errors import DataError  # noqa: E402
from deepmatte.images.arrays import to_unit  # noqa: E402
from deepmatte.networks.convert import convert  # noqa: E402
from deepmatte.networks.dim import DeepImageMatting, DimConfig  # noqa: E402

if TYPE_CHECKING:
    from conftest import Scene

pytestmark = pytest.mark.slow

Weights = dict[str, Tensor]

ENCODER = {1: (4, 64, 64), 2: (64, 128, 128), 3: (128, 256, 256, 256)}
ENCODER |= {4: (256, 512, 512, 512), 5: (512, 512, 512, 512)}
DECODER = {5: (512, 512), 4: (512, 256), 3: (256, 128), 2: (128, 64), 1: (64, 64)}


@dataclass(frozen=True)
class Public:
    """A public implementation: its own words for what Xu et al. describe."""

    layout: str
    fc6: tuple[int, int]
    """Channels and kernel."""
    norm: bool = False
    skips: bool = False
    refined: bool = False

    def encoder(self, stage: int, number: int) -> tuple[str, str]:
        """Names of a convolution and of the batch norm behind it; ``number`` counts from 0."""
        if self.layout == "mmagic":
            base = f"backbone.encoder.layer{stage}"
            step = 3 if self.norm else 2
            return f"{base}.{step * number}", f"{base}.{step * number + 1}"
        if self.layout == "indexnet":
            return f"conv{stage}{number + 1}", f"bn{stage}{number + 1}"
        return f"conv{stage}_{number + 1}", ""

    def other(self, part: str) -> str:
        """Names of the rest by what huochaitiantang calls it."""
        if self.layout == "huochaitiantang":
            return part
        if self.layout == "mmagic":
            if part == "conv6_1":
                return "backbone.encoder.conv6"
            return f"{'refiner' if part.startswith('refine') else 'backbone.decoder'}.{part}"
        named = {"conv6_1": "conv6", "deconv1": "alpha_pred"}
        return named.get(part) or part.replace("deconv", "dconv").removesuffix("_1")

    def state(self) -> Weights:
        """Random weights that keep the signal alive."""
        torch.manual_seed(7)
        state: Weights = {}
        pool = torch.randn(500_000)

        def add(name: str, inputs: int, outputs: int, kernel: int) -> None:
            # Overlapping views of one array, for the sake of small files.
            strides = (101, 53, 17, 3)
            shape = (outputs, inputs, kernel, kernel)
            size = 1 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
            scale = (2 / (inputs * kernel**2)) ** 0.5
            if kernel == 5 and not self.skips:
                scale *= 2  # three of four unpooled features are zero
            state[f"{name}.weight"] = (pool[:size] * scale).as_strided(shape, strides)
            state[f"{name}.bias"] = torch.randn(outputs) * 0.1

        def add_norm(name: str, channels: int) -> None:
            state[f"{name}.weight"] = torch.rand(channels) + 0.5
            state[f"{name}.bias"] = torch.randn(channels) * 0.1
            state[f"{name}.running_mean"] = torch.randn(channels) * 0.1
            state[f"{name}.running_var"] = torch.rand(channels) + 0.5

        for stage, channels in ENCODER.items():
            for number, pair in enumerate(itertools.pairwise(channels)):
                convolution, norm = self.encoder(stage, number)
                add(convolution, *pair, 3)
                if self.norm:
                    add_norm(norm, pair[1])
        add(self.other("conv6_1"), 512, *self.fc6)
        if self.norm and self.layout == "mmagic":
            add_norm("backbone.encoder.bn", 512)
        add(self.other("deconv6_1"), self.fc6[0], 512, 1)
        for stage, pair in DECODER.items():
            add(self.other(f"deconv{stage}_1"), *pair, 5)
        add(self.other("deconv1"), 64, 1, 5)
        if self.refined:
            for number, inputs in ((1, 4), (2, 64), (3, 64)):
                add(self.other(f"refine_conv{number}"), inputs, 64, 3)
            add(self.other("refine_pred"), 64, 1, 3)
        return state

    def forward(self, state: Weights, x: Tensor) -> Tensor:
        """The implementation's final alpha of its normalised inputs, written out."""

        def convolved(name: str, x: Tensor) -> Tensor:
            weight = state[f"{name}.weight"]
            padding = weight.shape[-1] // 2
            return functional.conv2d(x, weight, state[f"{name}.bias"], padding=padding)

        def normed(name: str, x: Tensor) -> Tensor:
            mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
            scale, shift = state[f"{name}.weight"], state[f"{name}.bias"]
            return functional.batch_norm(x, mean, variance, scale, shift, training=False, eps=1e-5)

        image, before, places = x[:, :3], {}, {}
        for stage, channels in ENCODER.items():
            for number in range(len(channels) - 1):
                convolution, norm = self.encoder(stage, number)
                x = convolved(convolution, x)
                x = functional.relu(normed(norm, x) if self.norm else x)
            before[stage] = x
            x, places[stage] = functional.max_pool2d(
                x, kernel_size=2, stride=2, return_indices=True
            )
        x = convolved(self.other("conv6_1"), x)
        if self.norm and self.layout == "mmagic":
            x = normed("backbone.encoder.bn", x)
        x = functional.relu(convolved(self.other("deconv6_1"), functional.relu(x)))
        for stage in DECODER:
            x = functional.max_unpool2d(x, places[stage], kernel_size=[2, 2], stride=[2, 2])
            x = x + before[stage] if self.skips else x
            x = functional.relu(convolved(self.other(f"deconv{stage}_1"), x))
        raw = convolved(self.other("deconv1"), x)
        if self.layout == "indexnet":
            return raw.clamp(0, 1)
        if not self.refined:
            return Tensor.sigmoid(raw)
        x = torch.cat([image, torch.sigmoid(raw)], dim=1)
        for number in (1, 2, 3):
            x = functional.relu(convolved(self.other(f"refine_conv{number}"), x))
        return Tensor.sigmoid(raw + convolved(self.other("refine_pred"), x))


PUBLIC = {
    "mmagic": Public("mmagic", (512, 1)),
    "mmagic refined": Public("mmagic", (512, 1), refined=True),
    "mmagic batch norm": Public("mmagic", (512, 1), norm=True, refined=True),
    "huochaitiantang": Public("huochaitiantang", (512, 3)),
    "huochaitiantang skips": Public("huochaitiantang", (512, 3), skips=True, refined=True),
    "huochaitiantang old": Public("huochaitiantang", (512, 1)),
    "indexnet": Public("indexnet", (4096, 7), norm=True),
}


def _said(public: Public) -> bool | None:
    """What a user has to say about skips."""
    return public.skips if public.layout == "huochaitiantang" else None


def _normalised(inputs: Tensor) -> Tensor:
    mean, deviation = Tensor([0.485, 0.456, 0.406, 0]), Tensor([0.229, 0.224, 0.225, 1])
    return (inputs - mean.view(1, 4, 1, 1)) / deviation.view(1, 4, 1, 1)


@pytest.mark.parametrize("public", PUBLIC.values(), ids=PUBLIC.keys())
def test_a_converted_checkpoint_gives_the_original_alpha(public: Public, tmp_path: Path) -> None:
    state = public.state()
    torch.save({"state_dict": state, "epoch": 12}, tmp_path / "checkpoint.pth")
    rng = np.random.default_rng(3)
    image = rng.random((64, 96, 3), np.float32)
    trimap = rng.choice(np.array([0, 128, 255], np.uint8), (64, 96))
    inputs = torch.cat(
        [torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(trimap / np.float32(255))[None]]
    )[None]
    expected = public.forward(state, _normalised(inputs))

    network = convert(tmp_path / "checkpoint.pth", skips=_said(public))
    with torch.no_grad():
        alpha, _ = network(inputs)
    final = network.infer(image, trimap)

    assert expected.std() > 0.01
    assert ((expected > 0.01) & (expected < 0.99)).float().mean() > 0.1
    assert not network.training
    assert (alpha - expected).abs().max() < 1e-5
    unknown = trimap == 128
    assert np.abs(final - expected[0, 0].numpy())[unknown].max() < 1e-5
    assert (final[~unknown] == trimap[~unknown] / 255).all()


def test_skips_change_the_result(tmp_path: Path) -> None:
    torch.save(PUBLIC["huochaitiantang"].state(), tmp_path / "bare.pth")
    inputs = torch.rand(1, 4, 64, 64)
    with_skips, without = (
        convert(tmp_path / "bare.pth", skips=s)(inputs)[0] for s in (True, False)
    )

    assert (with_skips - without).abs().max() > 1e-3


def test_what_stands_beside_the_weights_is_no_hindrance(tmp_path: Path) -> None:
    state = PUBLIC["mmagic"].state()
    names = {name: torch.nn.Parameter(value) for name, value in state.items()}
    optimizer = torch.optim.Adam(names.values())
    beside = {
        "optimizer": optimizer.state_dict(),
        "best_sad": np.float64(54.4),
        "measure": {"sad": [np.float32(1.5), np.int64(2)]},
        "meta": {"config": "model = dict(type='DIM')", "iter": 1},
    }
    parallel = {f"module.{name}": value for name, value in state.items()}
    torch.save({**beside, "state_dict": parallel}, tmp_path / "new.pth", pickle_protocol=2)
    torch.save(
        {**beside, "state_dict": state},
        tmp_path / "old.pth",
        _use_new_zipfile_serialization=False,
    )
    inputs = torch.rand(1, 4, 32, 32)

    new, old = (convert(tmp_path / name)(inputs)[0] for name in ("new.pth", "old.pth"))

    assert torch.equal(new, old)


def _refused(path: Path, content: Any, **said: Any) -> str:
    torch.save(content, path)
    with pytest.raises(DataError) as caught:
        convert(path, **said)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_every_tensor_is_accounted_for(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth"
    state = PUBLIC["mmagic"].state()
    key = "backbone.decoder.deconv3_1.weight"
    without = {name: value for name, value in state.items() if name != key}
    bent = state | {key: torch.zeros(128, 256, 3, 3)}
    broken = state | {key: torch.full((128, 256, 5, 5), torch.nan)}

    missing = _refused(path, without)
    unexpected = _refused(path, state | {"backbone.decoder.other": torch.zeros(3)})
    misshapen = _refused(path, bent)

    assert re.search(rf"1 missing \({key}\)", missing)
    assert re.search(r"1 unexpected \(backbone\.decoder\.other\)", unexpected)
    assert f"1 of another shape ({key} (128, 256, 3, 3), expected (128, 256, 5, 5))" in misshapen
    assert f"{key} holds values that are not finite" in _refused(path, broken)
    fc6 = "backbone.encoder.conv6.weight"
    assert f"({fc6} (), expected (512, 512, 1, 1))" in _refused(
        path, state | {fc6: torch.tensor(1.0)}
    )


def test_other_contents_are_named(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth"
    vgg16 = {"features.0.weight": torch.zeros(64, 3, 3, 3), "features.0.bias": torch.zeros(64)}

    assert "its first tensors are features.0.weight, features.0.bias" in _refused(path, vgg16)
    assert "mmagic, huochaitiantang, indexnet" in _refused(path, vgg16)
    assert "'epoch' is a int" in _refused(path, {"epoch": 3})
    assert "holds a list" in _refused(path, [1, 2])
    assert "holds a dict" in _refused(path, {})
    assert "holds a Tensor" in _refused(path, torch.zeros(3))


def test_the_layout_and_the_skips_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth"
    mmagic, huochaitiantang = (PUBLIC[name].state() for name in ("mmagic", "huochaitiantang"))

    assert "layout mmagic; expected indexnet" in _refused(path, mmagic, layout="indexnet")
    assert "has no skips" in _refused(path, mmagic, skips=True)
    assert "say --skips" in _refused(path, huochaitiantang)
    with pytest.raises(DataError, match="layout 'caffe': expected one of mmagic"):
        convert(path, layout="caffe")
    assert convert(path, layout="huochaitiantang", skips=True).config.skips


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.pth").write_text("hello world")
    torch.save(PUBLIC["mmagic"].state(), tmp_path / "whole.pth")
    content = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(content[: len(content) // 2])
    for name in ("empty.pth", "text.pth", "cut.pth", "absent.pth", "."):
        with pytest.raises(DataError, match=re.escape(str(tmp_path / name))) as caught:
            convert(tmp_path / name)
        assert "\n" not in str(caught.value)


class _Malicious:
    """Unpickled, it runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_not_run(zipped: bool, tmp_path: Path) -> None:
    target = tmp_path / "created"
    malicious = _Malicious(f"{sys.executable} -c \"open(r'{target}', 'w')\"")
    path = tmp_path / "checkpoint.pth"
    content = {"state_dict": PUBLIC["mmagic"].state(), "meta": malicious}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(DataError, match="is a program and not weights, and is not run"):
        convert(path)
    assert not target.exists()

    pickle.loads(pickle.dumps(malicious))  # it is a real one
    assert target.exists()


def test_a_pickled_module_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = types.ModuleType("models")
    exec("import torch\nclass DIMModel(torch.nn.Module): pass", models.__dict__)
    monkeypatch.setitem(sys.modules, "models", models)
    content = {"epoch": 1, "model": models.DIMModel()}

    message = _refused(tmp_path / "foamliu.tar", content)

    assert "models.DIMModel" in message
    assert "save its state_dict" in message


def test_networks_are_written_and_read_whole(tmp_path: Path) -> None:
    config = DimConfig(
        fc6_kernel=None,
        batch_norm=("encoder", "decoder"),
        skips=True,
        output="sigmoid",
        refinement="residual",
        refinement_scale=3.5,
        width=1 / 16,
    )
    network = DeepImageMatting(config).eval()
    path = tmp_path / "network.safetensors"
    networks.save(network, path)
    again = networks.load(path)
    inputs = torch.rand(1, 4, 64, 32)

    assert again.config == config
    assert not again.training
    assert torch.equal(network(inputs)[0], again(inputs)[0])
    assert all(parameter.requires_grad for parameter in again.parameters())
    assert [file.name for file in tmp_path.iterdir()] == ["network.safetensors"]


def test_other_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    network = DeepImageMatting(DimConfig(width=1 / 16))
    networks.save(network, path)
    weights = safetensors.torch.load_file(path)
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    changed = {
        **metadata,
        "deep_image_matting": metadata["deep_image_matting"].replace("0.0625", "0.5"),
    }
    del metadata["sha256"]  # as files of other programs
    wrong = {key: value.replace('"width"', '"breadth"') for key, value in metadata.items()}
    wider = {key: value.replace("0.0625", "0.125") for key, value in metadata.items()}
    for stored, match in (
        (None, "no configuration"),
        (wrong, "breadth"),
        (wider, "not a network"),
        (changed, "damaged"),
    ):
        safetensors.torch.save_file(weights, path, stored)
        with pytest.raises(DataError, match=match) as caught:
            networks.load(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(b"hello")
    with pytest.raises(DataError, match="not a readable safetensors file"):
        networks.load(path)
    with pytest.raises(DataError, match=r"absent\.safetensors"):
        networks.load(tmp_path / "absent.safetensors")


def _run(*arguments: str | Path, expected: int = 0) -> str:
    done = run_as_text(*arguments, folder=Path.cwd())
    assert done.returncode == expected, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_from_a_checkpoint_to_a_matte(scene: Scene) -> None:
    checkpoint, folder = scene.folder / "checkpoint.pth", scene.folder
    torch.save({"state_dict": PUBLIC["huochaitiantang old"].state()}, checkpoint)
    converted, exported = folder / "dim.safetensors", folder / "dim.onnx"

    refused = run_as_text("convert", checkpoint, "-o", converted, folder=folder)
    assert refused.returncode == 1
    assert "say --skips" in refused.stderr
    assert not converted.exists()
    words = ("convert", checkpoint, "--no-skips", "-o", converted)
    assert "26,200,001 parameters" in run_as_text(*words, folder=folder).stderr
    assert run_as_text("export", converted, "-o", exported, folder=folder).returncode == 0
    _run("matte", scene.picture, scene.trimap, "--model", exported, "--alpha", folder / "alpha.png")

    alpha = np.asarray(Image.open(folder / "alpha.png")) / 255
    expected = networks.load(converted).infer(to_unit(scene.image), scene.labels)
    assert alpha.shape == expected.shape
    assert expected[scene.labels == 128].std() > 0.01
    # A rounding error may move a maximum to the next pixel, and one feature with it.
    assert (np.abs(alpha - expected) < 0.6 / 255).mean() > 0.99


def test_a_network_that_cannot_be_run_says_what_to_do(scene: Scene) -> None:
    message = _run("matte", scene.picture, scene.trimap, "--model", "dim.safetensors", expected=1)
    assert "deepmatte export" in message
