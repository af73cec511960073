"""The settings of a training, and what each network implements for the loop."""

from __future__ import annotations

import abc
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, Literal, TypeVar, get_args

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from deepmatte.errors import DataError
from deepmatte.solver.tiles import STRIDE

Network = TypeVar("Network", bound=nn.Module)
Precision = Literal["float32", "bfloat16", "float16"]

HELD_OUT = 2**62
"""The seed of the composites that a training is validated on, whatever its own seed is."""


@dataclass(frozen=True)
class Outcome:
    """The loss and the predictions for a batch of B crops of H x W pixels.

    Attributes:
        loss: to be minimised, a mean over the crops.
        scalars: values for the log, each a mean over the crops.
        panels: ``(B, 1 or 3, H, W)`` pictures by name, to look at side by side.
        predicted: ``(B, 1, H, W)`` the final alpha, 0..1, known pixels set.
        alpha: ``(B, 1, H, W)`` the true one.
        trimap: ``(B, 1, H, W)`` uint8, labels of `deepmatte.trimap`.
    """

    loss: Tensor
    scalars: dict[str, Tensor]
    panels: dict[str, Tensor]
    predicted: Tensor
    alpha: Tensor
    trimap: Tensor


@dataclass(frozen=True, kw_only=True)
class Training(abc.ABC, Generic[Network]):
    """Everything that a training run depends on; two runs of equal values are equal.

    The fields are the loop's; a network's own class adds its fields, and the methods below.

    Raises:
        DataError: if the values cannot be trained, before anything is read or written.
    """

    foregrounds: tuple[Path, ...]
    """Folders of cut-outs (pictures with transparency, or folders fg and alpha); if left out, all
    foregrounds are procedural."""
    backgrounds: tuple[Path, ...]
    """Folders of photos, for backgrounds and for the textures of procedural foregrounds."""
    held_out_foregrounds: tuple[Path, ...] = ()
    """Folders of foregrounds to validate on; if left out, those of the training, composed anew."""
    out: Path
    """Folder of the checkpoints and the TensorBoard log; all processes must have access to it."""
    steps: int
    """Number of optimizer steps."""
    scenes: int
    """Composites per step, over all processes."""
    per_scene: int
    """Crops per composite."""
    crop: int
    """Side of the crops that the network sees, in pixels; a multiple of 32."""
    accumulate: int = 1
    """Gradient accumulation: number of parts in which each process computes its step."""
    learning_rate: float
    """The highest learning rate of the schedule."""
    weight_decay: float
    """Weight decay of AdamW."""
    clip: float
    """Gradient clipping: the largest norm of the gradient."""
    average: float
    """Decay of the exponential moving average that gives the final weights; 0: the last weights."""
    precision: Precision = "float32"
    """bfloat16 is faster on GPUs and on CPUs with AVX-512 BF16 or AMX, slower on others."""
    device: str
    """``cpu`` or ``cuda``; by default a GPU if there is one."""
    threads: int
    """Threads of each training process; each worker has one."""
    workers: int
    """Worker processes that make crops, for each training process."""
    validate_every: int
    """Steps between validations; there is always one at the end."""
    held_out: int
    """Composites to validate on."""
    save_minutes: float = 4
    """Minutes between checkpoints."""
    seed: int = 1
    """Seed of all random choices; composite i depends on the seed and i alone."""

    incidental: ClassVar[frozenset[str]] = frozenset(
        {"out", "save_minutes", "workers", "threads", "device", "validate_every"}
        | {"held_out", "held_out_foregrounds"}
    )
    """Settings that the resulting bits do not depend on."""
    wakes: ClassVar[bool] = False
    """Whether parameters that rest at first learn later."""

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        if self.crop % STRIDE or self.crop < STRIDE:
            raise DataError(
                f"crops of {self.crop} pixels: expected a multiple of {STRIDE}, at least {STRIDE}"
            )
        if self.precision not in get_args(Precision):
            raise DataError(
                f"precision {self.precision}: expected one of {', '.join(get_args(Precision))}"
            )
        if self.device != "cpu" and not (self.device == "cuda" and torch.cuda.is_available()):
            raise DataError(f"device {self.device}: expected cpu, or cuda if torch supports it")
        if self.precision == "float16" and self.device == "cpu":
            raise DataError("precision float16 on the CPU: expected bfloat16, or a GPU")
        counts = ("steps", "scenes", "per_scene", "accumulate", "validate_every", "held_out")
        for name in (*counts, "threads"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} {getattr(self, name)}: expected 1 or more")
        for name in ("workers", "seed", "weight_decay", "clip", "average", "save_minutes"):
            if getattr(self, name) < 0:
                raise DataError(f"{name} {getattr(self, name)}: expected 0 or more")
        if self.average > 1:
            raise DataError(f"average {self.average}: expected 0 to 1")

    def identity(self) -> dict[str, str]:
        """The settings that the resulting bits depend on."""
        values = dataclasses.asdict(self)
        return {name: str(value) for name, value in values.items() if name not in self.incidental}

    @abc.abstractmethod
    def build(self) -> Network:
        """The untrained network, on the CPU; only what learns at some time requires gradients."""

    @abc.abstractmethod
    def initialise(self, network: Network) -> None:
        """Load what the training starts from; not called where a checkpoint is continued.

        Raises:
            DataError: if it is missing or belongs to another network.
        """

    @abc.abstractmethod
    def groups(self, network: Network) -> list[list[nn.Parameter]]:
        """The parameters that learn, grouped by learning rate."""

    @abc.abstractmethod
    def learning(self, network: Network, step: int) -> list[float]:
        """Set which parts learn in this step; returns the rate of each group."""

    @abc.abstractmethod
    def samples(self, *, held_out: bool) -> Dataset[Tensor]:
        """Item ``i`` is the crops of composite ``i``: ``(per_scene, channels, crop, crop)``.

        Every item is the same whenever and wherever it is drawn. With ``held_out`` they come from
        the seed `HELD_OUT` and `held_out_foregrounds`.
        """

    @abc.abstractmethod
    def loss(self, network: nn.Module, crops: Tensor) -> Outcome:
        """Apply the network to a batch of `samples`, float32 ``(B, channels, crop, crop)``."""


def default_device() -> str:
    """A GPU where there is one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"
