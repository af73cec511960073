"""The names of a batch's outputs."""

from __future__ import annotations

import functools
import os
import posixpath
import string
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from deepmatte.batch import addresses
from deepmatte.batch.jobs import Job, Output, Sources, listed
from deepmatte.errors import DataError

_FIELDS = ("stem", "name")


def check_pattern(pattern: str) -> None:
    """Refuse a pattern of names that gives no file below the output folder for each picture.

    Args:
        pattern: ``{stem}.cutout.png``, where ``{stem}`` is the picture's name without its suffix
            and ``{name}`` the name with it; may begin with sub-folders.

    Raises:
        DataError: it is no such pattern.
    """
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None]
    except ValueError as error:
        raise DataError(
            f"{pattern!r} is no pattern of names ({error}); expected one such as"
            " {stem}.cutout.png."
        ) from error
    if not fields or any(name not in _FIELDS for name in fields):
        raise DataError(
            f"{pattern!r} is no pattern of names; expected {{stem}} or {{name}} in it, as in"
            " {stem}.cutout.png."
        )
    path = PurePosixPath(pattern.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or os.path.splitdrive(pattern)[0]:
        raise DataError(f"{pattern!r} leads out of the output folder; expected a name below it.")


def output_names(name: str, sources: Sources) -> Iterator[tuple[Output, str]]:
    """What is to be written for a picture of this name: pairs of the kind and the address."""
    path = PurePosixPath(name)
    for kind, pattern in sources.patterns:
        file = pattern.format(stem=path.stem, name=path.name)
        yield kind, addresses.joined(sources.out, posixpath.normpath(str(path.parent / file)))


def check_outputs(jobs: Sequence[Job]) -> None:
    """Refuse jobs of which two write one file, or one writes what another reads.

    Raises:
        DataError: there are such.
    """
    writers: dict[str, str] = {}
    doubled = []
    for job in jobs:
        for _, target in job.outputs:
            other = writers.setdefault(os.path.normcase(target), job.name)
            if other != job.name:
                doubled.append(f"{other} and {job.name}")
    if doubled:
        raise DataError(
            f"Two pictures would be written to one file: {listed(doubled)}; {{name}} in place of"
            " {stem} in the names of the outputs keeps them apart."
        )
    inputs = {
        _identity(path) for job in jobs for path in (job.picture, job.partner) if path is not None
    }
    for job in jobs:
        for _, target in job.outputs:
            if _identity(target) in inputs:
                raise DataError(
                    f"{target} is read by this batch and would be written over; expected other"
                    " names for the outputs."
                )


def _identity(path: str) -> str:
    """One name for a file, whichever links lead to it."""
    if addresses.is_remote(path):
        return path
    if os.path.islink(path):
        path = os.path.realpath(path)
    folder, name = os.path.split(path)
    return os.path.normcase(os.path.join(_real_folder(folder or "."), name))


@functools.lru_cache(1024)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def forget_folders() -> None:
    """Let links be followed anew."""
    _real_folder.cache_clear()
