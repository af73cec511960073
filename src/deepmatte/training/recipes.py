"""Recipes: functions that return a whole training configuration. Change single fields with
`dataclasses.replace`, as the command line's flags do."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import torch

from deepmatte.networks.dim import DimConfig
from deepmatte.training import checkpoint
from deepmatte.training.base import default_device
from deepmatte.training.dim import STAGES, DimTraining
from deepmatte.training.lite import LiteTraining

Folders = tuple[Path, ...]


def lite(
    foregrounds: Folders, backgrounds: Folders, out: Path, *, workers: int = 2
) -> LiteTraining:
    """The default network (`deepmatte.networks.lite`)."""
    return LiteTraining(
        foregrounds=foregrounds,
        backgrounds=backgrounds,
        out=out,
        steps=75_000,
        scenes=4,
        per_scene=2,
        sides=(320, 512),
        crop=256,
        real_share=0.25,
        matted_share=0.45,
        cutout_share=1.0,
        dropped=0.3,
        learning_rate=5e-4,
        warmup=300,
        encoder_rate=0.2,
        release=0,
        weight_decay=1e-4,
        clip=1.0,
        average=0.999,
        start=None,
        encoder_weights=None,
        device=default_device(),
        threads=2,
        workers=workers,
        validate_every=1_000,
        held_out=12,
    )


def dim_encoder_decoder(foregrounds: Folders, backgrounds: Folders, out: Path) -> DimTraining:
    """The paper's encoder-decoder, from ImageNet's VGG16 (section 4.2, the first stage).

    The paper trains each stage until it has converged; it says neither how long that takes nor how
    large a batch is.
    """
    return DimTraining(
        stage="encoder-decoder",
        network=DimConfig(),
        foregrounds=foregrounds,
        backgrounds=backgrounds,
        out=out,
        steps=100_000,
        scenes=16,
        per_scene=1,
        sides=(320, 480, 640),
        crop=320,
        dilation=(1, 29),
        matted_share=0.6,
        synthetic=0.0,
        alpha_weight=0.5,
        learning_rate=1e-5,
        weight_decay=0.0,
        clip=math.inf,
        average=0.0,
        checkpointing=False,
        start=None,
        imagenet=True,
        encoder_weights=None,
        device=default_device(),
        threads=torch.get_num_threads(),
        workers=4,
        validate_every=1_000,
        held_out=64,
        save_minutes=15,
    )


def dim_refinement(
    foregrounds: Folders, backgrounds: Folders, out: Path, start: Path
) -> DimTraining:
    """The paper's refinement on the encoder-decoder of ``start``, which stays as it is."""
    encoder_decoder = dim_encoder_decoder(foregrounds, backgrounds, out)
    return dataclasses.replace(encoder_decoder, stage="refinement", start=start, steps=30_000)


def dim_finetune(foregrounds: Folders, backgrounds: Folders, out: Path, start: Path) -> DimTraining:
    """Both parts of the paper's network together, from the refinement's result ``start``."""
    encoder_decoder = dim_encoder_decoder(foregrounds, backgrounds, out)
    return dataclasses.replace(encoder_decoder, stage="finetune", start=start, steps=50_000)


def dim(foregrounds: Folders, backgrounds: Folders, out: Path) -> tuple[DimTraining, ...]:
    """The three stages, each in a folder of ``out`` and from the best network of the one before."""
    first, second, third = (out / stage for stage in STAGES)
    return (
        dim_encoder_decoder(foregrounds, backgrounds, first),
        dim_refinement(foregrounds, backgrounds, second, first / checkpoint.BEST),
        dim_finetune(foregrounds, backgrounds, third, second / checkpoint.BEST),
    )
