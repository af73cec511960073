"""The networks' inputs, window by window: picture, trimap, and priors for the default network.

Training and engine share it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from deepmatte.images.arrays import to_unit
from deepmatte.solver.priors import BLOCKS, CHANNELS, Priors
from deepmatte.types import BACKGROUND, FOREGROUND, Window

INPUT_CHANNELS = ("red", "green", "blue", "known_foreground", "known_background", *CHANNELS)
"""Names of the default network's channels, in order."""
GUESS = INPUT_CHANNELS.index("alpha_closed_form")
"""The channel with the guess of alpha that the network corrects."""
PRIORS = slice(5, len(INPUT_CHANNELS))
"""The channels of `deepmatte.solver.priors`."""
NO_PRIORS = (0.5, 0.0, *[0.5] * 7, 0.0, 0.0)
"""What the channels of `PRIORS` hold where there are none: nothing known, nothing trusted."""

DIM_CHANNELS = ("red", "green", "blue", "trimap")
"""Names of the channels of the paper's network, in order."""


class NetworkInputs:
    """Picture, trimap and priors, as the default network sees them.

    Args:
        image: ``(H, W, 3)`` uint8, uint16, or float32 in 0..1.
        trimap: ``(H, W)`` uint8, labels of `deepmatte.trimap`.
        blocks: see `deepmatte.solver.priors.Priors`.
    """

    channels: ClassVar[tuple[str, ...]] = INPUT_CHANNELS
    reach: ClassVar[int] = 256
    """Pixels around one that alpha depends on by more than a level of 255, as measured in tiles of
    real photos; the priors carry what lies further."""
    context: ClassVar[int] = 64
    """Pixels that are looked at around all unknown ones. Less than `reach`: it makes no seam, and
    mattes are no better for more of it: docs/experiments.md."""
    memory: ClassVar[int] = 390
    """Bytes that a pixel of a tile takes while the network runs: what benchmarks/memory.py
    measures, and a tenth, for large tiles take more a pixel."""
    padding: ClassVar[Literal["edge", "reflect"]] = "edge"
    """How a window goes on beyond the picture; priors do not go on as in a mirror."""
    halves: ClassVar[bool] = True
    """Whether pictures are looked at at half the size, and wide bands narrowed."""

    def __init__(
        self, image: NDArray[Any], trimap: NDArray[np.uint8], blocks: int = BLOCKS
    ) -> None:
        self._image, self._trimap = image, trimap
        self._priors = Priors(image, trimap, blocks)

    def read(self, window: Window) -> NDArray[np.float32]:
        """What the network sees in a window that starts at multiples of 32 pixels.

        Returns:
            ``(len(channels), h, w)`` float32, contiguous, 0..1.
        """
        trimap = self._trimap[window]
        inputs = np.empty((len(INPUT_CHANNELS), *trimap.shape), np.float32)
        inputs[0:3] = to_unit(self._image[window]).transpose(2, 0, 1)
        inputs[3] = trimap == FOREGROUND
        inputs[4] = trimap == BACKGROUND
        self._priors.read(window, out=inputs[PRIORS])
        return inputs


class PictureAndTrimap:
    """Picture and trimap / 255, as the paper's network sees them (section 4.1).

    Arguments, `read` and the values are those of `NetworkInputs`.
    """

    channels: ClassVar[tuple[str, ...]] = DIM_CHANNELS
    reach: ClassVar[int] = 288
    """Its convolutions look 254 pixels far, its pooling windows up to 31 more."""
    context: ClassVar[int] = 320  # as if all of the picture had been seen
    memory: ClassVar[int] = 1700
    padding: ClassVar[Literal["edge", "reflect"]] = "reflect"
    halves: ClassVar[bool] = False  # the paper's network is run as in the paper

    def __init__(self, image: NDArray[Any], trimap: NDArray[np.uint8]) -> None:
        self._image, self._trimap = image, trimap

    def read(self, window: Window) -> NDArray[np.float32]:
        """See `NetworkInputs.read`."""
        return picture_and_trimap(self._image[window], self._trimap[window])


def network_inputs(
    image: NDArray[Any], trimap: NDArray[np.uint8], blocks: int = BLOCKS
) -> NDArray[np.float32]:
    """`NetworkInputs` of the whole picture at once, whose priors are of at most ``blocks``."""
    height, width = trimap.shape
    return NetworkInputs(image, trimap, blocks).read((slice(0, height), slice(0, width)))


def picture_and_trimap(image: NDArray[Any], trimap: NDArray[np.uint8]) -> NDArray[np.float32]:
    """`PictureAndTrimap` of the whole picture at once."""
    inputs = np.empty((len(DIM_CHANNELS), *trimap.shape), np.float32)
    inputs[:3] = to_unit(image).transpose(2, 0, 1)
    inputs[3] = trimap.astype(np.float32) / 255
    return inputs
