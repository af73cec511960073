"""A stage for Ray Data: rows with a picture and its trimap to rows with its matte.

Example:
    import ray
    from deepmatte.batch import Matting

    shards = ray.data.read_webdataset("s3://photos/shards", decoder=False)
    mattes = shards.map_batches(Matting(image="jpg", trimap="trimap.png"), batch_size=8)
    mattes.write_parquet("s3://photos/mattes")
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deepmatte.arguments import shown
from deepmatte.batch import addresses
from deepmatte.batch.jobs import Output
from deepmatte.batch.measures import haze, unknown_share
from deepmatte.batch.settings import Settings
from deepmatte.batch.steps import encoder, load_matter, matte_opened, open_both
from deepmatte.errors import ImageError, MattingError, ModelError
from deepmatte.framing import UNFRAMED, Framing
from deepmatte.matted import framed

if TYPE_CHECKING:
    import pyarrow as pa

    from deepmatte.images import Depth, Source
    from deepmatte.matting import Matte
    from deepmatte.solver.engine import Quality


COLUMNS: tuple[Output, ...] = ("alpha", "foreground", "cutout", "composite")
"""Outputs that a row can have."""


class Matting:
    """Mattes the pictures of a batch of rows; give it, or a call of it, to ``map_batches``.

    A picture is the content of a file (bytes), an address that fsspec can read (a path,
    ``s3://...``), or an array (H, W, 3) as ``ray.data.read_images`` gives it. What cannot be
    matted becomes a row with a sentence in ``error``; the job goes on.

    Each process loads the network once. With one thread for each, as by default, give Ray one
    processor for each: ``map_batches(Matting, concurrency=N)`` does.

    Args:
        image: the column of the pictures.
        trimap: the column of their trimaps; None where there are masks, or neither.
        mask: the column of their masks, instead; with neither the subject is looked for.
        outputs: the columns that are added, each the content of a picture file.
        suffix: of these files, ``".png"``.
        over: the background of composites, a colour or the address of a picture.
        model: as `deepmatte.Matter` takes it, and so the next two; a file must be there on every
            machine.
        quality: see there.
        device: see there.
        threads: of the network, in each process.
        resize_trimap: bring trimaps and masks of another size to the picture's.
        segmenter: what looks for subjects; see `deepmatte.find_subject`.
        depth: as `deepmatte.Matte.save` takes it, and so the next.
        straight: see there.
        framing: crops, resizes and shadows the outputs.

    Raises:
        ModelError: an output that there is not is asked for.

    Example:
        rows = ray.data.read_parquet("s3://photos/table")
        rows.map_batches(Matting(image="photo"), batch_size=8).write_parquet("s3://photos/mattes")
    """

    def __init__(
        self,
        *,
        image: str = "image",
        trimap: str | None = "trimap",
        mask: str | None = None,
        outputs: Sequence[Output] = ("alpha", "cutout"),
        suffix: str = ".png",
        over: str | None = None,
        model: str = "lite",
        quality: Quality = "normal",
        device: str = "cpu",
        threads: int = 1,
        resize_trimap: bool = False,
        segmenter: str | None = None,
        depth: Depth | None = None,
        straight: bool = False,
        framing: Framing = UNFRAMED,
    ) -> None:
        _check(outputs)
        self.image = image
        self.partner = mask if mask is not None else trimap
        self.outputs = tuple(outputs)
        self.suffix = suffix
        self.threads = threads
        self.settings = Settings(
            partner="mask" if mask is not None else "trimap" if trimap is not None else "subject",
            model=model,
            quality=quality,
            device=device,
            over=over,
            resize_trimap=resize_trimap,
            segmenter=segmenter,
            depth=depth,
            straight=straight,
            framing=framing,
        )

    def __call__(self, batch: Mapping[str, Any]) -> pa.Table:
        """Matte a batch.

        Args:
            batch: columns by name, each with one value for each row.

        Returns:
            The columns of the batch without the pictures, trimaps and masks, and with the outputs
            (binary), ``error`` (a sentence, or null), ``unknown`` (share of the trimap that was
            unknown, 0..1), ``haze`` (mean of ``4 a (1 - a)``, 0..1) and ``seconds``.

        Raises:
            ModelError: the network cannot be loaded: no row could be matted.
            ImageError: a column is missing.
        """
        import pyarrow as pa

        used = [name for name in (self.image, self.partner) if name is not None]
        missing = [name for name in used if name not in batch]
        if missing:
            raise ImageError(
                f"There is no column {' or '.join(missing)}; there are {', '.join(batch)}."
            )
        load_matter(self.settings, self.threads, None)
        rows = [self.row(*sources) for sources in zip(*(batch[name] for name in used), strict=True)]
        kept = {name: _column(values) for name, values in batch.items() if name not in used}
        return pa.table({**kept, **_columns(rows, self.outputs)})

    def row(self, image: Any, partner: Any = None) -> dict[str, Any]:
        """One row: the outputs, or why there are none; see `__call__`."""
        began = time.perf_counter()
        row: dict[str, Any] = dict.fromkeys((*self.outputs, "error", "unknown", "haze"))
        try:
            matte = self._matte(image, partner)
            result = framed(matte, self.settings.framing)
            row |= {
                name: encoder(result, name, f"{name}{self.suffix}", self.settings)()
                for name in self.outputs
            }
            row |= {"unknown": unknown_share(matte), "haze": haze(matte)}
        except (MattingError, MemoryError) as error:
            row["error"] = str(error) or "There is not enough memory for this picture."
        row["seconds"] = time.perf_counter() - began
        return row

    def _matte(self, image: Any, partner: Any) -> Matte:
        other = None if self.partner is None else _source(partner)
        matter = load_matter(self.settings, self.threads, None)
        opened = open_both(_source(image), other, self.partner or "", self.settings, matter)
        return matte_opened(matter, opened, self.settings)


def _check(outputs: Sequence[Output]) -> None:
    is_list = isinstance(outputs, (list, tuple)) and len(outputs) > 0
    if not is_list or not all(isinstance(name, str) and name in COLUMNS for name in outputs):
        raise ModelError(
            f"outputs is {shown(outputs)}; expected a list of some of {', '.join(COLUMNS)}."
        )


def _columns(rows: Sequence[Mapping[str, Any]], outputs: Sequence[Output]) -> dict[str, pa.Array]:
    """What rows gain, of the same types however many of them failed."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = {name: pa.binary() for name in outputs}
    types |= {"error": pa.string(), "unknown": pa.float64(), "haze": pa.float64()}
    types |= {"seconds": pa.float64()}
    return {name: pa.array([row[name] for row in rows], kind) for name, kind in types.items()}


def _source(value: Any) -> Source:
    """A cell of a table as `deepmatte.images` takes it."""
    if isinstance(value, Mapping):  # as Hugging Face's tables keep pictures
        value = value.get("bytes") or value.get("path")
    if value is None:
        raise ImageError("The row has no picture; expected a path, an address or bytes.")
    source: Source = addresses.source(value) if isinstance(value, str) else value
    return source


def _column(values: Any) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    return pa.array(
        [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
    )
