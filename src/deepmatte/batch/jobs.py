"""The work of a batch: its pictures, their trimaps or masks, and its outputs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from deepmatte.errors import DataError
from deepmatte.images import OPENED_SUFFIXES, RAW_SUFFIXES

Partner: TypeAlias = Literal["trimap", "mask", "subject"]
Output: TypeAlias = Literal[
    "alpha", "foreground", "cutout", "composite", "Matte", "FG", "Processed", "Comp"
]
"""What a file holds; the last four are CorridorKey's folders, see `deepmatte.corridorkey`."""

PARTNER_ENDINGS = (".trimap", ".mask")
_NAMED_AT_MOST = 50


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
                f" {listed(f'{name} {why}' for name, why in self.unpaired.items())}."
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
        patterns: pairs of an output's kind and the pattern of its name; see
            `deepmatte.batch.naming.check_pattern`.
    """

    pictures: tuple[str, ...]
    partner: Partner
    partners: str | None
    out: str
    patterns: tuple[tuple[Output, str], ...]


def pictures_among(paths: Iterable[str]) -> list[str]:
    """The pictures among some files: no trimaps, no masks, no hidden files.

    A raw file is left out if the same picture is there developed, as cameras and their owners keep
    both side by side.

    Args:
        paths: or addresses, or names in one folder.
    """
    found = [path for path in paths if _is_picture(path)]
    developed = {stem for stem, suffix in map(_split, found) if suffix not in RAW_SUFFIXES}
    return [
        path
        for path in found
        if _split(path)[1] not in RAW_SUFFIXES or _split(path)[0] not in developed
    ]


def _is_picture(path: str) -> bool:
    stem, suffix = _split(os.path.basename(path))
    hidden = stem.startswith(".")
    return suffix in OPENED_SUFFIXES and not hidden and not stem.lower().endswith(PARTNER_ENDINGS)


def _split(path: str) -> tuple[str, str]:
    stem, suffix = os.path.splitext(path)
    return stem, suffix.lower()


def listed(items: Iterable[str]) -> str:
    """The first of some names, and how many more there are."""
    names = list(items)
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
