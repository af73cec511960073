"""(image, trimap) -> alpha with ONNX Runtime: any picture size, known pixels exact, never torch."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import ModelError
from deepmatte.trimap import BACKGROUND, FOREGROUND, UNKNOWN
from deepmatte.weights import catalogue

if TYPE_CHECKING:
    import onnxruntime

TILE = 1280
"""Default side of a tile, pixels."""
OVERLAP = 256
"""Pixels that neighbouring tiles share. What lies further away hardly matters to the network: the
context of the whole picture comes with the priors."""
STRIDE = 32
"""Height and width of what the network gets are multiples of this."""
SMALLEST_TILE = 2 * OVERLAP + STRIDE
CONTEXT = 256
"""Pixels around the unknown ones that the priors see; a multiple of `STRIDE`."""


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
        if tile is not None and tile < SMALLEST_TILE:
            raise ModelError(f"tiles of {tile} pixels: expected at least {SMALLEST_TILE}")
        self.tile = math.ceil((tile or TILE) / STRIDE) * STRIDE
        self._name = os.fspath(model)
        # More threads than cores only wait for each other.
        cores = usable_cores()
        self._session = _open_session(model, device, min(threads or cores, cores))

    def __call__(
        self, image: NDArray[np.float32], trimap: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Alpha, float32 ``(H, W)``, 0..1, of ``image`` ``(H, W, 3)``, 0..1, and ``trimap``.

        Where the trimap says foreground or background, alpha is exactly 1 or 0. Time and memory
        go with the box around the unknown pixels, not with the picture.

        Errors: `ModelError` where the network fails, or does not answer with an alpha.
        """
        from deepmatte.inputs import network_inputs

        alpha: NDArray[np.float32] = (trimap == FOREGROUND).astype(np.float32)
        unknown = trimap == UNKNOWN
        if not unknown.any():
            return alpha
        box = _surroundings(trimap, unknown)
        predicted = self._predict(network_inputs(image[box], trimap[box]), unknown[box])
        np.copyto(alpha[box], predicted, where=unknown[box])
        return alpha

    def _predict(
        self, inputs: NDArray[np.float32], unknown: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """The network's alpha ``(H, W)``, clipped; meaningless far from unknown pixels."""
        height, width = unknown.shape
        total = np.zeros((height, width), np.float32)
        weight = np.zeros((height, width), np.float32)
        for rows, columns in _tiles(unknown, self.tile):
            window = inputs[:, rows, columns]
            ramp = _ramp(rows, height)[:, None] * _ramp(columns, width)[None]
            total[rows, columns] += ramp * self._run(window)
            weight[rows, columns] += ramp
        alpha: NDArray[np.float32] = total / np.maximum(weight, np.float32(1e-6))
        return alpha

    def _run(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Alpha of one window, padded by repetition of its edge to a multiple of `STRIDE`."""
        height, width = window.shape[1:]
        padded = np.pad(window, ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE)), mode="edge")
        try:
            (alpha,) = self._session.run(["alpha"], {"inputs": padded[None]})
        except Exception as error:
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
) -> onnxruntime.InferenceSession:
    import onnxruntime

    from deepmatte.inputs import INPUT_CHANNELS

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
    if channels != ",".join(INPUT_CHANNELS):
        raise ModelError(
            f"{model}: made for the inputs {channels or '(unknown)'}, "
            f"expected {','.join(INPUT_CHANNELS)}: export it with this version"
        )
    return session


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


def _tiles(unknown: NDArray[np.bool_], tile: int) -> Iterator[tuple[slice, slice]]:
    """Windows of at most ``tile`` square that together cover every unknown pixel.

    A region that fits into one tile is one window; others get overlapping tiles of equal size, of
    which those without unknown pixels are left out.
    """
    rows, columns = (_around(np.any(unknown, axis=axis), OVERLAP // 2) for axis in (1, 0))
    for top, bottom in _spans(rows, tile):
        for left, right in _spans(columns, tile):
            window = slice(top, bottom), slice(left, right)
            if unknown[window].any():
                yield window


def _around(used: NDArray[np.bool_], margin: int) -> tuple[int, int]:
    """First and past-the-last used index, with a margin, inside the picture.

    All windows start at multiples of `STRIDE`: the network is blind to shifts by those alone.
    """
    indices = np.flatnonzero(used)
    first = max(0, int(indices[0]) - margin) // STRIDE * STRIDE
    return first, min(len(used), int(indices[-1]) + 1 + margin)


def _spans(span: tuple[int, int], tile: int) -> list[tuple[int, int]]:
    start, stop = span
    if stop - start <= tile:
        return [span]
    count = math.ceil((stop - start - OVERLAP) / (tile - OVERLAP))
    last = math.ceil((stop - tile) / STRIDE) * STRIDE
    starts = np.linspace(start, last, count).astype(int) // STRIDE * STRIDE
    return [(int(first), min(int(first) + tile, stop)) for first in starts]


def _ramp(span: slice, length: int) -> NDArray[np.float32]:
    """Weights of a tile along one axis: 0 to 1 over the overlap, full at the picture's border.

    The outer three eighths of the overlap, where context is missing, count for nothing.
    """
    size = span.stop - span.start
    ramp = np.ones(size, np.float32)
    edge = min(OVERLAP, size // 2)
    rise = np.clip((np.arange(edge, dtype=np.float32) + 0.5) / edge * 4 - 1.5, 1e-3, 1)
    if span.start > 0:
        ramp[:edge] = rise
    if span.stop < length:
        ramp[size - edge :] = rise[::-1]
    return ramp
