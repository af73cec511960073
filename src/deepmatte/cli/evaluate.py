"""`deepmatte evaluate`: errors of networks and classical methods, side by side."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepmatte.cli import outputs

if TYPE_CHECKING:
    from deepmatte.evaluation.results import Evaluation

EXAMPLE = """\b
Example:
  deepmatte evaluate alphamatting --method lite --method classical --out report
  deepmatte evaluate Test_set --method mine.onnx --method others_mattes
  deepmatte evaluate Test_set --dilation --out dilation
  deepmatte evaluate alphamatting --trimap Trimap1 --widen 20 --missing
  deepmatte evaluate --images photos --alphas mattes
  deepmatte evaluate --selftest
"""

NAMED = 5  # how many of the pictures with one failure are named


def evaluate(
    dataset: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATASET",
            help="Folder with pictures, true mattes and trimaps: alphamatting.com's,"
            " Composition-1k, AIM-500, P3M-500, or of deepmatte compose set.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE|DIR",
            help="lite, lite-high; prior (what lite starts from); closed-form, knn,"
            " learning-based, random-walk, large-kernel, shared, or classical for these six; an"
            " .onnx file; or a folder of ready mattes, [KIND/]NAME.png. May be repeated; lite if"
            " left out.",
        ),
    ] = None,
    trimap: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="Kind of trimap: a folder of them, or given if they lie in none; generated;"
            " 'dilated 5'. May be repeated; if left out all that the data set has, or generated.",
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="For the report and the mattes; kept ones are reused.",
        ),
    ] = Path("deepmatte-evaluation"),
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes; one a core if left out.")
    ] = None,
    dilation: Annotated[
        bool,
        typer.Option(
            "--dilation", help="Trimaps of the true alpha, dilated by 1 to 40 pixels, and a plot."
        ),
    ] = False,
    widen: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Each kind also with its band N pixels wider."),
    ] = None,
    missing: Annotated[
        bool,
        typer.Option(
            "--missing",
            help="Each kind also without known foreground, without background, and without both.",
        ),
    ] = False,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures, wherever they are.")
    ] = None,
    alphas: Annotated[
        Path | None, typer.Option(metavar="DIR", help="True mattes, wherever they are.")
    ] = None,
    trimaps: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Trimaps, wherever they are.")
    ] = None,
    selftest: Annotated[
        bool,
        typer.Option(
            "--selftest",
            help="Only compare the metrics with values of the official code, on triples in DATASET"
            " or on those that come with the package.",
        ),
    ] = False,
) -> None:
    """Measure mattes: SAD, MSE, gradient and connectivity error in the unknown pixels.

    Prints tables and writes report.html, report.md and report.json. A run that was stopped goes on
    where it was. Exit code 1 says that a method failed on a picture.
    """
    if selftest:
        _selftest(dataset)
        return
    if dataset is None and (images is None or alphas is None):
        raise typer.BadParameter("expected DATASET, or both --images and --alphas.")
    if out.exists() and not out.is_dir():
        raise typer.BadParameter(f"{out} is a file; expected a folder.", param_hint="--out")
    from rich.console import Console

    from deepmatte.datasets.layouts import open_dataset
    from deepmatte.evaluation import evaluate as evaluation
    from deepmatte.evaluation.methods import open_methods
    from deepmatte.evaluation.report import print_tables, write_report

    progress = Console(stderr=True)
    opened = open_dataset(dataset, images=images, alphas=alphas, trimaps=trimaps)
    with progress.status("Loading (pymatting's first use compiles for a minute or two)"):
        methods = open_methods(method or ["lite"])
    found = evaluation.evaluate(
        opened,
        methods,
        _kinds(trimap, opened.kinds, dilation=dilation, widen=widen, missing=missing),
        out,
        workers=workers,
        command=shlex.join(["deepmatte", *sys.argv[1:]]),
        console=progress,
    )
    print_tables(found, Console())
    write_report(found, out)
    outputs.log(f"Wrote {out / 'report.html'}, report.md and report.json beside it.")
    _refuse_failures(found)


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


def _refuse_failures(evaluation: Evaluation) -> None:
    """Name what failed, one line for each sentence, and end with an error if anything did."""
    from deepmatte.errors import DataError

    failed: dict[tuple[str, str, str], list[str]] = {}
    for row in evaluation.rows:
        if row.failure is not None:
            failed.setdefault((row.method, row.trimap, row.failure), []).append(row.picture)
    for (method, kind, failure), pictures in failed.items():
        named = ", ".join(pictures[:NAMED])
        more = f" and {len(pictures) - NAMED} more" if len(pictures) > NAMED else ""
        outputs.log(f"{method}, {kind}, {named}{more}: {failure}")
    count = sum(map(len, failed.values()))
    if count:
        raise DataError(f"{count} of {len(evaluation.rows)} mattes could not be measured.")


def _selftest(folder: Path | None) -> None:
    """Print what the metrics should say and what they say; an error where the two differ."""
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
