"""What a batch is to do: its pictures, the trimap or mask of each, and the files to be written."""

from __future__ import annotations

import functools
import glob
import os
import posixpath
import string
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

from deepmatte.batch import addresses
from deepmatte.errors import DataError, ImageError

Partner: TypeAlias = Literal["trimap", "mask", "subject"]
Output: TypeAlias = Literal["alpha", "foreground", "cutout", "composite"]

SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("png", "jpg", "jpeg", "jfif", "mpo", "webp", "tif", "tiff"),
        *("avif", "heic", "heif", "bmp", "gif", "exr"),
    )
)
"""Of the files in a folder that are taken for pictures; a file that is named may have any."""
PARTNER_ENDINGS = (".trimap", ".mask")
_FIELDS = ("stem", "name")
_NAMED_AT_MOST = 10


@dataclass(frozen=True)
class Job:
    """One picture of a batch.

    Attributes:
        name: the picture's path below the folder that the batch comes from, with ``/``.
        picture: its path.
        partner: the path of its trimap or mask, or None where the subject is looked for.
        outputs: pairs of an output's kind (``"cutout"``, ...) and the path to be written.
    """

    name: str
    picture: str
    partner: str | None
    outputs: tuple[tuple[Output, str], ...]


@dataclass(frozen=True)
class Pairing:
    """What was found.

    Attributes:
        jobs: the pictures that can be matted, by name.
        unpaired: a sentence about each picture that cannot, by name.
    """

    jobs: tuple[Job, ...]
    unpaired: dict[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Name every picture without a partner, or with several, in one message.

        Raises:
            DataError: there is one.
        """
        if self.unpaired:
            total = len(self.jobs) + len(self.unpaired)
            raise DataError(
                f"{len(self.unpaired)} of {total} pictures cannot be matted:"
                f" {_listed(f'{name} {why}' for name, why in self.unpaired.items())}."
                " --skip-missing goes on without them."
            )


@dataclass(frozen=True)
class Sources:
    """Where a batch reads and writes.

    Attributes:
        pictures: folders, files and globs, as the user named them.
        partner: what goes with each picture.
        partners: the folder of the trimaps or masks; None takes those beside the pictures.
        out: the folder to write to.
        patterns: pairs of an output's kind and the pattern of its name; see `check_pattern`.
    """

    pictures: tuple[str, ...]
    partner: Partner
    partners: str | None
    out: str
    patterns: tuple[tuple[Output, str], ...]


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
        raise DataError(f"{pattern!r} is no pattern of names: {error}.") from error
    if not fields or any(name not in _FIELDS for name in fields):
        raise DataError(
            f"{pattern!r} is no pattern of names; expected {{stem}} or {{name}} in it, as in"
            " {stem}.cutout.png."
        )
    path = PurePosixPath(pattern.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or os.path.splitdrive(pattern)[0]:
        raise DataError(f"{pattern!r} leads out of the output folder; expected a name below it.")


def pair(sources: Sources) -> Pairing:
    """Find the pictures, their partners, and the names of the outputs.

    A folder is read with its sub-folders, whose structure the outputs keep. Names are those below
    the folder; of several folders, files or globs, those below the deepest folder that holds all.
    The partner of ``a/photo.jpg`` is ``a/photo.trimap.png`` or ``a/photo.png`` in the folder of
    the partners, of any picture suffix (``photo.mask.png`` where they are masks); without such a
    folder ``photo.trimap.png`` beside the picture.

    Raises:
        ImageError: there is no such file or folder.
        DataError: two outputs would have one name, or an output would be written into a folder
            that is read, or over a file that is.
    """
    found = _pictures(sources)
    for folder in (found.base, sources.partners):
        if folder is not None and _same(folder, sources.out):
            raise DataError(
                f"{sources.out} is read by this batch; expected another folder to write to."
            )
    jobs, unpaired = [], {}
    for path in found.paths:
        name = Path(os.path.relpath(path, found.base)).as_posix()
        partner = None
        if sources.partner != "subject":
            partners = _partners(path, name, sources)
            if len(partners) != 1:
                unpaired[name] = why_unpaired(partners, sources.partner)
                continue
            partner = partners[0]
        jobs.append(Job(name, path, partner, tuple(output_names(name, sources))))
    check_outputs(jobs)
    return Pairing(tuple(jobs), unpaired)


@dataclass(frozen=True)
class _Found:
    """Paths of pictures, and the folder that their names are relative to."""

    base: str
    paths: list[str]


def _pictures(sources: Sources) -> _Found:
    paths: list[str] = []
    bases: list[str] = []
    single = len(sources.pictures) == 1
    for source in sources.pictures:
        if os.path.isdir(source):
            bases.append(source if single else os.path.dirname(os.path.abspath(source)))
            paths += _walk(source, sources)
        elif os.path.exists(source):
            bases.append(os.path.dirname(source) or ".")
            paths.append(source)
        elif glob.has_magic(source):
            bases.append(_fixed_part(source))
            paths += (
                path
                for path in sorted(glob.glob(source, recursive=True))
                if os.path.isfile(path) and _is_picture(path)
            )
        else:
            raise ImageError(f"{source} does not exist.")
    base = bases[0] if single else os.path.commonpath([os.path.realpath(name) for name in bases])
    unique = {os.path.realpath(path): path for path in paths}
    if not single:
        unique = {real: real for real in unique}
    return _Found(base, list(unique.values()))


def _walk(folder: str, sources: Sources) -> Iterator[str]:
    """The pictures of a folder and those below it, without what the batch writes or pairs."""
    aside = [sources.out]
    if sources.partners is not None and not _same(sources.partners, folder):
        aside.append(sources.partners)
    for where, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and not any(_same(os.path.join(where, name), other) for other in aside)
        )
        yield from (os.path.join(where, name) for name in sorted(files) if _is_picture(name))


def _raise(error: OSError) -> None:
    raise error


def _is_picture(path: str) -> bool:
    stem, suffix = os.path.splitext(os.path.basename(path))
    return (
        suffix.lower() in SUFFIXES
        and not stem.startswith(".")
        and not stem.lower().endswith(PARTNER_ENDINGS)
    )


def _fixed_part(pattern: str) -> str:
    """The folder in front of a glob's first wildcard."""
    parts = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return str(Path(*parts)) if parts else "."


def _partners(path: str, name: str, sources: Sources) -> list[str]:
    """The files that may be a picture's trimap or mask."""
    stem = PurePosixPath(name).stem
    ending = f"{stem}.{sources.partner}"
    if sources.partners is None:
        folder, wanted = os.path.dirname(path) or ".", {ending}
    else:
        folder = os.path.normpath(os.path.join(sources.partners, os.path.dirname(name)))
        wanted = {ending} if _same(folder, os.path.dirname(path) or ".") else {ending, stem}
    return [
        os.path.join(folder, file) for known in wanted for file in _listing(folder).get(known, ())
    ]


@functools.lru_cache(64)
def _listing(folder: str) -> dict[str, list[str]]:
    """The picture files of a folder by their names without suffix."""
    files = defaultdict(list)
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        names = []
    for name in names:
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in SUFFIXES:
            files[stem].append(name)
    return dict(files)


def forget_listings() -> None:
    """Let `pair` read the folders again."""
    _listing.cache_clear()
    _real_folder.cache_clear()


def why_unpaired(partners: Sequence[str], kind: Partner) -> str:
    """What is to be said of a picture that has not exactly one partner."""
    names = ", ".join(posixpath.basename(name.replace(os.sep, "/")) for name in partners)
    return f"(has {names})" if partners else f"(has no {kind})"


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
            f"Two pictures would be written to one file: {_listed(doubled)}; {{name}} in place of"
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


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


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


def _listed(items: Iterable[str]) -> str:
    names = list(items)
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
