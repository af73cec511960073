"""(image, trimap) -> alpha: any picture size, known pixels exact, never torch."""

from __future__ import annotations

import os
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import ModelError
from deepmatte.machine import return_freed_memory, usable_cores
from deepmatte.solver.resample import halve
from deepmatte.solver.runtime import Progress
from deepmatte.solver.tiles import STRIDE, smallest_side, tiles
from deepmatte.solver.upsample import carry
from deepmatte.solver.wide_bands import SMALLEST, narrowed, wide
from deepmatte.trimap import BACKGROUND, FOREGROUND, UNKNOWN
from deepmatte.weights import catalogue

if TYPE_CHECKING:
    from deepmatte.solver.inputs import NetworkInputs, PictureAndTrimap
    from deepmatte.solver.runtime import Network

TILE = 1280
"""Side of the square that a tile holds as many pixels as, at least, if nothing is said."""
MEMORY = 1_300_000_000
"""Bytes that the process takes for a picture, about, if nothing is said; large ones take more."""
KEPT = 250_000_000
"""Bytes that the process keeps for the next picture, about, if no memory is said."""
Quality: TypeAlias = Literal["normal", "high"]

# Share of the work, about, that a wide band takes where it is narrowed at half the size, and that
# all takes but for carrying alpha by the colours.
_COARSE = 0.3
_ALL_BUT_COLOURS = 0.9

# Bytes of the process while a picture is matted, and of each of its pixels (its levels, trimap,
# alpha and priors); the same while it is saved. Lines through what benchmarks/memory.py measures;
# what a tile takes is in inputs.py.
_MATTED, _MATTED_PIXEL = 150_000_000, 12
_SAVED, _SAVED_PIXEL = 300_000_000, 24


