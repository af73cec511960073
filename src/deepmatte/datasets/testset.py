"""A fixed test set from any cut-outs and photos: composites with exact mattes.

The files are exact: image = round(alpha F + (1 - alpha) B) holds for each 8-bit level. All random
choices come from the SHA-256 of the seed and the two pictures' names, so a sample does not depend
on other files in the folders.

Source: Xu et al. 2017, eq. 1 and section 3.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepmatte.composite import over
from deepmatte.datasets.build import Composite, PicturesByFolder, Plan, named
from deepmatte.datasets.trimaps import generate
from deepmatte.errors import DataError, ImageError
from deepmatte.images import SUFFIXES, open_image
from deepmatte.images.arrays import to_bytes
from deepmatte.images.resize import limited, shrink

RULE = (
    "Each foreground is put on those backgrounds for which the draw, SHA-256 of seed, foreground"
    " and background, is lowest. A cut-out longer than the size is shrunk to it, colours weighted"
    " by alpha. The background is scaled to cover the picture and cropped about its centre."
    " Foreground F, alpha a and background B are rounded to 8 bits, then image = round(a F + (1 -"
    " a) B). Trimap: unknown are 0 < a < 1 and a band of the foreground and one of the background"
    " along it, each 1 to 3 % of the picture's side wide, drawn with the draw as seed."
)


def plan(
    foregrounds: Path,
    backgrounds: Path,
    *,
    per_foreground: int = 1,
    seed: int = 0,
    size: int | None = None,
) -> Plan:
    """List the composites of a test set.

    Args:
        foregrounds: folder of cut-outs, pictures with an alpha channel, with its sub-folders.
        backgrounds: folder of photos, with its sub-folders.
        per_foreground: number of different backgrounds for each cut-out.
        seed: of the choice of backgrounds and of the trimaps.
        size: the longest side that a composite may have; None keeps the cut-outs' sizes.

    Returns:
        The plan for `build.build`: for each composite, under the name
        ``<foreground>_<background>.png``, the composite in ``images``, ``alphas``, true colours in
        ``foregrounds``, and ``trimaps``.

    Raises:
        DataError: a folder has no pictures, there are fewer backgrounds than `per_foreground`, or
            two pairs of pictures would give the same name.
    """
    cutouts, photos = pictures_below(foregrounds), pictures_below(backgrounds)
    if len(photos) < per_foreground:
        raise DataError(
            f"{backgrounds} has {len(photos)} pictures; expected at least the {per_foreground} that"
            " each foreground is to be put on."
        )
    samples = []
    for cutout, front in cutouts.items():
        ranked = sorted((drawn(seed, cutout, photo), photo) for photo in photos)
        for draw, photo in ranked[:per_foreground]:
            sources = {"foreground": front, "background": photos[photo]}
            name = f"{flat_name(cutout)}_{flat_name(photo)}"
            settings = {"draw": draw, "size": size}
            samples.append(Composite(name, sources, settings))
    times = Counter(sample.name for sample in samples)
    doubles = [name for name, count in times.items() if count > 1]
    if doubles:
        raise DataError(
            f"Different pictures would give the same names: {named(doubles)}; expected another"
            " name for each picture."
        )
    return Plan(
        kind="test set",
        rule=RULE,
        settings={"per_foreground": per_foreground, "seed": seed, "size": size},
        samples=samples,
        render=render,
        folders=("images", "alphas", "foregrounds", "trimaps"),
        inputs=(foregrounds, backgrounds),
    )


def render(sample: Composite) -> PicturesByFolder:
    """Compose a sample of `plan`: its four pictures, uint8 (H, W, 3) or (H, W), by folder.

    Raises:
        ImageError: a file is damaged, or the foreground has no transparency.
    """
    path = sample.sources["foreground"]
    picture = open_image(path)
    if picture.alpha is None:
        raise ImageError(f"{path} has no transparency; expected a cut-out with an alpha channel.")
    colours, cover = shrink_cutout(picture.rgb, picture.alpha, sample.settings["size"])
    # With alpha 0 only the background is left, scaled and cropped as in `composite.over`.
    behind = to_bytes(over(colours, np.zeros_like(cover), sample.sources["background"]))
    foreground, alpha = to_bytes(colours), to_bytes(cover)
    trimap = generate(alpha / np.float32(255), sample.settings["draw"])
    return {
        "images": blend_rounded(foreground, alpha, behind),
        "alphas": alpha,
        "foregrounds": foreground,
        "trimaps": trimap,
    }


def blend_rounded(
    foreground: NDArray[np.uint8], alpha: NDArray[np.uint8], background: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Blend uint8 (H, W, 3) over (H, W, 3) by (H, W): eq. 1, rounded to the nearest level.

    In integers, so it is exact: 255 is odd, so no value lies half-way between two levels.
    """
    share = alpha[..., None].astype(np.uint16)  # (H, W, 1); the sum is at most 255 * 255 + 127
    mixed = share * foreground + (255 - share) * background
    rounded: NDArray[np.uint8] = ((mixed + 127) // 255).astype(np.uint8)
    return rounded


def shrink_cutout(
    colours: NDArray[np.float32], alpha: NDArray[np.float32], size: int | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shrink colours (H, W, 3) and alpha (H, W) so that neither side is longer than `size`.

    Colours are weighted by alpha.
    """
    if size is None or max(alpha.shape) <= size:
        return colours, alpha
    target = limited(alpha.shape, size)
    small: NDArray[np.float32] = shrink(alpha, target).clip(0, 1)
    share = small[..., None]  # (h, w, 1)
    straight = shrink(colours * alpha[..., None], target) / np.maximum(share, np.float32(1e-3))
    # Where alpha rounds to 0 the colour does not matter.
    straight = np.where(share < 0.5 / 255, shrink(colours, target), straight)
    return straight.clip(0, 1), small


def drawn(seed: int, foreground: str, background: str) -> str:
    """The random digits of a pair of pictures, 64 hexadecimal ones."""
    return hashlib.sha256(json.dumps([seed, foreground, background]).encode()).hexdigest()


def pictures_below(folder: Path) -> dict[str, Path]:
    """All pictures below a folder by their relative path, in the same order on every system."""
    if not folder.is_dir():
        raise DataError(f"The folder {folder} does not exist.")
    pictures = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    }
    if not pictures:
        raise DataError(f"{folder} holds no pictures; expected {', '.join(SUFFIXES)}.")
    return dict(sorted(pictures.items()))


def flat_name(name: str) -> str:
    """A picture's path in its folder as a part of a file name."""
    return os.path.splitext(name)[0].replace("/", "-")
