"""`deepmatte train RECIPE`: one sub-command per recipe; options override single fields."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepmatte.cli.settings import UNPARSED, changed, option_named, options_of, parse

if TYPE_CHECKING:
    from deepmatte.training.base import Training

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Train a network by one of the recipes; needs pip install 'deepmatte[train]'.",
    short_help="Train a network.",
    epilog="\b\nExample:\n  deepmatte train lite --backgrounds photos --out runs/lite",
)

LITE_EXAMPLE = """\b
Example:
  deepmatte train lite --foregrounds cutouts --backgrounds photos --out runs/lite
  deepmatte train lite --foregrounds cutouts --backgrounds photos --out runs/lite --resume
"""
DIM_EXAMPLE = """\b
Example:
  deepmatte train dim --foregrounds Combined_Dataset/Training_set --backgrounds train2014 \\
    --out runs/dim
  deepmatte train dim --backgrounds photos --out runs/dim --stage refinement --steps 20000
  accelerate launch -m deepmatte train dim --backgrounds photos --out runs/dim --resume
"""
RESUME = option_named(
    "resume",
    Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out exactly where it stopped.")
    ],
    False,
)
# What these are depends on the machine.
VARYING = ("device", "threads")
# Options that are not called like their field.
DIM_FLAGS = {
    "imagenet": "--imagenet/--from-scratch",
    "output": "--alpha-form",
    "refinement": "--refinement-form",
}


@app.command("lite", add_help_option=False, context_settings=UNPARSED)
def lite(context: typer.Context) -> None:
    """Train the default network.

    The defaults are those of deepmatte.training.recipes.lite.
    """
    with needs_torch():
        from deepmatte.training import recipes
    recipe = recipes.lite((), (), Path())
    options = options_of(recipe, required=("backgrounds", "out"), varying=VARYING)
    given = parse(context, lite.__doc__ or "", LITE_EXAMPLE, [*options, RESUME])
    _run([changed(recipe, given)], resume=given["resume"])


@app.command("dim", add_help_option=False, context_settings=UNPARSED)
def dim(context: typer.Context) -> None:
    """Train the network of Deep Image Matting in three stages, each in a folder of --out.

    The defaults are those of the first stage, deepmatte.training.recipes.dim_encoder_decoder. With
    --resume finished stages are skipped. The best network of the last stage is also written to
    --out as dim.safetensors, which deepmatte export reads.
    """
    with needs_torch():
        from accelerate import PartialState

        from deepmatte import networks
        from deepmatte.training import checkpoint, recipes
        from deepmatte.training import dim as dim_training
    recipe = recipes.dim((), (), Path())[0]
    stage = Annotated[dim_training.Stage | None, typer.Option(help="Train this stage alone.")]
    options = [
        *options_of(
            recipe,
            required=("out",),
            hidden=("stage", "network"),
            varying=VARYING,
            flags=DIM_FLAGS,
        ),
        *options_of(recipe.network, flags=DIM_FLAGS),
        option_named("stage", stage),
        RESUME,
    ]
    given = parse(context, dim.__doc__ or "", DIM_EXAMPLE, options)
    if given.get("fc6_kernel") == 0:
        given["fc6_kernel"] = None
    out, chosen, start = given.pop("out"), given.pop("stage", None), given.pop("start", None)
    stages = tuple(
        changed(training, {**given, "network": changed(training.network, given)})
        for training in recipes.dim((), (), out)
        if chosen in (None, training.stage)
    )
    if start is not None:
        stages = (dataclasses.replace(stages[0], start=start), *stages[1:])
    _run(stages, resume=given["resume"])
    if PartialState().is_main_process:
        best, path = stages[-1].out / checkpoint.BEST, out / "dim.safetensors"
        networks.save(dim_training.trained(checkpoint.load(best), best), path)
        typer.echo(f"wrote {path}")


def _run(trainings: Sequence[Training[Any]], *, resume: bool) -> None:
    """Train one after the other."""
    from accelerate import PartialState

    from deepmatte.training import checkpoint, loop

    for training in trainings:
        checkpoint.find(training.out, resume=resume)  # not only when hours have passed
    for training in trainings:
        loop.train(training, resume=resume)
    PartialState().destroy_process_group()


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