class Engine:
    """A loaded network.

    Args:
        model: ``"lite"``, the shipped network, or the path of an ONNX file exported by
            `deepmatte.networks.export`.
        device: ``"cpu"`` or ``"cuda"``.
        threads: threads of the network, at most the cores that this process may use; None takes
            all of them.
        tile: larger regions are matted in tiles of at most as many pixels as a square of this
            side has.
        memory: bytes that the process may take for a picture, instead of ``tile``: the tiles are
            made to fit. None of both takes `MEMORY`, and tiles of at least `TILE`.
        quality: ``"normal"`` asks the network at half the size, unless a picture is tiny;
            ``"high"`` at full size, and twice: the answer is the mean of its own and its mirror
            image's.

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
        memory: int | None = None,
        quality: Quality = "normal",
    ) -> None:
        if quality not in get_args(Quality):
            raise ModelError(f"quality {quality!r}: expected {', '.join(get_args(Quality))}")
        if tile is not None and memory is not None:
            raise ModelError("a tile and a memory: expected one of them, for each sets the other")
        if threads is not None and threads < 1:
            raise ModelError(f"{threads} threads: expected at least 1")
        self._name = os.fspath(model)
        # More threads than cores only wait for each other.
        cores = usable_cores()
        self._network, self._inputs = _load(model, device, min(threads or cores, cores))
        smallest = smallest_side(self._inputs.reach)
        if tile is not None and tile < smallest:
            raise ModelError(f"tiles of {tile} pixels: expected at least {smallest}")
        self._shapes: set[tuple[int, ...]] = set()  # of the windows whose memory is kept
        self._tile = tile
        self._memory = memory
        self._thorough = quality == "high"
        # A mirrored window is a copy.
        copies = len(self._inputs.channels) * 4 if self._thorough else 0
        self._tile_pixel = self._inputs.memory + copies

    def __call__(
        self,
        image: NDArray[Any],
        trimap: NDArray[np.uint8],
        progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """Alpha, float32 ``(H, W)``, 0..1, of ``image`` ``(H, W, 3)`` and ``trimap`` ``(H, W)``.

        The image is uint8, uint16, or float32 in 0..1, the trimap of `deepmatte.trimap`'s labels.
        Where the trimap says foreground or background, alpha is exactly 1 or 0. Time goes with the
        unknown pixels and what surrounds them, not with the picture; memory with the tile.

        Errors: `ModelError` where the memory is too little for a picture of this size, the network
        fails, or it does not answer with an alpha; `CancelledError` by ``progress``.
        """
        progress = progress or Progress()
        alpha: NDArray[np.float32] = (trimap == FOREGROUND).astype(np.float32)
        unknown = trimap == UNKNOWN
        if not unknown.any():
            return alpha
        area = self._area(trimap.shape)
        halves = self._inputs.halves and not self._thorough and _is_halved(trimap.shape)
        box = _surroundings(trimap, unknown, self._inputs.context)
        wanted, matte = unknown[box], alpha[box]
        image, trimap = image[box], trimap[box]
        until = _ALL_BUT_COLOURS if self._inputs.halves else 1
        small: NDArray[np.float32] | None = None
        coarse: NDArray[np.float32] | None = None
        if halves:
            small, labels = halve(image, trimap)
            coarse = (labels == FOREGROUND).astype(np.float32)
            band = labels == UNKNOWN
            self._matte(small, labels, band, coarse, area, progress, until)
        else:
            self._matte(image, trimap, wanted, matte, area, progress, until)
        if self._inputs.halves:
            carry(coarse, image, wanted, matte, small)
        return_freed_memory(beyond=KEPT if self._memory is None else 0)
        progress.advance(1)
        return alpha

    def _matte(
        self,
        image: NDArray[Any],
        trimap: NDArray[np.uint8],
        wanted: NDArray[np.bool_],
        alpha: NDArray[np.float32],
        area: int,
        progress: Progress,
        until: float,
        narrows: bool = True,
    ) -> None:
        """Write alpha (H, W) at the ``wanted`` ones of the unknown pixels.

        It is done when the progress has come to ``until``; what ``narrows`` looks at wide bands
        first.
        """
        start = progress.share
        if narrows and self._inputs.halves:
            smaller = _is_halved(trimap.shape)
            glance, labels = halve(image, trimap) if smaller else (image, trimap)
            band = wide(labels, smaller)
            if band.any():
                coarse = (labels == FOREGROUND).astype(np.float32)
                shared = start + _COARSE * (until - start)
                self._matte(glance, labels, band, coarse, area, progress, shared, smaller)
                trimap = narrowed(trimap, coarse, band)
                alpha[wanted & (trimap == FOREGROUND)] = 1
                wanted = wanted & (trimap == UNKNOWN)
                start = shared
                del coarse
            del glance, labels, band
        if not wanted.any():
            return
        inputs = self._inputs(image, trimap)
        cover = tiles(wanted, area, self._inputs.reach)
        for done, tile in enumerate(cover):
            progress.advance(start + (until - start) * done / len(cover))
            weight = tile.down[:, None] * tile.across * wanted[tile.window]
            alpha[tile.window] += weight * self._run(inputs.read(tile.window), progress)
        # The weights at a pixel sum to 1 but for rounding.
        np.minimum(alpha, 1, out=alpha)

    def _area(self, shape: tuple[int, ...]) -> int:
        """Pixels of the largest tile for a picture of this shape."""
        if self._tile is not None:
            return self._tile**2
        pixels = shape[0] * shape[1]
        smallest = smallest_side(self._inputs.reach) ** 2
        taken = _MATTED + _MATTED_PIXEL * pixels
        if self._memory is None:
            return max(TILE**2, (MEMORY - taken) // self._tile_pixel)
        least = max(
            taken + self._tile_pixel * min(smallest, pixels), _SAVED + _SAVED_PIXEL * pixels
        )
        if self._memory < least:
            raise ModelError(
                f"{self._memory / 1e9:.2f} GB of memory are too little for a picture of "
                f"{shape[1]} x {shape[0]} pixels: expected at least {least / 1e9 + 0.005:.2f} GB"
            )
        return max(smallest, (self._memory - taken) // self._tile_pixel)

    def _run(self, window: NDArray[np.float32], progress: Progress) -> NDArray[np.float32]:
        """Alpha of one window, padded at the right and the bottom to a multiple of `STRIDE`."""
        height, width = window.shape[1:]
        padded = window
        if height % STRIDE or width % STRIDE:
            padding = ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE))
            padded = np.pad(window, padding, mode=self._inputs.padding)
        alpha = self._answer(padded, progress)
        if self._thorough:
            mirrored = self._answer(np.ascontiguousarray(padded[..., ::-1]), progress)
            alpha = np.float32(0.5) * (alpha + mirrored[:, ::-1])
        return alpha[:height, :width]

    def _frees(self, shape: tuple[int, ...]) -> bool:
        """Whether a window of this shape is the last before the network's memory is given back.

        It takes none but what others of its shape took before. That of many would be without bound.
        """
        shapes = {*self._shapes, shape}
        pixels = sum(height * width for height, width in shapes)
        frees = self._memory is not None or pixels * self._inputs.memory > KEPT
        self._shapes = set() if frees else shapes
        return frees

    def _answer(self, inputs: NDArray[np.float32], progress: Progress) -> NDArray[np.float32]:
        """Alpha (H, W) of inputs (C, H, W)."""
        try:
            alpha = self._network.run(inputs[None], progress, frees=self._frees(inputs.shape[1:]))
        except CancelledError:
            raise
        except Exception as error:
            if "alloc" in str(error):  # "Failed to allocate memory", "std::bad_alloc"
                raise MemoryError("There is not enough memory for this picture.") from error
            first = str(error).splitlines()[0]
            raise ModelError(f"{self._name}: the network cannot be run: {first}") from error
        if alpha.shape != (1, 1, *inputs.shape[1:]) or not np.isfinite(alpha).all():
            raise ModelError(
                f"{self._name}: the network answered with shape {alpha.shape} or values that are "
                f"not finite; expected an alpha of shape {(1, 1, *inputs.shape[1:])}"
            )
        return np.asarray(alpha[0, 0].clip(0, 1), np.float32)


def _is_halved(shape: tuple[int, ...]) -> bool:
    """Whether a picture of this shape is large enough to be looked at at half the size."""
    return min(shape) >= 2 * SMALLEST


def _load(
    model: str | os.PathLike[str], device: str, threads: int
) -> tuple[Network, type[NetworkInputs | PictureAndTrimap]]:
    """The network, and what it sees: that stands in the file."""
    from deepmatte.solver.inputs import NetworkInputs, PictureAndTrimap
    from deepmatte.solver.runtime import Network

    content = catalogue.find(model)
    try:
        network = Network(content, device, threads)
    except (ModelError, ImportError):
        raise
    except Exception as error:
        raise ModelError(f"{model}: not a network that ONNX Runtime can load: {error}") from error
    known = {",".join(kind.channels): kind for kind in (NetworkInputs, PictureAndTrimap)}
    if network.channels not in known:
        raise ModelError(
            f"{model}: made for the inputs {network.channels or '(unknown)'}, "
            f"expected {' or '.join(known)}: export it with this version"
        )
    return network, known[network.channels]


def _surroundings(
    trimap: NDArray[np.uint8], unknown: NDArray[np.bool_], context: int
) -> tuple[slice, slice]:
    """The box around the unknown pixels that holds all that priors and network get to see.

    All of the picture where only that holds known pixels of both kinds, if it has both.
    """
    rows, columns = (_around(np.any(unknown, axis=axis), context) for axis in (1, 0))
    inside = trimap[rows, columns]
    for label in (FOREGROUND, BACKGROUND):
        if not (inside == label).any() and (trimap == label).any():
            return slice(None), slice(None)
    return rows, columns


def _around(used: NDArray[np.bool_], context: int) -> slice:
    """From the first to the last used index, and so many around; its half starts at a stride."""
    indices = np.flatnonzero(used)
    first = max(0, int(indices[0]) - context) // (2 * STRIDE) * (2 * STRIDE)
    return slice(first, min(len(used), int(indices[-1]) + 1 + context))
