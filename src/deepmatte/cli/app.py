"""All commands of the command line.

Nothing heavy is imported before a command runs, so `deepmatte --help` is fast.
"""

from __future__ import annotations

from typing import Annotated

import typer

import deepmatte
from deepmatte.cli import (
    batch,
    compose,
    convert,
    demo,
    evaluate,
    export,
    matte,
    serve,
    studio,
    train,
    trimap,
)
from deepmatte.machine import check_address_space

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  deepmatte demo\n  deepmatte matte photo.jpg trimap.png",
)
app.command("demo", epilog=demo.EXAMPLE)(demo.demo)
app.command("matte", epilog=matte.EXAMPLE)(matte.matte)
app.command("batch", epilog=batch.EXAMPLE)(batch.batch)
app.add_typer(trimap.app, name="trimap")
app.command("serve", epilog=serve.EXAMPLE)(serve.serve)
app.command("studio", epilog=studio.EXAMPLE)(studio.studio)
app.add_typer(compose.app, name="compose")
app.add_typer(train.app, name="train")
app.command("evaluate", epilog=evaluate.EXAMPLE)(evaluate.evaluate)
app.command("convert", epilog=convert.EXAMPLE)(convert.convert)
app.command("export", epilog=export.EXAMPLE)(export.export)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deepmatte {deepmatte.__version__}")
        raise typer.Exit


@app.callback()
def deepmatte_command(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Cut the subject out of a photo: a photo and a trimap in, an alpha matte and a cut-out out."""
    check_address_space()
