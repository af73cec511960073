"""Read a trimap from a file or an array of any kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.arguments import check_flag, check_height_width
from deepmatte.errors import TrimapError
from deepmatte.images import GreyPicture, Source, open_grey
from deepmatte.images.files import name_of
from deepmatte.images.picture import Admit, admit_all
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Flags, Trimap

# A lossy coder changes flat areas by a level or two, and more near an edge.
LOSSY_TOLERANCE = 5 / 255
FLOAT_TOLERANCE = 1e-3  # well below one level of 8 bits

# A smaller share of pixels near black or white is no sign of JPEG.
_RINGING_SHARE = 1e-3
_RINGS = (
    "The trimap rings around black and white as if it had been a JPEG once; levels up to "
    f"{round(255 * LOSSY_TOLERANCE)} from them were taken for black and white."
)


def open_trimap(
    source: Source, size: tuple[int, int] | None = None, *, resize: bool = False
) -> Trimap:
    """Read a trimap with any levels.

    Background is 0, foreground is the highest possible level, and anything between is unknown,
    including anti-aliased edges:

    | stored as                       | background | foreground | unknown     |
    |---------------------------------|------------|------------|-------------|
    | 8 bit                           | 0          | 255        | 1..254      |
    | 16 bit                          | 0          | 65535      | 1..65534    |
    | integers, nothing above 1       | 0          | 1          |             |
    | integers, nothing above 2       | 0          | 2          | 1           |
    | 16 bit, nothing above 255       | 0          | 255        | 1..254      |
    | float, bool                     | 0          | 1          | between     |
    | JPEG, WebP, AVIF                | 0..5       | 250..255   | 6..249      |

    Palettes and RGB greys are resolved first. Transparent and half transparent pixels are unknown.

    Args:
        source: path, bytes, binary stream, Pillow image or array, as `images.open_grey`.
        size: (height, width) of the picture, or None to take any size.
        resize: resize another size to `size` by nearest neighbour, which creates no new labels.

    Returns:
        uint8 (H, W) of BACKGROUND, UNKNOWN and FOREGROUND; any of them may be missing.

    Raises:
        ImageError: the source cannot be read.
        TrimapError: the trimap has colours, or its size differs from the picture's.
    """
    return read_trimap(source, size, resize=resize)[0]


def read_trimap(
    source: Source,
    size: tuple[int, int] | None = None,
    *,
    resize: bool = False,
    admit: Admit = admit_all,
) -> tuple[Trimap, tuple[str, ...]]:
    """As `open_trimap`; also returns notes about the file for the user.

    A file of another size is refused before it is decoded, unless ``resize`` is set. ``admit`` is
    that of `images.open_image`.
    """
    size = None if size is None else check_height_width(size, "The size", TrimapError)
    check_flag(resize, "resize", TrimapError)
    name = "The trimap" if hasattr(source, "shape") else name_of(source)

    def admit_size(found: tuple[int, ...]) -> None:
        if size is not None and not resize and found not in (size, size[::-1]):
            raise other_size(name, (found[0], found[1]), size)
        admit(found)

    grey = open_grey(source, admit=admit_size)
    notes = grey.notes
    top = _foreground_level(grey)
    tolerance = 0.0
    rings = not grey.lossy and _rings(grey.levels)
    if rings:
        notes += (_RINGS,)
    if grey.lossy or rings:
        tolerance = LOSSY_TOLERANCE * top
    elif grey.levels.dtype.kind == "f":
        tolerance = FLOAT_TOLERANCE
    trimap = labelled(grey.levels >= top - tolerance, grey.levels <= tolerance)
    if grey.alpha is not None:
        trimap[grey.alpha < 1] = UNKNOWN
    if size is None or trimap.shape == size:
        return trimap, notes
    if not resize:
        raise other_size(grey.name, (trimap.shape[0], trimap.shape[1]), size)
    rows = (np.arange(size[0]) * 2 + 1) * trimap.shape[0] // (2 * size[0])
    columns = (np.arange(size[1]) * 2 + 1) * trimap.shape[1] // (2 * size[1])
    resized: Trimap = trimap[rows[:, None], columns]
    return resized, notes


def missing_kinds(trimap: Trimap) -> tuple[str, ...]:
    """A note for the user if a trimap (H, W) marks no foreground, no background or neither.

    A mask from which a trimap was made is meant too: one kind alone comes from a mask of one level.
    """
    foreground, background = (trimap == FOREGROUND).any(), (trimap == BACKGROUND).any()
    if foreground and background:
        return ()
    if (trimap == BACKGROUND).all():
        return (
            "The trimap or mask marks no foreground: all of it is black, so the matte is empty.",
        )
    if (trimap == FOREGROUND).all():
        return (
            "The trimap or mask marks no background: all of it is white, so nothing is cut away.",
        )
    if foreground:
        return ("The trimap marks no background: nothing in it is fully black.",)
    if background:
        return ("The trimap marks no foreground: nothing in it is fully white.",)
    return (
        "The trimap marks no foreground and no background: nothing in it is fully white or fully"
        " black, so the matte is a guess.",
    )


def other_size(name: str, found: tuple[int, ...], size: tuple[int, ...]) -> TrimapError:
    """The error of a trimap or mask whose size (H, W) differs from the picture's."""
    advice = (
        "one of the two is turned, perhaps by its EXIF orientation."
        if found == size[::-1]
        else "make them the same size, or have it resized (resize_trimap, --resize-trimap)."
    )
    return TrimapError(
        f"{name} is {found[1]} x {found[0]} pixels (width x height) but the picture is"
        f" {size[1]} x {size[0]}; {advice}"
    )


def _rings(levels: NDArray[Any]) -> bool:
    """Whether levels (H, W) vary around black and white as in a JPEG that was saved as PNG.

    Soft edges have all levels equally often, so few lie near black or white.
    """
    if levels.dtype != np.uint8:
        return False
    counts = np.bincount(levels.ravel(), minlength=256)
    near = round(255 * LOSSY_TOLERANCE)
    ringing = counts[1 : near + 1].sum() + counts[255 - near : 255].sum()
    grey = 1 + near + int(counts[near + 1 : 255 - near].argmax())  # the trimap's own
    soft = counts[near + 1 : 255 - near].sum() - counts[grey - near : grey + near + 1].sum()
    levels_near = np.count_nonzero(counts[1 : near + 1]) + np.count_nonzero(counts[250:255])
    return bool(levels_near > near and ringing > max(soft, _RINGING_SHARE * levels.size))


def _foreground_level(grey: GreyPicture) -> float:
    """The level that means foreground, by the table of `open_trimap`."""
    if grey.levels.dtype.kind == "f":
        return 1.0
    highest = int(grey.levels.max())
    if highest in (1, 2) and not grey.lossy:
        return highest
    return 65535 if highest > 255 else 255


def labelled(foreground: Flags, background: Flags) -> Trimap:
    """A trimap of two disjoint masks (H, W): unknown is what lies in neither."""
    trimap = np.full(foreground.shape, UNKNOWN, np.uint8)
    trimap[background] = BACKGROUND
    trimap[foreground] = FOREGROUND
    return trimap
