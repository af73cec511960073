"""Outputs and pipes of the commands, checked before any work starts."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from deepmatte.errors import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deepmatte.images import Depth, Metadata

PIPE = "-"
LAYERS = "--layers"
# Number of pictures encoded at a time.
_ENCODERS = 2


@dataclass(frozen=True)
class Output:
    """One file to be written.

    Attributes:
        option: what the user calls it, ``--alpha``.
        target: a path, or `PIPE` for standard output.
        transparent: whether it needs a format with an alpha channel.
    """

    option: str
    target: str
    transparent: bool = False


def beside(image: str, ending: str) -> str:
    """The default output for an input: ``cat.jpg`` gives ``cat.<ending>``, a pipe the pipe."""
    # /dev/stdin may well be a file: what it is redirected from.
    device = os.path.abspath(image).startswith(("/dev/", "/proc/"))
    special = os.path.exists(image) and not os.path.isfile(image) and not os.path.isdir(image)
    special = special or device
    return PIPE if image == PIPE or special else f"{os.path.splitext(image)[0]}.{ending}"


def read(argument: str) -> str | bytes:
    """An input as `deepmatte.images` takes it: the path, or all of standard input."""
    return sys.stdin.buffer.read() if argument == PIPE else argument


def check_inputs(names: Iterable[str]) -> None:
    """Say that an input is missing before anything else is blamed.

    Raises:
        ImageError: there is no such file.
    """
    from deepmatte.images.files import check_there

    for name in names:
        if name != PIPE:
            check_there(name)


def check(inputs: Sequence[str], outputs: Sequence[Output], depth: Depth | None = None) -> None:
    """Refuse, before any work, outputs that could not be written or would destroy something.

    Raises:
        typer.BadParameter: two inputs or two outputs share a pipe or a file, an output is an
            input, its folder is missing or locked, it is a folder, its suffix names no format that
            fits or can hold the depth, or a standard stream is closed.
    """
    if PIPE in inputs and sys.stdin is None:
        raise typer.BadParameter("standard input is closed; expected a picture on it.")
    if inputs.count(PIPE) > 1:
        raise typer.BadParameter("only one input can be read from standard input (-).")
    taken = {_identity(name): "an input" for name in inputs if name != PIPE}
    for output in outputs:
        identity = PIPE if output.target == PIPE else _identity(output.target)
        if identity in taken:
            raise _refusal(output, f"{output.target} is also {taken[identity]}.")
        taken[identity] = f"the output of {output.option}"
        _check_target(output, depth)


def _check_target(output: Output, depth: Depth | None) -> None:
    from deepmatte.images.files import expanded

    if output.target == PIPE:
        if sys.stdout is None:
            raise _refusal(output, "standard output is closed.")
        if sys.stdout.isatty():
            raise _refusal(output, "a picture would fill the terminal; redirect it, as in > a.png.")
        return
    path = Path(expanded(output.target))
    if path.is_dir():
        raise _refusal(output, f"{path} is a folder, not a file.")
    if not path.parent.is_dir():
        raise _refusal(output, f"the folder {path.parent} does not exist.")
    real = os.path.realpath(path)  # a plain file is replaced, where it is and not where a link is
    special = os.path.exists(real) and not os.path.isfile(real)
    if not os.access(real if special else os.path.dirname(real), os.W_OK):
        raise _refusal(output, f"there is no permission to write {path}.")
    _check_suffix(output, path.suffix, depth)


def _check_suffix(output: Output, suffix: str, depth: Depth | None) -> None:
    import numpy as np

    from deepmatte.errors import ImageError
    from deepmatte.images import Layer, check_depth, encode_image, encode_layers

    # One pixel tells whether there is an encoder for the suffix and the channels.
    pixel = np.zeros((1, 1, 4 if output.transparent else 3), np.uint8)
    try:
        if output.option == LAYERS:
            encode_layers([Layer("Photo", pixel)], suffix, name=output.target)
            return
        if depth is not None:
            check_depth(suffix, depth, output.target)
        encode_image(pixel, suffix, name=output.target)
    except ImageError as error:
        raise _refusal(output, str(error)) from None


def _identity(name: str) -> object:
    """The same value for two names of the same file, even where links lead to it."""
    from deepmatte.images.files import expanded

    path = expanded(name)
    try:
        status = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


def _refusal(output: Output, sentence: str) -> typer.BadParameter:
    return typer.BadParameter(sentence, param_hint=output.option)


def encoder(
    output: Output,
    pixels: NDArray[Any],
    *,
    metadata: Metadata | None = None,
    depth: Depth | None = None,
    straight: bool = False,
) -> Callable[[], bytes]:
    """What encodes pixels for an output, standard output as a PNG; see `encode_image`."""
    from deepmatte.images import Metadata, encode_image

    return functools.partial(
        encode_image,
        pixels,
        suffix_of(output),
        name=output.target,
        metadata=metadata or Metadata(),
        depth=depth,
        straight=straight,
    )


def suffix_of(output: Output) -> str:
    """The suffix that says an output's format."""
    if output.target == PIPE:
        return ".ora" if output.option == LAYERS else ".png"
    return os.path.splitext(output.target)[1]


def write(encoders: Iterable[tuple[Output, Callable[[], bytes]]]) -> list[str]:
    """Save pictures.

    All are encoded before the first is written, and written by the rule of
    `deepmatte.images.files.write_files`: where one fails, none is left behind.

    Args:
        encoders: outputs and what makes their bytes, made one after the other.

    Returns:
        Where it was written.
    """
    from concurrent.futures import Future, ThreadPoolExecutor

    from deepmatte.images.files import write_files

    contents: list[tuple[Any, Future[bytes]]] = []
    done: list[Output] = []
    # An encoder uses one core. No third picture is made before the first of them is encoded: that
    # would take memory.
    with ThreadPoolExecutor(_ENCODERS) as pool:
        for output, encode in encoders:
            target: Any = sys.stdout.buffer if output.target == PIPE else output.target
            contents.append((target, pool.submit(encode)))
            done.append(output)
            if len(contents) >= _ENCODERS:
                contents[-_ENCODERS][1].result()
    write_files([(target, data.result()) for target, data in contents])
    return [output.target for output in done]


def log(line: str) -> None:
    """Say something on standard error, where it does not mix with a picture."""
    typer.echo(printable(line), err=True)
