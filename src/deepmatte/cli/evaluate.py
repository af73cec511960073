"""`deepmatte evaluate`: errors of networks and classical methods."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepmatte.cli import outputs

if TYPE_CHECKING:
    from deepmatte.datasets.layouts import Dataset
    from deepmatte.evaluation.results import Evaluation

EXAMPLE = """\b
Example:
  deepmatte evaluate alphamatting --method lite --method classical --out report
  deepmatte evaluate Test_set --method mine.onnx --method others_mattes
  deepmatte evaluate Test_set --dilation --out dilation
  deepmatte evaluate aim500/dev alphamatting structural --groups aim500/split.tsv \\
    --method lite --method mine.onnx --out sets
  deepmatte evaluate alphamatting --trimap Trimap1 --widen 20 --missing
  deepmatte evaluate --images photos --alphas mattes
  deepmatte evaluate --selftest
"""

NAMED = 5  # number of pictures named per failure


def evaluate(
    dataset: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DATASET",
            help="Folder with pictures, true mattes and trimaps: alphamatting.com's,"
            " Composition-1k, AIM-500, P3M-500, or made by deepmatte compose. Each of several data"
            " sets gets a folder of its own in --out, and methods are compared by mean ranks.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE|DIR",
            help="lite, dim, lite-high, dim-high; prior (the closed-form matte that lite corrects);"
            " closed-form, knn, learning-based, random-walk, large-kernel, shared, or classical for"
            " these six; an .onnx file; or a folder of mattes, [KIND/]NAME.png. May be repeated;"
            " default lite.",
        ),
    ] = None,
    trimap: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="Kind of trimap: the name of a folder in trimaps; 'given' if there are no such"
            " folders; 'generated'; or 'dilated 5'. May be repeated; default all kinds of the data"
            " set, or generated.",
        ),
    ] = None,
    groups: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Table of tab-separated columns with a header: the pictures' names, then one"
            " column per grouping (category, type, ...). Means are shown by group too. May be"
            " repeated; DATASET/groups.tsv is always read.",
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder for the report and the mattes; kept mattes are reused.",
        ),
    ] = Path("deepmatte-evaluation"),
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Number of processes; default one per core."),
    ] = None,
    dilation: Annotated[
        bool,
        typer.Option(
            "--dilation",
            help="Use trimaps of the true alpha, dilated by 1 to 40 pixels, and plot the errors.",
        ),
    ] = False,
    widen: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Also test each trimap with its band N pixels wider on each side.",
        ),
    ] = None,
    missing: Annotated[
        bool,
        typer.Option(
            "--missing",
            help="Also test each trimap without known foreground, without known background, and "
            "with nothing known.",
        ),
    ] = False,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of pictures, instead of DATASET's.")
    ] = None,
    alphas: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of true mattes, instead of DATASET's."),
    ] = None,
    trimaps: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of trimaps, instead of DATASET's.")
    ] = None,
    selftest: Annotated[
        bool,
        typer.Option(
            "--selftest",
            help="Only compare the metrics with the official code's values, on the samples in"
            " DATASET or on those that come with the package.",
        ),
    ] = False,
) -> None:
    """Measure mattes: SAD, MSE, gradient and connectivity error in the unknown pixels.

    Prints tables, also by group: with and without known foreground or background, and the groups of
    --groups. Writes report.html, report.md, report.json and worst.jpg, which shows the worst ten
    pictures of each method. A stopped run continues. Exit code 1 means that a method failed on a
    picture.
    """
    folders = dataset or []
    named = (images, alphas, trimaps)
    if selftest:
        if len(folders) > 1:
            raise typer.BadParameter("--selftest takes one folder of triples.")
        _selftest(folders[0] if folders else None)
        return
    if not folders and (images is None or alphas is None):
        raise typer.BadParameter("expected DATASET, or both --images and --alphas.")
    if len(folders) > 1 and any(named):
        raise typer.BadParameter("--images, --alphas and --trimaps go with one DATASET only.")
    if out.exists() and not out.is_dir():
        raise typer.BadParameter(f"{out} is a file; expected a folder.", param_hint="--out")
    from deepmatte.datasets.groups import with_groups
    from deepmatte.datasets.layouts import open_dataset

    wanted: Sequence[Path | None] = folders or [None]
    opened = [
        open_dataset(folder, images=images, alphas=alphas, trimaps=trimaps) for folder in wanted
    ]
    plans = [
        (each, _kinds(trimap, each.kinds, dilation=dilation, widen=widen, missing=missing))
        for each in with_groups(opened, groups or [])
    ]
    _refuse_failures(_measured(plans, method or ["lite"], out, workers))


def _measured(
    plans: Sequence[tuple[Dataset, list[str]]], names: Sequence[str], out: Path, workers: int | None
) -> list[Evaluation]:
    """Measure methods on data sets, each with its kinds of trimaps; print and write the results."""
    from rich.console import Console

    from deepmatte.evaluation.evaluate import evaluate as measure
    from deepmatte.evaluation.methods import open_methods
    from deepmatte.evaluation.report import print_tables, write_report
    from deepmatte.evaluation.sets import folders_of_sets, print_tables_of_sets, write_ranks

    progress, console = Console(stderr=True), Console()
    with progress.status("Loading (pymatting's first use compiles for a minute or two)"):
        methods = open_methods(names)
    command = shlex.join(["deepmatte", *sys.argv[1:]])
    folders = folders_of_sets([dataset for dataset, _ in plans], out)
    found = []
    for (dataset, kinds), folder in zip(plans, folders, strict=True):
        evaluation = measure(
            dataset, methods, kinds, folder, workers=workers, command=command, console=progress
        )
        found.append(evaluation)
        if len(plans) > 1:
            console.print(f"Data set: {dataset.name}", markup=False, highlight=False)
        print_tables(evaluation, console)
        write_report(evaluation, folder)
        outputs.log(f"Wrote {folder / 'report.html'}, report.md and report.json beside it.")
    if len(found) > 1:
        print_tables_of_sets(found, console)
        write_ranks(found, out)
        outputs.log(f"Wrote {out / 'ranks.md'} and ranks.json beside it.")
    return found


def _kinds(
    named: Sequence[str] | None,
    given: Sequence[str],
    *,
    dilation: bool,
    widen: int | None,
    missing: bool,
) -> list[str]:
    """The kinds of trimaps that were asked for, each once."""
    from deepmatte.datasets.trimaps import DILATIONS, GENERATED, MISSING, dilated, widened

    kinds = [dilated(pixels) for pixels in DILATIONS] if dilation else []
    if named or widen or missing or not dilation:
        for kind in named or given or [GENERATED]:
            kinds.append(kind)
            if widen:
                kinds.append(widened(kind, widen))
            if missing:
                kinds += [f"{kind} {name}" for name in MISSING]
    return list(dict.fromkeys(kinds))


def _refuse_failures(evaluations: Sequence[Evaluation]) -> None:
    """Name the failures, one line for each message, and raise an error if there are any."""
    from deepmatte.errors import DataError

    failed: dict[tuple[str, ...], list[str]] = {}
    for evaluation in evaluations:
        where = [evaluation.dataset] if len(evaluations) > 1 else []
        for row in evaluation.rows:
            if row.failure is not None:
                key = (*where, row.method, row.trimap, row.failure)
                failed.setdefault(key, []).append(row.picture)
    for (*names, failure), pictures in failed.items():
        named = ", ".join([*names, *pictures[:NAMED]])
        more = f" and {len(pictures) - NAMED} more" if len(pictures) > NAMED else ""
        outputs.log(f"{named}{more}: {failure}")
    count = sum(map(len, failed.values()))
    if count:
        every = sum(len(evaluation.rows) for evaluation in evaluations)
        raise DataError(f"{count} of {every} mattes could not be measured.")


def _selftest(folder: Path | None) -> None:
    """Print expected and measured metrics; raise an error if they differ."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from deepmatte.errors import DataError
    from deepmatte.evaluation.selftest import TOLERANCE, selftest

    checks = selftest(folder)
    table = Table("triple", "metric", box=SIMPLE_HEAD)
    for column in ("expected", "measured", "agrees"):
        table.add_column(column, justify="right")
    for check in checks:
        values = (f"{check.expected:.9g}", f"{check.measured:.9g}")
        table.add_row(check.name, check.metric, *values, "yes" if check.holds else "NO")
    Console().print(table)
    differ = sum(not check.holds for check in checks)
    if differ:
        raise DataError(
            f"{differ} of {len(checks)} values differ from the official code's by more than"
            f" {TOLERANCE:g} (relative)."
        )
    typer.echo(f"All {len(checks)} values agree with the official code's to {TOLERANCE:g}.")
