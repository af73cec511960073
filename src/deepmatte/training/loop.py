"""The training loop, one function from top to bottom, for every network and one process or many."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import cast

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter

from deepmatte.errors import DataError, ImageError
from deepmatte.evaluation.metrics import measure
from deepmatte.evaluation.results import METRICS
from deepmatte.machine import keep_freed_memory
from deepmatte.training import checkpoint
from deepmatte.training.base import Network, Training
from deepmatte.training.crops import Share, batches

LOG_EVERY = 50
PREVIEW_EVERY = 1000

_MIXED_PRECISION = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


def train(training: Training[Network], *, resume: bool = False) -> Network:
    """Train; returns the averaged network in eval mode.

    ``training.out`` receives ``checkpoint.pt`` every few minutes and at the end, ``best.pt`` when
    the SAD on the held-out composites falls, and a TensorBoard log. With ``resume`` an existing
    checkpoint is continued exactly: an interrupted and resumed run ends with the same bits as an
    uninterrupted one of as many processes.

    Where ``accelerate launch`` started several processes, each of them calls this. Together they
    learn from the crops that one would learn from, and the first alone writes.

    Raises:
        DataError: if folders hold no pictures, weights are missing, the scenes cannot be shared
            equally, the weights grow beyond all bounds, or there is a checkpoint that is not to be
            resumed or belongs to a run with other settings.
    """
    if not 0 <= training.seed < 2**63:
        raise DataError(f"seed {training.seed}: expected a number from 0 to 2^63 - 1")
    keep_freed_memory()
    torch.set_num_threads(training.threads)
    torch.manual_seed(training.seed)
    AcceleratorState._reset_state(reset_partial_state=True)  # an earlier run's device and precision
    accelerator = Accelerator(
        cpu=training.device == "cpu",
        mixed_precision=_MIXED_PRECISION[training.precision],
        gradient_accumulation_steps=training.accumulate,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=training.wakes)],
    )
    device, leads = accelerator.device, accelerator.is_main_process
    rank, processes = accelerator.process_index, accelerator.num_processes
    share = Share(training.scenes, rank, processes, training.accumulate)

    path = training.out / checkpoint.LAST
    earlier = _earlier(training, resume)
    network = training.build().to(device)
    if earlier is None:
        training.initialise(network)
    average = None  # without one the last weights are the result
    if training.average:
        average = AveragedModel(
            network, multi_avg_fn=get_ema_multi_avg_fn(training.average), use_buffers=True
        )
    result = network if average is None else cast("Network", average.module)
    groups = [{"params": group} for group in training.groups(network)]
    optimizer = torch.optim.AdamW(groups, lr=0.0, weight_decay=training.weight_decay)
    first, best = 0, math.inf
    if earlier is not None:
        try:
            network.load_state_dict(earlier["network"])
            if average is not None:
                average.load_state_dict(earlier["average"])
            optimizer.load_state_dict(earlier["optimizer"])
            checkpoint.check_moments(optimizer)
            if accelerator.scaler is not None:
                accelerator.scaler.load_state_dict(earlier["scaler"])
            first, best = earlier["step"], float(earlier.get("best", math.inf))
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
            raise DataError(
                f"{path}: cannot be resumed: expected what this training wrote there, with the "
                "optimiser's state, and not the best network alone or another's checkpoint"
            ) from error
    if len(set(accelerator.gather(torch.tensor([first], device=device)).tolist())) > 1:
        raise DataError(f"{path} is not the same for all processes: expected a shared folder")
    if first >= training.steps:
        accelerator.print(f"{path}: done, {first} steps")
        return result.eval()

    samples = training.samples(held_out=False)
    stream = iter(batches(samples, share, first=first, workers=training.workers))
    unseen = training.samples(held_out=True)
    held_out: list[Tensor] = []
    prepared, optimizer = accelerator.prepare(network, optimizer)
    if leads:
        training.out.mkdir(parents=True, exist_ok=True)
        writer = SummaryWriter(str(training.out), purge_step=first)
        crops_a_step = training.scenes * training.per_scene
        print(
            f"{training.out}: steps {first + 1} to {training.steps}, {crops_a_step} crops each, "
            f"{processes} process{'es' * (processes > 1)} on {device.type}",
            flush=True,
        )
    began = saved = time.monotonic()
    counted, waited = first, 0.0  # the clock's first step, seconds without crops
    for step in range(first, training.steps):
        rates = training.learning(network, step)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        parts = []
        for _ in range(training.accumulate):
            asked = time.monotonic()
            crops = _next(stream).to(device, torch.float32)  # (B, channels, crop, crop)
            waited += time.monotonic() - asked
            with accelerator.accumulate(prepared):
                outcome = training.loss(prepared, crops)
                accelerator.backward(outcome.loss)
            parts.append(torch.stack([s.detach() for s in outcome.scalars.values()]))
        norm = accelerator.clip_grad_norm_(network.parameters(), training.clip)
        optimizer.step()
        # Float16 leaves out steps of its own accord until their gradients fit.
        if not (norm.isfinite() or accelerator.optimizer_step_was_skipped):
            raise DataError(
                f"step {step + 1}: the loss has no finite gradient any more; nothing was written "
                "since the last checkpoint: lower the learning rate"
            )
        optimizer.zero_grad()
        if average is not None:
            average.update_parameters(network)

        done = step + 1
        if done % LOG_EVERY == 0 or done in (first + 3, training.steps):
            values = accelerator.reduce(torch.stack(parts).mean(0), "mean").tolist()
            if leads:
                elapsed = time.monotonic() - began
                speed = (done - counted) * training.scenes * training.per_scene / elapsed
                left = (training.steps - done) * elapsed / (done - counted)
                scalars = dict(zip(outcome.scalars, values, strict=True))
                logged = {**scalars, "gradient": norm.item(), "rate": rates[0]}
                for name, value in logged.items():
                    writer.add_scalar(name, value, done)
                shown = "  ".join(f"{name} {value:.4f}" for name, value in scalars.items())
                print(
                    f"step {done}/{training.steps}  {shown}  {speed:.1f} crops/s "
                    f"({waited / elapsed:.0%} waiting for them)  {_duration(left)} left",
                    flush=True,
                )
        if step == first and done < training.steps:
            # The first step also starts workers and libraries: it would spoil the estimate.
            began, counted, waited = time.monotonic(), done, 0.0
        paused = time.monotonic()
        if leads and done % PREVIEW_EVERY == 0:
            panels = [panel[:4].expand(-1, 3, -1, -1) for panel in outcome.panels.values()]
            sheet = torch.cat(panels, dim=3).clamp(0, 1)  # (4, 3, crop, panels * crop)
            writer.add_images(", ".join(outcome.panels), sheet, done)
        if done % training.validate_every == 0 or done == training.steps:
            own = range(rank, training.held_out, processes)
            held_out = held_out or [unseen[index] for index in own]
            errors = _validate(training, result, held_out, accelerator)
            if leads:
                for name, value in errors.items():
                    writer.add_scalar(f"held out/{name}", value, done)
                shown = "  ".join(f"{name} {value:.4g}" for name, value in errors.items())
                better = errors["sad"] < best
                print(f"held out: {shown}{'  (best)' if better else ''}", flush=True)
                if better:
                    state = {**_described(training, done), "network": result.state_dict()}
                    checkpoint.save({**state, "errors": errors}, training.out / checkpoint.BEST)
            best = min(best, errors["sad"])
        late = time.monotonic() - saved > training.save_minutes * 60
        if leads and (late or done == training.steps):
            saved = time.monotonic()
            state = {
                **_described(training, done),
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "best": best,
            }
            if average is not None:
                state["average"] = average.state_dict()
            if accelerator.scaler is not None:
                state["scaler"] = accelerator.scaler.state_dict()
            checkpoint.save(state, path)
        began += time.monotonic() - paused
    if leads:
        writer.close()
    accelerator.wait_for_everyone()  # whoever goes on with a next stage reads what was written
    accelerator.unwrap_model(prepared, keep_fp32_wrapper=False)  # forward as it was before
    return result.eval()


def _earlier(training: Training[Network], resume: bool) -> checkpoint.State | None:
    """The checkpoint to continue, if there is one."""
    path = checkpoint.find(training.out, resume=resume)
    if path is None:
        return None
    state = checkpoint.load(path)
    now = training.identity()
    if not isinstance(state.get("training"), dict):
        raise DataError(
            f"{path}: it does not say how it was trained; expected a checkpoint of this version"
        )
    other = [f"{n} {v}, now {now[n]}" for n, v in state["training"].items() if now.get(n, v) != v]
    if other:
        raise DataError(f"{path}: made with other settings: {'; '.join(other)}; expected the same")
    return state


def _described(training: Training[Network], done: int) -> checkpoint.State:
    """What a checkpoint says about its weights."""
    return {"training": training.identity(), "step": done}


def _next(stream: Iterator[Tensor]) -> Tensor:
    try:
        return next(stream)
    except (DataError, ImageError) as error:
        # From a worker it comes with the worker's whole traceback as its text.
        kind = type(error)
        raise kind(str(error).strip().splitlines()[-1].split(f"{kind.__name__}: ")[-1]) from None
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise DataError(
            "a process that composes pictures was killed, as the system does where memory runs "
            "out: try fewer --workers, and --resume"
        ) from error


def _validate(
    training: Training[Network],
    network: nn.Module,
    held_out: Sequence[Tensor],
    accelerator: Accelerator,
) -> dict[str, float]:
    """The mean of each metric on the held-out crops, of which each process has its part."""
    network.eval()
    totals = torch.zeros(1 + len(METRICS), dtype=torch.float64)
    for crops in held_out:
        with torch.no_grad(), accelerator.autocast():
            outcome = training.loss(network, crops.to(accelerator.device, torch.float32))
        if not outcome.predicted.isfinite().all():
            raise DataError(
                "the network's weights are no numbers any more: lower the learning rate"
            )
        planes = (outcome.predicted.float(), outcome.alpha, outcome.trimap)
        for prediction, alpha, trimap in zip(*(p[:, 0].cpu().numpy() for p in planes), strict=True):
            totals += torch.tensor([1.0, *measure(prediction, alpha, trimap).values()])
    count, *sums = accelerator.reduce(totals.to(accelerator.device), "sum").tolist()
    return {name: value / count for name, value in zip(METRICS, sums, strict=True)}


def _duration(seconds: float) -> str:
    """Rounded for a person: 40 s, 12 min, 5.5 h, 3.2 days."""
    for unit, size in (("days", 86400), ("h", 3600)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
