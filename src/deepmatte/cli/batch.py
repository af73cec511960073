"""`deepmatte batch`: folders of pictures."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from deepmatte.cli import cluster, sequence
from deepmatte.cli.options import Device, Model, Quality, ResizeTrimap, parse_depth, parse_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deepmatte.batch.pairing import Job, Output, Pairing, Partner, Sources
    from deepmatte.batch.run import Run
    from deepmatte.batch.work import Settings

EXAMPLE = """\b
Example:
  deepmatte batch photos out --trimaps trimaps
  deepmatte batch photos out --masks masks --alpha {stem}.alpha.png --over white --report out.html
  find photos -name '*.jpg' | deepmatte batch - out --trimaps trimaps --skip-missing
  deepmatte batch inbox out --watch
  deepmatte batch shot.####.png out --trimaps trimaps --cutout {stem}.exr
  deepmatte batch shot.mp4 cutout.mov --subject
"""

PIPE = "-"


def batch(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="IN... OUT",
            help="A folder, with those below it, pictures, globs, or - for a list of pictures on "
            "standard input; last the folder to write to, which keeps the structure of IN.",
        ),
    ],
    trimaps: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Folder of trimaps: DIR/a/photo.trimap.png or DIR/a/photo.png for "
            "IN/a/photo.jpg. By default photo.trimap.png beside the picture.",
        ),
    ] = None,
    masks: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Folder of segmentation masks to make the trimaps from, named likewise.",
        ),
    ] = None,
    subject: Annotated[
        bool, typer.Option("--subject", help="Find the subjects with a segmentation model.")
    ] = False,
    segmenter: Annotated[
        str | None,
        typer.Option(
            metavar="people|rembg|osam",
            help="The segmentation model; see deepmatte matte --help.",
            show_default=False,
        ),
    ] = None,
    alpha: Annotated[
        str | None,
        typer.Option(metavar="{stem}.alpha.png", help="Write alpha mattes under these names."),
    ] = None,
    foreground: Annotated[
        str | None,
        typer.Option(metavar="{stem}.colours.png", help="Write the subjects' colours."),
    ] = None,
    cutout: Annotated[
        str | None,
        typer.Option(
            metavar="{stem}.cutout.png",
            help="Write the cut-outs, which is also the default. {name} is the picture's name "
            "with its suffix.",
        ),
    ] = None,
    over: Annotated[
        str | None,
        typer.Option(metavar="BG|COLOUR", help="The new background: a picture or a colour."),
    ] = None,
    composite: Annotated[
        str | None,
        typer.Option(metavar="{stem}.composite.png", help="The names of the composites on --over."),
    ] = None,
    model: Model = "lite",
    quality: Quality = "normal",
    depth: Annotated[
        Any,
        typer.Option(
            metavar="8|16|half|float",
            parser=parse_depth,
            help="Bits per channel; default as the picture, half for .exr.",
            show_default=False,
        ),
    ] = None,
    device: Device = "cpu",
    resize_trimap: ResizeTrimap = False,
    processes: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Pictures at a time; default one per free core, as far as the memory allows.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Of each process.", show_default=False),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(
            metavar="8GB",
            parser=parse_memory,
            help="Memory limit of all processes together.",
            show_default=False,
        ),
    ] = None,
    skip_missing: Annotated[
        bool,
        typer.Option("--skip-missing", help="Skip pictures that have no trimap or several."),
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first picture that fails.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Continue with new pictures in IN, until Ctrl-C.")
    ] = False,
    frames: Annotated[
        bool,
        typer.Option(
            "--frames",
            help="IN is a folder with the frames of one shot, as shot.####.png and a video are by "
            "themselves: trimaps may be missing between others, and edges stand still. For a video "
            "OUT may be a .mov (ProRes 4444) or .webm.",
        ),
    ] = False,
    steady: Annotated[
        bool, typer.Option("--steady/--no-steady", help="Hold the edges of a shot still.")
    ] = True,
    report: Annotated[
        str | None,
        typer.Option(
            metavar="OUT.html", help="Write a page with the failures and the worst mattes."
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(
            help="ray shares the work out on a Ray cluster: IN and OUT may be addresses such as "
            "s3://bucket/photos, IN may hold .tar or .parquet shards, and what is done is seen "
            "by the outputs."
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="auto|HOST:PORT",
            help="Of the cluster; if left out, Ray is started on this machine.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Cut the subjects out of many pictures; a second run does only the rest.

    OUT/.deepmatte-batch.sqlite keeps which pictures are done, of which files and with which
    settings: missing, changed and failed pictures are done again, and a stopped run continues.
    """
    from deepmatte.batch.run import Run, choose_resources
    from deepmatte.batch.work import Settings

    subject = subject or segmenter is not None
    if (trimaps is not None) + (masks is not None) + subject > 1:
        raise typer.BadParameter("expected one of --trimaps, --masks and --subject.")
    if composite is not None and over is None:
        raise typer.BadParameter("needs --over, the new background.", param_hint="--composite")
    if len(paths) < 2:
        raise typer.BadParameter("expected what to read and, last, the folder to write to.")
    patterns = _patterns(alpha, foreground, cutout, composite, over)
    sources = _sources(paths, _partner(masks, subject), trimaps or masks, patterns, watch)
    settings = Settings(
        partner=sources.partner,
        model=model,
        quality=quality,
        device=device,
        over=over,
        resize_trimap=resize_trimap,
        segmenter=_segmenter(segmenter) if subject else None,
        depth=depth,
    )
    if frames or (len(sources.pictures) == 1 and sequence.is_sequence(sources.pictures[0])):
        if not sequence.go(sources, settings, threads, steady):
            raise typer.Exit(1)
        return
    if engine == "ray":
        if watch or fail_fast or report is not None or memory is not None or threads is not None:
            raise typer.BadParameter(
                "works without --watch, --fail-fast, --report, --memory and --threads.",
                param_hint="--engine ray",
            )
        _check(settings, None)
        remaining = cluster.find(sources)
        _refuse_gaps(remaining.pairing, sources, skip_missing, shards=remaining.has_shards)
        if not cluster.go(remaining, settings, address, processes):
            raise typer.Exit(1)
        return
    if address is not None:
        raise typer.BadParameter("needs --engine ray.", param_hint="--address")
    _check_local(sources)
    pairing = _paired(sources, skip_missing, watch)
    _check(settings, report)
    run = Run(
        sources.out, settings, choose_resources(processes, threads, memory), fail_fast=fail_fast
    )
    try:
        _go(run, sources, pairing, watch)
    finally:
        _finish(run, pairing, report)
    if not run.tally.is_complete:
        raise typer.Exit(1)


