"""Tables that put the pictures of a data set into groups: by category, by kind of edge.

A table is a text file of tab-separated columns with a header. Its first column holds the names of
the pictures; each further column is a grouping::

    name        category    edge
    o_0530e2e7  animal      soft
    o_0c33063a  portrait    hard
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path, PurePath

from deepmatte.datasets.layouts import GROUPS, Dataset, Groupings
from deepmatte.errors import DataError
from deepmatte.images import OPENED_SUFFIXES
from deepmatte.images.files import reason_of

NO_GROUP = "-"

_NAMED = 5  # number of missing pictures that an error names


def read_groups(path: Path) -> Groupings:
    """Read a table of groups.

    Args:
        path: the file, UTF-8.

    Returns:
        The group of each picture by grouping, in the order of the columns; "-" for an empty cell.

    Raises:
        DataError: the file cannot be read, has no grouping, rows of different lengths, or a column
            or picture twice.

    Example:
        read_groups(Path("aim500/split.tsv"))["category"]["o_0530e2e7"]
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table: {reason_of(error)}.") from error
    rows = [(number, line.split("\t")) for number, line in enumerate(lines, 1) if line.strip()]
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    if len(header) < 2 or len(set(header)) < len(header) or not all(header):
        raise DataError(
            f"{path} has the columns {', '.join(header) or '(none)'}; expected a header of two or"
            " more different names, separated by tabs: the pictures and at least one grouping."
        )
    groupings: dict[str, dict[str, str]] = {grouping: {} for grouping in header[1:]}
    seen = set()
    for number, cells in rows[1:]:
        if len(cells) != len(header):
            raise DataError(
                f"Line {number} of {path} has {len(cells)} columns; expected {len(header)} as in"
                " its header."
            )
        name = _picture(cells[0].strip())
        if name in seen:
            raise DataError(f"{path} has two rows for {name}; expected one for each picture.")
        seen.add(name)
        for grouping, cell in zip(header[1:], cells[1:], strict=True):
            groupings[grouping][name] = cell.strip() or NO_GROUP
    return groupings


def with_groups(datasets: Sequence[Dataset], paths: Sequence[Path]) -> list[Dataset]:
    """Add to each data set the groups of its own ``groups.tsv``, and those of tables that name it.

    A table may name more pictures than a data set has. Where two tables have a column of the same
    name, the later one counts.

    Args:
        datasets: from `open_dataset`.
        paths: further tables.

    Raises:
        DataError: a table cannot be read, names no picture of any data set, or only some of one.
    """
    tables = [(path, read_groups(path)) for path in paths]
    for path, table in tables:
        if not any(
            sample.name in _named(table) for dataset in datasets for sample in dataset.samples
        ):
            raise DataError(
                f"{path} names no picture of {', '.join(d.name for d in datasets)}; expected the"
                " names of their pictures in its first column."
            )
    return [_with_own(dataset, tables) for dataset in datasets]


def _with_own(dataset: Dataset, tables: Sequence[tuple[Path, Groupings]]) -> Dataset:
    own = Path(dataset.name) / GROUPS
    if own.is_file():
        tables = [(own, read_groups(own)), *tables]
    groupings: dict[str, dict[str, str]] = {}
    for path, table in tables:
        named = _named(table)
        missing = [sample.name for sample in dataset.samples if sample.name not in named]
        if len(missing) == len(dataset.samples) and path != own:
            continue  # a table of another data set
        if missing:
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            raise DataError(
                f"{path} has no group for {len(missing)} of {len(dataset.samples)} pictures of"
                f" {dataset.name}: {', '.join(missing[:_NAMED])}{more}; expected a row for each."
            )
        for grouping, groups in table.items():
            groupings[grouping] = {s.name: groups[s.name] for s in dataset.samples}
    return dataclasses.replace(dataset, groupings=groupings)


def _named(table: Groupings) -> Collection[str]:
    return next(iter(table.values()))  # every column has all pictures


def _picture(name: str) -> str:
    """A picture's name as a data set has it: without the suffix of a picture file."""
    return PurePath(name).stem if PurePath(name).suffix.lower() in OPENED_SUFFIXES else name
