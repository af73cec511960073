"""`deepmatte demo`: the default network on the sample picture."""

from __future__ import annotations

import shlex
import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deepmatte.matting import Matte

EXAMPLE = """\b
Example:
  deepmatte demo
  deepmatte demo /tmp/demo
"""

SAMPLES = ("cat.jpg", "cat.trimap.png")
RESULTS = (
    "alpha.png",
    "foreground.png",
    "cutout.png",
    "over-green.png",
    "over-grey.png",
    "contact-sheet.png",
)


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder for the results; created if missing.")
    ] = Path("deepmatte-demo"),
) -> None:
    """Matte the sample picture, to see how it works.

    Writes the picture and its trimap, the alpha matte, the subject's colours, the cut-out, two
    composites and a contact sheet of all of them; prints sizes and timings.
    """
    _check(folder)
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    from deepmatte.images import encode_image
    from deepmatte.images.files import write_files
    from deepmatte.matting import Matter

    matter = Matter()
    loaded = time.perf_counter()
    shipped = resources.files("deepmatte") / "samples"
    contents = {name: (shipped / name).read_bytes() for name in SAMPLES}
    result = matter(*contents.values())
    matted = time.perf_counter()
    _ = result.foreground
    coloured = time.perf_counter()
    for name, pixels in zip(RESULTS, _pictures(result), strict=True):
        contents[name] = encode_image(pixels, ".png")
    write_files([(folder / name, data) for name, data in contents.items()])
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
    for name, data in contents.items():
        typer.echo(f"  {folder / name}  {len(data) / 1000:,.0f} kB")
    typer.echo(f"Look at {folder / 'contact-sheet.png'} first. To make the cut-out yourself:")
    typer.echo(f"  deepmatte matte {shlex.join(str(folder / name) for name in SAMPLES)}")


def _check(folder: Path) -> None:
    """Protect the user's files: only those of an earlier demo are replaced."""
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{folder} is a file; expected a folder.", param_hint="DIR")
    taken = [name for name in RESULTS if (folder / name).exists()]
    if taken and not (folder / SAMPLES[0]).exists():
        raise typer.BadParameter(
            f"{folder} holds {taken[0]} already; expected a folder without it.",
            param_hint="DIR",
        )


def _pictures(result: Matte) -> list[NDArray[Any]]:
    """The pictures of `RESULTS`, in that order."""
    import numpy as np

    from deepmatte.sheet import checkerboard, contact_sheet

    green, grey = (np.asarray(result.over(colour)) for colour in ("#00b140", "#808080"))
    board = np.asarray(result.over(checkerboard(*result.alpha.shape)))
    panels: list[tuple[str, NDArray[Any]]] = [
        ("picture", result.picture.levels),
        ("trimap", result.trimap),
        ("alpha", result.alpha),
        ("cut-out", board),
        ("over green", green),
        ("over grey", grey),
    ]
    cutout = np.asarray(result.cutout())
    return [result.alpha, result.colours, cutout, green, grey, contact_sheet(panels)]
