"""The steps for each picture of a batch: open, matte, encode.

Files of a folder, rows of a table and frames of a shot go through the same steps.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deepmatte.batch.jobs import Output
from deepmatte.batch.settings import Settings
from deepmatte.errors import TrimapError
from deepmatte.images import Picture, Source, depth_for, encode_image, open_image, open_mask
from deepmatte.images.picture import Admit, admit_all

if TYPE_CHECKING:
    from deepmatte.matting import Matte, Matter
    from deepmatte.solver.engine import Quality
    from deepmatte.solver.runtime import Progress
    from deepmatte.types import Trimap


def load_matter(settings: Settings, threads: int, memory: int | None) -> Matter:
    """The network of some settings; the last one is kept by this process."""
    return _loaded(
        settings.model, settings.device, threads, settings.tile, memory, settings.quality
    )


@functools.lru_cache(1)
def _loaded(
    model: str,
    device: str,
    threads: int,
    tile: int | None,
    memory: int | None,
    quality: Quality,
) -> Matter:
    from deepmatte.matting import Matter

    return Matter(model, device=device, threads=threads, tile=tile, memory=memory, quality=quality)


@dataclass(frozen=True)
class Opened:
    """A picture and its trimap.

    Attributes:
        picture: the picture.
        trimap: its trimap, or None where the subject is looked for.
        notes: sentences that the user should know about the trimap's file.
    """

    picture: Picture
    trimap: Trimap | None = None
    notes: tuple[str, ...] = ()


def open_both(
    image: Source,
    partner: Source | None,
    name: str,
    settings: Settings,
    matter: Matter,
    admit: Admit = admit_all,
) -> Opened:
    """Open a picture and its trimap or mask.

    Args:
        image: the picture.
        partner: its trimap or mask; None where the subject is looked for.
        name: of the partner, for a message.
        settings: say which of both it is.
        matter: the network, which looks at a mask's edge.
        admit: as for `deepmatte.images.open_image`.

    Raises:
        ImageError: one cannot be read.
        TrimapError: the trimap or mask makes no sense, or its size is not the picture's.
        ModelError: the network failed.
    """
    picture = open_image(image, admit=admit)
    if partner is None:
        return Opened(picture)
    return Opened(picture, *open_partner(partner, name, picture, settings, matter, admit))


def open_partner(
    partner: Source,
    name: str,
    picture: Picture,
    settings: Settings,
    matter: Matter,
    admit: Admit = admit_all,
) -> tuple[Trimap, tuple[str, ...]]:
    """The trimap of a picture, from its trimap or mask, and notes about the file; see `open_both`.

    Raises:
        ImageError: it cannot be read.
        TrimapError: it makes no sense, or its size is not the picture's.
        ModelError: the network failed.
    """
    from deepmatte.subject import mask_trimap
    from deepmatte.trimap import read_trimap

    resize = settings.resize_trimap
    if settings.partner == "trimap":
        return read_trimap(partner, picture.shape, resize=resize, admit=admit)
    try:
        mask = open_mask(partner, admit=admit)
        return mask_trimap(picture, mask, matter, resize=resize), ()
    except TrimapError as error:  # an array has no name of its own
        raise TrimapError(f"{name}: {error}") from error


def matte_opened(
    matter: Matter, opened: Opened, settings: Settings, progress: Progress | None = None
) -> Matte:
    """Matte a picture that is open; without a trimap its subject is looked for."""
    if opened.trimap is not None:
        matte = matter(opened.picture, opened.trimap, progress=progress)
        return replace(matte, notes=(*opened.notes, *matte.notes))
    from deepmatte.subject import matte_subject

    return matte_subject(
        opened.picture, segmenter=settings.segmenter, matter=matter, progress=progress
    )


def encoder(matte: Matte, kind: Output, target: str, settings: Settings) -> Callable[[], bytes]:
    """What encodes an output of a matte; its colours are computed before this returns.

    Args:
        matte: framed as the settings say.
        kind: of output.
        target: the file's name, whose suffix is the format.
        settings: of the batch.
    """
    from deepmatte.corridorkey import shot_file

    if kind == "Matte" or kind == "FG" or kind == "Processed" or kind == "Comp":
        return functools.partial(shot_file, matte, kind)
    suffix = os.path.splitext(target)[1]
    depth = settings.depth or depth_for(suffix, matte.picture.levels)
    if kind == "composite":
        levels = matte.composite_levels(settings.over or "white", depth)
    else:
        levels = matte.levels(kind, depth)
    return functools.partial(
        encode_image,
        levels,
        suffix,
        name=target,
        metadata=matte.picture.metadata,
        depth=depth,
        straight=settings.straight,
    )
