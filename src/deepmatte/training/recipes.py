"""Recipes: functions that return a whole training configuration. Change single fields with
`dataclasses.replace`, as the command line's flags do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from deepmatte.engine import STRIDE
from deepmatte.errors import DataError


@dataclass(frozen=True)
class Training:
    """Everything that a training run depends on; two runs of equal values are equal."""

    foregrounds: tuple[Path, ...]
    """Folders of RGBA cut-outs; none: all foregrounds are procedural."""
    backgrounds: tuple[Path, ...]
    """Folders of photos, for backgrounds and for the textures of procedural foregrounds."""
    out: Path
    """Folder of the checkpoint, the weights and the TensorBoard log."""
    steps: int
    scenes: int
    """Scenes a batch."""
    per_scene: int
    """Crops a scene."""
    scene: int
    """Side of a scene, pixels."""
    crop: int
    """Side of a crop, pixels, a multiple of 32."""
    learning_rate: float
    """Peak of the schedule: linear warm-up, then a cosine down to 1 % of it."""
    warmup: int
    """Steps of the warm-up."""
    encoder_rate: float
    """The encoder's learning rate as a share of the rest's, once it is released."""
    release: int | None
    """Step at which the encoder starts to learn; None keeps it frozen."""
    weight_decay: float
    average: float
    """Decay of the exponential moving average whose weights are the result."""
    start: Path | None
    """Weights to start from instead of ImageNet's: a checkpoint of this loop."""
    encoder_weights: Path | None
    """File of the encoder's ImageNet weights; None takes the installed package's."""
    precision: Literal["float32", "bfloat16"]
    """bfloat16 is several times faster on CPUs with AMX and on GPUs, slower on others."""
    device: str
    threads: int
    """Threads of the training process; the workers have one each."""
    workers: int
    """Processes that make data."""
    save_minutes: float
    """Time between checkpoints."""
    seed: int

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained, before anything is read or written."""
        if self.crop % STRIDE or not STRIDE <= self.crop <= self.scene:
            raise DataError(
                f"crops of {self.crop} pixels from scenes of {self.scene}: expected a multiple of "
                f"{STRIDE}, no larger than the scene"
            )
        if self.precision not in ("float32", "bfloat16"):
            raise DataError(f"precision {self.precision}: expected float32 or bfloat16")
        if self.device != "cpu" and not (self.device == "cuda" and torch.cuda.is_available()):
            raise DataError(f"device {self.device}: expected cpu, or cuda where torch has it")


def lite(
    foregrounds: tuple[Path, ...], backgrounds: tuple[Path, ...], out: Path, *, workers: int = 1
) -> Training:
    """The shipped network (`deepmatte.networks.lite`)."""
    return Training(
        foregrounds=foregrounds,
        backgrounds=backgrounds,
        out=out,
        steps=7_500,
        scenes=2,
        per_scene=4,
        scene=448,
        crop=256,
        learning_rate=1e-3,
        warmup=300,
        encoder_rate=0.1,
        release=None,
        weight_decay=1e-4,
        average=0.999,
        start=None,
        encoder_weights=None,
        precision="float32",
        device="cpu",
        threads=2,
        workers=workers,
        save_minutes=4,
        seed=1,
    )
