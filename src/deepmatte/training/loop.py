"""The training loop, one function from top to bottom."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter

from deepmatte.errors import DataError, ImageError
from deepmatte.inputs import GUESS, INPUT_CHANNELS
from deepmatte.networks.lite import LiteMatting
from deepmatte.training import checkpoint, losses
from deepmatte.training.compose import Pictures, Sources
from deepmatte.training.dataset import Crops, batches
from deepmatte.training.recipes import Training

LOG_EVERY = 50
PREVIEW_EVERY = 1000
CHECKPOINT = "checkpoint.pt"


def train(training: Training, *, resume: bool = False) -> LiteMatting:
    """Train; returns the averaged network in eval mode.

    ``training.out`` receives ``checkpoint.pt`` every few minutes and at the end, and a TensorBoard
    log. With ``resume`` an existing checkpoint is continued exactly: an interrupted and resumed
    run ends with the same bits as an uninterrupted one.

    Errors: `DataError` where folders hold no pictures, weights are missing, or there is a
    checkpoint that is not to be resumed or belongs to a run with other settings.
    """
    torch.set_num_threads(training.threads)
    torch.manual_seed(training.seed)
    crops = Crops(
        Sources(Pictures(training.foregrounds), Pictures(training.backgrounds)),
        training.seed,
        training.scene,
        training.crop,
        training.per_scene,
    )
    device = torch.device(training.device)
    network = _network(training).to(device)
    average = AveragedModel(
        network, multi_avg_fn=get_ema_multi_avg_fn(training.average), use_buffers=True
    )
    encoder = list(network.encoder.parameters())
    rest = [p for name, p in network.named_parameters() if not name.startswith("encoder.")]
    optimizer = torch.optim.AdamW(
        [{"params": rest}, {"params": encoder}], lr=0.0, weight_decay=training.weight_decay
    )
    training.out.mkdir(parents=True, exist_ok=True)
    path = training.out / CHECKPOINT
    first = 0
    if path.exists() and not resume:
        raise DataError(f"{path} exists: resume it, or train into another folder")
    if path.exists():
        state = checkpoint.load(path)
        if state["training"] != _identity(training):
            raise DataError(f"{path}: made with other settings; expected {_identity(training)}")
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    writer = SummaryWriter(str(training.out), purge_step=first)
    stream: Iterator[Tensor] = iter(
        batches(crops, scenes=training.scenes, first=first, workers=training.workers)
    )
    began = saved = time.monotonic()
    for step in range(first, training.steps):
        network.train()
        network.encoder.eval()  # its batch norm keeps ImageNet's statistics
        released = training.release is not None and step >= training.release
        network.encoder.requires_grad_(released)
        rate = _rate(step, training)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.param_groups[1]["lr"] = rate * training.encoder_rate if released else 0.0

        crop = _next(stream).to(device, torch.float32)  # (B, CHANNELS, crop, crop)
        inputs, alpha, foreground, background = crop.split([len(INPUT_CHANNELS), 1, 3, 3], dim=1)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        prior = inputs[:, GUESS : GUESS + 1]
        unknown = 1 - inputs[:, 3:4] - inputs[:, 4:5]  # (B, 1, crop, crop)
        with torch.autocast(device.type, torch.bfloat16, enabled=training.precision == "bfloat16"):
            refined, coarse = network(inputs)
        refined, coarse = (losses.softly_clipped(a.float()) for a in (refined, coarse))
        terms = {
            "alpha": losses.alpha_prediction(refined, alpha, unknown),
            "composition": losses.compositional(refined, alpha, foreground, background, unknown),
            "laplacian": losses.laplacian(refined, alpha, unknown),
            "coarse": losses.alpha_prediction(coarse, alpha, unknown),
        }
        loss = (
            0.5 * terms["alpha"]
            + 0.5 * terms["composition"]
            + 0.5 * terms["laplacian"]
            + 0.25 * terms["coarse"]
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(network)

        done = step + 1
        if done % LOG_EVERY == 0 or done == training.steps:
            speed = (done - first) * len(crop) / (time.monotonic() - began)
            left = (training.steps - done) * len(crop) / speed
            guess = losses.alpha_prediction(prior, alpha, unknown)
            scalars = {**terms, "gradient": norm, "prior": guess}
            for name, value in scalars.items():
                writer.add_scalar(name, value.item(), done)
            writer.add_scalar("rate", rate, done)
            print(
                f"step {done}/{training.steps}  alpha {terms['alpha'].item():.4f} "
                f"(prior {guess.item():.4f})  {speed:.1f} crops/s  {left / 60:.0f} min left",
                flush=True,
            )
        if done % PREVIEW_EVERY == 0:
            panels = [p.expand(-1, 3, -1, -1) for p in (inputs[:, :3], prior, refined, alpha)]
            sheet = torch.cat(panels, dim=3)[:4].clamp(0, 1)  # (4, 3, crop, 4 crop)
            writer.add_images("picture, prior, predicted, true", sheet, done)
        if time.monotonic() - saved > training.save_minutes * 60 or done == training.steps:
            saved = time.monotonic()
            checkpoint.save(
                {
                    "training": _identity(training),
                    "step": done,
                    "network": network.state_dict(),
                    "average": average.state_dict(),
                    "optimizer": optimizer.state_dict(),
                },
                path,
            )
    writer.close()
    result = average.module.eval()
    assert isinstance(result, LiteMatting)
    return result


def _next(stream: Iterator[Tensor]) -> Tensor:
    try:
        return next(stream)
    except ImageError as error:
        # From a worker it comes with the worker's whole traceback as its text.
        raise ImageError(str(error).strip().splitlines()[-1].split("ImageError: ")[-1]) from None


def _network(training: Training) -> LiteMatting:
    network = LiteMatting()
    if training.start is not None:
        network.load_state_dict(checkpoint.averaged_weights(training.start))
    else:
        network.encoder.load_imagenet(training.encoder_weights)
    return network


def _identity(training: Training) -> dict[str, str]:
    """The settings that the resulting bits depend on."""
    incidental = {"out", "save_minutes", "workers", "threads", "device"}
    values = dataclasses.asdict(training)
    return {name: str(value) for name, value in values.items() if name not in incidental}


def _rate(step: int, training: Training) -> float:
    """Linear warm-up, then half a cosine down to 1 % of the peak."""
    if step < training.warmup:
        return training.learning_rate * (step + 1) / training.warmup
    progress = (step - training.warmup) / max(1, training.steps - training.warmup)
    return training.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
