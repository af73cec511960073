"""Shards: WebDataset tars and parquet tables, each with many pictures; one in, one out."""

from __future__ import annotations

import io
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deepmatte.batch import addresses
from deepmatte.batch.cluster.stage import Matting
from deepmatte.batch.jobs import Output, pictures_among
from deepmatte.batch.ledger import Finding
from deepmatte.batch.settings import Settings
from deepmatte.errors import DataError, ImageError, MattingError
from deepmatte.images import OPENED_SUFFIXES
from deepmatte.images.files import reason_of

SHARDS = (".tar", ".parquet")
"""Suffixes of shards."""

# Rows of a table that are in memory at a time.
_ROWS = 16


@dataclass(frozen=True)
class Shard:
    """One shard.

    Attributes:
        name: below the folder that it comes from.
        source: its address.
        target: where its mattes are written to.
        patterns: pairs of an output's kind and the pattern of its name.
    """

    name: str
    source: str
    target: str
    patterns: tuple[tuple[Output, str], ...]


def matte_shard(shard: Shard, settings: Settings) -> list[tuple[str, Finding]]:
    """Matte the pictures of a shard and write one of the same name, whole or not at all.

    A tar has members ``key.jpg`` and ``key.trimap.png`` (``key.mask.png``) of any picture suffix;
    the output ``key.cutout.png`` and whatever else is asked for, and ``key.json`` with the error
    or the measures of the matte. A table has columns ``image`` and ``trimap`` (``mask``) with the
    contents of files; the output its other columns, and those of `Matting`.

    Returns:
        What came of each picture, by the shard's name and its own; of a shard that cannot be read
        or written, one sentence.

    Raises:
        OSError: the storage failed.
    """
    try:
        if shard.name.endswith(".tar"):
            return _matte_tar(shard, settings)
        return _matte_table(shard, settings)
    except (MattingError, MemoryError) as error:
        return [(shard.name, Finding(str(error)))]


def _matte_tar(shard: Shard, settings: Settings) -> list[tuple[str, Finding]]:
    import webdataset

    stage = _stage(shard, settings)
    found = []
    written = io.BytesIO()
    with webdataset.TarWriter(written, mtime=0) as tar:
        for key, members in _samples(shard):
            picture, partner = _members(members, settings)
            row = stage.row(
                picture and addresses.NamedBytes(picture, f"{shard.source}: {key}"),
                partner and addresses.NamedBytes(partner, f"{shard.source}: the partner of {key}"),
            )
            measures = {name: row[name] for name in ("error", "unknown", "haze", "seconds")}
            pictures = {
                f"{kind}{stage.suffix}": row[kind]
                for kind in stage.outputs
                if row[kind] is not None
            }
            told = {name: value for name, value in measures.items() if name != "seconds"}
            tar.write({"__key__": key, **pictures, "json": json.dumps(told).encode()})
            found.append((f"{shard.name}/{key}", _finding(measures)))
    _write(shard.target, written.getvalue())
    return found


def _samples(shard: Shard) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The keys of a tar and, for each, its members by their suffixes."""
    from webdataset.tariterators import group_by_keys, tar_file_expander

    stream = {"stream": io.BytesIO(addresses.read(shard.source)), "url": shard.source}
    try:
        for sample in group_by_keys(tar_file_expander([stream])):
            key = sample["__key__"]
            yield key, {name: data for name, data in sample.items() if not name.startswith("__")}
    except MattingError:
        raise
    except Exception as error:  # of a damaged tar: several kinds
        raise ImageError(f"{shard.source} cannot be read as a tar: {reason_of(error)}.") from error


def _members(members: dict[str, bytes], settings: Settings) -> tuple[bytes | None, bytes | None]:
    """The picture and the trimap or mask of one key of a tar."""
    found = pictures_among(f"picture.{name}" for name in members)
    picture = members[found[0].removeprefix("picture.")] if found else None
    partner = next(
        (
            data
            for name, data in members.items()
            if name.startswith(f"{settings.partner}.")
            and f".{name.split('.', 1)[1]}" in OPENED_SUFFIXES
        ),
        None,
    )
    return picture, partner


def _matte_table(shard: Shard, settings: Settings) -> list[tuple[str, Finding]]:
    import pyarrow as pa
    from pyarrow import parquet

    stage = _stage(shard, settings)
    found: list[tuple[str, Finding]] = []
    written = io.BytesIO()
    try:
        table = parquet.ParquetFile(io.BytesIO(addresses.read(shard.source)))
    except pa.ArrowException as error:
        raise ImageError(
            f"{shard.source} cannot be read as parquet: {reason_of(error)}."
        ) from error
    writer = None
    empty = [] if table.metadata.num_rows else [pa.RecordBatch.from_pylist([], table.schema_arrow)]
    for batch in itertools.chain(table.iter_batches(_ROWS), empty):
        columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
        made = stage(columns)
        kept = [name for name in batch.schema.names if name in made.column_names]
        for name in kept:  # as they were: a list of values has lost their types
            made = made.set_column(made.column_names.index(name), name, batch.column(name))
        writer = writer or parquet.ParquetWriter(written, made.schema)
        writer.write_table(made)
        for row in made.select(["error", "unknown", "haze", "seconds"]).to_pylist():
            found.append((f"{shard.name}/{len(found)}", _finding(row)))
    if writer is not None:
        writer.close()
    _write(shard.target, written.getvalue())
    return found


def _stage(shard: Shard, settings: Settings) -> Matting:
    suffixes = {os.path.splitext(pattern)[1] for _, pattern in shard.patterns}
    if len(suffixes) > 1:
        raise DataError(
            f"The outputs in a shard have one format; {' and '.join(sorted(suffixes))} were asked"
            " for."
        )
    return Matting(
        trimap="trimap" if settings.partner == "trimap" else None,
        mask="mask" if settings.partner == "mask" else None,
        outputs=[kind for kind, _ in shard.patterns],
        suffix=suffixes.pop(),
        over=settings.over,
        model=settings.model,
        quality=settings.quality,
        device=settings.device,
        resize_trimap=settings.resize_trimap,
        segmenter=settings.segmenter,
        depth=settings.depth,
        straight=settings.straight,
        framing=settings.framing,
    )


def _finding(row: dict[str, Any]) -> Finding:
    return Finding(
        error=row["error"],
        seconds=row["seconds"],
        unknown=row["unknown"] or 0.0,
        haze=row["haze"] or 0.0,
    )


def _write(address: str, data: bytes) -> None:
    addresses.make_folder_of(address)
    addresses.write([(address, data)])
