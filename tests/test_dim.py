"""The paper's network: its size, its forward, its encoder's weights, its ONNX file."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="needs deepmatte[train]")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

import deepmatte  # noqa: E402
from deepmatte.errors import DataError  # noqa: E402
from deepmatte.networks.dim import DeepImageMatting, DimConfig, EncoderDecoder  # noqa: E402
from deepmatte.networks.export import export  # noqa: E402
from deepmatte.networks.vgg16 import load_imagenet  # noqa: E402
from deepmatte.solver.budget import TILE  # noqa: E402
from deepmatte.solver.engine import Engine  # noqa: E402
from deepmatte.solver.inputs import PictureAndTrimap  # noqa: E402
from deepmatte.solver.tiles import STRIDE, tiles  # noqa: E402

pytestmark = pytest.mark.slow

SMALL = 1 / 16

PAPER = DimConfig()
STAGE_ONE = DimConfig(fc6_kernel=1, fc6_channels=512, output="sigmoid", refinement="none")
REFINED = DimConfig(
    fc6_kernel=1, fc6_channels=512, output="sigmoid", refinement="sigmoid", refinement_scale=1.0
)
WIDE_FC6 = DimConfig(fc6_kernel=3, fc6_channels=512, output="sigmoid", refinement="none")
WITHOUT_FC6 = DimConfig(fc6_kernel=None, batch_norm=("encoder", "decoder"), width=SMALL)
WITH_ALL = DimConfig(
    fc6_kernel=3,
    fc6_channels=512,
    batch_norm=("encoder", "fc6", "decoder"),
    skips=True,
    output="sigmoid",
    refinement="residual",
    width=SMALL,
)


def _bias_of(network: DeepImageMatting) -> Tensor:
    """That of the coarse prediction."""
    bias = network.encoder_decoder.prediction.bias
    assert bias is not None
    return bias


def _lively(config: DimConfig) -> DeepImageMatting:
    """A network in eval mode with predictions all over 0..1 and lived-in batch norms."""
    torch.manual_seed(5)
    network = DeepImageMatting(config).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    with torch.no_grad():
        inputs = torch.rand(1, 4, 64, 64)
        spread = network.encoder_decoder(inputs).std()
        network.encoder_decoder.prediction.weight /= 3 * spread
        _bias_of(network).fill_(0.3)
        if network.refinement is not None:
            last = network.refinement[-1]
            assert isinstance(last, nn.Conv2d)
            last.weight /= 50
    return network


def _scene(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    rng = np.random.default_rng(height * 10_007 + width)
    trimap = rng.choice(np.array([0, 128, 255], np.uint8), (height, width))
    return rng.random((height, width, 3), np.float32), trimap


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (PAPER, 130_613_698),
        (DimConfig(refinement="none"), 130_536_897),
        (STAGE_ONE, 26_200_001),
        (REFINED, 26_276_802),
        (WIDE_FC6, 28_297_153),
    ],
)
def test_parameters_are_as_many_as_published(config: DimConfig, count: int) -> None:
    with torch.device("meta"):
        network = DeepImageMatting(config)

    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_the_forward_is_the_papers() -> None:
    network = _lively(DimConfig(width=SMALL))
    weights = list(network.parameters())  # in the order of the figure
    inputs = torch.rand(2, 4, 64, 96)
    mean, deviation = Tensor([0.485, 0.456, 0.406, 0]), Tensor([0.229, 0.224, 0.225, 1])
    x = seen = (inputs - mean.view(4, 1, 1)) / deviation.view(4, 1, 1)

    def convolved(x: Tensor) -> Tensor:
        weight, bias = weights.pop(0), weights.pop(0)
        return functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)

    places = []
    for convolutions in (2, 2, 3, 3, 3):
        for _ in range(convolutions):
            x = convolved(x).relu()
        x, place = functional.max_pool2d(x, 2, return_indices=True)
        places.append(place)
    assert weights[0].shape == (256, 32, 7, 7)  # fc6, 4096 x 512 at full width
    x = convolved(convolved(x).relu()).relu()
    for place in reversed(places):
        x = convolved(functional.max_unpool2d(x, place, [2, 2])).relu()
    coarse = convolved(x).clamp(0, 1)
    x = torch.cat([seen[:, :3], 255 * coarse], dim=1)
    for _ in range(3):
        x = convolved(x).relu()
    alpha = (coarse + convolved(x)).clamp(0, 1)

    predicted, predicted_coarse = network(inputs)

    assert not weights
    assert (predicted_coarse - coarse).abs().max() < 1e-5
    assert (predicted - alpha).abs().max() < 1e-5
    assert (alpha - coarse).abs().mean() > 0.01
    assert ((alpha > 0) & (alpha < 1)).float().mean() > 0.2


@pytest.mark.parametrize("config", [DimConfig(width=SMALL), WITHOUT_FC6, WITH_ALL])
def test_gradients_reach_every_weight(config: DimConfig) -> None:
    network = _lively(config).train()
    alpha, coarse = network(torch.rand(2, 4, 64, 64))
    (alpha.mean() + coarse.mean()).backward()

    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    first = _convolution(network.encoder_decoder.conv1[0]).weight.grad
    assert first is not None
    assert first.abs().sum() > 0


def test_what_is_clipped_still_learns() -> None:
    network = _lively(DimConfig(width=SMALL, refinement="none"))
    _bias_of(network).data.fill_(100)
    alpha, _ = network(torch.rand(1, 4, 32, 32))
    alpha.sum().backward()

    assert (alpha == 1).all()
    assert _bias_of(network).grad == alpha.numel()


def test_recomputed_activations_give_the_same_gradients() -> None:
    inputs = torch.rand(1, 4, 64, 64)
    gradients = []
    for recompute in (False, True):
        network = _lively(DimConfig(width=SMALL)).train()
        if recompute:
            network.recompute_activations()
        network(inputs)[0].sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])

    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (40, 1), (31, 33), (64, 96), (65, 20)])
def test_any_size_works_and_known_pixels_are_exact(size: tuple[int, int]) -> None:
    image, trimap = _scene(*size)
    before = image.copy(), trimap.copy()
    network = _lively(DimConfig(width=SMALL))

    alpha = network.infer(image, trimap)

    assert alpha.shape == size
    assert alpha.dtype == np.float32
    assert 0 <= alpha.min() <= alpha.max() <= 1
    assert (alpha[trimap != 128] == trimap[trimap != 128] / 255).all()
    assert np.array_equal(image, before[0])
    assert np.array_equal(trimap, before[1])
    for label in (0, 255):
        assert (network.infer(image, np.full(size, label, np.uint8)) == label / 255).all()


def test_pictures_are_padded_by_reflection_at_the_right_and_the_bottom() -> None:
    image, _ = _scene(45, 50)
    trimap = np.full((45, 50), 128, np.uint8)
    trimap[10:20, 5:9] = 255
    network = _lively(REFINED_SMALL)
    mirrored = np.pad(image, ((0, 19), (0, 14), (0, 0)), mode="reflect")
    mirrored_trimap = np.pad(trimap, ((0, 19), (0, 14)), mode="reflect")

    whole = network.infer(mirrored, mirrored_trimap)

    assert np.array_equal(network.infer(image, trimap), whole[:45, :50])


REFINED_SMALL = DimConfig(fc6_kernel=1, fc6_channels=512, refinement="sigmoid", width=SMALL)


def test_wrong_arrays_are_refused() -> None:
    network = DeepImageMatting(DimConfig(width=SMALL))
    image, trimap = _scene(20, 30)
    for wrong, labels, match in (
        (image[:10], trimap, r"image \(10, 30, 3\) and trimap \(20, 30\)"),
        (image[..., :2], trimap, "expected"),
        (image, trimap[..., None], "expected"),
        (image[:0], trimap[:0], "expected"),
        (image.astype(np.float64), trimap, "float64"),
        (image, trimap.astype(np.float32), "float32"),
        (image, np.minimum(trimap, 254), "254"),
    ):
        with pytest.raises(DataError, match=match):
            network.infer(wrong, labels)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [
        {"fc6_kernel": 4},
        {"fc6_channels": 0},
        {"width": 0.0},
        {"output": "linear"},
        {"refinement": "both"},
        {"batch_norm": ("encoder", "all")},
    ],
)
def test_networks_that_cannot_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="expected"):
        DimConfig(**values)


# -- ONNX ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exported:
    network: DeepImageMatting
    path: Path


@pytest.fixture(scope="module", params=[DimConfig(width=SMALL), WITH_ALL], ids=["paper", "variant"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    network = _lively(request.param)
    path = tmp_path_factory.mktemp("exported") / "dim.onnx"
    export(network, path)
    return Exported(network, path)


def test_the_exported_network_equals_torch_at_other_sizes(exported: Exported) -> None:
    network, engine = exported.network, Engine(exported.path, threads=1)
    for size in ((1, 1), (30, 77), (2 * STRIDE, 3 * STRIDE), (200, 150)):
        image, trimap = _scene(*size)
        expected = network.infer(image, trimap)

        # A rounding error may move a maximum to the next pixel, and one feature with it.
        assert (np.abs(engine(image, trimap) - expected) < 1e-4).mean() > 0.99
        assert size == (1, 1) or expected[trimap == 128].std() > 0.01
    # Around unknown pixels the engine looks as far as the network does.
    image, trimap = _scene(700, 680)
    trimap[trimap == 128] = 0
    trimap[345:350, 330:340] = 128
    difference = np.abs(engine(image, trimap) - network.infer(image, trimap))[trimap == 128]

    assert (difference < 1e-4).mean() > 0.9
    assert all(parameter.requires_grad for parameter in network.parameters())
    content = exported.path.read_bytes()
    assert len(content) > 4 * sum(parameter.numel() for parameter in network.parameters())
    assert str(Path(deepmatte.__file__).parent).encode() not in content


def test_pictures_are_cut_into_windows_as_if_they_were_whole(exported: Exported) -> None:
    image, trimap = _scene(1480, 200)
    trimap[100:-100] = 0
    trimap[:100:64, 0] = trimap[-100::64, 0] = 128
    assert len(tiles(trimap == 128, TILE**2, PictureAndTrimap.reach)) == 2
    alpha = Engine(exported.path)(image, trimap)
    whole = exported.network.infer(image, trimap)

    assert (alpha[trimap != 128] == trimap[trimap != 128] / 255).all()
    # Where two maxima are the same but for a rounding error, either may win.
    assert (np.abs(alpha - whole)[trimap == 128] < 1e-4).mean() > 0.95


# -- ImageNet's weights -------------------------------------------------------------------------


def _convolution(block: nn.Module) -> nn.Conv2d:
    convolution = block.convolution
    assert isinstance(convolution, nn.Conv2d)
    return convolution


def _encoder(config: DimConfig = PAPER) -> EncoderDecoder:
    return DeepImageMatting(config).encoder_decoder


def _view(shape: tuple[int, ...], scale: float = 0.05) -> Tensor:
    """Random weights as overlapping views of one array, for the sake of small files."""
    strides = (101, 53, 17, 3)[: len(shape)]
    size = 1 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    view: Tensor = (torch.randn(size) * scale).as_strided(shape, strides)
    return view


SHAPES = [(64, 4), (64, 64), (128, 64), (128, 128), (256, 128), (256, 256), (256, 256)]
SHAPES += [(512, 256), *[(512, 512)] * 5]
TORCHVISION = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)


def _torchvision() -> dict[str, Tensor]:
    torch.manual_seed(1)
    state = {}
    for index, (outputs, inputs) in zip(TORCHVISION, SHAPES, strict=True):
        state[f"features.{index}.weight"] = _view((outputs, min(inputs, 512) - (inputs == 4), 3, 3))
        state[f"features.{index}.bias"] = torch.randn(outputs)
    return state


def test_torchvisions_weights_with_a_classifier(tmp_path: Path) -> None:
    state = _torchvision()
    state["classifier.0.weight"] = _view((4096, 512 * 49))
    state["classifier.0.bias"] = torch.randn(4096)
    torch.save(state | {"classifier.6.bias": torch.zeros(1000)}, tmp_path / "vgg16.pth")
    encoder = _encoder()

    loaded = load_imagenet(encoder, tmp_path / "vgg16.pth")

    assert loaded == ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6")
    convolutions = [
        _convolution(module)
        for stage in (encoder.conv1, encoder.conv2, encoder.conv3, encoder.conv4, encoder.conv5)
        for module in stage
    ]
    assert (convolutions[0].weight[:, 3] == 0).all()
    for index, convolution in zip(TORCHVISION, convolutions, strict=True):
        expected = state[f"features.{index}.weight"]
        assert torch.equal(convolution.weight[:, : expected.shape[1]], expected)
        assert convolution.bias is not None
        assert torch.equal(convolution.bias, state[f"features.{index}.bias"])
    features = torch.rand(1, 512, 7, 7)
    dense = functional.linear(
        features.flatten(1), state["classifier.0.weight"], state["classifier.0.bias"]
    )
    centre = _convolution(encoder.fc6[0])(features)[0, :, 3, 3]
    assert torch.allclose(centre, dense[0], atol=1e-3)


@pytest.mark.parametrize("naming", ["block{0}_conv{1}/block{0}_conv{1}_W_1:0", "nested"])
def test_keras_weights_see_what_keras_shows_them(naming: str, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    torch.manual_seed(2)
    path = tmp_path / "vgg16.h5"
    places = [(stage, n) for stage, count in enumerate((2, 2, 3, 3, 3), 1) for n in range(count)]
    kernels, fc1 = [], _view((7 * 7 * 512, 4096), 1e-3)
    with h5py.File(path, "w") as file:
        for (stage, number), (outputs, inputs) in zip(places, SHAPES, strict=True):
            kernel = _view((3, 3, inputs - (inputs == 4), outputs), 1e-3).numpy()
            bias = np.float32(np.arange(outputs) / outputs)
            kernels.append((kernel, bias))
            if naming == "nested":
                group = f"block{stage}/layers/conv2d{f'_{number}' * (number > 0)}/vars"
                file[f"{group}/0"], file[f"{group}/1"] = kernel, bias
            else:
                name = naming.format(stage, number + 1)
                file[name], file[name.replace("_W_", "_b_")] = kernel, bias
        if naming != "nested":
            file["fc1/fc1_W_1:0"] = fc1.numpy()
            file["fc1/fc1_b_1:0"] = np.zeros(4096, np.float32)
        file["fuse/vars/0"], file["fuse/vars/1"] = np.zeros((1, 1, 5, 1)), np.zeros(1)
    encoder = _encoder()
    loaded = load_imagenet(encoder, path)

    # Keras: BGR, 0..255, less the mean; channels last. In the middle, for it pads with the mean.
    image = torch.rand(5, 5, 3)
    shown = image.flip(2) * 255 - Tensor([103.939, 116.779, 123.68])
    kernel, bias = (torch.from_numpy(array) for array in kernels[0])
    expected = torch.tensordot(shown[1:4, 1:4], kernel, dims=3) + bias
    ours = (image - Tensor([0.485, 0.456, 0.406])) / Tensor([0.229, 0.224, 0.225])
    inputs = torch.cat([ours, torch.rand(5, 5, 1)], dim=2).permute(2, 0, 1)[None]
    assert torch.allclose(
        _convolution(encoder.conv1[0])(inputs)[0, :, 2, 2], expected, rtol=1e-4, atol=1e-4
    )
    for (kernel, bias), stage, number in zip(
        kernels[1:], *np.transpose(places[1:]).tolist(), strict=True
    ):
        convolution = _convolution(getattr(encoder, f"conv{stage}")[number])
        assert np.array_equal(convolution.weight.detach(), kernel.transpose(3, 2, 0, 1))
        assert convolution.bias is not None
        assert np.array_equal(convolution.bias.detach(), bias)
    assert ("fc6" in loaded) == (naming != "nested")
    if naming != "nested":
        features = torch.rand(7, 7, 512)
        centre = _convolution(encoder.fc6[0])(features.permute(2, 0, 1)[None])[0, :, 3, 3]
        assert torch.allclose(centre, features.flatten() @ fc1, atol=1e-3)


def test_what_does_not_fit_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "vgg16.pth"
    state = _torchvision()
    torch.save(state, path)
    encoder = _encoder(STAGE_ONE)
    before = _convolution(encoder.fc6[0]).weight.clone()

    assert "fc6" not in load_imagenet(encoder, path)
    assert torch.equal(_convolution(encoder.fc6[0]).weight, before)

    narrow = _encoder(DimConfig(width=SMALL))
    before = _convolution(narrow.conv1[0]).weight.clone()
    with pytest.raises(DataError, match=r"\(64, 4, 3, 3\); expected \(4, 4, 3, 3\)"):
        load_imagenet(narrow, path)
    assert torch.equal(_convolution(narrow.conv1[0]).weight, before)


def test_other_files_are_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    encoder = _encoder(DimConfig(width=SMALL))
    path = tmp_path / "file"
    with h5py.File(path, "w") as file:
        file["dense/kernel"] = np.zeros((3, 4))
    with pytest.raises(DataError, match="not VGG16: 0 convolutions"):
        load_imagenet(encoder, path)
    for content, match in (
        ({"conv.weight": torch.zeros(2)}, "0 convolutions"),
        ({"features.0.weight": torch.zeros(64, 3, 3, 3)}, "features.0.bias"),
        ([1, 2], "expected a dictionary of tensors"),
    ):
        torch.save(content, path)
        with pytest.raises(DataError, match=match):
            load_imagenet(encoder, path)
    path.write_text("hello world")
    for wrong in (path, tmp_path / "absent.pth", tmp_path):
        with pytest.raises(DataError, match="not a readable file"):
            load_imagenet(encoder, wrong)


def test_without_a_connection_the_address_and_the_way_out_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nobody listens
    encoder = _encoder(STAGE_ONE)
    with pytest.raises(DataError, match=r"https://download\.pytorch\.org.*name the file") as caught:
        load_imagenet(encoder)
    assert "\n" not in str(caught.value)

    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True, exist_ok=True)
    torch.save(_torchvision(), cache / "vgg16-397923af.pth")
    assert load_imagenet(encoder) == ("conv1", "conv2", "conv3", "conv4", "conv5")


def test_without_h5py_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "vgg16.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    code = f"""
import sys
sys.modules["h5py"] = None
from pathlib import Path
from deepmatte.networks.dim import DeepImageMatting, DimConfig
from deepmatte.networks.vgg16 import load_imagenet
load_imagenet(DeepImageMatting(DimConfig(width=1 / 16)).encoder_decoder, Path({str(path)!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "DataError" in done.stderr
    assert "pip install h5py" in done.stderr
