"""The compact network and its export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs deepmatte[train]")

from torch import Tensor  # noqa: E402

import deepmatte.networks  # noqa: E402
from deepmatte.errors import DataError, ModelError  # noqa: E402
from deepmatte.networks.export import export, restore  # noqa: E402
from deepmatte.networks.lite import ENCODER_CHANNELS, LiteMatting  # noqa: E402
from deepmatte.solver.engine import Engine  # noqa: E402
from deepmatte.solver.inputs import GUESS, INPUT_CHANNELS, network_inputs  # noqa: E402
from deepmatte.solver.runtime import OnnxNetwork, Progress  # noqa: E402
from deepmatte.solver.tiles import STRIDE  # noqa: E402
from deepmatte.weights import catalogue  # noqa: E402


@pytest.fixture(scope="module")
def trained() -> LiteMatting:
    """A network whose residuals and batch norms are not those of an untrained one."""
    torch.manual_seed(0)
    network = LiteMatting()
    network.encoder.load_imagenet()
    for name, value in network.state_dict().items():
        if not name.startswith("encoder.") and value.is_floating_point():
            noise = torch.randn_like(value) * 0.04
            value.copy_((value + noise).abs() if "running_var" in name else value + noise)
    return network.eval()


@pytest.fixture(scope="module")
def exported(trained: LiteMatting, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "network.onnx"
    export(trained, path)
    return path


def test_the_untrained_network_returns_the_prior() -> None:
    inputs = torch.rand(2, len(INPUT_CHANNELS), 64, 96)
    with torch.no_grad():
        alpha = LiteMatting().eval()(inputs)

    assert torch.equal(alpha, inputs[:, GUESS : GUESS + 1])


def test_bfloat16_learns_in_the_direction_of_float32() -> None:
    network = deepmatte.networks.load_lite()
    inputs = torch.rand(2, len(INPUT_CHANNELS), 64, 64, generator=torch.Generator().manual_seed(1))
    directions = []
    for half in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = (network(inputs).float() - 0.3).square().mean()
        network.zero_grad()
        loss.backward()
        directions.append({n: p.grad for n, p in network.named_parameters() if p.grad is not None})

    single, rounded = directions
    assert set(rounded) == set(single)
    depthwise = [name for name in single if "depthwise" in name and single[name].dim() == 4]
    assert len(depthwise) == 16
    for name in depthwise:
        alike = torch.cosine_similarity(single[name].flatten(), rounded[name].flatten(), dim=0)
        assert alike > 0.9, name


def test_the_encoder_is_the_imagenet_one() -> None:
    network = LiteMatting()
    convolution = network.encoder.stem[1]
    assert isinstance(convolution, torch.nn.Conv2d)
    before = convolution.weight.clone()
    network.encoder.load_imagenet()
    network.eval()
    skips = network.encoder(torch.rand(1, 3, 64, 96))

    assert not torch.equal(before, convolution.weight)
    assert [skip.shape[1] for skip in skips] == list(ENCODER_CHANNELS)
    assert [64 // skip.shape[2] for skip in skips] == [2, 4, 8, 16, 32]
    # Trained batch norms keep activations of a picture in the range that they were trained for.
    assert all(0.05 < skip.std() < 20 for skip in skips)


def test_wrong_encoder_weights_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"fc.weight": torch.zeros(2)}, path)
    with pytest.raises(DataError, match="expected the weights of EfficientNet-Lite0"):
        LiteMatting().encoder.load_imagenet(path)
    with pytest.raises(DataError, match=r"none\.pth"):
        LiteMatting().encoder.load_imagenet(tmp_path / "none.pth")


@pytest.mark.slow
def test_the_exported_network_equals_torch_at_other_sizes(
    trained: LiteMatting, exported: Path
) -> None:
    network = OnnxNetwork(exported.read_bytes(), "cpu", 1)
    rng = np.random.default_rng(0)
    for height, width in ((3 * STRIDE, STRIDE), (4 * STRIDE, 7 * STRIDE)):
        image = rng.random((height, width, 3), np.float32)
        trimap = np.full((height, width), 128, np.uint8)
        trimap[:4], trimap[-4:] = 255, 0
        inputs = torch.from_numpy(network_inputs(image, trimap))[None]
        with torch.no_grad():
            expected = trained(inputs).clamp(0, 1).numpy()
        unknown = trimap == 128

        alpha = network.run(inputs.numpy(), Progress())

        difference = np.abs(alpha - expected)[0, 0, unknown]  # the weights are float16
        assert difference.max() < 1e-2
        assert difference.mean() < 1e-3
        assert np.abs(alpha[0, 0] - inputs[0, GUESS].numpy())[unknown].mean() > 0.01
    content = exported.read_bytes()
    assert len(content) < 12e6
    assert str(Path(deepmatte.__file__).parent).encode() not in content  # no traces of a machine


class Beyond(LiteMatting):
    """One convolution, with weights beyond float16: the whole network takes long to export."""

    def __init__(self) -> None:
        super().__init__()
        self.only = torch.nn.Conv2d(len(INPUT_CHANNELS), 1, 1)
        torch.nn.init.constant_(self.only.weight, 1e6)

    def forward(self, inputs: Tensor) -> Tensor:
        alpha: Tensor = self.only(inputs)
        return alpha


@pytest.mark.slow
def test_an_export_is_complete_or_absent(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="float16"):
        export(Beyond().eval(), tmp_path / "broken.onnx")

    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_export_is_restored(trained: LiteMatting, exported: Path) -> None:
    network = LiteMatting()

    restore(exported.read_bytes(), network)

    inputs = torch.rand(1, len(INPUT_CHANNELS), 64, 96)
    with torch.no_grad():
        expected, found = trained(inputs), network.eval()(inputs)
    assert (expected - inputs[:, GUESS : GUESS + 1]).abs().max() > 0.05  # it is more than its prior
    torch.testing.assert_close(found, expected, atol=2e-2, rtol=0)  # float16 in between


@pytest.mark.parametrize("content", [b"", b"no network", "identity"])
def test_what_is_no_export_is_not_restored(content: bytes | str, tmp_path: Path) -> None:
    if isinstance(content, str):
        content = _identity(tmp_path / "i.onnx", channels="red", output=1).read_bytes()

    with pytest.raises(DataError, match="expected a network that deepmatte export wrote"):
        restore(content, LiteMatting())


def _identity(path: Path, *, channels: str, output: int, name: str = "inputs") -> Path:
    """An ONNX file that returns its input, or its first channels."""
    onnx = pytest.importorskip("onnx")
    from onnx import helper

    floats = onnx.TensorProto.FLOAT
    cut = [helper.make_tensor(n, onnx.TensorProto.INT64, [1], [v]) for n, v in _cut(output)]
    graph = helper.make_graph(
        [helper.make_node("Slice", [name, "from", "to", "axis"], ["alpha"])],
        "identity",
        [helper.make_tensor_value_info(name, floats, [1, len(INPUT_CHANNELS), None, None])],
        [helper.make_tensor_value_info("alpha", floats, [1, None, None, None])],
        cut,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"channels": channels})
    path.write_bytes(model.SerializeToString())
    return path


def _cut(output: int) -> list[tuple[str, int]]:
    return [("from", GUESS), ("to", GUESS + output), ("axis", 1)]


def test_networks_that_are_none_of_ours_are_refused(tmp_path: Path) -> None:
    image, trimap = np.zeros((40, 50, 3), np.float32), np.full((40, 50), 128, np.uint8)
    ours = ",".join(INPUT_CHANNELS)
    path = tmp_path / "identity.onnx"

    assert Engine(_identity(path, channels=ours, output=1))(image, trimap).shape == (40, 50)
    with pytest.raises(ModelError, match="made for the inputs"):
        Engine(_identity(path, channels="red,green,blue", output=1))
    with pytest.raises(ModelError, match="answered with shape"):
        Engine(_identity(path, channels=ours, output=3))(image, trimap)
    with pytest.raises(ModelError, match="cannot be run") as caught:
        Engine(_identity(path, channels=ours, output=1, name="other"))(image, trimap)
    assert "\n" not in str(caught.value)


def test_the_shipped_network_loads_as_a_torch_module_that_answers_as_the_file() -> None:
    network = deepmatte.networks.load_lite()
    inputs = np.random.default_rng(0).random((1, len(INPUT_CHANNELS), 64, 96), np.float32)

    with torch.inference_mode():
        answer = network(torch.from_numpy(inputs)).clamp(0, 1).numpy()

    shipped = OnnxNetwork(catalogue.find("lite"), "cpu", 1)
    np.testing.assert_allclose(answer, shipped.run(inputs, Progress()).clip(0, 1), atol=2e-3)
    assert not network.training
