"""Types that several modules speak of."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Flags: TypeAlias = NDArray[np.bool_]
Window: TypeAlias = tuple[slice, slice]
"""The rows and columns of a part of a picture."""
