"""Tables that put pictures into groups, as people and programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepmatte.datasets.groups import read_groups, with_groups
from deepmatte.datasets.layouts import Dataset, open_dataset
from deepmatte.errors import DataError

TABLE = "name\tcategory\ttype\n\ncat.jpg\tanimal \tSO\nv1.2\tthing\t\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "split.tsv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def dataset(folder: Path, *names: str) -> Dataset:
    for name in names:
        for kind in ("images", "alphas"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((2, 2), np.uint8)).save(folder / kind / f"{name}.png")
    return open_dataset(folder)


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE[:-1].encode(),
    ],
)
def test_tables_as_programs_write_them(data: bytes, table: Path) -> None:
    table.write_bytes(data)

    # A picture's suffix does not count, other dots do; an empty cell is a group, too.
    assert read_groups(table) == {
        "category": {"cat": "animal", "v1.2": "thing"},
        "type": {"cat": "SO", "v1.2": "-"},
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has the columns (none); expected a header"),
        ("name\ncat\n", "has the columns name; expected a header"),
        ("name,category\ncat,animal\n", "has the columns name,category; expected"),
        ("name\ta\ta\n", "has the columns name, a, a; expected"),
        ("name\t\n", "expected a header"),
        ("name\ta\n\ncat\tanimal\tSO\n", "Line 3 of {path} has 3 columns; expected 2"),
        ("name\ta\ncat\tx\ncat.png\ty\n", "{path} has two rows for cat"),
    ],
)
def test_tables_that_are_none(text: str, sentence: str, table: Path) -> None:
    table.write_text(text, encoding="utf-8")

    with pytest.raises(DataError) as caught:
        read_groups(table)

    assert sentence.format(path=table) in str(caught.value)


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary.tsv").write_bytes(b"name\t\xff\xfe\n")

    for path in (tmp_path / "missing.tsv", tmp_path, tmp_path / "binary.tsv"):
        with pytest.raises(DataError, match="cannot be read as a table"):
            read_groups(path)


def test_each_set_gets_the_groups_of_its_pictures(table: Path, tmp_path: Path) -> None:
    """A table may be about one set of several, or about more pictures than there are."""
    cats = dataset(tmp_path / "cats", "cat")
    others = dataset(tmp_path / "others", "fern", "tree")
    (tmp_path / "others" / "groups.tsv").write_text("n\tedge\ttype\nfern\tsoft\tA\ntree\thard\tB\n")
    more = tmp_path / "more.tsv"
    more.write_text("n\ttype\nfern\tC\ntree\tC\n")

    found = with_groups([cats, others], [table, more])

    assert found[0].groupings == {"category": {"cat": "animal"}, "type": {"cat": "SO"}}
    # Its own table first, then those that were named.
    edges = {"fern": "soft", "tree": "hard"}
    assert found[1].groupings == {"edge": edges, "type": {"fern": "C", "tree": "C"}}


def test_tables_that_do_not_fit_are_refused(table: Path, tmp_path: Path) -> None:
    names = ("cat", "fern", "ant", "bee", "fly", "gnat", "moth")
    some, none = dataset(tmp_path / "some", *names), dataset(tmp_path / "none", "fern")

    with pytest.raises(DataError, match=r"split.tsv names no picture of .*none;"):
        with_groups([none], [table])
    missing = r"split.tsv has no group for 6 of 7 pictures of .*some: ant, bee, .* gnat and 1 more;"
    with pytest.raises(DataError, match=missing):
        with_groups([some], [table])
    (tmp_path / "none" / "groups.tsv").write_text(TABLE)
    with pytest.raises(DataError, match=r"groups.tsv has no group for 1 of 1 pictures"):
        with_groups([none], [])
