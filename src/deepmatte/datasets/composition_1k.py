"""Composition-1k and its training set, composed to the same pixels as their authors do.

The data set is distributed as foregrounds, alphas, trimaps and lists of names; everyone composes
them on photos of PASCAL VOC (test) or COCO (training). Results can be compared only if the
composites are identical.

Source: Xu et al. 2017, section 3, and the composition script that comes with the data set.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepmatte.datasets.build import Composite, PicturesByFolder, Plan, named
from deepmatte.errors import DataError
from deepmatte.images import open_unmanaged, resize_bicubic
from deepmatte.images.files import reason_of

RULE = (
    "Files are decoded without colour management, the first channel of the alpha file is alpha."
    " Only a background smaller than the foreground in width or height is enlarged, by the larger"
    " of the two ratios, sizes rounded up, with Pillow's bicubic filter; its top left part is used."
    " alpha F + (1 - alpha) B in double precision, truncated to integers."
)


def plan(
    foregrounds: Sequence[Path],
    alphas: Sequence[Path],
    backgrounds: Sequence[Path],
    foreground_names: Path,
    background_names: Path,
    per_foreground: int = 20,
) -> Plan:
    """List the composites: foreground k over backgrounds k n … k n + n - 1, n `per_foreground`.

    Args:
        foregrounds: folders of foregrounds; a name is looked up in each until it is found.
        alphas: folders of alphas, of the same names and sizes as their foregrounds.
        backgrounds: folders of backgrounds.
        foreground_names: list of the foregrounds' file names, one a line.
        background_names: list of the backgrounds' file names, `per_foreground` for each foreground.
        per_foreground: 20 in the test set, 100 in the training set.

    Returns:
        The plan for `build.build`: for each composite ``merged/<stem>_<0..n-1>.png`` and its alpha
        under the same name in ``alpha_copy``.

    Raises:
        DataError: files are missing, a list cannot be read, the lists do not fit each other, or two
            foregrounds would give the same names.
    """
    names, behind = _lines(foreground_names), _lines(background_names)
    if len(behind) != per_foreground * len(names):
        raise DataError(
            f"{background_names} names {len(behind)} backgrounds; expected {per_foreground} for"
            f" each of the {len(names)} foregrounds, {per_foreground * len(names)} in all."
        )
    stems = [Path(name).stem for name in names]
    doubles = [stem for stem, times in Counter(stems).items() if times > 1]
    if doubles:
        raise DataError(
            f"{foreground_names} names foregrounds twice: {named(doubles)}; expected each"
            " name once."
        )
    fronts = _find(names, foregrounds)
    mattes = _find(names, alphas)
    photos = _find(behind, backgrounds)
    missing = [path for found in (fronts, mattes, photos) for path in found if not path.is_file()]
    if missing:
        unique = list(dict.fromkeys(missing))
        raise DataError(f"{len(unique)} input files do not exist: {named(unique)}.")
    samples = [
        Composite(
            f"{stem}_{place}",
            {
                "foreground": fronts[index],
                "alpha": mattes[index],
                "background": photos[index * per_foreground + place],
            },
            {},
        )
        for index, stem in enumerate(stems)
        for place in range(per_foreground)
    ]
    return Plan(
        kind="Composition-1k",
        rule=RULE,
        settings={"per_foreground": per_foreground},
        samples=samples,
        render=render,
        folders=("merged", "alpha_copy"),
        inputs=(*foregrounds, *alphas, *backgrounds),
    )


def render(sample: Composite) -> PicturesByFolder:
    """Compose a sample of `plan`: ``merged``, uint8 (H, W, 3), and ``alpha_copy``, uint8 (H, W).

    Raises:
        ImageError: a file is damaged.
        DataError: foreground and alpha differ in size.
    """
    foreground, alpha = _cutout(sample.sources["foreground"], sample.sources["alpha"])
    background = place(open_unmanaged(sample.sources["background"]), *alpha.shape)
    return {"merged": blend_truncated(foreground, alpha, background), "alpha_copy": alpha}


def place(background: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Fit a background uint8 (H, W, 3) to a foreground's size, by `RULE`.

    Raises:
        ImageError: the result would exceed `images.MAX_PIXELS`.
    """
    rows, columns = background.shape[:2]
    ratio = max(width / columns, height / rows)
    if ratio > 1:
        size = math.ceil(columns * ratio), math.ceil(rows * ratio)
        background = resize_bicubic(background, *size)
    return background[:height, :width]


def blend_truncated(
    foreground: NDArray[np.uint8], alpha: NDArray[np.uint8], background: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Blend uint8 (H, W, 3) over (H, W, 3) by (H, W): eq. 1 in double precision, truncated.

    Single precision or integer arithmetic differ by one level in about one value of a thousand;
    even a foreground over itself may lose a level, as it does in the published composites.
    """
    share = alpha / 255  # float64
    mixed = np.empty_like(foreground)
    for channel in range(3):  # one at a time, because float64 takes eight times the memory
        front, behind = foreground[..., channel], background[..., channel]
        mixed[..., channel] = share * front + (1 - share) * behind
    return mixed


@functools.lru_cache(maxsize=1)  # samples of one foreground follow each other
def _cutout(foreground: Path, alpha: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Colours (H, W, 3) and alpha (H, W)."""
    colours = open_unmanaged(foreground)
    matte = np.ascontiguousarray(open_unmanaged(alpha)[..., 0])
    if matte.shape != colours.shape[:2]:
        raise DataError(
            f"{alpha} is {matte.shape[1]} x {matte.shape[0]} pixels (width x height) but"
            f" {foreground} is {colours.shape[1]} x {colours.shape[0]}."
        )
    return colours, matte


def _lines(path: Path) -> list[str]:
    """The names in a list, from any system and any editor."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a list of names: {reason_of(error)}.") from error
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if not names:
        raise DataError(f"{path} is empty; expected one file name a line.")
    return names


def _find(names: Sequence[str], folders: Sequence[Path]) -> list[Path]:
    """Each name's file in the first folder that has it, or the path where it is missing."""
    return [
        next((folder / name for folder in folders if (folder / name).is_file()), folders[0] / name)
        for name in names
    ]
