"""`deepmatte trimap`: makes a trimap from other hints, or repairs one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from deepmatte.cli import outputs
from deepmatte.cli.options import parse_box
from deepmatte.cli.outputs import Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make a trimap, or repair one: black background, white subject, grey unknown.",
    short_help="Make or repair a trimap.",
    epilog="\b\nExample:\n  deepmatte trimap from-mask person.png\n"
    "  deepmatte trimap from-box photo.jpg 40,30,620,900 -o trimap.png",
)

Out = Annotated[
    str | None,
    typer.Option(
        "--out", "-o", metavar="OUT", help="Where to write; default <first input>.trimap.png."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing trimap.")]
Width = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        min=0,
        help="Width of the unknown band in pixels; default 4 % of the picture's side.",
    ),
]
Image = Annotated[str, typer.Argument(metavar="IMAGE", help="The picture; - reads a pipe.")]


@app.command(
    "from-mask",
    epilog="\b\nExample:\n  deepmatte trimap from-mask person.png --width 20 -o trimap.png",
)
def from_mask(
    mask: Annotated[str, typer.Argument(metavar="MASK", help="The mask: white is subject.")],
    width: Width = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """From a segmentation mask: a band along its border.

    Pixels in the band are unknown, and so are levels that are neither black nor white.
    """
    target = _checked([mask], out, force)
    from deepmatte import trimap

    _write(target, trimap.from_mask(outputs.read(mask), width=width))


@app.command(
    "from-alpha", epilog="\b\nExample:\n  deepmatte trimap from-alpha alpha.png -o trimap.png"
)
def from_alpha(
    alpha: Annotated[str, typer.Argument(metavar="ALPHA", help="A matte, or an RGBA cut-out.")],
    erode: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Width of the band inside the subject, in pixels.",
        ),
    ] = None,
    dilate: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Width of the band outside the subject, in pixels.",
        ),
    ] = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """From a known alpha matte or a cut-out."""
    target = _checked([alpha], out, force)
    from deepmatte import trimap

    _write(target, trimap.from_alpha(outputs.read(alpha), erode=erode, dilate=dilate))


@app.command(
    "from-scribbles",
    epilog="\b\nExample:\n  deepmatte trimap from-scribbles photo.jpg strokes.png -o trimap.png",
)
def from_scribbles(
    image: Image,
    scribbles: Annotated[
        str,
        typer.Argument(
            metavar="SCRIBBLES", help="White strokes on the subject, black ones on the background."
        ),
    ],
    width: Width = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """From a few strokes on a picture (GrabCut)."""
    target = _checked([image, scribbles], out, force)
    from deepmatte import trimap

    picture, strokes = outputs.read(image), outputs.read(scribbles)
    _write(target, trimap.from_scribbles(picture, strokes, width=width))


@app.command(
    "from-box",
    epilog="\b\nExample:\n  deepmatte trimap from-box photo.jpg 40,30,620,900 -o trimap.png",
)
def from_box(
    image: Image,
    box: Annotated[
        str,
        typer.Argument(metavar="LEFT,TOP,RIGHT,BOTTOM", help="The box, in pixels."),
    ],
    width: Width = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """From a rectangle around the subject (GrabCut)."""
    edges = parse_box(box)
    target = _checked([image], out, force)
    from deepmatte import trimap

    _write(target, trimap.from_box(outputs.read(image), edges, width=width))


@app.command(
    "repair",
    epilog="\b\nExample:\n  deepmatte trimap repair painted.jpg -o trimap.png\n"
    "  deepmatte trimap repair small.png --like photo.jpg --resize -o trimap.png",
)
def repair(
    trimap: Annotated[str, typer.Argument(metavar="TRIMAP", help="Any kind of trimap picture.")],
    like: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help="The picture whose size the trimap must have."),
    ] = None,
    resize: Annotated[
        bool,
        typer.Option(
            "--resize",
            "--resize-trimap",
            help="Resize the trimap to that size by nearest neighbour.",
        ),
    ] = False,
    out: Out = None,
    force: Force = False,
) -> None:
    """Write any trimap with exactly 0, 128 and 255.

    Takes 0/1, palettes, RGB greys, 16 bit, soft edges, JPEG noise and transparency; everything that
    is not surely background or foreground becomes unknown.
    """
    if resize and like is None:
        raise typer.BadParameter("needs --like, the picture to fit.", param_hint="--resize")
    target = _checked([trimap] if like is None else [trimap, like], out, force)
    from deepmatte.images import open_image
    from deepmatte.trimap import open_trimap

    size = None
    if like is not None:
        height, width = open_image(outputs.read(like)).shape
        size = (height, width)
    _write(target, open_trimap(outputs.read(trimap), size, resize=resize))


def _checked(inputs: list[str], out: str | None, force: bool) -> Output:
    outputs.check_inputs(inputs)
    if out is None:
        out = outputs.beside(inputs[0], "trimap.png")
        if out != outputs.PIPE and os.path.lexists(out) and not force:
            # It may be painted by hand. Whoever names it knows of it.
            raise typer.BadParameter(
                f"{out} exists; --force replaces it, and --out names another.", param_hint="--out"
            )
    output = Output("--out", out)
    outputs.check(inputs, [output])
    return output


def _write(output: Output, trimap: NDArray[np.uint8]) -> None:
    import numpy as np

    from deepmatte.trimap.read import missing_kinds

    outputs.write([(output, outputs.encoder(output, trimap))])
    for note in missing_kinds(trimap):
        outputs.log(f"deepmatte: {note}")
    height, width = trimap.shape
    unknown = np.mean(trimap == 128)
    outputs.log(f"{width} x {height} pixels, {unknown:.0%} unknown, wrote {output.target}")
