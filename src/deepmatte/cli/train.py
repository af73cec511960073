"""`deepmatte train RECIPE`: one sub-command a recipe; its flags override single fields."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from deepmatte.training.base import Training

    Config = TypeVar("Config", bound=DataclassInstance)

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

Photos = typer.Option(metavar="DIR", help="Folder of photos to compose on; may be repeated.")
Foregrounds = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help="Folder of RGBA cut-outs, or of folders fg and alpha; may be repeated. Without any, "
        "all are procedural.",
    ),
]
HeldOut = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help="Folder of foregrounds to validate on, instead of new composites of --foregrounds.",
    ),
]
Out = Annotated[
    Path, typer.Option(metavar="DIR", help="Folder for the checkpoints and the TensorBoard log.")
]
EncoderWeights = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The encoder's ImageNet weights instead of the usual ones."),
]
Steps = Annotated[int | None, typer.Option(min=1)]
Scenes = Annotated[int | None, typer.Option(min=1, help="Composites a step, of all processes.")]
PerScene = Annotated[int | None, typer.Option(min=1, help="Crops a composite.")]
Crop = Annotated[int | None, typer.Option(min=32, help="Side of a crop, pixels; a multiple of 32.")]
Accumulate = Annotated[
    int | None, typer.Option(min=1, help="Parts to compute a step in: less memory.")
]
WeightDecay = Annotated[float | None, typer.Option(min=0)]
Clip = Annotated[float | None, typer.Option(min=0, help="Longest gradient.")]
Average = Annotated[
    float | None, typer.Option(min=0, max=1, help="Decay of the weights' moving average; 0: none.")
]
Precision = Annotated[str | None, typer.Option(metavar="float32|bfloat16|float16")]
Device = Annotated[str | None, typer.Option(metavar="cpu|cuda", help="A GPU if there is one.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of the network.")]
Workers = Annotated[
    int | None, typer.Option(min=0, help="Processes that compose pictures, for each of training.")
]
ValidateEvery = Annotated[int | None, typer.Option(min=1, help="Steps between validations.")]
HeldOutCount = Annotated[int | None, typer.Option(min=1, help="Composites to validate on.")]
SaveMinutes = Annotated[float | None, typer.Option(help="Time between checkpoints.")]
Seed = Annotated[int | None, typer.Option(min=0)]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue what is in --out exactly, where it stopped.")
]


@app.command("lite", epilog=LITE_EXAMPLE)
def lite(
    backgrounds: Annotated[list[Path], Photos],
    out: Out,
    foregrounds: Foregrounds = None,
    held_out_foregrounds: HeldOut = None,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="lite|FILE",
            help="Start from the shipped network, a checkpoint or an ONNX file, not from ImageNet.",
        ),
    ] = None,
    encoder_weights: EncoderWeights = None,
    steps: Steps = None,
    scenes: Scenes = None,
    per_scene: PerScene = None,
    scene: Annotated[int | None, typer.Option(min=64, help="Side of a scene, pixels.")] = None,
    crop: Crop = None,
    accumulate: Accumulate = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak of the schedule.")] = None,
    warmup: Annotated[int | None, typer.Option(min=0, help="Steps of warm-up.")] = None,
    release: Annotated[
        int | None, typer.Option(min=0, help="Step at which the encoder starts to learn.")
    ] = None,
    encoder_rate: Annotated[
        float | None, typer.Option(help="The encoder's learning rate as a share of the rest's.")
    ] = None,
    weight_decay: WeightDecay = None,
    clip: Clip = None,
    average: Average = None,
    precision: Precision = None,
    device: Device = None,
    threads: Threads = None,
    workers: Workers = None,
    validate_every: ValidateEvery = None,
    held_out: HeldOutCount = None,
    save_minutes: SaveMinutes = None,
    seed: Seed = None,
    resume: Resume = False,
) -> None:
    """Train the compact network.

    What a flag does not say, the recipe says: see deepmatte.training.recipes.
    """
    flags = dict(locals())
    with needs_torch():
        from deepmatte.training import recipes
    training = recipes.lite(tuple(foregrounds or ()), tuple(backgrounds), out)
    _run([_overridden(training, flags)], resume=resume)


@app.command("dim", epilog=DIM_EXAMPLE)
def dim(
    out: Out,
    foregrounds: Foregrounds = None,
    backgrounds: Annotated[list[Path] | None, Photos] = None,
    held_out_foregrounds: HeldOut = None,
    stage: Annotated[
        str | None,
        typer.Option(metavar="encoder-decoder|refinement|finetune", help="Train this stage alone."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Checkpoint that the first stage of this run starts from."
        ),
    ] = None,
    encoder_weights: EncoderWeights = None,
    imagenet: Annotated[
        bool | None,
        typer.Option("--imagenet/--from-scratch", help="Start from ImageNet's VGG16, or not."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of each stage.")] = None,
    scenes: Scenes = None,
    per_scene: PerScene = None,
    sides: Annotated[
        list[int] | None,
        typer.Option(min=16, help="Side of a square to cut out, pixels; may be repeated."),
    ] = None,
    crop: Crop = None,
    dilation: Annotated[
        tuple[int, int] | None,
        typer.Option(help="Smallest and largest diameter by which trimaps are dilated."),
    ] = None,
    synthetic: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of procedural foregrounds beside --foregrounds."),
    ] = None,
    accumulate: Accumulate = None,
    checkpointing: Annotated[
        bool | None,
        typer.Option(
            "--checkpointing/--no-checkpointing",
            help="Recompute activations: less memory, a third more time.",
        ),
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Constant.")] = None,
    alpha_weight: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Share of the alpha-prediction loss; the rest is compositional."
        ),
    ] = None,
    weight_decay: WeightDecay = None,
    clip: Clip = None,
    average: Average = None,
    precision: Precision = None,
    device: Device = None,
    threads: Threads = None,
    workers: Workers = None,
    validate_every: ValidateEvery = None,
    held_out: HeldOutCount = None,
    save_minutes: SaveMinutes = None,
    seed: Seed = None,
    fc6_kernel: Annotated[
        int | None,
        typer.Option(min=0, help="Side of fc6 as a convolution, 7 in the paper; 0: no fc6."),
    ] = None,
    fc6_channels: Annotated[int | None, typer.Option(min=1, help="4096 in the paper.")] = None,
    batch_norm: Annotated[
        list[str] | None,
        typer.Option(metavar="encoder|fc6|decoder", help="A part to norm; may be repeated."),
    ] = None,
    skips: Annotated[
        bool | None, typer.Option("--skips/--no-skips", help="Add the encoder's features.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--alpha-form", metavar="clipped|sigmoid", help="How alpha is limited."),
    ] = None,
    refinement: Annotated[
        str | None, typer.Option("--refinement-form", metavar="residual|sigmoid")
    ] = None,
    refinement_scale: Annotated[
        float | None, typer.Option(help="Alpha is multiplied with it for the refinement.")
    ] = None,
    width: Annotated[
        float | None, typer.Option(help="Share of the channels of every layer.")
    ] = None,
    resume: Resume = False,
) -> None:
    """Train the network of Deep Image Matting: its three stages, in folders of --out.

    What a flag does not say, the recipe says: see deepmatte.training.recipes. Stages that are done
    are passed over with --resume. The best network of the last is also written as dim.safetensors
    in --out, which deepmatte export takes.
    """
    flags = dict(locals())
    with needs_torch():
        from accelerate import PartialState

        from deepmatte.training import dim as dim_training
        from deepmatte.training import recipes
    stages = recipes.dim(tuple(foregrounds or ()), tuple(backgrounds or ()), out)
    if stage is not None:
        stages = tuple(training for training in stages if training.stage == stage)
        if not stages:
            allowed = ", ".join(dim_training.STAGES)
            raise typer.BadParameter(f"{stage}: expected one of {allowed}", param_hint="--stage")
    for given in ("stage", "start"):  # neither holds for all stages
        del flags[given]
    network = stages[0].network
    if fc6_kernel == 0:
        network = dataclasses.replace(network, fc6_kernel=None)
        del flags["fc6_kernel"]
    network = _overridden(network, flags)
    stages = tuple(_overridden(training, {**flags, "network": network}) for training in stages)
    if start is not None:
        stages = (dataclasses.replace(stages[0], start=start), *stages[1:])
    _run(stages, resume=resume)
    if PartialState().is_main_process:
        path = out / "dim.safetensors"
        dim_training.publish(stages[-1], path)
        typer.echo(f"wrote {path}")


def _overridden(config: Config, flags: Mapping[str, Any]) -> Config:
    """The configuration with those of its fields changed that a flag was given for."""
    fields = {field.name for field in dataclasses.fields(config)} - {"out"}
    return dataclasses.replace(
        config,
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in flags.items()
            if name in fields and value is not None
        },
    )


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
