"""`deepmatte compose`: data sets of composites, Composition-1k and your own."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deepmatte.datasets.build import Plan

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Compose a data set: foregrounds on backgrounds, with their true mattes.",
    short_help="Compose a data set.",
    epilog="\b\nExample:\n"
    "  deepmatte compose set --foregrounds cutouts --backgrounds photos --out testset",
)

COMPOSITION_1K_EXAMPLE = """\b
Example:
  cd Combined_Dataset/Test_set
  deepmatte compose composition-1k \\
    --foregrounds "Adobe-licensed images/fg" --alphas "Adobe-licensed images/alpha" \\
    --backgrounds VOC2012/JPEGImages \\
    --foreground-names test_fg_names.txt --background-names test_bg_names.txt --out composition-1k
"""

SET_EXAMPLE = """\b
Example:
  deepmatte compose set --foregrounds cutouts --backgrounds photos --out testset
  deepmatte compose set --foregrounds cutouts --backgrounds photos --out testset \\
    --per-foreground 20 --seed 7 --size 1024
"""

STRUCTURAL_EXAMPLE = """\b
Example:
  deepmatte compose structural --images aim500/dev/images --alphas aim500/dev/alphas \\
    --backgrounds photos --out structural
  deepmatte evaluate structural
"""

Out = Annotated[
    Path,
    typer.Option(
        "--out", "-o", metavar="DIR", help="Folder for the results; complete files in it are kept."
    ),
]


@app.command("composition-1k", epilog=COMPOSITION_1K_EXAMPLE)
def composition_1k(
    foregrounds: Annotated[
        list[Path], typer.Option(metavar="DIR", help="The foregrounds; may be repeated.")
    ],
    alphas: Annotated[
        list[Path],
        typer.Option(metavar="DIR", help="Their alphas, with the same names; may be repeated."),
    ],
    backgrounds: Annotated[
        list[Path], typer.Option(metavar="DIR", help="VOC or COCO photos; may be repeated.")
    ],
    foreground_names: Annotated[
        Path, typer.Option(metavar="FILE", help="test_fg_names.txt or training_fg_names.txt.")
    ],
    background_names: Annotated[
        Path, typer.Option(metavar="FILE", help="test_bg_names.txt or training_bg_names.txt.")
    ],
    out: Out,
    per_foreground: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Backgrounds per foreground; 100 for the training set."
        ),
    ] = 20,
) -> None:
    """Compose Composition-1k, or its training set, with the official pixels.

    Writes DIR/merged and DIR/alpha_copy. Put the official trimaps into DIR/trimaps for `deepmatte
    evaluate DIR`. For the training set give --foregrounds and --alphas twice. The same
    command continues a stopped run.
    """
    from deepmatte.datasets.composition_1k import plan as plan_composition_1k

    plan = plan_composition_1k(
        foregrounds, alphas, backgrounds, foreground_names, background_names, per_foreground
    )
    _build(plan, out)


@app.command("set", epilog=SET_EXAMPLE)
def compose_set(
    foregrounds: Annotated[
        Path, typer.Option(metavar="DIR", help="Cut-outs: pictures with an alpha channel.")
    ],
    backgrounds: Annotated[Path, typer.Option(metavar="DIR", help="Photos to put them on.")],
    out: Out,
    per_foreground: Annotated[
        int, typer.Option(metavar="N", min=1, help="Different backgrounds per foreground.")
    ] = 1,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Seed for the choice of backgrounds and the trimaps."
        ),
    ] = 0,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="MAX", min=1, help="Longest side of a composite; cut-outs are only shrunk."
        ),
    ] = None,
) -> None:
    """Compose a fixed test set from any cut-outs and photos.

    Writes DIR/images, alphas, foregrounds (the true colours), trimaps and manifest.json, with the
    rule, the seeds and the SHA-256 of every file read and written. The same inputs give the same
    set, and an additional cut-out does not change the other samples. The same command continues a
    stopped run.
    """
    from deepmatte.datasets import testset

    plan = testset.plan(
        foregrounds, backgrounds, per_foreground=per_foreground, seed=seed, size=size
    )
    _build(plan, out)


@app.command("structural", epilog=STRUCTURAL_EXAMPLE)
def structural_set(
    images: Annotated[Path, typer.Option(metavar="DIR", help="Photos of the subjects.")],
    alphas: Annotated[Path, typer.Option(metavar="DIR", help="Their true mattes, same names.")],
    backgrounds: Annotated[
        list[Path],
        typer.Option(
            metavar="DIR", help="Photos, of which the more cluttered half is used; may be repeated."
        ),
    ],
    out: Out,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Seed for backgrounds, trimaps and blur.")
    ] = 0,
    size: Annotated[
        int, typer.Option(metavar="MAX", min=1, help="Longest side of a composite.")
    ] = 1024,
) -> None:
    """Compose a hard test set: whole subjects unknown, out of focus, over cluttered photos.

    One composite for each photo with a matte. Writes DIR/images, alphas, foregrounds (the true
    colours), trimaps, groups.tsv (kind of trimap, width of the edge) and manifest.json, with the
    rule, the seeds and the SHA-256 of every file read and written. The same inputs give the same
    set. The same command continues a stopped run.
    """
    from deepmatte.datasets import structural

    _build(structural.plan(images, alphas, backgrounds, seed=seed, size=size), out)


def _build(plan: Plan, out: Path) -> None:
    """Make a data set, with progress on standard error.

    Raises:
        DataError: `build` could not start, or some samples failed, which have been named.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from deepmatte.datasets.build import build
    from deepmatte.errors import DataError

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    reasons: set[str] = set()
    made = failed = 0
    with (
        closing(build(plan, out)) as outcomes,
        Progress(*columns, console=console) as progress,
    ):
        for outcome in progress.track(outcomes, total=len(plan.samples)):
            made += outcome.made
            if outcome.failure is not None:
                failed += 1
                if outcome.failure not in reasons:  # one broken file may affect many samples
                    sentence = f"deepmatte: {outcome.failure}"
                    console.print(sentence, markup=False, highlight=False, soft_wrap=True)
                reasons.add(outcome.failure)
    if failed:
        raise DataError(
            f"{failed} of {len(plan.samples)} composites could not be made, for the reasons"
            f" above; the others are in {out}."
        )
    kept = len(plan.samples) - made
    typer.echo(f"{made} composites made, {kept} were there already: {out}", err=True)
