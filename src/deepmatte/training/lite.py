"""How the default network (`deepmatte.networks.lite`) is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from deepmatte.errors import DataError
from deepmatte.networks.lite import LiteMatting
from deepmatte.solver.inputs import GUESS
from deepmatte.training import checkpoint, losses
from deepmatte.training.base import HELD_OUT, Outcome, Training
from deepmatte.training.crops import Crops, Planes
from deepmatte.training.pictures import MattedPhotos, Pictures
from deepmatte.training.scenes import Sources
from deepmatte.types import FOREGROUND, UNKNOWN
from deepmatte.weights import catalogue

# The encoder's stages at 1/2 to 1/8 stay as they are: what they see is general, and the backward
# pass through them would take a fifth of a step.
_FIXED = 3

# Scenes that the statistics of an exported network are measured on.
_CALIBRATION = 12


@dataclass(frozen=True, kw_only=True)
class LiteTraining(Training[LiteMatting]):
    """The compact network on scenes with priors, its ImageNet encoder frozen for a while."""

    sides: tuple[int, ...]
    """Sides of the scenes that the network sees, in pixels; most are composed at a larger size and
    shrunk, and a smaller one is drawn more often."""
    matted: tuple[Path, ...] = ()
    """Folders with photos (in images) and their true alphas (in alphas)."""
    real_share: float
    """Share of the scenes that are photos of ``matted``, unchanged."""
    matted_share: float
    """Share of the other scenes whose foreground comes from a photo of ``matted``."""
    cutout_share: float
    """Share of the rest whose foreground comes from ``foregrounds``; the others are procedural."""
    dropped: float
    """Share of the crops without priors."""
    warmup: int
    """Steps in which the learning rate rises to its peak; then it falls as a cosine to 1 %."""
    encoder_rate: float
    """Learning rate of the encoder as a share of the others', from step ``release`` on."""
    release: int | None
    """Step at which the encoder's later stages start to learn; None keeps it frozen."""
    start: Path | None
    """Weights to start from instead of ImageNet's: a checkpoint of this network, an exported ONNX
    file, or "lite", the default one."""
    encoder_weights: Path | None
    """File of the encoder's ImageNet weights; None takes those of the installed package."""

    wakes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        super().__post_init__()
        if not self.sides or self.crop > min(self.sides):
            raise DataError(
                f"crops of {self.crop} pixels from scenes of {self.sides}: expected smaller crops"
            )

    def build(self) -> LiteMatting:
        # Weights in the layout of the inputs: else each step converts them, a quarter of its time.
        network = LiteMatting()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def initialise(self, network: LiteMatting) -> None:
        if self.start is None:
            network.encoder.load_imagenet(self.encoder_weights)
        elif self.start.suffix == ".pt":
            checkpoint.start_from(self.start, network)
        else:
            # Here, for a data worker needs none of what exports, which takes long to load.
            from deepmatte.networks.export import restore

            restore(catalogue.find(self.start), network)
            _calibrate(network, self.samples(held_out=False))

    def groups(self, network: LiteMatting) -> list[list[nn.Parameter]]:
        encoder = list(network.encoder.parameters())
        rest = [p for name, p in network.named_parameters() if not name.startswith("encoder.")]
        return [rest, encoder]

    def learning(self, network: LiteMatting, step: int) -> list[float]:
        network.train()
        network.encoder.eval()  # its batch norm keeps ImageNet's statistics
        released = self.release is not None and step >= self.release
        network.encoder.requires_grad_(False)
        network.encoder.stages[_FIXED:].requires_grad_(released)
        rate = self._rate(step)
        return [rate, rate * self.encoder_rate if released else 0.0]

    def _rate(self, step: int) -> float:
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))

    def samples(self, *, held_out: bool) -> Crops:
        own = held_out and bool(self.held_out_foregrounds)
        sources = Sources(
            Pictures(self.held_out_foregrounds if own else self.foregrounds),
            Pictures(self.backgrounds),
            MattedPhotos(() if own else self.matted),
            self.cutout_share,
            self.matted_share,
            self.real_share,
        )
        seed = HELD_OUT if held_out else self.seed
        return Crops(sources, seed, self.sides, self.crop, self.per_scene, self.dropped)

    def loss(self, network: nn.Module, crops: Tensor) -> Outcome:
        inputs, alpha, foreground, background = Planes.of(crops)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        known, prior = inputs[:, 3:4], inputs[:, GUESS : GUESS + 1]
        unknown = 1 - known - inputs[:, 4:5]  # (B, 1, crop, crop)
        predicted = losses.softly_clipped(network(inputs).float())
        scalars = {
            "alpha": losses.alpha_prediction(predicted, alpha, unknown),
            "composition": losses.compositional(predicted, alpha, foreground, background, unknown),
            "laplacian": losses.laplacian(predicted, alpha, unknown),
        }
        loss = 0.5 * scalars["alpha"] + 0.5 * scalars["composition"] + 0.5 * scalars["laplacian"]
        scalars["prior"] = losses.alpha_prediction(prior, alpha, unknown)
        return Outcome(
            loss,
            scalars,
            {"picture": inputs[:, :3], "prior": prior, "predicted": predicted, "true": alpha},
            predicted=torch.where(unknown > 0, predicted.clamp(0, 1), known),
            alpha=alpha,
            trimap=(unknown * UNKNOWN + known * FOREGROUND).to(torch.uint8),
        )


def _calibrate(network: LiteMatting, samples: Crops) -> None:
    """Give the batch norms of an exported network the statistics that were folded away.

    The answer stays the same, but in training they would otherwise change it altogether.
    """
    seen: dict[nn.BatchNorm2d, list[Tensor]] = {}

    def watch(norm: nn.Module, features: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        seen.setdefault(norm, []).append(features[0].transpose(0, 1).flatten(1))  # (C, N)

    norms = [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d) and not name.startswith("encoder.")
    ]
    hooks = [norm.register_forward_pre_hook(watch) for norm in norms]
    network.eval()
    with torch.no_grad():
        for index in range(_CALIBRATION):
            network(Planes.of(samples[index].float()).inputs)
        for norm, features in seen.items():
            values = torch.cat(features, dim=1)
            variance, mean = torch.var_mean(values, dim=1)
            norm.running_mean, norm.running_var = mean, variance
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.add_(mean)
    for hook in hooks:
        hook.remove()
