"""`deepmatte demo`: the shipped network on the shipped picture."""

from __future__ import annotations

import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deepmatte.matte import Matte

EXAMPLE = """\b
Example:
  deepmatte demo
  deepmatte demo /tmp/demo
"""

SAMPLES = ("fur.jpg", "fur.trimap.png")


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to write; is made if missing.")
    ] = Path("deepmatte-demo"),
) -> None:
    """Matte the shipped picture, to see how it works.

    Writes the picture and its trimap, the alpha matte, the subject's colours, the cut-out, two
    composites and a contact sheet of all of them; prints sizes and timings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    image, trimap = (folder / name for name in SAMPLES)
    for path in (image, trimap):
        path.write_bytes((resources.files("deepmatte") / "samples" / path.name).read_bytes())

    started = time.perf_counter()
    from deepmatte.images import save_image
    from deepmatte.matte import Matter

    matter = Matter()
    loaded = time.perf_counter()
    result = matter(image, trimap)
    matted = time.perf_counter()
    _ = result.foreground
    coloured = time.perf_counter()
    pictures = _pictures(result)
    for name, pixels in pictures.items():
        save_image(folder / name, pixels)
    ended = time.perf_counter()

    height, width = result.alpha.shape
    typer.echo(f"Picture: {width} x {height} pixels, {width * height / 1e6:.1f} megapixels")
    for what, seconds in (
        ("load the network", loaded - started),
        ("find alpha", matted - loaded),
        ("clean the colours", coloured - matted),
        ("write the pictures", ended - coloured),
    ):
        typer.echo(f"  {what:<20}{seconds:6.2f} s")
    for name in (*SAMPLES, *pictures):
        typer.echo(f"  {folder / name}  {(folder / name).stat().st_size / 1000:,.0f} kB")
    typer.echo(f"Look at {folder / 'contact-sheet.png'} first. The same by hand:")
    typer.echo(f"  deepmatte matte {image} {trimap}")


def _pictures(result: Matte) -> dict[str, NDArray[Any]]:
    """Everything to be written, by file name."""
    import numpy as np

    from deepmatte.sheet import checkerboard, contact_sheet

    green, grey = (np.asarray(result.over(colour)) for colour in ("#00b140", "#808080"))
    board = np.asarray(result.over(checkerboard(*result.alpha.shape)))
    panels: list[tuple[str, NDArray[Any]]] = [
        ("picture", result.image),
        ("trimap", result.trimap),
        ("alpha", result.alpha),
        ("cut-out", board),
        ("over green", green),
        ("over grey", grey),
    ]
    return {
        "alpha.png": result.alpha,
        "foreground.png": result.foreground,
        "cutout.png": np.asarray(result.cutout()),
        "over-green.png": green,
        "over-grey.png": grey,
        "contact-sheet.png": contact_sheet(panels),
    }
