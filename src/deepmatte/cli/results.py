"""The outputs that `deepmatte matte` writes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from deepmatte.cli import outputs
from deepmatte.cli.outputs import Output

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deepmatte.images import Depth
    from deepmatte.matting import Matte, Part


def encoders(
    result: Matte,
    targets: list[Output],
    background: str | bytes | None,
    depth: Depth | None,
    straight: bool,
) -> Iterator[tuple[Output, Callable[[], bytes]]]:
    """One after the other, for only one of the pictures at a time need be in memory."""
    from deepmatte.images import depth_for, encode_layers

    metadata = result.picture.metadata
    for output in targets:
        suffix = outputs.suffix_of(output)
        if output.option == outputs.LAYERS:
            layers = result.layers()
            yield output, functools.partial(encode_layers, layers, suffix, metadata=metadata)
            continue
        found = depth or depth_for(suffix, result.picture.levels)
        pixels = _pixels(result, output.option, background, found)
        yield (
            output,
            outputs.encoder(output, pixels, metadata=metadata, depth=found, straight=straight),
        )


def read_background(over: str) -> str | bytes:
    """What --over names, checked before any work as far as that is quick.

    Raises:
        ImageError: it is neither a colour nor a gradient, and no such file exists.
    """
    from deepmatte.composite import backdrop

    background = outputs.read(over)
    if isinstance(background, str) and not Path(background).is_file():
        backdrop(background, 1, 1)
    return background


def _pixels(
    result: Matte, option: str, background: str | bytes | None, depth: Depth
) -> NDArray[Any]:
    parts: dict[str, Part] = {
        "--alpha": "alpha",
        "--foreground": "foreground",
        "--cutout": "cutout",
    }
    if option in parts:
        return result.levels(parts[option], depth)
    return result.composite_levels(background or "", depth)


def check_shot(folder: str) -> None:
    """Refuse, before any work, a folder for --corridorkey that could not be written.

    Raises:
        typer.BadParameter: it is a file, or OpenEXR is not installed.
    """
    from deepmatte.errors import ImageError
    from deepmatte.images import check_exr

    if Path(folder).exists() and not Path(folder).is_dir():
        raise typer.BadParameter(
            f"{folder} is no folder; expected one to write the results to.",
            param_hint="--corridorkey",
        )
    try:
        check_exr()
    except ImageError as error:
        raise typer.BadParameter(str(error), param_hint="--corridorkey") from None


def shot_encoders(
    result: Matte, folder: Path, image: str
) -> Iterator[tuple[Output, Callable[[], bytes]]]:
    """What --corridorkey asks for, named like the picture; its folders are made."""
    from deepmatte.corridorkey import shot_files

    name = "frame" if image == outputs.PIPE else Path(image).stem
    for path, data in shot_files(result, name).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        yield Output("--corridorkey", str(target)), functools.partial(bytes, data)
