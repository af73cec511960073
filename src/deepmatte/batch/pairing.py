"""Which trimap or mask goes with each picture of a batch."""

from __future__ import annotations

import functools
import glob
import os
import posixpath
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deepmatte.batch.jobs import Job, Pairing, Partner, Sources, pictures_among
from deepmatte.batch.ledger import NAME as LEDGER
from deepmatte.batch.naming import check_outputs, forget_folders, output_names
from deepmatte.errors import DataError, ImageError
from deepmatte.images import OPENED_SUFFIXES


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
    _forget_listings()
    found = _pictures(sources)
    jobs, unpaired = [], {}
    folders = {folder for folder in (found.base, sources.partners) if folder is not None}
    for path in found.paths:
        name = Path(os.path.relpath(path, found.base)).as_posix()
        partner = None
        if sources.partner != "subject":
            partners = _partners(path, name, sources)
            if len(partners) != 1:
                unpaired[name] = why_unpaired(partners, sources.partner)
                continue
            partner = partners[0]
        folders |= {os.path.dirname(file) or "." for file in (path, partner) if file is not None}
        jobs.append(Job(name, path, partner, tuple(output_names(name, sources))))
    if any(_same(folder, sources.out) for folder in folders):
        raise DataError(
            f"{sources.out} is read by this batch; expected another folder to write to."
        )
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
            files = sorted(glob.glob(source, recursive=True))
            paths += filter(os.path.isfile, pictures_among(files))
        else:
            raise ImageError(f"{source} does not exist.")
    if not bases:  # an empty list on standard input
        return _Found(".", [])
    base = bases[0] if single else os.path.commonpath([os.path.realpath(name) for name in bases])
    unique = {os.path.realpath(path): path for path in paths}
    if not single:
        unique = {real: real for real in unique}
    return _Found(base, list(unique.values()))


def _walk(folder: str, sources: Sources) -> Iterator[str]:
    """The pictures of a folder and those below it, without trimaps and outputs of batches."""
    aside = [sources.out]
    if sources.partners is not None and not _same(sources.partners, folder):
        aside.append(sources.partners)
    _check_out(folder, sources.out)
    for where, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and not any(_same(os.path.join(where, name), other) for other in aside)
            and not os.path.exists(os.path.join(where, name, LEDGER))
        )
        yield from (os.path.join(where, name) for name in pictures_among(sorted(files)))


def _check_out(folder: str, out: str) -> None:
    """Refuse to write among pictures of the folder that is read: they would be left out.

    Raises:
        DataError: there are pictures in OUT that no batch has written.
    """
    inside = os.path.realpath(out).startswith(os.path.join(os.path.realpath(folder), ""))
    if not inside or os.path.exists(os.path.join(out, LEDGER)):
        return
    for where, _, files in os.walk(out):
        for file in pictures_among(files):
            raise DataError(
                f"{out} lies in {folder} and holds pictures ({os.path.join(where, file)}); expected"
                " an empty or a new folder to write to."
            )


def _raise(error: OSError) -> None:
    raise error


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
    files = (file for known in wanted for file in _listing(folder).get(known, ()))
    return [os.path.join(folder, file) for file in sorted(files)]


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
        if suffix.lower() in OPENED_SUFFIXES:
            files[stem].append(name)
    return dict(files)


def _forget_listings() -> None:
    """Have folders read again: their files, or what a relative name means, may have changed."""
    _listing.cache_clear()
    forget_folders()


def why_unpaired(partners: Sequence[str], kind: Partner) -> str:
    """What is to be said of a picture that has not exactly one partner."""
    names = ", ".join(posixpath.basename(name.replace(os.sep, "/")) for name in partners)
    return f"(has {names})" if partners else f"(has no {kind})"


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