def _patterns(
    alpha: str | None,
    foreground: str | None,
    cutout: str | None,
    composite: str | None,
    over: str | None,
) -> tuple[tuple[Output, str], ...]:
    """The outputs that are asked for, and the patterns of their names."""
    import numpy as np

    from deepmatte.batch.pairing import check_pattern
    from deepmatte.errors import ImageError
    from deepmatte.images import encode_image

    if over is not None and composite is None:
        composite = "{stem}.composite.png"
    if alpha is None and foreground is None and composite is None and cutout is None:
        cutout = "{stem}.cutout.png"
    options: dict[Output, str | None] = {
        "alpha": alpha,
        "foreground": foreground,
        "cutout": cutout,
        "composite": composite,
    }
    patterns = {kind: pattern for kind, pattern in options.items() if pattern is not None}
    for kind, pattern in patterns.items():
        option = f"--{kind}"
        check_pattern(pattern)
        # One pixel tells whether there is an encoder for the suffix and the channels.
        channels = 4 if kind == "cutout" else 3
        try:
            encode_image(np.zeros((1, 1, channels), np.uint8), os.path.splitext(pattern)[1])
        except ImageError as error:
            raise typer.BadParameter(str(error), param_hint=option) from None
    if len(set(patterns.values())) < len(patterns):
        raise typer.BadParameter("two outputs have the same names.")
    return tuple(patterns.items())


def _partner(masks: str | None, subject: bool) -> Partner:
    if subject:
        return "subject"
    return "trimap" if masks is None else "mask"


