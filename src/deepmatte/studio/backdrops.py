"""The background behind the subject in a saved picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from deepmatte.images.arrays import to_levels, to_unit
from deepmatte.images.resize import limited, shrink

# Pixels of the copy that is blurred: more of them look the same.
_BLURRED_SIDE = 800


def blurred_surroundings(
    photo: NDArray[Any], alpha: NDArray[np.float32], percent: float, dtype: DTypeLike
) -> NDArray[Any]:
    """The photo without its subject, blurred: (H, W, 3).

    The subject's colours do not bleed into it: each pixel counts by how much of it is background.

    Args:
        photo: (H, W, 3).
        alpha: float32 (H, W), 0..1.
        percent: standard deviation of the blur, percent of the longer side.
        dtype: of the result, uint8 or float32, 0..1.
    """
    size = limited(alpha.shape, _BLURRED_SIDE)
    deviation = max(0.5, percent / 100 * max(size))

    share = shrink(1 - alpha, size)[..., None]  # (h, w, 1)
    share = np.where(share > 0.9, share, 0)  # what is mixed with the subject is left out
    colours = shrink(to_unit(photo), size) * share
    blurred, weight = (cv2.GaussianBlur(part, (0, 0), deviation) for part in (colours, share))
    # Far inside a large subject nothing of the surroundings is near: a wider blur reaches it.
    wide, wide_weight = (cv2.GaussianBlur(part, (0, 0), max(size) / 4) for part in (colours, share))
    weight, wide_weight = weight[..., None], wide_weight[..., None]
    far = 1e-3 * wide / np.maximum(wide_weight, 1e-6)
    surroundings = (blurred + far) / (weight + 1e-3)
    full = cv2.resize(surroundings, alpha.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return to_levels(np.clip(np.asarray(full, np.float32), 0, 1), dtype)
