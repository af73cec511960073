"""One picture of a batch, from its files to its files: what each process of a run does."""

from __future__ import annotations

import errno
import functools
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from deepmatte.batch import addresses
from deepmatte.batch.ledger import Finding
from deepmatte.batch.pairing import Job, Output, Partner
from deepmatte.errors import MattingError, TrimapError
from deepmatte.solver.budget import saving_memory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepmatte.images import Depth, Picture, Source
    from deepmatte.matting import Matte, Matter
    from deepmatte.solver.engine import Quality
    from deepmatte.types import Trimap

STAGES = ("decode", "network", "colours", "encode", "write")
"""Of a picture, in the order in which they come."""

# The storage itself has failed, not this picture: whatever came next would fail likewise.
_STORAGE_ERRORS = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "ESTALE", "ENOTCONN", "EHOSTDOWN", "ENODEV", "ENXIO")
    if hasattr(errno, name)
)
_THUMBNAIL_SIDE, _THUMBNAIL_QUALITY = 144, 75


@dataclass(frozen=True)
class Settings:
    """What the outputs of a batch depend on, apart from its pictures.

    Attributes:
        partner: what goes with each picture.
        model: as `deepmatte.Matter` takes it.
        quality: likewise.
        tile: likewise.
        device: likewise.
        over: the background of composites: a colour or the path of a picture.
        resize_trimap: whether trimaps and masks of other sizes are brought to the picture's.
        segmenter: what finds the subjects, as `deepmatte.find_subject` takes it.
        depth: bits of each colour of the outputs; see `deepmatte.Matte.save`.
    """

    partner: Partner = "trimap"
    model: str = "lite"
    quality: Quality = "normal"
    tile: int | None = None
    device: str = "cpu"
    over: str | None = None
    resize_trimap: bool = False
    segmenter: str | None = None
    depth: Depth | None = None

    def fingerprint(self, job: Job) -> str:
        """One line that differs where the settings of a job differ, or a file that they name."""
        files = [name for name in (self.model, self.over) if name and os.path.isfile(name)]
        names = [(kind, os.path.basename(path)) for kind, path in job.outputs]
        return json.dumps([asdict(self), [_stamp(name) for name in files], names])


@dataclass(frozen=True)
class Task:
    """A job, and what the process may take for it.

    Attributes:
        job: the picture.
        settings: of the batch.
        threads: of the network.
        memory: bytes; a picture that needs more is left alone.
        is_tight: whether the tiles too are made to fit the memory.
    """

    job: Job
    settings: Settings
    threads: int
    memory: int
    is_tight: bool


@dataclass(frozen=True)
class PictureResult:
    """What came of a task.

    Attributes:
        finding: for the ledger.
        stages: seconds of each of `STAGES`.
        stopped: a sentence where the storage failed, so that going on makes no sense, else None.
        least: bytes that the picture needs, where that is more than the task allowed, else 0.
    """

    finding: Finding
    stages: dict[str, float] = field(default_factory=dict)
    stopped: str | None = None
    least: int = 0


def fingerprint(job: Job) -> str:
    """One line that differs where the files of a job have changed: their sizes and times."""
    return " ".join(_stamp(path) for path in (job.picture, job.partner) if path is not None)


