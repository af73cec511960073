"""What `deepmatte batch` is to read and write, checked before anything runs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from deepmatte.batch.jobs import Output, Pairing, Partner, Sources
    from deepmatte.batch.settings import Settings
    from deepmatte.images import Depth

PIPE = "-"


def choose_outputs(
    alpha: str | None,
    foreground: str | None,
    cutout: str | None,
    composite: str | None,
    over: str | None,
    depth: Depth | None,
    *,
    corridorkey: bool,
) -> tuple[tuple[Output, str], ...]:
    """The outputs that are asked for, and the patterns of their names.

    Raises:
        typer.BadParameter: one cannot be written as asked.
        DataError: a pattern gives no names below the output folder.
    """
    from deepmatte.batch.naming import check_pattern
    from deepmatte.corridorkey import PATTERNS
    from deepmatte.errors import ImageError
    from deepmatte.images import check_exr

    if composite is not None and over is None:
        raise typer.BadParameter("needs --over, the new background.", param_hint="--composite")
    if over is not None and composite is None:
        composite = "{stem}.composite.png"
    if not corridorkey and not any((alpha, foreground, composite, cutout)):
        cutout = "{stem}.cutout.png"
    options: dict[Output, str | None] = {
        "alpha": alpha,
        "foreground": foreground,
        "cutout": cutout,
        "composite": composite,
    }
    patterns = {kind: pattern for kind, pattern in options.items() if pattern is not None}
    for kind, pattern in patterns.items():
        check_pattern(pattern)
        try:
            _check_format(pattern, 4 if kind == "cutout" else 3, depth)
        except ImageError as error:
            raise typer.BadParameter(str(error), param_hint=f"--{kind}") from None
    if len(set(patterns.values())) < len(patterns):
        raise typer.BadParameter("two outputs have the same name; expected another one for each.")
    if not corridorkey:
        return tuple(patterns.items())
    try:
        check_exr()
    except ImageError as error:
        raise typer.BadParameter(str(error), param_hint="--corridorkey") from None
    return (*patterns.items(), *PATTERNS.items())


def _check_format(pattern: str, channels: int, depth: Depth | None) -> None:
    """Refuse names whose suffix no encoder can write with these channels and this depth.

    Raises:
        ImageError: there is no encoder.
    """
    import numpy as np

    from deepmatte.images import check_depth, encode_image

    suffix = os.path.splitext(pattern)[1]
    if depth is not None:
        check_depth(suffix, depth, pattern)
    # One pixel tells whether there is an encoder.
    encode_image(np.zeros((1, 1, channels), np.uint8), suffix, name=pattern)


def choose_partner(trimaps: str | None, masks: str | None, subject: bool) -> Partner:
    """What goes with each picture.

    Raises:
        typer.BadParameter: the command says several things.
    """
    if (trimaps is not None) + (masks is not None) + subject > 1:
        raise typer.BadParameter("expected one of --trimaps, --masks and --subject.")
    if subject:
        return "subject"
    return "trimap" if masks is None else "mask"


def full_path(name: str) -> str:
    """The absolute path of a file that is there; any other word as it is."""
    return os.path.abspath(name) if os.path.isfile(name) else name


def choose_segmenter(name: str | None) -> str:
    """The segmenter that is asked for, or else the best; refused where it cannot be used."""
    from deepmatte.subject import segmenters

    return segmenters.named(name or segmenters.choose(segmenters.Hints())).name


def read_sources(
    paths: list[str],
    partner: Partner,
    partners: str | None,
    patterns: tuple[tuple[Output, str], ...],
    watch: bool,
) -> Sources:
    """Where the batch reads and writes; a list on standard input is read.

    Raises:
        typer.BadParameter: the paths make no sense.
    """
    from deepmatte.batch.jobs import Sources

    if len(paths) < 2:
        raise typer.BadParameter("expected what to read and, last, the folder to write to.")
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


def pair_all(sources: Sources, skip_missing: bool, watch: bool) -> Pairing:
    """What there is to do; refused whole where a picture has no partner, unless that is wanted.

    Raises:
        ImageError: a folder or a file is not there.
        DataError: there is nothing to do, or it is refused.
    """
    from deepmatte.batch.pairing import pair
    from deepmatte.errors import ImageError

    if sources.partners is not None and not os.path.isdir(sources.partners):
        raise ImageError(
            f"{sources.partners} is not a folder; expected a folder of {sources.partner}s."
        )
    pairing = pair(sources)
    if not watch:
        refuse_gaps(pairing, sources, skip_missing)
    return pairing


def refuse_gaps(
    pairing: Pairing, sources: Sources, skip_missing: bool, *, shards: bool = False
) -> None:
    """Refuse a batch of nothing, and one of pictures without partners unless they are skipped.

    Raises:
        DataError: it is refused.
    """
    from deepmatte.errors import DataError

    if not pairing.jobs and not pairing.unpaired and not shards:
        named = ", ".join(sources.pictures) or "the list"
        raise DataError(f"There is no picture in {named}; expected files such as photo.jpg.")
    if not skip_missing:
        pairing.check()


def check_settings(settings: Settings, report: str | None) -> None:
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


def check_local(sources: Sources) -> None:
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
