"""`deepmatte batch`: folders of pictures."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from deepmatte.cli import cluster, pictures, sequence
from deepmatte.cli import sources as reading
from deepmatte.cli.options import (
    Crop,
    Depth,
    Device,
    Model,
    Over,
    Quality,
    Resize,
    ResizeTrimap,
    Shadow,
    Straight,
    parse_memory,
)
from deepmatte.cli.pictures import Wishes

EXAMPLE = """\b
Example:
  deepmatte batch photos out --trimaps trimaps
  deepmatte batch photos out --masks masks --alpha {stem}.alpha.png --over white --report out.html
  find photos -name '*.jpg' | deepmatte batch - out --trimaps trimaps --skip-missing
  deepmatte batch inbox out --watch
  deepmatte batch shot.####.png out --trimaps trimaps --cutout {stem}.exr
  deepmatte batch shot.mp4 cutout.mov --subject
"""


def batch(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="IN... OUT",
            help="IN: folders with their sub-folders, pictures, patterns such as 'a/*.jpg', or - "
            "for a list of pictures on standard input. OUT: the folder to write to, which keeps "
            "the structure of IN.",
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
            help="Folder of segmentation masks to make the trimaps from: DIR/a/photo.mask.png or "
            "DIR/a/photo.png.",
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
        typer.Option(
            metavar="{stem}.colours.png", help="Write the subjects' colours without the background."
        ),
    ] = None,
    cutout: Annotated[
        str | None,
        typer.Option(
            metavar="{stem}.cutout.png",
            help="Write the cut-outs; this is the default. {stem} is the picture's name without "
            "its suffix, {name} with it.",
        ),
    ] = None,
    over: Over = None,
    composite: Annotated[
        str | None,
        typer.Option(metavar="{stem}.composite.png", help="Write the composites over --over."),
    ] = None,
    corridorkey: Annotated[
        bool,
        typer.Option(
            "--corridorkey", help="Write OUT/Matte, FG, Processed and Comp like CorridorKey."
        ),
    ] = False,
    depth: Depth = None,
    straight: Straight = False,
    crop: Crop = None,
    resize: Resize = None,
    shadow: Shadow = None,
    model: Model = "lite",
    quality: Quality = "normal",
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
        typer.Option(metavar="N", min=1, help="Threads per process.", show_default=False),
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
        typer.Option("--skip-missing", help="Leave out pictures that have no trimap or several."),
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
            help="IN is a folder with the frames of one shot: only the first frame needs a trimap, "
            "and edges do not flicker. A video or shot.####.png is always taken as a shot. For a "
            "video OUT may be a .mov (ProRes 4444) or .webm file.",
        ),
    ] = False,
    steady: Annotated[
        bool, typer.Option("--steady/--no-steady", help="Keep the edges of a shot from flickering.")
    ] = True,
    report: Annotated[
        str | None,
        typer.Option(
            metavar="OUT.html", help="Write a page with the failures and the most doubtful mattes."
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(
            help="ray distributes the work over a Ray cluster. IN and OUT may then be addresses "
            "such as s3://bucket/photos, and IN may hold .tar or .parquet shards."
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="auto|HOST:PORT",
            help="Address of the cluster; if left out, Ray is started on this machine.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Cut the subjects out of many pictures; a second run continues a stopped one.

    OUT/.deepmatte-batch.sqlite records which pictures are done, from which files and with which
    settings. A second run mattes only missing, changed and failed pictures.
    """
    from deepmatte.batch.settings import Settings
    from deepmatte.framing import Framing

    subject = subject or segmenter is not None
    partner = reading.choose_partner(trimaps, masks, subject)
    patterns = reading.choose_outputs(
        alpha, foreground, cutout, composite, over, depth, corridorkey=corridorkey
    )
    sources = reading.read_sources(paths, partner, trimaps or masks, patterns, watch)
    settings = Settings(
        partner=partner,
        model=reading.full_path(model),
        quality=quality,
        device=device,
        over=None if over is None else reading.full_path(over),
        resize_trimap=resize_trimap,
        segmenter=reading.choose_segmenter(segmenter) if subject else None,
        depth=depth,
        straight=straight,
        framing=Framing(crop, resize, shadow or 0.0),
    )
    if engine != "ray" and address is not None:
        raise typer.BadParameter("needs --engine ray.", param_hint="--address")
    wishes = Wishes(processes, threads, memory, skip_missing, fail_fast, watch, report)
    if frames or (len(sources.pictures) == 1 and sequence.is_sequence(sources.pictures[0])):
        is_done = sequence.go(sources, settings, wishes, steady=steady)
    elif engine == "ray":
        is_done = cluster.go(sources, settings, wishes, address)
    else:
        is_done = pictures.go(sources, settings, wishes)
    if not is_done:
        raise typer.Exit(1)
