"""What the network sees: picture, trimap and priors as one array. Training and engine share it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepmatte.priors import CHANNELS, priors
from deepmatte.trimap import BACKGROUND, FOREGROUND

INPUT_CHANNELS = ("red", "green", "blue", "known_foreground", "known_background", *CHANNELS)
"""Names of the channels, in order."""
GUESS = INPUT_CHANNELS.index("alpha_closed_form")
"""The channel with the guess of alpha that the network corrects."""


def network_inputs(image: NDArray[np.float32], trimap: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Stack picture, trimap and priors.

    Args:
        image: ``(H, W, 3)``, 0..1.
        trimap: ``(H, W)``, labels of `deepmatte.trimap`.

    Returns:
        ``(len(INPUT_CHANNELS), H, W)`` float32, 0..1, contiguous.
    """
    inputs = np.empty((len(INPUT_CHANNELS), *trimap.shape), np.float32)
    inputs[0:3] = image.transpose(2, 0, 1)
    inputs[3] = trimap == FOREGROUND
    inputs[4] = trimap == BACKGROUND
    inputs[5:] = priors(image, trimap).transpose(2, 0, 1)
    return inputs
