"""`deepmatte train RECIPE`: one sub-command a recipe; its flags override single fields."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Train a network by one of the recipes; needs pip install 'deepmatte[train]'.",
    short_help="Train a network.",
    epilog="\b\nExample:\n  deepmatte train lite --backgrounds photos --out runs/lite",
)

EXAMPLE = """\b
Example:
  deepmatte train lite --foregrounds cutouts --backgrounds photos --out runs/lite
  deepmatte train lite --foregrounds cutouts --backgrounds photos --out runs/lite --resume
"""


@app.command("lite", epilog=EXAMPLE)
def lite(
    backgrounds: Annotated[
        list[Path],
        typer.Option(metavar="DIR", help="Folder of photos to compose on; may be repeated."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for the checkpoint, weights and log.")
    ],
    foregrounds: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Folder of RGBA cut-outs; may be repeated. Without any, all are procedural.",
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Checkpoint to start from instead of ImageNet."),
    ] = None,
    encoder_weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="ImageNet weights instead of the installed package's."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1)] = None,
    scenes: Annotated[int | None, typer.Option(min=1, help="Scenes a batch.")] = None,
    per_scene: Annotated[int | None, typer.Option(min=1, help="Crops a scene.")] = None,
    scene: Annotated[int | None, typer.Option(min=64, help="Side of a scene, pixels.")] = None,
    crop: Annotated[
        int | None, typer.Option(min=32, help="Side of a crop, pixels; a multiple of 32.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak of the schedule.")] = None,
    warmup: Annotated[int | None, typer.Option(min=0, help="Steps of warm-up.")] = None,
    release: Annotated[
        int | None, typer.Option(min=0, help="Step at which the encoder starts to learn.")
    ] = None,
    encoder_rate: Annotated[
        float | None, typer.Option(help="The encoder's learning rate as a share of the rest's.")
    ] = None,
    precision: Annotated[str | None, typer.Option(metavar="float32|bfloat16")] = None,
    device: Annotated[str | None, typer.Option(metavar="cpu|cuda")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the network.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that compose pictures.")
    ] = None,
    save_minutes: Annotated[float | None, typer.Option(help="Time between checkpoints.")] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the checkpoint in --out exactly.")
    ] = False,
) -> None:
    """Train the compact network.

    What a flag does not say, the recipe says: see deepmatte.training.recipes.
    """
    overrides: dict[str, Any] = {
        "start": start,
        "encoder_weights": encoder_weights,
        "steps": steps,
        "scenes": scenes,
        "per_scene": per_scene,
        "scene": scene,
        "crop": crop,
        "learning_rate": learning_rate,
        "warmup": warmup,
        "release": release,
        "encoder_rate": encoder_rate,
        "precision": precision,
        "device": device,
        "threads": threads,
        "workers": workers,
        "save_minutes": save_minutes,
        "seed": seed,
    }
    with needs_torch():
        from deepmatte.training import loop, recipes
    training = recipes.lite(tuple(foregrounds or ()), tuple(backgrounds), out)
    chosen = {name: value for name, value in overrides.items() if value is not None}
    loop.train(dataclasses.replace(training, **chosen), resume=resume)


@contextlib.contextmanager
def needs_torch() -> Iterator[None]:
    """Say in one sentence what to install where imports within fail for want of it."""
    from deepmatte.errors import DataError

    try:
        yield
    except ModuleNotFoundError as error:
        raise DataError(
            f"This needs {error.name}, which is not installed: pip install 'deepmatte[train]'."
        ) from error
