"""(image, trimap) -> alpha with ONNX Runtime: any picture size, known pixels exact, never torch."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import ModelError
from deepmatte.trimap import BACKGROUND, FOREGROUND, UNKNOWN
from deepmatte.weights import catalogue

if TYPE_CHECKING:
    import onnxruntime

    from deepmatte.inputs import NetworkInputs, PictureAndTrimap
    from deepmatte.priors import Window

TILE = 1280
"""Default side of a tile, pixels."""
STRIDE = 32
"""Height and width of what a network gets are multiples of this."""
CONTEXT = 320
"""Pixels around the unknown ones that a network gets to know, more than any network's reach; a
multiple of `STRIDE`."""
RAMP = 64
"""Pixels over which neighbouring tiles are blended."""


class Progress:
    """One call of an `Engine`, watched and, from any thread, ended.

    Attributes:
        share: how much of the work is done, 0..1.

    Example:
        >>> progress = Progress()
        >>> progress.cancel()
        >>> Engine()(np.zeros((40, 60, 3), np.float32), np.full((40, 60), 128, np.uint8), progress)
        Traceback (most recent call last):
            ...
        concurrent.futures._base.CancelledError
    """

    def __init__(self) -> None:
        self.share = 0.0
        self._cancelled = False
        self._run: onnxruntime.RunOptions | None = None

    def cancel(self) -> None:
        """End the call soon; it raises `CancelledError`. Nothing happens if it has ended."""
        self._cancelled = True
        if self._run is not None:
            self._run.terminate = True  # within the network, not only between tiles

    def advance(self, share: float) -> None:
        """Say how much is done.

        Raises:
            CancelledError: by `cancel`.
        """
        self.share = share
        if self._cancelled:
            raise CancelledError

    def run_options(self) -> onnxruntime.RunOptions:
        """Options with which ONNX Runtime stops where it is when the work is cancelled."""
        import onnxruntime

        if self._run is None:
            options = onnxruntime.RunOptions()
            options.log_severity_level = 4  # as the session's
            self._run = options
        self.advance(self.share)  # cancelled before there was anything to stop
        return self._run


class Engine:
    """A loaded network.

    Args:
        model: ``"lite"``, the shipped network, or the path of an ONNX file exported by
            `deepmatte.networks.export`.
        device: ``"cpu"`` or ``"cuda"``.
        threads: threads of the network, at most the cores that this process may use; None takes
            all of them.
        tile: side of the tiles in which larger regions are matted, pixels, rounded up to a
            multiple of `STRIDE`; None takes `TILE`.

    Errors:
        `ModelError` where the network is missing, damaged, made for other inputs, or the device
        cannot be used.

    Example:
        >>> engine = Engine()
        >>> alpha = engine(np.zeros((40, 60, 3), np.float32), np.full((40, 60), 128, np.uint8))
        >>> alpha.shape
        (40, 60)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "lite",
        *,
        device: str = "cpu",
        threads: int | None = None,
        tile: int | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise ModelError(f"{threads} threads: expected at least 1")
        self._name = os.fspath(model)
        # More threads than cores only wait for each other.
        cores = usable_cores()
        self._session, self._inputs = _open_session(model, device, min(threads or cores, cores))
        smallest = 2 * _overlap(self._inputs.reach)
        if tile is not None and tile < smallest:
            raise ModelError(f"tiles of {tile} pixels: expected at least {smallest}")
        self.tile = math.ceil((tile or TILE) / STRIDE) * STRIDE

    def __call__(
        self,
        image: NDArray[np.float32],
        trimap: NDArray[np.uint8],
        progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """Alpha, float32 ``(H, W)``, 0..1, of ``image`` ``(H, W, 3)``, 0..1, and ``trimap``.

        Where the trimap says foreground or background, alpha is exactly 1 or 0. Time goes with the
        unknown pixels and what surrounds them, not with the picture; memory with the tile.

        Errors: `ModelError` where the network fails, or does not answer with an alpha;
        `CancelledError` by ``progress``.
        """
        progress = progress or Progress()
        alpha: NDArray[np.float32] = (trimap == FOREGROUND).astype(np.float32)
        unknown = trimap == UNKNOWN
        if not unknown.any():
            return alpha
        box = _surroundings(trimap, unknown)
        inputs = self._inputs(image[box], trimap[box])
        predicted = np.zeros(unknown[box].shape, np.float32)
        tiles = list(_tiles(unknown[box], self.tile, self._inputs.reach))
        for done, (window, weight) in enumerate(tiles):
            progress.advance(done / len(tiles))
            predicted[window] += weight * self._run(inputs.read(window), progress)
        progress.advance(1)
        np.copyto(alpha[box], predicted.clip(0, 1), where=unknown[box])
        return alpha

    def _run(self, window: NDArray[np.float32], progress: Progress) -> NDArray[np.float32]:
        """Alpha of one window, padded at the right and the bottom to a multiple of `STRIDE`."""
        height, width = window.shape[1:]
        padding = ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE))
        padded = np.pad(window, padding, mode=self._inputs.padding)
        try:
            (alpha,) = self._session.run(
                ["alpha"], {"inputs": padded[None]}, progress.run_options()
            )
        except CancelledError:
            raise
        except Exception as error:
            progress.advance(progress.share)  # it failed because it was cancelled
            if "alloc" in str(error):  # "Failed to allocate memory", "std::bad_alloc"
                raise MemoryError("There is not enough memory for this picture.") from error
            first = str(error).splitlines()[0]
            raise ModelError(f"{self._name}: the network cannot be run: {first}") from error
        alpha = np.asarray(alpha, np.float32)
        if alpha.shape != (1, 1, *padded.shape[1:]) or not np.isfinite(alpha).all():
            raise ModelError(
                f"{self._name}: the network answered with shape {alpha.shape} or values that are "
                f"not finite; expected an alpha of shape {(1, 1, *padded.shape[1:])}"
            )
        return np.asarray(alpha[0, 0, :height, :width].clip(0, 1), np.float32)


