"""Does the paper's network learn? All three stages at full width on one picture, in minutes.

    python tools/dim_overfit.py [--encoder-weights VGG16] [--side 64]

The picture is a composite of a procedural foreground, so that nothing has to be fetched. It is
trained on through the recipes and the loop of ``deepmatte train dim``, at higher learning rates
than the paper's 1e-5, and measured on itself. Prints the loop's log and then each stage's SAD
beside the untrained network's; the exit code is 1 unless the last one is below 1 % of that.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from deepmatte.evaluation.metrics import sad
from deepmatte.training import checkpoint, loop, recipes
from deepmatte.training.dim import DimTraining

STEPS = {"encoder-decoder": 140, "refinement": 30, "finetune": 100}
RATES = {"encoder-decoder": 1e-4, "refinement": 1e-5, "finetune": 1e-5}
PICTURE = 4  # which of the held-out composites: fur


@dataclass(frozen=True)
class Same(Dataset[Tensor]):
    """One sample under every index."""

    sample: Tensor

    def __getitem__(self, index: int) -> Tensor:
        return self.sample


@dataclass(frozen=True, kw_only=True)
class OnePicture(DimTraining):
    """A stage that sees, and is measured on, one picture with one trimap."""

    def samples(self, *, held_out: bool) -> Dataset[Tensor]:
        return Same(super().samples(held_out=True)[PICTURE])


def main() -> None:
    """Train the stages one after the other and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder-weights", type=Path, help="VGG16; else all starts from nothing")
    parser.add_argument("--side", type=int, default=64, help="of the picture, pixels")
    arguments = parser.parse_args()
    loop.LOG_EVERY = 20
    # Where fc6's kernel is larger than its map, oneDNN's backward pass takes four times as long as
    # torch's own.
    torch.backends.mkldnn.set_flags(False)
    with tempfile.TemporaryDirectory() as folder:
        stages = [
            one_picture(stage, arguments.side, arguments.encoder_weights)
            for stage in recipes.dim((), (), Path(folder))
        ]
        errors = {"untrained": untrained(stages[0])}
        print(f"untrained: sad {errors['untrained']:.4g}")
        began = time.monotonic()
        for stage in stages:
            loop.train(stage)
            best = checkpoint.load(stage.out / checkpoint.BEST)
            errors[stage.stage] = best["errors"]["sad"]
            (stage.out / checkpoint.LAST).unlink()  # a gigabyte and a half that nobody needs
    print(f"{'':<16}{'SAD':>10}{'share':>10}")
    for name, error in errors.items():
        print(f"{name:<16}{error:>10.5f}{error / errors['untrained']:>10.2%}")
    print(f"{(time.monotonic() - began) / 60:.0f} min, {torch.get_num_threads()} threads")
    sys.exit(0 if errors["finetune"] < 0.01 * errors["untrained"] else 1)


def one_picture(stage: DimTraining, side: int, weights: Path | None) -> OnePicture:
    """A stage of the recipe, with what is peculiar to this script."""
    changed = dataclasses.replace(
        stage,
        steps=STEPS[stage.stage],
        learning_rate=RATES[stage.stage],
        scenes=1,
        sides=(side,),
        crop=side,
        imagenet=weights is not None,
        encoder_weights=weights,
        workers=0,
        validate_every=20,
        held_out=1,
        save_minutes=1e9,
    )
    fields = (field.name for field in dataclasses.fields(changed))
    return OnePicture(**{name: getattr(changed, name) for name in fields})


def untrained(stage: OnePicture) -> float:
    """The SAD of the network as it starts."""
    torch.manual_seed(stage.seed)
    network = stage.build().to(stage.device)
    stage.initialise(network)
    crops = stage.samples(held_out=True)[0].to(stage.device, torch.float32)
    with torch.no_grad():
        outcome = stage.loss(network.eval(), crops)
    planes = (outcome.predicted, outcome.alpha, outcome.trimap)
    return sad(*(plane[0, 0].cpu().numpy() for plane in planes))


if __name__ == "__main__":
    main()
