"""`deepmatte matte`: a picture and a trimap to a matte and a cut-out."""

from __future__ import annotations

import itertools
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from deepmatte.cli import outputs, results
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
    parse_box,
    parse_memory,
    parse_point,
)
from deepmatte.cli.outputs import Output
from deepmatte.cli.waiting import told
from deepmatte.errors import TrimapError

if TYPE_CHECKING:
    from deepmatte.matting import Matte, Matter
    from deepmatte.solver.runtime import Progress

EXAMPLE = """\b
Example:
  deepmatte matte photo.jpg trimap.png
  deepmatte matte photo.jpg trimap.png --alpha alpha.png --over beach.jpg --composite new.jpg
  deepmatte matte photo.jpg --mask person.png
  deepmatte matte photo.jpg --subject
  deepmatte matte photo.jpg trimap.png --alpha alpha.tif --cutout cutout.png --depth 16
  deepmatte matte photo.jpg trimap.png --crop 5% --resize 1000 --shadow 40%
  cat photo.jpg | deepmatte matte - trimap.png > cutout.png
"""


def matte(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="The picture; - reads a pipe.")],
    trimap: Annotated[
        str | None,
        typer.Argument(
            metavar="TRIMAP",
            help="The trimap: black is background, white is subject, anything between is unknown.",
            show_default=False,
        ),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(metavar="M.png", help="A segmentation mask to make the trimap from."),
    ] = None,
    subject: Annotated[
        bool, typer.Option("--subject", help="Find the subject with a segmentation model.")
    ] = False,
    point: Annotated[
        list[Any],
        typer.Option(
            metavar="X,Y",
            parser=parse_point,
            help="A pixel on the wanted subject; may be repeated.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 (typer copies it)
    box: Annotated[
        Any,
        typer.Option(
            metavar="LEFT,TOP,RIGHT,BOTTOM",
            parser=parse_box,
            help="A box around the subject, in pixels; needs no segmentation model.",
            show_default=False,
        ),
    ] = None,
    segmenter: Annotated[
        str | None,
        typer.Option(
            metavar="people|rembg|osam|box",
            help="The segmentation model; by default the best installed one that needs no "
            "download. rembg:MODEL and osam:MODEL name a model.",
            show_default=False,
        ),
    ] = None,
    alpha: Annotated[
        str | None, typer.Option(metavar="A.png", help="Write the alpha matte in grey.")
    ] = None,
    foreground: Annotated[
        str | None,
        typer.Option(metavar="F.png", help="Write the subject's colours without the background."),
    ] = None,
    cutout: Annotated[
        str | None,
        typer.Option(
            "--cutout",
            "-o",
            metavar="C.png",
            help="Write the cut-out, RGBA; the default output is <IMAGE>.cutout.png.",
        ),
    ] = None,
    over: Over = None,
    composite: Annotated[
        str | None,
        typer.Option(
            metavar="OUT", help="Where to write the composite; default <IMAGE>.composite.png."
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="L.ora|L.psd",
            help="Write subject and photo as layers; in a PSD alpha is the subject's mask.",
        ),
    ] = None,
    corridorkey: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Write Matte, FG, Processed and Comp like CorridorKey."),
    ] = None,
    depth: Depth = None,
    straight: Straight = False,
    crop: Crop = None,
    resize: Resize = None,
    shadow: Shadow = None,
    model: Model = "lite",
    tile: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Tiles of at most N x N pixels, at least 1152 with the default network; smaller "
            "ones save memory.",
        ),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(
            metavar="1.5GB",
            parser=parse_memory,
            help="Memory limit of this command; sets the tile size.",
            show_default=False,
        ),
    ] = None,
    quality: Quality = "normal",
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Number of threads; default all available cores."),
    ] = None,
    device: Device = "cpu",
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Print the network, the quality and the device that are used."
        ),
    ] = False,
    resize_trimap: ResizeTrimap = False,
    transparency: Annotated[
        Literal["keep", "multiply", "ignore"],
        typer.Option(
            help="The picture's own transparency: keep it as the subject's edge, multiply the "
            "matte by it, or ignore it."
        ),
    ] = "keep",
) -> None:
    """Cut the subject out of one picture.

    An output of - writes a PNG to standard output; every other message goes to standard error.
    Without an output option the cut-out is written beside IMAGE, or to standard output if IMAGE is
    a pipe.
    """
    searches = {"--subject": subject, "--point": point, "--box": box, "--segmenter": segmenter}
    search = next((option for option, given in searches.items() if given), None)
    _check_source(image, trimap, mask, search)
    if composite is not None and over is None:
        raise typer.BadParameter("needs --over, the new background.", param_hint="--composite")
    if over is not None and composite is None:
        composite = outputs.beside(image, "composite.png")
    wanted = {"alpha": alpha, "foreground": foreground, "cutout": cutout, "layers": layers}
    wanted["composite"] = composite
    if corridorkey is not None:
        results.check_shot(corridorkey)
    elif not any(wanted.values()):
        wanted["cutout"] = outputs.beside(image, "cutout.png")
    targets = [
        Output(f"--{part}", name, transparent=part == "cutout")
        for part, name in wanted.items()
        if name is not None
    ]
    outputs.check_inputs(name for name in (image, trimap, mask) if name is not None)
    inputs = [name for name in (image, trimap, mask, over) if name is not None]
    outputs.check(inputs, targets, depth)

    from deepmatte.framing import Framing
    from deepmatte.matted import framed
    from deepmatte.matting import Matter

    started = time.perf_counter()
    background = None if over is None else results.read_background(over)
    picture = outputs.read(image)
    matter = Matter(
        model,
        device=device,
        threads=threads,
        tile=tile,
        memory=memory,
        quality=quality,
        transparency=transparency,
    )
    if verbose:
        outputs.log(f"deepmatte: {_account(matter, model, quality)}")
    with told(image) as progress:
        if search:
            from deepmatte.subject import matte_subject

            result = matte_subject(
                picture, points=point, box=box, segmenter=segmenter, matter=matter
            )
        elif mask is not None:
            result = _with_mask(matter, picture, mask, resize_trimap, progress)
        else:
            labels = outputs.read(trimap or "")
            result = matter(picture, labels, resize_trimap=resize_trimap, progress=progress)
        (height, width), unknown = result.alpha.shape, (result.trimap == 128).mean()
        result = framed(result, Framing(crop, resize, shadow or 0.0))
        encoders = [results.encoders(result, targets, background, depth, straight)]
        if corridorkey is not None:
            encoders.append(results.shot_encoders(result, Path(corridorkey), image))
        written = outputs.write(itertools.chain(*encoders))
    for note in result.notes:
        outputs.log(f"deepmatte: {note}")
    seconds = time.perf_counter() - started
    names = ", ".join(written)
    outputs.log(
        f"{image}: {width} x {height} pixels, {unknown:.0%} unknown, {seconds:.2f} s, wrote {names}"
    )