def _segmenter(name: str | None) -> str:
    """The segmenter that is asked for, or else the best; refused where it cannot be used."""
    from deepmatte.subject import segmenters

    return segmenters.named(name or segmenters.choose(segmenters.Hints())).name


def _sources(
    paths: list[str],
    partner: Partner,
    partners: str | None,
    patterns: tuple[tuple[Output, str], ...],
    watch: bool,
) -> Sources:
    from deepmatte.batch.pairing import Sources

    *pictures, out = paths
    if out == PIPE:
        raise typer.BadParameter("the last of IN... OUT is a folder to write to, not a pipe.")
    if PIPE in pictures:
        if pictures != [PIPE]:
            raise typer.BadParameter("give either - or folders, pictures and globs.")
        if watch:
            raise typer.BadParameter("a list on standard input cannot be watched.")
        lines = sys.stdin.buffer.read().splitlines() if sys.stdin is not None else []
        pictures = [os.fsdecode(line) for line in lines if line.strip()]
    return Sources(
        pictures=tuple(pictures),
        partner=partner,
        partners=partners,
        out=out,
        patterns=patterns,
    )


def _paired(sources: Sources, skip_missing: bool, watch: bool) -> Pairing:
    """What there is to do; refused whole where a picture has no partner, unless that is wanted."""
    from deepmatte.batch.pairing import pair
    from deepmatte.errors import ImageError

    if sources.partners is not None and not os.path.isdir(sources.partners):
        raise ImageError(f"{sources.partners} is no folder; expected one of {sources.partner}s.")
    pairing = pair(sources)
    if not watch:
        _refuse_gaps(pairing, sources, skip_missing)
    return pairing


def _refuse_gaps(
    pairing: Pairing, sources: Sources, skip_missing: bool, *, shards: bool = False
) -> None:
    from deepmatte.errors import DataError

    if not pairing.jobs and not pairing.unpaired and not shards:
        named = ", ".join(sources.pictures) or "the list"
        raise DataError(f"There is no picture in {named}; expected files such as photo.jpg.")
    if not skip_missing:
        pairing.check()


def _check(settings: Settings, report: str | None) -> None:
    """Refuse what every picture would fail by: the network, the background, the report's folder.

    Raises:
        MattingError: one of them cannot be used.
    """
    from deepmatte.composite import backdrop
    from deepmatte.errors import DataError
    from deepmatte.matting import Matter

    Matter(settings.model, device=settings.device, threads=1)
    if settings.over is not None:
        backdrop(settings.over, 8, 8)
    if report is not None and not os.path.isdir(os.path.dirname(report) or "."):
        raise DataError(f"The folder {os.path.dirname(report)} of the report does not exist.")


def _go(run: Run, sources: Sources, pairing: Pairing, watch: bool) -> None:
    from rich.console import Console

    from deepmatte.batch.progress import Meter
    from deepmatte.batch.watch import watch as watch_folder

    console = Console(stderr=True)

    def matte(jobs: Sequence[Job]) -> None:
        left = run.left_to_do(jobs)
        if left:
            with Meter(len(left), console) as meter:
                run.matte(left, meter.count)

    if not watch:
        matte(pairing.jobs)
        return
    with contextlib.suppress(KeyboardInterrupt):  # which is how it ends
        watch_folder(sources, matte, until=lambda: run.tally.stopped is not None)


def _finish(run: Run, pairing: Pairing, report: str | None) -> None:
    """Say what the run has come to, whether it ended or was interrupted."""
    from deepmatte.batch.progress import summary
    from deepmatte.batch.report import write_report

    try:
        for line in summary(run.tally, len(pairing.unpaired)):
            typer.echo(line, err=True)
        if report is not None:
            write_report(report, run.ledger, pairing)
    finally:
        run.close()


def _check_local(sources: Sources) -> None:
    """Refuse addresses of other machines, which only the other engine reads.

    Raises:
        DataError: there is one.
    """
    from deepmatte.batch.addresses import is_remote
    from deepmatte.errors import DataError

    for name in (*sources.pictures, sources.partners or "", sources.out):
        if is_remote(name):
            raise DataError(
                f"{name} is no path of this machine; --engine ray reads such addresses."
            )
