"""Deep Image Matting (Xu, Price, Cohen, Huang; CVPR 2017), sections 4.1 and 4.2.

`DimConfig()` is the paper's network. Other values are variants of public implementations:
`deepmatte.networks.convert` reads them, and docs/paper.md lists them.

Spatial sizes in shape comments are fractions of the input's; H and W are multiples of
`deepmatte.solver.tiles.STRIDE`. Channels are those of the paper's network at full width.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from deepmatte.errors import DataError
from deepmatte.solver.inputs import DIM_CHANNELS, picture_and_trimap
from deepmatte.solver.tiles import STRIDE
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN

Part = Literal["encoder", "fc6", "decoder"]
Output = Literal["clipped", "sigmoid"]
Refinement = Literal["none", "residual", "sigmoid"]

# What ImageNet networks are fed with, and so all public versions of this one.
MEAN = (0.485, 0.456, 0.406, 0.0)
DEVIATION = (0.229, 0.224, 0.225, 1.0)


@dataclass(frozen=True)
class DimConfig:
    """The network's variants; the defaults are the paper's.

    Raises:
        DataError: if a value is none of those that are listed.
    """

    fc6_kernel: int | None = 7
    """Side of fc6 as a convolution, odd; None (as an option 0) leaves out fc6 and deconv6."""
    fc6_channels: int = 4096
    """Channels of fc6."""
    batch_norm: tuple[Part, ...] = ()
    """Parts whose convolutions have batch norm before the ReLU."""
    skips: bool = False
    """Whether the encoder's features before each pooling are added to the unpooled features."""
    output: Output = "clipped"
    """How the encoder-decoder's prediction becomes an alpha."""
    refinement: Refinement = "residual"
    """``residual``: clip(alpha + refinement); ``sigmoid``: sigmoid(prediction + refinement)."""
    refinement_scale: float = 255.0
    """Factor by which alpha is multiplied as input of the refinement."""
    width: float = 1.0
    """Factor for the channels of every layer, for experiments; the paper has 1."""

    def __post_init__(self) -> None:
        """Refuse configurations that are no network."""
        if self.fc6_kernel is not None and (self.fc6_kernel < 1 or self.fc6_kernel % 2 == 0):
            raise DataError(f"fc6_kernel {self.fc6_kernel}: expected an odd number or None")
        if self.fc6_channels < 1 or not self.width > 0:
            raise DataError(
                f"fc6_channels {self.fc6_channels}, width {self.width}: expected more than 0"
            )
        for name, value, allowed in (
            ("output", self.output, get_args(Output)),
            ("refinement", self.refinement, get_args(Refinement)),
            *(("batch_norm", part, get_args(Part)) for part in self.batch_norm),
        ):
            if value not in allowed:
                raise DataError(f"{name} {value!r}: expected one of {', '.join(allowed)}")


