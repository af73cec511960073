"""How many crops a second does `deepmatte train lite` learn from, and what holds it up?

    python benchmarks/training.py [--quick] [--json FILE]

The recipe on pictures that are drawn for this: photos and cut-outs in files. Measured are the
workers that make the crops alone, the training loop alone on crops that are ready in memory, and
both together, as the command runs them. The loop is measured in float32 and in bfloat16, with one
thread: two threads and two workers on two cores wait for each other.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import measuring
import plot
from measuring import Benchmark, Results, say, table
from processes import ways

if TYPE_CHECKING:
    from deepmatte.training.base import Precision
    from deepmatte.training.lite import LiteTraining

PRECISIONS = ("float32", "bfloat16")
STEPS = 24
SETTLED = 6  # steps before the clock: the workers start, and their queue fills or empties
BATCHES = 16
PICTURES = 12
SIDE = 900


@dataclass(frozen=True)
class Rate:
    """Crops a second of one part."""

    part: str
    crops_per_second: float


def measure(quick: bool) -> Results:
    """Crops a second of the worker, the loop, and both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = ways(quick).run
        run(draw_pictures, folder, 2 if quick else PICTURES, 128 if quick else SIDE)
        settings, worker = run(worker_alone, folder, quick)
        rates = [Rate("data workers alone", worker)]
        for precision in PRECISIONS:
            alone = run(timed, folder, quick, precision, True)
            together = run(timed, folder, quick, precision, False)
            rates.append(Rate(f"training loop alone, {precision}", alone))
            rates.append(Rate(f"both together, {precision}", together))
        for rate in rates:
            say(f"{rate.part}: {rate.crops_per_second:.1f} crops a second")
    return {"settings": settings, "rates": measuring.as_rows(rates)}


def draw_pictures(folder: Path, count: int, side: int) -> None:
    """Write photos as JPEG and cut-outs as PNG."""
    import numpy as np

    from deepmatte.images import save_image
    from deepmatte.training.synthetic import noise_texture, synthetic_foreground

    (folder / "photos").mkdir()
    (folder / "cutouts").mkdir()
    rng = np.random.default_rng(0)
    for index in range(count):
        save_image(folder / "photos" / f"{index}.jpg", noise_texture(rng, side, side))
        foreground, alpha = synthetic_foreground(rng, side, side, noise_texture)
        cutout = np.dstack([foreground, alpha])
        save_image(folder / "cutouts" / f"{index}.png", cutout)


def recipe(folder: Path, quick: bool) -> LiteTraining:
    """The recipe, cut short; validation and checkpoints come after the clock has stopped."""
    from deepmatte.training import recipes

    training = recipes.lite((folder / "cutouts",), (folder / "photos",), folder / "run")
    steps = 3 if quick else SETTLED + STEPS + 1
    training = replace(
        training, steps=steps, validate_every=steps, held_out=1, save_minutes=1e9, threads=1
    )
    return replace(training, scenes=1, sides=(64,), crop=32, workers=1) if quick else training


def worker_alone(folder: Path, quick: bool) -> tuple[Results, float]:
    """The settings, and the crops a second that the workers make while nobody trains."""
    from deepmatte.training.crops import Share, batches

    training = recipe(folder, quick)
    samples = training.samples(held_out=False)
    stream = iter(batches(samples, Share(training.scenes), first=0, workers=training.workers))
    # What lies in the queue was made before the clock began.
    for _ in range(1 if quick else SETTLED):
        next(stream)
    began = time.perf_counter()
    crops = sum(len(next(stream)) for _ in range(2 if quick else BATCHES))
    rate = crops / (time.perf_counter() - began)
    del stream  # ends the workers, which would else complain when this process ends
    names = ("scenes", "per_scene", "sides", "crop", "threads", "workers")
    return {name: getattr(training, name) for name in names}, rate


def timed(folder: Path, quick: bool, precision: Precision, ready: bool) -> float:
    """Crops a second of the command, or of its loop alone where the crops are ``ready``."""
    from torch import Tensor
    from torch.utils.data import Dataset

    from deepmatte.training import loop
    from deepmatte.training.lite import LiteTraining

    began: list[float] = []
    training = replace(recipe(folder, quick), precision=precision)
    made = [training.samples(held_out=False)[index] for index in range(2)] if ready else []

    class Ready(Dataset[Tensor]):
        """The same few items again and again."""

        def __getitem__(self, index: int) -> Tensor:
            return made[index % len(made)]

    class Clocked(LiteTraining):
        """The recipe, which notes when each step begins."""

        def learning(self, network: object, step: int) -> list[float]:
            began.append(time.perf_counter())
            return super().learning(network, step)  # type: ignore[arg-type]

        def samples(self, *, held_out: bool) -> Dataset[Tensor]:  # type: ignore[override]
            return Ready() if ready else super().samples(held_out=held_out)

    values = {field.name: getattr(training, field.name) for field in fields(training)}
    if ready:
        values["workers"] = 0
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        loop.train(Clocked(**values))
    (training.out / "checkpoint.pt").unlink()
    settled = began[1 if quick else SETTLED :]
    steps = (len(settled) - 1) / (settled[-1] - settled[0])
    return steps * training.scenes * training.per_scene


def report(results: Results) -> str:
    """Crops a second, and what bfloat16 gains."""
    settings, rates = results["settings"], results["rates"]
    rows = [(rate["part"], f"{rate['crops_per_second']:.1f}") for rate in rates]
    single, half = (rate["crops_per_second"] for rate in rates if "both" in rate["part"])
    sentence = (
        f"**{single:.1f} crops a second in float32, {half:.1f} in bfloat16**, "
        f"{half / single:.1f} times as many."
    )
    named = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())
    heads = ("", "crops a second")
    return f"{sentence} The recipe's settings: {named}.\n\n{table(heads, rows)}"


def plots(results: Results) -> dict[str, str]:
    """Crops a second of each part."""
    rows = [(rate["part"], {"rate": rate["crops_per_second"]}) for rate in results["rates"]]
    return {"training": plot.bars("Training throughput", "crops a second", rows)}


BENCHMARK = Benchmark("training", __doc__, measure, report, plots)

if __name__ == "__main__":
    measuring.main(BENCHMARK)
