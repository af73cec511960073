"""Runs the network over one picture, window by window; wide bands get a first, coarser look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.solver.predictor import Predictor
from deepmatte.solver.resample import halve
from deepmatte.solver.runtime import Progress
from deepmatte.solver.tiles import tiles
from deepmatte.solver.wide_bands import WORTH_HALF, WORTH_WHOLE, is_halved, narrowed, wide
from deepmatte.types import FOREGROUND, UNKNOWN, Flags, Floats, Trimap

# Share of the work, about, that a first look takes.
_FIRST_LOOK = 0.3


@dataclass(frozen=True)
class Look:
    """Runs a network over one picture within limits.

    Attributes:
        predict: the network.
        area: pixels of the largest tile.
        progress: reports progress and cancels the work.
    """

    predict: Predictor
    area: int
    progress: Progress

    def once(self, image: NDArray[Any], trimap: Trimap, wanted: Flags) -> Floats:
        """Alpha, float32 (H, W), 0..1, by the network.

        Args:
            image: (H, W, 3), uint8, uint16, or float32 in 0..1.
            trimap: (H, W).
            wanted: (H, W), the unknown pixels to compute; alpha is 0 elsewhere.
        """
        alpha: Floats = (trimap == FOREGROUND).astype(np.float32)
        return self._filled(alpha, image, trimap, wanted)

    def twice(self, image: NDArray[Any], trimap: Trimap, wanted: Flags) -> Floats:
        """As `once`, but wide bands are narrowed by a first look at them."""
        narrow = self._first_look(image, trimap)
        alpha = ((trimap == FOREGROUND) | (wanted & (narrow == FOREGROUND))).astype(np.float32)
        with self.progress.part(0 if narrow is trimap else _FIRST_LOOK, 1):
            return self._filled(alpha, image, narrow, wanted & (narrow == UNKNOWN))

    def _first_look(self, image: NDArray[Any], trimap: Trimap) -> Trimap:
        """The trimap with the pixels known that a first look settles; unchanged without wide bands.

        The first look is at half the size, and is narrowed in the same way. Where half the size
        would be too small, it is at the same size.
        """
        if is_halved(trimap.shape):
            image, labels = halve(image, trimap)
            band, look = wide(labels, WORTH_HALF), self.twice
        else:
            labels = trimap
            band, look = wide(labels, WORTH_WHOLE), self.once
        if not band.any():
            return trimap
        with self.progress.part(0, _FIRST_LOOK):
            coarse = look(image, labels, band)
        return narrowed(trimap, coarse, band)

    def _filled(self, alpha: Floats, image: NDArray[Any], trimap: Trimap, wanted: Flags) -> Floats:
        """``alpha`` with the network's answers at the wanted pixels, where it was 0."""
        if not wanted.any():
            return alpha
        inputs = self.predict.inputs(image, trimap)
        cover = tiles(wanted, self.area, self.predict.inputs.reach)
        for done, tile in enumerate(cover):
            self.progress.advance(done / len(cover))
            weight = tile.down[:, None] * tile.across * wanted[tile.window]
            answer = self.predict(inputs.read(tile.window), self.progress)
            alpha[tile.window] += weight * answer
        # The weights at a pixel sum to 1 but for rounding.
        return np.minimum(alpha, 1, out=alpha)
