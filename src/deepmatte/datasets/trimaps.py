"""The kinds of trimaps for an evaluation, by name.

| kind                     | what it is                                                           |
|--------------------------|----------------------------------------------------------------------|
| Trimap1, given, ...      | what comes with the data set                                         |
| generated                | of the true alpha, with a band drawn for each picture; see `generate` |
| dilated 5                | of the true alpha: its soft pixels and 5 pixels to each side         |
| Trimap1 widened 20       | another kind; what lies within 20 pixels of an unknown pixel, unknown |
| Trimap1 no foreground    | another kind; its foreground unknown                                 |
| Trimap1 no background    | another kind; its background unknown                                 |
| Trimap1 nothing known    | another kind; all unknown                                            |

Source: Xu et al. 2017, the experiments on Composition-1k (dilation; trimaps without foreground or
background).
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepmatte.datasets.layouts import Sample
from deepmatte.errors import DataError
from deepmatte.trimap import (
    BACKGROUND,
    FOREGROUND,
    UNKNOWN,
    Trimap,
    from_alpha,
    open_trimap,
    widen,
)

GENERATED = "generated"
DILATIONS = (1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 25, 31, 40)
"""Pixels; the paper goes to 19."""
MISSING = {
    "no foreground": (FOREGROUND,),
    "no background": (BACKGROUND,),
    "nothing known": (FOREGROUND, BACKGROUND),
}
"""What becomes unknown, by the name of the kind."""

_SEED = 0
_BAND = (0.01, 0.03)
_DILATED = re.compile(r"dilated (\d+)")
_CHANGED = re.compile(rf"(.+) (?:widened (\d+)|({'|'.join(MISSING)}))")


def dilated(pixels: int) -> str:
    """The kind made of the true alpha with this many unknown pixels to each side."""
    return f"dilated {pixels}"


def dilation_of(kind: str) -> int | None:
    """Pixels by which a kind is `dilated`; None for any other kind."""
    match = _DILATED.fullmatch(kind)
    return int(match[1]) if match else None


def widened(kind: str, pixels: int) -> str:
    """The kind with an unknown band this many pixels wider on each side than another kind's."""
    return f"{kind} widened {pixels}"


def check_kind(kind: str, given: Sequence[str]) -> None:
    """Check that a kind is `given` by the data set or can be made.

    Raises:
        DataError: it is neither.
    """
    base = kind
    while base not in given and (match := _CHANGED.fullmatch(base)):
        base = match[1]
    if base not in (*given, GENERATED) and not _DILATED.fullmatch(base):
        raise DataError(
            f"There is no kind of trimap called {kind!r}; expected one of"
            f" {', '.join([*given, GENERATED])} or 'dilated N', perhaps followed by 'widened N',"
            f" {', '.join(repr(name) for name in MISSING)}."
        )


def make_trimap(kind: str, sample: Sample, alpha: NDArray[np.float32]) -> Trimap:
    """The trimap of one picture and kind: uint8 (H, W) of 0, 128, 255.

    Levels are read by `open_trimap`, which understands 0/127/255 and 0/1/2.

    Args:
        kind: see the head of this file.
        sample: the picture, whose name seeds `generate`.
        alpha: its true alpha, float32 (H, W), 0..1.

    Raises:
        ImageError: a trimap cannot be read.
        TrimapError: a trimap has colours, or its size differs from the alpha's.
        DataError: there is no such kind.
    """
    if kind in sample.trimaps:
        return open_trimap(sample.trimaps[kind], (alpha.shape[0], alpha.shape[1]))
    if kind == GENERATED:
        return generate(alpha, sample.name)
    pixels = dilation_of(kind)
    if pixels is not None:
        return from_alpha(alpha, erode=pixels, dilate=pixels)
    check_kind(kind, tuple(sample.trimaps))
    match = _CHANGED.fullmatch(kind)
    assert match is not None  # by check_kind
    base = make_trimap(match[1], sample, alpha)
    return widen(base, int(match[2])) if match[2] else hide(base, MISSING[match[3]])


def generate(alpha: NDArray[np.float32], name: str) -> Trimap:
    """A trimap as a person might draw it for a true alpha (H, W), 0..1.

    Soft pixels are unknown, and a band of foreground and one of background beside them. Each band's
    width is drawn uniformly from 1 to 3 % of the picture's side (geometric mean of width and
    height), with the picture's name as the seed, so it does not depend on other pictures.

    Source: Xu et al. 2017, section 4.1 (random dilation).
    """
    seed = hashlib.sha256(f"{_SEED} {name}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(seed[:8], "big"))
    erode, dilate = random.uniform(*_BAND, size=2) * math.sqrt(alpha.size)
    return from_alpha(alpha, erode=max(1.0, erode), dilate=max(1.0, dilate))


def hide(trimap: Trimap, labels: Sequence[int]) -> Trimap:
    """Make pixels with one of these labels unknown."""
    hidden: Trimap = trimap.copy()
    hidden[np.isin(trimap, labels)] = UNKNOWN
    return hidden