def usable_cores() -> int:
    """Cores that this process may use: its affinity, and a container's CPU quota."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):  # no control group, or "max"
        pass
    return max(1, cores)


def _open_session(
    model: str | os.PathLike[str], device: str, threads: int
) -> tuple[onnxruntime.InferenceSession, type[NetworkInputs | PictureAndTrimap]]:
    """The session, and what the network sees: that stands in the file."""
    import onnxruntime

    from deepmatte.inputs import NetworkInputs, PictureAndTrimap

    providers = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
    if device not in providers:
        raise ModelError(f"device {device!r}: expected cpu or cuda")
    if providers[device] not in onnxruntime.get_available_providers():
        raise ModelError(
            "device cuda: this ONNX Runtime has no CUDA; "
            "install onnxruntime-gpu in place of onnxruntime, or use the device cpu"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised; its log would be said twice
    # Windows of many shapes make the arena grow without bound.
    options.enable_cpu_mem_arena = False
    content = catalogue.find(model)
    try:
        session = onnxruntime.InferenceSession(content, options, providers=[providers[device]])
    except Exception as error:
        raise ModelError(f"{model}: not a network that ONNX Runtime can load: {error}") from error
    if providers[device] not in session.get_providers():
        raise ModelError(f"device {device}: ONNX Runtime could not start it on this machine")
    channels = session.get_modelmeta().custom_metadata_map.get("channels", "")
    known = {",".join(kind.channels): kind for kind in (NetworkInputs, PictureAndTrimap)}
    if channels not in known:
        raise ModelError(
            f"{model}: made for the inputs {channels or '(unknown)'}, "
            f"expected {' or '.join(known)}: export it with this version"
        )
    return session, known[channels]


def _surroundings(trimap: NDArray[np.uint8], unknown: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The box around the unknown pixels that the priors need.

    All of the picture where only that holds known pixels of both kinds, if it has both.
    """
    rows, columns = (slice(*_around(np.any(unknown, axis=axis), CONTEXT)) for axis in (1, 0))
    inside = trimap[rows, columns]
    for label in (FOREGROUND, BACKGROUND):
        if not (inside == label).any() and (trimap == label).any():
            return slice(None), slice(None)
    return rows, columns


def _tiles(
    unknown: NDArray[np.bool_], tile: int, reach: int
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """Windows of at most ``tile`` square that cover every unknown pixel, and their weights.

    The picture is cut into bands of rows around the unknown pixels, each band into windows around
    its own; what fits into one window is not cut. Where windows overlap, their weights (h, w) blend
    them; at unknown pixels they sum to 1. What lies less than ``reach`` within a window counts for
    next to nothing.
    """
    for rows, down in _spans(np.any(unknown, axis=1), tile, reach):
        band = unknown[rows]
        if band.any():
            for columns, across in _spans(np.any(band, axis=0), tile, reach):
                if band[:, columns].any():
                    yield (rows, columns), down[:, None] * across


def _overlap(reach: int) -> int:
    """Pixels that neighbouring tiles share: context for either, and between them the blending."""
    return 2 * reach + RAMP


def _around(used: NDArray[np.bool_], margin: int) -> tuple[int, int]:
    """First and past-the-last used index, with a margin, inside the picture.

    All windows start at multiples of `STRIDE`: the network is blind to shifts by those alone.
    """
    indices = np.flatnonzero(used)
    first = max(0, int(indices[0]) - margin) // STRIDE * STRIDE
    return first, min(len(used), int(indices[-1]) + 1 + margin)


def _spans(
    used: NDArray[np.bool_], tile: int, reach: int
) -> list[tuple[slice, NDArray[np.float32]]]:
    """Overlapping spans of equal size around the used indices; their weights sum to 1."""
    start, stop = _around(used, reach + STRIDE)
    overlap = _overlap(reach)
    if stop - start <= tile:
        starts = [start]
    else:
        count = math.ceil((stop - start - overlap) / (tile - overlap))
        last = math.ceil((stop - tile) / STRIDE) * STRIDE
        even = np.linspace(start, last, count).astype(int) // STRIDE * STRIDE
        starts = [int(first) for first in even]
    spans = [slice(first, min(first + tile, stop)) for first in starts]
    ramps = [_ramp(span, len(used), reach) for span in spans]
    total = np.zeros(len(used), np.float32)
    for span, ramp in zip(spans, ramps, strict=True):
        total[span] += ramp
    return [(span, ramp / total[span]) for span, ramp in zip(spans, ramps, strict=True)]


def _ramp(span: slice, length: int, reach: int) -> NDArray[np.float32]:
    """How much a span's indices count: next to nothing within reach of its ends, then rising to 1.

    At the picture's border they count fully: nothing is missing there.
    """
    ramp = np.ones(span.stop - span.start, np.float32)
    edge = min(reach + RAMP, len(ramp) // 2)
    rise = np.clip((np.arange(edge, dtype=np.float32) + 0.5 - reach) / RAMP, 1e-6, 1)
    if span.start > 0:
        ramp[:edge] = rise
    if span.stop < length:
        ramp[len(ramp) - edge :] = rise[::-1]
    return ramp