class Convolution(nn.Module):
    """A convolution that keeps height and width, batch norm if wanted, and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, norm: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(outputs) if norm else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(self.norm(self.convolution(features)), inplace=True)


class Stage(nn.Sequential):
    """Convolutions at one resolution, recomputed in the backward pass if ``recompute`` is set."""

    recompute = False

    def forward(self, features: Tensor) -> Tensor:
        if self.recompute and torch.is_grad_enabled():
            recomputed: Tensor = checkpoint(self._forward, features, use_reentrant=False)
            return recomputed
        return self._forward(features)

    def _forward(self, features: Tensor) -> Tensor:
        for convolution in self:
            features = convolution(features)
        return features


class EncoderDecoder(nn.Module):
    """VGG16 with fc6 as a convolution, and a decoder that unpools with the encoder's indices.

    Args:
        inputs: ``(B, 4, H, W)``, normalised as `DeepImageMatting` does it.

    Output:
        The prediction ``(B, 1, H, W)``, neither clipped nor through a sigmoid.
    """

    def __init__(self, config: DimConfig) -> None:
        super().__init__()
        self.skips = config.skips
        c64, c128, c256, c512, c4096 = (
            max(1, round(channels * config.width))
            for channels in (64, 128, 256, 512, config.fc6_channels)
        )

        def stage(part: Part, kernel: int, *channels: int) -> Stage:
            norm = part in config.batch_norm
            pairs = itertools.pairwise(channels)
            return Stage(*(Convolution(*pair, kernel, norm=norm) for pair in pairs))

        self.conv1 = stage("encoder", 3, len(DIM_CHANNELS), c64, c64)
        self.conv2 = stage("encoder", 3, c64, c128, c128)
        self.conv3 = stage("encoder", 3, c128, c256, c256, c256)
        self.conv4 = stage("encoder", 3, c256, c512, c512, c512)
        self.conv5 = stage("encoder", 3, c512, c512, c512, c512)
        if config.fc6_kernel is None:
            self.fc6, self.deconv6 = Stage(), Stage()
        else:
            self.fc6 = stage("fc6", config.fc6_kernel, c512, c4096)
            self.deconv6 = stage("decoder", 1, c4096, c512)
        self.deconv5 = stage("decoder", 5, c512, c512)
        self.deconv4 = stage("decoder", 5, c512, c256)
        self.deconv3 = stage("decoder", 5, c256, c128)
        self.deconv2 = stage("decoder", 5, c128, c64)
        self.deconv1 = stage("decoder", 5, c64, c64)
        self.prediction = nn.Conv2d(c64, 1, 5, padding=2)

    def forward(self, inputs: Tensor) -> Tensor:
        x, pooled1 = self.pool(self.conv1(inputs))  # (B, 64, H/2, W/2)
        x, pooled2 = self.pool(self.conv2(x))  # (B, 128, H/4, W/4)
        x, pooled3 = self.pool(self.conv3(x))  # (B, 256, H/8, W/8)
        x, pooled4 = self.pool(self.conv4(x))  # (B, 512, H/16, W/16)
        x, pooled5 = self.pool(self.conv5(x))  # (B, 512, H/32, W/32)
        x = self.fc6(x)  # (B, 4096, H/32, W/32)
        x = self.deconv6(x)  # (B, 512, H/32, W/32)
        x = self.deconv5(self.unpool(x, pooled5))  # (B, 512, H/16, W/16)
        x = self.deconv4(self.unpool(x, pooled4))  # (B, 256, H/8, W/8)
        x = self.deconv3(self.unpool(x, pooled3))  # (B, 128, H/4, W/4)
        x = self.deconv2(self.unpool(x, pooled2))  # (B, 64, H/2, W/2)
        x = self.deconv1(self.unpool(x, pooled1))  # (B, 64, H, W)
        prediction: Tensor = self.prediction(x)  # (B, 1, H, W)
        return prediction

    def pool(self, features: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor | None]]:
        """The maxima of 2x2 pixels, and what `unpool` needs: their places, skipped features."""
        smaller, indices = functional.max_pool2d(features, 2, return_indices=True)
        return smaller, (indices, features if self.skips else None)

    def unpool(self, features: Tensor, pooled: tuple[Tensor, Tensor | None]) -> Tensor:
        """Features at the places of the maxima, zero elsewhere; plus the skipped features."""
        indices, skipped = pooled
        larger = functional.max_unpool2d(features, indices, (2, 2))
        return larger if skipped is None else larger + skipped


class DeepImageMatting(nn.Module):
    """Encoder-decoder and refinement (sections 4.1 and 4.2).

    Args:
        config: which variant; the paper's if left out.
        inputs: ``(B, 4, H, W)``, 0..1: picture, then trimap / 255, as
            `deepmatte.solver.inputs.picture_and_trimap` makes them.

    Output:
        ``(alpha, coarse)``: the refined and the encoder-decoder's alpha, ``(B, 1, H, W)``, 0..1;
        one and the same without refinement. Known pixels are not set: `infer` does that.

    Example:
        >>> network = DeepImageMatting(DimConfig(width=1 / 16)).eval()
        >>> alpha, coarse = network(torch.rand(1, 4, 64, 96))
        >>> alpha.shape
        torch.Size([1, 1, 64, 96])
    """

    def __init__(self, config: DimConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DimConfig()
        self.encoder_decoder = EncoderDecoder(config)
        c64 = max(1, round(64 * config.width))
        self.refinement: nn.Sequential | None = None
        if config.refinement != "none":
            self.refinement = nn.Sequential(
                Convolution(len(DIM_CHANNELS), c64, 3, norm=False),
                Convolution(c64, c64, 3, norm=False),
                Convolution(c64, c64, 3, norm=False),
                nn.Conv2d(c64, 1, 3, padding=1),
            )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                assert module.bias is not None
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        normalised = normalise(inputs)
        # Under mixed precision an alpha of 8 bits' mantissa would show steps.
        prediction = self.encoder_decoder(normalised).float()  # (B, 1, H, W)
        coarse = torch.sigmoid(prediction) if self.config.output == "sigmoid" else clip(prediction)
        if self.refinement is None:
            return coarse, coarse
        scaled = coarse * self.config.refinement_scale
        seen = torch.cat([normalised[:, :3], scaled], dim=1)  # (B, 4, H, W)
        residual = self.refinement(seen).float()  # (B, 1, H, W)
        if self.config.refinement == "sigmoid":
            return torch.sigmoid(prediction + residual), coarse
        return clip(coarse + residual), coarse

    def recompute_activations(self) -> None:
        """Trade time for memory in training: keep only the result of each stage (checkpointing)."""
        for module in self.modules():
            if isinstance(module, Stage):
                module.recompute = True

    @torch.inference_mode()
    def infer(self, image: NDArray[np.float32], trimap: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The final alpha of a whole picture of any size.

        Right and bottom are padded by reflection to multiples of
        `deepmatte.solver.tiles.STRIDE`. Where the trimap is known, alpha is exactly 0 or 1.

        Args:
            image: ``(H, W, 3)`` float32, 0..1.
            trimap: ``(H, W)`` uint8, labels of `deepmatte.trimap`.

        Returns:
            ``(H, W)`` float32, 0..1.

        Raises:
            DataError: if shapes, types or labels are others.
        """
        _check(image, trimap)
        height, width = trimap.shape
        padding = ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE))
        inputs = np.pad(picture_and_trimap(image, trimap), padding, mode="reflect")
        alpha, _ = self(torch.from_numpy(inputs)[None].to(next(self.parameters()).device))
        predicted = alpha[0, 0, :height, :width].cpu().numpy()
        final: NDArray[np.float32] = (trimap == FOREGROUND).astype(np.float32)
        np.copyto(final, predicted, where=trimap == UNKNOWN)
        return final


