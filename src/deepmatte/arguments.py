"""Checks of what callers give to public functions: each says in one sentence what came.

The caller names the error to raise, which is the one that its own docstring promises.
"""

from __future__ import annotations

import math
import numbers
import reprlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deepmatte.errors import MattingError

if TYPE_CHECKING:
    from numpy.typing import NDArray


_LEVELS = ("uint8", "uint16")


def check_number(
    value: object,
    name: str,
    error: type[MattingError],
    *,
    low: float = -math.inf,
    high: float = math.inf,
    unit: str = "",
) -> float:
    """A finite number.

    Args:
        value: what came.
        name: what the sentence calls it, such as "The width".
        error: what to raise.
        low: the lowest that is allowed.
        high: the highest that is allowed.
        unit: what it counts, such as " of pixels".

    Raises:
        MattingError: it is no number, not finite, or not in low..high.
    """
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        found = float(value)
        if math.isfinite(found) and low <= found <= high:
            return found
    kind = "finite number" if low == -math.inf else "number"
    raise error(f"{name} is {shown(value)}; expected a {kind}{unit}{_range(low, high)}.")


def check_whole(value: object, name: str, error: type[MattingError], *, low: int = 1) -> int:
    """A whole number, ``low`` or more; errors as `check_number`."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= low:
        return int(value)
    raise error(f"{name} is {shown(value)}; expected a whole number, {low} or more.")


def check_flag(value: object, name: str, error: type[MattingError]) -> bool:
    """True or False, also NumPy's; errors as `check_number`."""
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise error(f"{name} is {shown(value)}; expected True or False.")


def check_word(value: object, name: str, error: type[MattingError], known: Sequence[Any]) -> None:
    """One of some words or numbers; errors as `check_number`."""
    if not (isinstance(value, (str, int)) and value in known):
        words = ", ".join(map(str, known))
        raise error(f"{name} is {shown(value)}; expected {words}.")


def check_height_width(value: object, name: str, error: type[MattingError]) -> tuple[int, int]:
    """A size (height, width), such as an array's ``shape[:2]``; errors as `check_number`."""
    if isinstance(value, (tuple, list)) and len(value) == 2:
        height, width = value
        if all(isinstance(side, numbers.Integral) and int(side) >= 1 for side in value):
            return int(height), int(width)
    raise error(f"{name} is {shown(value)}; expected (height, width), whole numbers, 1 or more.")


def check_levels(value: object, name: str, error: type[MattingError]) -> NDArray[Any]:
    """An array of levels, all of them finite; errors as `check_number`."""
    import numpy as np

    if not isinstance(value, np.ndarray):
        raise error(f"{name} is {shown(value)}; expected an array.")
    if value.dtype.kind != "f" and value.dtype not in _LEVELS:
        came = f"{shown(value)} and type {value.dtype}"
        raise error(f"{name} is {came}; expected uint8, uint16 or float32.")
    floats = value if value.dtype.kind == "f" and value.size else np.zeros(1)
    if not np.isfinite([floats.min(), floats.max()]).all():
        raise error(f"{name} holds values that are not finite; expected finite numbers.")
    return value


def shown(value: object) -> str:
    """A value as an error shows it, never long."""
    shape = getattr(value, "shape", None)
    return f"an array of shape {shape}" if shape else reprlib.repr(value)


def _range(low: float, high: float) -> str:
    if math.isfinite(low) and math.isfinite(high):
        return f" in {low:g}..{high:g}"
    return f", {low:g} or more" if math.isfinite(low) else ""
