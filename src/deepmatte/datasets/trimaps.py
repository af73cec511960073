"""The kinds of trimaps that a method is measured with, each by a name.

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
    """How far a kind is `dilated`; None for any other kind."""
    match = _DILATED.fullmatch(kind)
    return int(match[1]) if match else None


def widened(kind: str, pixels: int) -> str:
    """The kind whose unknown band is wider than another kind's by this many pixels a side."""
    return f"{kind} widened {pixels}"


def check_kind(kind: str, given: Sequence[str]) -> None:
    """Check that a kind is one of those `given` by a data set, or can be made.

    Raises:
        DataError: it is not.
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

    Levels are read as `open_trimap` says: 0/127/255 and 0/1/2 are taken for what they mean.

    Args:
        kind: see the head of this file.
        sample: the picture, whose name seeds `generate`.
        alpha: its true alpha, float32 (H, W), 0..1.

    Raises:
        ImageError: a trimap cannot be read.
        TrimapError: it has colours, or another size than the alpha.
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
    """A trimap as a person might draw it around a true alpha (H, W), 0..1.

    What is neither 0 nor 1 is unknown, and a band of the foreground and one of the background
    along it, each as wide as 1 to 3 % of the picture's side (the geometric mean of both), drawn
    uniformly with a seed made of the picture's name alone: the same whichever other pictures
    there are.

    Source: Xu et al. 2017, section 4.1 (random dilation).
    """
    seed = hashlib.sha256(f"{_SEED} {name}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(seed[:8], "big"))
    erode, dilate = random.uniform(*_BAND, size=2) * math.sqrt(alpha.size)
    return from_alpha(alpha, erode=max(1.0, erode), dilate=max(1.0, dilate))


def hide(trimap: Trimap, labels: Sequence[int]) -> Trimap:
    """Make unknown what has one of these labels."""
    hidden: Trimap = trimap.copy()
    hidden[np.isin(trimap, labels)] = UNKNOWN
    return hidden
