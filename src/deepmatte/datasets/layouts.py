"""Folders of pictures with true mattes and, usually, trimaps.

Files belong together by their names without suffix: ``images/cat.jpg``, ``alphas/cat.png``,
``trimaps/Trimap1/cat.png``. `LAYOUTS` lists the folder names that are recognised; other folders can
be named one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from deepmatte.errors import DataError
from deepmatte.images import OPENED_SUFFIXES

GIVEN = "given"
"""The kind of trimaps that lie in their folder directly, not in one folder a kind."""

LAYOUTS = {
    "deepmatte compose set, alphamatting.com": ("images", "alphas", "trimaps"),
    "alphamatting.com as downloaded": (
        "input_training_lowres",
        "gt_training_lowres",
        "trimap_training_lowres",
    ),
    "Composition-1k": ("merged", "alpha_copy", "trimaps"),
    "P3M-500-P": ("blurred_image", "mask", "trimap"),
    "P3M-500-NP": ("original_image", "mask", "trimap"),
    "AIM-500": ("original", "mask", "trimap"),
    "plain": ("image", "alpha", "trimap"),
}
"""Folders of pictures, alphas and trimaps (these may be missing); the first that fits is taken."""

GROUPS = "groups.tsv"
"""A table of groups in a data set's folder; see `deepmatte.datasets.groups`."""
Groupings: TypeAlias = Mapping[str, Mapping[str, str]]
"""The group of each picture, by the name of the grouping."""

_NAMED = 5  # number of missing files that an error names


@dataclass(frozen=True)
class Sample:
    """One picture of a data set.

    Attributes:
        name: of the picture, without suffix.
        image, alpha: the files.
        trimaps: the trimaps that come with the data set, by kind.
    """

    name: str
    image: Path
    alpha: Path
    trimaps: Mapping[str, Path]


@dataclass(frozen=True)
class Dataset:
    """A data set; all of its files exist.

    Attributes:
        name: the folder, as the user named it.
        samples: in the order of their names; never empty.
        kinds: the kinds of trimaps that come with it, ``("Trimap1", "Trimap2")``; may be empty.
        groupings: from `deepmatte.datasets.groups.with_groups`.
    """

    name: str
    samples: tuple[Sample, ...]
    kinds: tuple[str, ...]
    groupings: Groupings = field(default_factory=dict)


def open_dataset(
    folder: Path | None = None,
    *,
    images: Path | None = None,
    alphas: Path | None = None,
    trimaps: Path | None = None,
) -> Dataset:
    """Find the files of a data set, without reading a picture.

    Args:
        folder: holds the folders of one of `LAYOUTS`. A folder of trimaps has one folder per kind,
            or the trimaps themselves (kind `GIVEN`), or both.
        images: folder of pictures, instead of the layout's.
        alphas: folder of true mattes, instead of the layout's.
        trimaps: folder of trimaps, instead of the layout's.

    Raises:
        DataError: the layout is unknown, a folder is missing or empty, two files of a folder share
            a name, or files are missing.

    Example:
        dataset = open_dataset(Path("Test_set"))
        open_dataset(images=Path("photos"), alphas=Path("mattes"))
    """
    if images is None or alphas is None:
        images, alphas, trimaps = _recognised(folder, images, alphas, trimaps)
    files = {"images": pictures_in(images), "alphas": pictures_in(alphas)}
    kinds = {} if trimaps is None else _kinds(trimaps)
    folders = [(images, files["images"]), (alphas, files["alphas"]), *kinds.values()]
    names = sorted(set().union(*(found for _, found in folders)))
    if not names:
        raise DataError(f"{images} holds no pictures; expected one file for each photo.")
    missing = [
        f"{where / name}.*" for name in names for where, found in folders if name not in found
    ]
    if missing:
        named = ", ".join(missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        count = "1 file is" if len(missing) == 1 else f"{len(missing)} files are"
        raise DataError(f"{count} missing (with any picture's suffix): {named}{more}.")
    samples = tuple(
        Sample(
            name,
            files["images"][name],
            files["alphas"][name],
            {kind: found[name] for kind, (_, found) in kinds.items()},
        )
        for name in names
    )
    return Dataset(str(images.parent if folder is None else folder), samples, tuple(kinds))


def pictures_in(folder: Path) -> dict[str, Path]:
    """The picture files in a folder, by name without suffix; hidden ones are left out.

    Raises:
        DataError: there is no such folder, or two of its pictures share a name.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; expected one with pictures.")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in OPENED_SUFFIXES or path.name.startswith(".") or path.is_dir():
            continue
        if path.stem in found:
            raise DataError(
                f"{folder} has two pictures called {path.stem}: {found[path.stem].name} and"
                f" {path.name}; expected one file of this name."
            )
        found[path.stem] = path
    return found


def _recognised(
    folder: Path | None, images: Path | None, alphas: Path | None, trimaps: Path | None
) -> tuple[Path, Path, Path | None]:
    """The folders of pictures, alphas and trimaps: those named by the user, else the layout's."""
    if folder is None:
        raise DataError("Expected a data set, or both a folder of images and one of alphas.")
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; expected a data set.")
    for names in LAYOUTS.values():
        found = [folder / name for name in names]
        if (images or found[0]).is_dir() and (alphas or found[1]).is_dir():
            if trimaps is None and found[2].is_dir():
                trimaps = found[2]
            return images or found[0], alphas or found[1], trimaps
    known = "; ".join(f"{names[0]} and {names[1]}" for names in LAYOUTS.values())
    raise DataError(
        f"{folder} is not a data set of a known layout; expected the folders {known}; or name the"
        " folders (--images, --alphas, --trimaps)."
    )


def _kinds(trimaps: Path) -> dict[str, tuple[Path, dict[str, Path]]]:
    """The kinds of trimaps in a folder: their folder, and the files by name."""
    kinds = {}
    flat = pictures_in(trimaps)
    if flat:
        kinds[GIVEN] = (trimaps, flat)
    for folder in sorted(path for path in trimaps.iterdir() if path.is_dir()):
        found = pictures_in(folder)
        if found and not folder.name.startswith("."):
            kinds[folder.name] = (folder, found)
    if not kinds:
        raise DataError(f"{trimaps} holds no trimaps; expected one for each photo.")
    return kinds