def _check_source(image: str, trimap: str | None, mask: str | None, search: str | None) -> None:
    """Refuse a command that does not say what the subject is, or says it in several ways.

    ``search`` is the option that asks to find the subject, if there is one.

    Raises:
        typer.BadParameter: it does not say it, or says it in several ways.
    """
    ways = {"TRIMAP": trimap is not None, "--mask": mask is not None, search: search is not None}
    given = [str(way) for way, there in ways.items() if there]
    if len(given) > 1:
        raise typer.BadParameter(f"{' and '.join(given)} were given; expected one of them.")
    if not given:
        picture = "PHOTO" if image == outputs.PIPE else shlex.quote(image)
        raise typer.BadParameter(
            "nothing says what the subject is. Besides a TRIMAP or a --mask there are three ways:"
            f"\n  deepmatte matte {picture} --subject    finds it by itself (needs an extra)"
            f"\n  deepmatte matte {picture} --box LEFT,TOP,RIGHT,BOTTOM    finds it in a box"
            f"\n  deepmatte studio {picture}    lets you paint it in the browser"
        )


def _account(matter: Matter, model: str, quality: str) -> str:
    """Network, quality and device, for `--verbose`."""
    import onnxruntime

    from deepmatte.solver.devices import PROVIDERS, available_devices

    return (
        f"the network {model}, quality {quality}, runs on {matter.device}"
        f" ({PROVIDERS[matter.device]} of ONNX Runtime {onnxruntime.__version__}, which has"
        f" {', '.join(available_devices())})."
    )


def _with_mask(
    matter: Matter, picture: str | bytes, mask: str, resize_trimap: bool, progress: Progress
) -> Matte:
    from deepmatte.subject import matte_mask

    source = outputs.read(mask)
    try:
        return matte_mask(
            picture, source, resize_mask=resize_trimap, matter=matter, progress=progress
        )
    except TrimapError as error:
        # A trimap made from a mask is an array, which has no name of its own.
        raise TrimapError(f"{mask}: {error}") from error