def _stamp(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError:
        return "missing"
    return f"{status.st_size}:{status.st_mtime_ns}"


def matte_one(task: Task) -> PictureResult:
    """Matte one picture and write its outputs, all of them or none; raises nothing."""
    from deepmatte.images import open_image

    stages = dict.fromkeys(STAGES, 0.0)
    began = time.perf_counter()
    shape = (0, 0)
    try:
        with _timed(stages, "decode"):
            picture = open_image(addresses.source(task.job.picture))
            shape = picture.shape
            least = saving_memory(shape[0] * shape[1])
            if least > task.memory:
                return PictureResult(Finding(), least=least)
            trimap = None
            if task.job.partner is not None:
                partner = addresses.source(task.job.partner)
                trimap = open_trimap_of(partner, task.job.partner, picture, task.settings)
        with _timed(stages, "network"):
            matter = load_matter(
                task.settings, task.threads, task.memory if task.is_tight else None
            )
            matte = matte_opened(matter, picture, trimap, task.settings)
        _write(task, matte, stages)
        finding = described(matte, time.perf_counter() - began)
    except (MattingError, MemoryError) as error:
        sentence = str(error) or "There is not enough memory for this picture."
        if _is_of_storage(error):
            return PictureResult(Finding(), stopped=sentence)
        finding = Finding(sentence, time.perf_counter() - began, width=shape[1], height=shape[0])
    except Exception as error:  # a fault of deepmatte's own must not end the run
        finding = Finding(f"{task.job.picture}: {type(error).__name__}: {error}")
    return PictureResult(finding, stages)


def matte_in_process(task: Task) -> PictureResult:
    """`matte_one` in a process that does nothing else."""
    _end_in_order()
    return matte_one(task)


@functools.cache
def _end_in_order() -> None:
    """Let a process that is told to end remove what it has half written."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def load_matter(settings: Settings, threads: int, memory: int | None) -> Matter:
    """The network of some settings; the last one is kept by this process."""
    return _loaded(
        settings.model, settings.device, threads, settings.tile, memory, settings.quality
    )


@functools.lru_cache(1)
def _loaded(
    model: str,
    device: str,
    threads: int,
    tile: int | None,
    memory: int | None,
    quality: Quality,
) -> Matter:
    from deepmatte.matting import Matter

    return Matter(model, device=device, threads=threads, tile=tile, memory=memory, quality=quality)


def open_trimap_of(partner: Source, name: str, picture: Picture, settings: Settings) -> Trimap:
    """The trimap of a picture, from its trimap or mask.

    Args:
        partner: the trimap or mask.
        name: of it, for a message.
        picture: whose it is.
        settings: say which of both it is.

    Raises:
        ImageError: it cannot be read.
        TrimapError: it makes no sense, or its size is not the picture's.
    """
    from deepmatte.trimap import from_mask, open_trimap

    if settings.partner == "trimap":
        return open_trimap(partner, picture.shape, resize=settings.resize_trimap)
    try:
        return open_trimap(from_mask(partner), picture.shape, resize=settings.resize_trimap)
    except TrimapError as error:  # an array has no name of its own
        raise TrimapError(f"{name}: {error}") from error


def matte_opened(
    matter: Matter, picture: Picture, trimap: Trimap | None, settings: Settings
) -> Matte:
    """Matte a picture that is open; without a trimap its subject is looked for."""
    if trimap is not None:
        return matter(picture, trimap)
    from deepmatte.subject import matte_subject

    return matte_subject(picture, segmenter=settings.segmenter, matter=matter)


def levels_of(matte: Matte, kind: Output, suffix: str, settings: Settings) -> NDArray[Any]:
    """An output of a matte, as deep as a file of this suffix is to be."""
    depth = settings.depth or matte.depth_for(suffix)
    if kind == "composite":
        return matte.composite_levels(settings.over or "white", depth)
    return matte.levels(kind, depth)


def encoded(matte: Matte, kind: Output, target: str, settings: Settings) -> bytes:
    """An output of a matte as the content of a file; ``target``'s suffix is the format."""
    suffix = os.path.splitext(target)[1]
    return _encode(matte, levels_of(matte, kind, suffix, settings), target, settings)


def _encode(matte: Matte, levels: NDArray[Any], target: str, settings: Settings) -> bytes:
    from deepmatte.images import encode_image

    suffix = os.path.splitext(target)[1]
    return encode_image(
        levels,
        suffix,
        name=target,
        metadata=matte.picture.metadata,
        depth=settings.depth or matte.depth_for(suffix),
    )


def _write(task: Task, matte: Matte, stages: dict[str, float]) -> None:
    contents = []
    for kind, target in task.job.outputs:
        with _timed(stages, "colours"):
            suffix = os.path.splitext(target)[1]
            levels = levels_of(matte, kind, suffix, task.settings)
        with _timed(stages, "encode"):
            contents.append((target, _encode(matte, levels, target, task.settings)))
    with _timed(stages, "write"):
        addresses.write(contents)


def described(matte: Matte, seconds: float) -> Finding:
    """What the ledger keeps of a matte."""
    height, width = matte.alpha.shape
    return Finding(
        seconds=seconds,
        width=width,
        height=height,
        unknown=unknown_share(matte),
        haze=haze(matte),
        notes=matte.notes,
        thumbnail=_thumbnail(matte),
    )


def unknown_share(matte: Matte) -> float:
    """Share of the trimap's pixels that were unknown, 0..1."""
    import numpy as np

    from deepmatte.types import UNKNOWN

    return float(np.mean(matte.trimap == UNKNOWN))


def haze(matte: Matte) -> float:
    """Share of the picture that stayed undecided, 0..1: the mean of ``4 a (1 - a)``."""
    import numpy as np

    alpha = matte.predicted
    return float(np.mean(4 * alpha * (1 - alpha)))


def _thumbnail(matte: Matte) -> bytes:
    """A small JPEG: the picture, and beside it the subject on a checkerboard."""
    import cv2
    import numpy as np

    from deepmatte.composite import blend
    from deepmatte.images.arrays import to_unit
    from deepmatte.images.resize import limited, shrink
    from deepmatte.sheet import checkerboard

    size = limited(matte.alpha.shape, _THUMBNAIL_SIDE)
    picture = to_unit(shrink(matte.picture.levels, size))
    alpha = to_unit(shrink(matte.alpha, size))
    cut = blend(picture, alpha, checkerboard(*size, 8))
    both: NDArray[np.float32] = np.hstack([picture, cut])[..., ::-1]  # (h, 2 w, 3), BGR
    levels = np.rint(both * 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, _THUMBNAIL_QUALITY])
    return data.tobytes()


def _is_of_storage(error: BaseException) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _STORAGE_ERRORS


@contextmanager
def _timed(stages: dict[str, float], stage: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        stages[stage] += time.perf_counter() - began
