"""Measures of a matte for the ledger and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deepmatte.batch.ledger import Finding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepmatte.matting import Matte

_THUMBNAIL_SIDE, _THUMBNAIL_QUALITY = 144, 75


def described(matte: Matte, seconds: float) -> Finding:
    """What the ledger keeps of a matte."""
    height, width = matte.alpha.shape
    return Finding(
        seconds=seconds,
        width=width,
        height=height,
        unknown=unknown_share(matte),
        haze=haze(matte),
        notes=matte.notes,
        thumbnail=_thumbnail(matte),
    )


def unknown_share(matte: Matte) -> float:
    """Share of the trimap's pixels that were unknown, 0..1."""
    import numpy as np

    from deepmatte.types import UNKNOWN

    return float(np.mean(matte.trimap == UNKNOWN))


def haze(matte: Matte) -> float:
    """Share of the picture that stayed undecided, 0..1: the mean of ``4 a (1 - a)``."""
    import numpy as np

    alpha = matte.predicted
    return float(np.mean(4 * alpha * (1 - alpha)))


def _thumbnail(matte: Matte) -> bytes:
    """A small JPEG: the picture, and beside it the subject on a checkerboard."""
    import cv2
    import numpy as np

    from deepmatte.composite import blend
    from deepmatte.images.arrays import to_unit
    from deepmatte.images.resize import limited, shrink
    from deepmatte.sheet import checkerboard

    size = limited(matte.alpha.shape, _THUMBNAIL_SIDE)
    picture = to_unit(shrink(matte.picture.levels, size))
    alpha = to_unit(shrink(matte.alpha, size))
    cut = blend(picture, alpha, checkerboard(*size, 8))
    both: NDArray[np.float32] = np.hstack([picture, cut])[..., ::-1]  # (h, 2 w, 3), BGR
    levels = np.rint(both * 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, _THUMBNAIL_QUALITY])
    return data.tobytes()