def normalise(inputs: Tensor) -> Tensor:
    """The picture's channels of ``(B, 4, H, W)`` by ImageNet's mean and standard deviation."""
    mean, deviation = (inputs.new_tensor(v).view(1, -1, 1, 1) for v in (MEAN, DEVIATION))
    return (inputs - mean) / deviation


class _Clip(torch.autograd.Function):
    """Clip to 0..1, with a gradient that passes unchanged (straight-through).

    Equation 3 is the loss's derivative by the clipped alpha, as it is; with clamp's own, a pixel
    that starts outside 0..1 would never learn.
    """

    @staticmethod
    def forward(context: Any, prediction: Tensor) -> Tensor:
        return prediction.clamp(0, 1)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient


def clip(prediction: Tensor) -> Tensor:
    """``prediction`` clipped to 0..1; its gradient also reaches what lies outside."""
    if not prediction.requires_grad:
        return prediction.clamp(0, 1)  # the exporter knows nothing else
    clipped: Tensor = _Clip.apply(prediction)  # type: ignore[no-untyped-call]
    return clipped


def _check(image: NDArray[Any], trimap: NDArray[Any]) -> None:
    if trimap.ndim != 2 or image.shape != (*trimap.shape, 3) or not trimap.size:
        raise DataError(
            f"image {image.shape} and trimap {trimap.shape}: expected (H, W, 3) and (H, W)"
        )
    if image.dtype != np.float32 or trimap.dtype != np.uint8:
        raise DataError(
            f"image of {image.dtype} and trimap of {trimap.dtype}: expected float32 and uint8"
        )
    labels = set(np.unique(trimap).tolist())
    if not labels <= {BACKGROUND, UNKNOWN, FOREGROUND}:
        raise DataError(
            f"trimap with the values {sorted(labels)[:8]}: "
            f"expected {BACKGROUND}, {UNKNOWN} and {FOREGROUND} alone"
        )
