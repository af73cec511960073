"""`deepmatte studio`: a page in the browser to paint a trimap and watch the cut-out."""

from __future__ import annotations

from typing import Annotated

import typer

from deepmatte.cli.options import parse_memory

EXAMPLE = """\b
Example:
  deepmatte studio
  deepmatte studio photo.jpg
"""


def studio(
    image: Annotated[
        str | None,
        typer.Argument(metavar="IMAGE", help="The photo to open.", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            max=65535,
            help="Port of the page; default 8764 or the next free one; 0 takes any.",
            show_default=False,
        ),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(
            metavar="1.5GB",
            parser=parse_memory,
            help="Memory limit for open pictures; default 2GB.",
            show_default=False,
        ),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Paint a trimap in the browser and see the cut-out; needs pip install 'deepmatte[studio]'.

    The page and the pictures stay on this machine: no other machine and no other page can reach the
    server. Ctrl-C stops it.
    """
    from deepmatte.errors import DataError

    try:
        from deepmatte.studio import run
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise DataError(
            f"This needs {package}, which is not installed: pip install 'deepmatte[studio]'."
        ) from error
    run.studio(image, port=port, memory=memory or 2_000_000_000, browser=browser)
