"""(image, trimap) -> alpha: any picture size, known pixels exact, never torch."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from deepmatte.arguments import check_whole, check_word
from deepmatte.errors import ModelError
from deepmatte.machine import return_freed_memory, usable_cores
from deepmatte.solver.budget import KEPT, Budget
from deepmatte.solver.look import Look
from deepmatte.solver.predictor import Predictor
from deepmatte.solver.resample import enlarge, halve, shrink
from deepmatte.solver.runtime import Progress
from deepmatte.solver.tiles import smallest_side, surroundings
from deepmatte.solver.upsample import mean_of_scales, refine, upsample
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Flags, Floats, Trimap, Window

Quality: TypeAlias = Literal["normal", "high"]

# Share of the work, about, that all takes but for upsampling alpha by the colours.
_ALL_BUT_COLOURS = 0.9
# Share of that, about, that the look at half the size takes where one at full size follows.
_HALF_SIZE = 0.2
# Pixels of a picture that the network sees at least, if it has as many.
_SEEN = 160_000


class Engine:
    """A loaded network.

    Args:
        model: ``"lite"``, the default network; ``"dim"``, the paper's at a quarter of its channels;
            or the path of an ONNX file that `deepmatte.networks.export` wrote.
        device: one of `deepmatte.solver.devices.PROVIDERS`: ``"cpu"``, ``"cuda"``, ...
        threads: threads of the network, at most the cores that this process may use; None takes
            all of them.
        tile: larger regions are matted in tiles of at most as many pixels as a square of this
            side has.
        memory: bytes that the process may take for a picture, instead of ``tile``: the tiles are
            made to fit. None of both takes `budget.MEMORY`, and tiles of at least `budget.TILE`.
        quality: ``"normal"`` asks the network at half the size, or more of a small picture;
            ``"high"`` at half and full size, and each time also for the mirror image: the answer
            is a weighted mean (test-time augmentation).

    Raises:
        ModelError: the network is missing, damaged, made for other inputs, or the device cannot be
            used.

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
        check_word(quality, "quality", ModelError, get_args(Quality))
        for name, value in (("threads", threads), ("tile", tile)):
            if value is not None:
                check_whole(value, name, ModelError)
        cores = usable_cores()  # more threads than cores only wait for each other
        self._high = quality == "high"
        self._kept = KEPT if memory is None else 0
        self._predict = Predictor(
            model, device, min(threads or cores, cores), mirrors=self._high, kept=self._kept
        )
        smallest = smallest_side(self._predict.inputs.reach)
        self._budget = Budget(tile, memory, smallest, self._predict.tile_pixel)

    def __call__(
        self, image: NDArray[Any], trimap: Trimap, progress: Progress | None = None
    ) -> Floats:
        """Alpha, float32 ``(H, W)``, 0..1, of ``image`` ``(H, W, 3)`` and ``trimap`` ``(H, W)``.

        The image is uint8, uint16, or float32 in 0..1, the trimap of `deepmatte.trimap`'s labels.
        Where the trimap says foreground or background, alpha is exactly 1 or 0. Time goes with the
        unknown pixels and what surrounds them, not with the picture; memory with the tile.

        Raises:
            ModelError: the memory is too little for a picture of this size, the network fails, or
                it does not answer with an alpha.
            CancelledError: by ``progress``.
        """
        progress = progress or Progress()
        unknown = trimap == UNKNOWN
        if not unknown.any():
            return _known(trimap)
        area = self._budget.tile_area(trimap.shape)
        look = Look(self._predict, area, progress)
        box = surroundings(trimap, unknown, self._predict.inputs.context)
        parts = self._matte(look, image[box], trimap[box], self._share(trimap))
        alpha = _known(trimap)
        _fill(alpha[box], unknown[box], parts)
        return_freed_memory(beyond=self._kept)
        progress.advance(1)
        return alpha

    def least_memory(self, shape: tuple[int, ...]) -> int:
        """Bytes that the process takes at least for a picture of this shape (H, W)."""
        return self._budget.least(shape)

    def admit(self, shape: tuple[int, ...]) -> None:
        """Refuse pictures for which the memory is too little; (H, W), before they are decoded.

        Raises:
            ModelError: it is.
        """
        self._budget.tile_area(shape)

    def _share(self, trimap: Trimap) -> float:
        """Share of the picture's height and width that the network sees, 0.5..1."""
        share = min(1.0, max(0.5, math.sqrt(_SEEN / trimap.size)))
        if share in (0.5, 1.0):
            return share
        # High quality sees the full size as well. A trimap that lacks a kind asks for a far look
        # rather than for a fine one.
        both = all((trimap == label).any() for label in (BACKGROUND, FOREGROUND))
        return share if both and not self._high else 0.5

    def _matte(
        self, look: Look, image: NDArray[Any], trimap: Trimap, share: float
    ) -> Iterator[tuple[Window, Floats]]:
        """Windows, and alpha (n,) of the unknown pixels in each; the network has run by then.

        ``share`` is that of the height and width that the network sees.
        """
        unknown = trimap == UNKNOWN
        everywhere = slice(None), slice(None)
        if not self._predict.inputs.halves:  # the paper's network is run as in the paper
            return iter([(everywhere, look.once(image, trimap, unknown)[unknown])])
        if 0.5 < share < 1:
            image, labels = enlarge(image, trimap, 2 * share)
            alpha = _known(labels)
            _fill(alpha, labels == UNKNOWN, self._matte(look, image, labels, 0.5))
            # The weights of a mean sum to 1 but for rounding: what is 1 is to stay exactly 1.
            return iter([(everywhere, shrink(alpha, unknown.shape)[unknown].round(6))])
        with look.progress.part(0, _ALL_BUT_COLOURS):
            if share == 1:
                return refine(look.twice(image, trimap, unknown), image, unknown)
            small, labels = halve(image, trimap)
            with look.progress.part(0, _HALF_SIZE if self._high else 1):
                coarse = look.twice(small, labels, labels == UNKNOWN)
            by_half = upsample(coarse, small, image, unknown)
            if not self._high:
                return by_half
            with look.progress.part(_HALF_SIZE, 1):
                by_full = refine(look.twice(image, trimap, unknown), image, unknown)
        return mean_of_scales(by_half, by_full, coarse, unknown)


def _known(trimap: Trimap) -> Floats:
    """1 at foreground, 0 elsewhere."""
    alpha: Floats = (trimap == FOREGROUND).astype(np.float32)
    return alpha


def _fill(alpha: Floats, unknown: Flags, parts: Iterable[tuple[Window, Floats]]) -> None:
    """Write alpha at the unknown pixels, from windows and alpha (n,) of these in each."""
    for window, part in parts:
        alpha[window][unknown[window]] = part
