"""A picture's own transparency, such as an earlier cut-out's.

Its alpha already marks the subject's edge and is kept. The colours below it are arbitrary: the
photo, black, or the subject's own.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deepmatte.images.arrays import depth_of
from deepmatte.images.picture import Picture
from deepmatte.types import BACKGROUND, Floats, Trimap

Transparency: TypeAlias = Literal["keep", "multiply", "ignore"]

SAID: dict[Transparency, str] = {
    "keep": "The picture has transparency of its own, which was kept as the subject's edge; "
    "it can be multiplied or ignored instead.",
    "multiply": "The picture has transparency of its own; the matte was multiplied by it.",
    "ignore": "The picture has transparency of its own, which was ignored.",
}
"""What a user is told."""


def seen(picture: Picture, trimap: Trimap) -> tuple[NDArray[Any], Trimap]:
    """The picture and trimap that the network sees if the transparency is kept.

    The picture is put on black or white, whichever differs more from its opaque pixels, so that the
    colours below do not matter. Fully transparent pixels are background.

    Args:
        picture: with an alpha.
        trimap: uint8 (H, W).

    Returns:
        The levels (H, W, 3), of the picture's type, and the trimap, both new.
    """
    assert picture.alpha is not None
    levels, alpha = picture.levels, picture.alpha
    depth = depth_of(levels)
    solid = levels[alpha == 1]
    backdrop = 0.0 if solid.size and solid.mean() > depth / 2 else depth
    shown = levels.copy()
    veiled = alpha < 1  # (H, W)
    share = alpha[veiled][:, None]  # (pixels, 1)
    mixed = backdrop + share * (levels[veiled] - np.float32(backdrop))
    shown[veiled] = mixed if levels.dtype.kind == "f" else np.rint(mixed)
    labels = trimap.copy()
    labels[alpha == 0] = BACKGROUND
    return shown, labels


def with_own_alpha(
    picture: Picture, trimap: Trimap, predicted: Floats, transparency: Transparency
) -> Floats:
    """Alpha: what was predicted, and the picture's own as `transparency` says; (H, W), 0..1."""
    if picture.alpha is None or transparency == "ignore":
        return predicted
    if transparency == "multiply":
        return predicted * picture.alpha
    return _kept(picture, trimap, predicted, picture.alpha)


def share_of_colours(
    picture: Picture, trimap: Trimap, predicted: Floats, transparency: Transparency
) -> Floats:
    """How much of the stored colours is the subject's: float32 (H, W), 0..1.

    They are not multiplied by the picture's transparency. Where that is kept they are the
    subject's own, left there by whoever cut it out.
    """
    if picture.alpha is None or transparency != "keep":
        return predicted
    return _kept(picture, trimap, predicted, (picture.alpha > 0).astype(np.float32))


def _kept(picture: Picture, trimap: Trimap, predicted: Floats, soft: Floats) -> Floats:
    """Replace a prediction where the picture is not opaque.

    Args:
        picture: with an alpha.
        trimap: uint8 (H, W): its background stays background.
        predicted: float32 (H, W), 0..1.
        soft: float32 (H, W), the values to use where the picture is not opaque.

    Returns:
        float32 (H, W), 0..1.
    """
    assert picture.alpha is not None
    return np.where((picture.alpha < 1) & (trimap != BACKGROUND), soft, predicted)
