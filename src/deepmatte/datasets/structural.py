"""A fixed test set that colours cannot solve: whole subjects unknown, over cluttered photos.

Real photos with true alphas give the foregrounds. Most trimaps know the background around the
subject and little or nothing of the subject itself, as those of Composition-1k do; some know no
background, or nothing but a ring around the subject. A quarter of the subjects is out of focus.
``groups.tsv`` says for each composite which kind of trimap and of edge it has.

Source: Xu et al. 2017, section 3 (composites) and section 5 (trimaps without foreground or
background).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deepmatte.composite import over
from deepmatte.datasets.build import Composite, PicturesByFolder, Plan
from deepmatte.datasets.layouts import GROUPS, open_dataset
from deepmatte.datasets.testset import (
    blend_rounded,
    drawn,
    flat_name,
    pictures_below,
    shrink_cutout,
)
from deepmatte.datasets.trimaps import hide
from deepmatte.errors import DataError, ImageError
from deepmatte.foreground import estimate_foreground
from deepmatte.images import open_alpha, open_image
from deepmatte.images.arrays import to_bytes, to_unit
from deepmatte.images.resize import shrink
from deepmatte.trimap import from_alpha
from deepmatte.types import BACKGROUND, FOREGROUND, Flags, Floats, Trimap

RULE = (
    "Each foreground is used once; photo and alpha give its colours (deepmatte's estimate), and it"
    " is shrunk to the size, colours weighted by alpha. The backgrounds are the half of the photos"
    " with the steeper grey levels (mean gradient of the photo shrunk to 256 pixels), taken in"
    " turn, never a foreground's own. Both are ordered by their draws, SHA-256 of seed and name."
    " Every fourth foreground is blurred, colours weighted by alpha, with a Gaussian that takes a"
    " hard edge from 10 to 90 % of alpha over 2, 5, 13, 32 or 80 pixels. The background is scaled"
    " to cover the picture and cropped about its centre. Foreground F, alpha a and background B are"
    " rounded to 8 bits, then image = round(a F + (1 - a) B). Trimap: unknown are 0 < a < 1 and the"
    " background up to a reach of 5 to 30 pixels, drawn for each composite. No foreground: all of"
    " a > 0 is unknown too. Little foreground: all but the tenth of a = 1 that is deepest inside."
    " No background: the foreground further inside than the reach is known, nothing else. Only a"
    " ring: a ring of background around the unknown part is known, a fiftieth of the longer side"
    " wide, nothing else."
)
NO_FOREGROUND, LITTLE, NO_BACKGROUND, RING = (
    "no foreground",
    "little foreground",
    "no background",
    "only a ring",
)
NATURAL = "natural"
WIDTHS = (2, 5, 13, 32, 80)
"""Pixels over which a blurred hard edge rises from 10 to 90 % of alpha."""

_TURNS = (NO_FOREGROUND, LITTLE, NO_FOREGROUND, LITTLE, NO_BACKGROUND) * 2
_TRIMAPS = (*_TURNS[:-1], RING)
_BLURRED_EVERY = 4
_REACH = (5, 30)
_CORE = 0.1
_GLANCE = 256
_WIDTH_OF_SIGMA = 2.5631  # from 10 to 90 % of a Gaussian's integral


def plan(
    images: Path, alphas: Path, backgrounds: Sequence[Path], *, seed: int = 0, size: int = 1024
) -> Plan:
    """List the composites of a structural test set; reads all backgrounds.

    Args:
        images: folder of photos.
        alphas: folder of their true mattes, of the same names.
        backgrounds: folders of photos, with their sub-folders. They may hold the first photos, too.
        seed: of the order of foregrounds and backgrounds, and so of all random choices.
        size: the longest side that a composite may have.

    Returns:
        The plan for `build.build`: for each composite, under the name
        ``<foreground>_<background>.png``, the composite in ``images``, ``alphas``, true colours in
        ``foregrounds``, and ``trimaps``.

    Raises:
        DataError: a folder has no pictures, an alpha is missing, or the only background is the
            foreground's own photo.
        ImageError: a background cannot be read.
    """
    fronts = open_dataset(images=images, alphas=alphas).samples
    photos = _cluttered(
        [path for folder in backgrounds for path in pictures_below(folder).values()]
    )
    fronts = tuple(sorted(fronts, key=lambda front: drawn(seed, front.name, "")))
    photos.sort(key=lambda photo: drawn(seed, "", photo.name))
    samples, lines = [], [("name", "trimap", "edge")]
    for index, front in enumerate(fronts):
        behind = _another(front.name, photos, index)
        width = None
        if index % _BLURRED_EVERY == 1:
            turn = index // _BLURRED_EVERY
            width = WIDTHS[(turn + turn // len(WIDTHS)) % len(WIDTHS)]  # with each kind of trimap
        kind = _TRIMAPS[index % len(_TRIMAPS)]
        name = f"{front.name}_{flat_name(behind.name)}"
        draw = drawn(seed, front.name, behind.name)
        sources = {"photo": front.image, "alpha": front.alpha, "background": behind}
        settings = {"draw": draw, "size": size, "trimap": kind, "edge": width}
        samples.append(Composite(name, sources, settings))
        lines.append((name, kind, NATURAL if width is None else f"{width} px"))
    return Plan(
        kind="structural test set",
        rule=RULE,
        settings={"seed": seed, "size": size},
        samples=samples,
        render=render,
        folders=("images", "alphas", "foregrounds", "trimaps"),
        inputs=(images, alphas, *backgrounds),
        tables={GROUPS: "".join("\t".join(line) + "\n" for line in lines)},
    )


def render(sample: Composite) -> PicturesByFolder:
    """Compose a sample of `plan`: its four pictures, uint8 (H, W, 3) or (H, W), by folder.

    Raises:
        ImageError: a file is damaged, or photo and alpha have different sizes.
    """
    photo, alpha = open_image(sample.sources["photo"]).rgb, open_alpha(sample.sources["alpha"])
    if photo.shape[:2] != alpha.shape:
        raise ImageError(
            f"{sample.sources['alpha']} is {alpha.shape[1]} x {alpha.shape[0]} pixels (width x"
            f" height) but its photo is {photo.shape[1]} x {photo.shape[0]}; expected one size."
        )
    colours, cover = shrink_cutout(
        estimate_foreground(photo, alpha), alpha, sample.settings["size"]
    )
    if sample.settings["edge"] is not None:
        colours, cover = blurred(colours, cover, sample.settings["edge"])
    behind = to_bytes(over(colours, np.zeros_like(cover), sample.sources["background"]))
    foreground, levels = to_bytes(colours), to_bytes(cover)
    return {
        "images": blend_rounded(foreground, levels, behind),
        "alphas": levels,
        "foregrounds": foreground,
        "trimaps": trimap(to_unit(levels), sample.settings["trimap"], sample.settings["draw"]),
    }


def blurred(colours: Floats, alpha: Floats, width: float) -> tuple[Floats, Floats]:
    """Put a foreground out of focus, (H, W, 3) and (H, W), by a Gaussian.

    Args:
        colours: in 0..1.
        alpha: in 0..1.
        width: pixels over which a hard edge rises from 10 to 90 % afterwards.
    """
    import cv2

    def soft(pixels: Floats) -> Floats:
        # In double precision, so that 8-bit levels are the same on any processor. Beyond the
        # picture's edge the pixels are repeated.
        sigma = width / _WIDTH_OF_SIGMA
        mixed = cv2.GaussianBlur(
            pixels.astype(np.float64), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE
        )
        return np.asarray(mixed, np.float32)

    cover = soft(alpha).clip(0, 1)
    share = cover[..., None]  # (H, W, 1)
    mixed = soft(colours * alpha[..., None]) / np.maximum(share, np.float32(1e-4))
    # Where alpha rounds to 0 the colour does not matter.
    return np.where(share < 0.5 / 255, colours, mixed).clip(0, 1), cover


def trimap(alpha: Floats, kind: str, draw: str) -> Trimap:
    """The trimap of a composite: uint8 (H, W) of 0, 128, 255. See `RULE`.

    Args:
        alpha: (H, W), 0..1.
        kind: one of the four kinds.
        draw: 64 hexadecimal digits.
    """
    reach = np.random.default_rng(int(draw[:16], 16)).uniform(*_REACH)
    if kind == LITTLE:
        return from_alpha(alpha, erode=_depth_of_core(alpha == 1), dilate=reach)
    made = from_alpha(alpha, erode=reach, dilate=reach)
    if kind == NO_BACKGROUND:
        return hide(made, [BACKGROUND])
    if kind == NO_FOREGROUND:
        return hide(made, [FOREGROUND])
    further = from_alpha(alpha, dilate=reach + max(alpha.shape) / 50)
    ring = (made == BACKGROUND) & (further != BACKGROUND)
    only: Trimap = hide(made, [FOREGROUND, BACKGROUND])
    only[ring] = BACKGROUND
    return only


def _depth_of_core(solid: Flags) -> float:
    """The depth at which the deepest tenth of a region (H, W) begins; at least the smallest reach.

    The picture's edge is no border of the region. No pixel lies exactly at that depth, because
    OpenCV's distances differ in the last digit between machines.
    """
    import cv2

    depth = cv2.distanceTransform(solid.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    squares = np.rint(depth[solid].astype(np.float64) ** 2)
    tenth = np.quantile(squares, 1 - _CORE, method="lower") if squares.size else 0
    return math.sqrt(max(_REACH[0] ** 2, float(tenth)) + 0.5)


def _another(name: str, photos: Sequence[Path], index: int) -> Path:
    """The next photo, skipping the foreground's own."""
    for offset in range(2):
        photo = photos[(index + offset) % len(photos)]
        if photo.stem != name:
            return photo
    raise DataError(f"{photo} is the only background and the photo of a foreground, too.")


def _cluttered(photos: Sequence[Path]) -> list[Path]:
    """The more cluttered half of some photos, at least one."""
    ordered = sorted(photos, key=lambda photo: (-_clutter(photo), photo.name))
    return ordered[: (len(ordered) + 1) // 2]


def _clutter(photo: Path) -> float:
    """The mean gradient of a photo's grey levels in 0..1, at `_GLANCE` pixels."""
    image = open_image(photo).rgb
    scale = min(1.0, _GLANCE / max(image.shape[:2]))
    height, width = (max(2, round(length * scale)) for length in image.shape[:2])
    grey = shrink(image, (height, width)).mean(axis=2)  # (h, w)
    down, right = np.gradient(grey)
    return float(np.hypot(down, right).mean())
