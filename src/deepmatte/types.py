"""Types that several modules use, and the labels of a trimap."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Flags: TypeAlias = NDArray[np.bool_]
Trimap: TypeAlias = NDArray[np.uint8]
"""(H, W) of exactly these three labels."""
BACKGROUND, UNKNOWN, FOREGROUND = 0, 128, 255
Window: TypeAlias = tuple[slice, slice]
"""The rows and columns of a part of a picture."""
