"""The whole way from a picture and a trimap to a matte, a foreground and a cut-out.

NumPy, Pillow, OpenCV and ONNX Runtime are imported where they are first needed, so that
`import deepmatte` and `deepmatte --help` answer at once.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deepmatte.errors import named_memory_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from deepmatte.composite import Background
    from deepmatte.images import Picture, Source
    from deepmatte.solver.engine import Quality
    from deepmatte.solver.runtime import Progress

_TRANSPARENT = "The picture has transparency of its own; the matte was multiplied by it."
_UNMARKED = "The trimap marks no {kind}: nothing in it is {level}."


@dataclass(frozen=True, eq=False)
class Matte:
    """A matted picture.

    Attributes:
        picture: what was matted: its colours as they were, its own transparency if it has any, its
            colour profile and its resolution.
        trimap: uint8 (H, W) of 0 (background), 128 (unknown), 255 (foreground).
        predicted: float32 (H, W), 0..1, the network's alpha.
        notes: sentences about anything that a user should know of this result.

    Example:
        matte = deepmatte.matte("photo.jpg", "trimap.png")
        matte.cutout().save("cutout.png")
        matte.over("#00b140").save("green.png")
    """

    picture: Picture
    trimap: NDArray[np.uint8]
    predicted: NDArray[np.float32]
    notes: tuple[str, ...] = ()

    @functools.cached_property
    def alpha(self) -> NDArray[np.float32]:
        """How much of each pixel belongs to the subject: float32 (H, W), 0..1.

        What was predicted, times the picture's own transparency.
        """
        own = self.picture.alpha
        return self.predicted if own is None else self.predicted * own

    @functools.cached_property
    def foreground(self) -> NDArray[np.float32]:
        """The subject's colours without the background's: float32 (H, W, 3), 0..1.

        Computed when it is first asked for; see `deepmatte.foreground`.
        """
        from deepmatte.foreground import estimate_foreground

        # The stored colours of a transparent picture are not multiplied by its transparency, so
        # what mixes foreground and background in them is the predicted alpha alone.
        with named_memory_errors():
            return estimate_foreground(self.picture.levels, self.predicted)

    @functools.cached_property
    def colours(self) -> NDArray[np.uint8]:
        """The foreground in 8 bits, as it is saved: uint8 (H, W, 3), a quarter of the memory."""
        import numpy as np

        from deepmatte.images.arrays import to_bytes

        with named_memory_errors():
            colours = np.empty(self.picture.levels.shape, np.uint8)
            for rows, foreground in self._strips():
                colours[rows] = to_bytes(foreground)
        return colours

    def cutout(self) -> Image.Image:
        """The subject alone: an RGBA picture whose colours are not multiplied by alpha.

        Its ``save`` keeps the photo's colour profile, resolution, EXIF and XMP, and stores a JPEG
        in high quality. A Pillow image has 8 bits; `save` keeps more.
        """
        from deepmatte import composite

        with named_memory_errors():
            return self._as_pillow(composite.cutout(self.colours, self.alpha))

    def over(self, background: Background) -> Image.Image:
        """The subject on another background: an RGB picture that saves itself as `cutout` does.

        Args:
            background: a colour (``"#00b140"``, ``"white"``, ``(0, 177, 64)``) or a picture, as
                `deepmatte.composite.over` takes it.

        Raises:
            ImageError: the background is neither a colour nor a picture that can be read.
        """
        import numpy as np

        from deepmatte import composite
        from deepmatte.images.arrays import to_bytes

        with named_memory_errors():
            behind = composite.backdrop(background, *self.picture.shape)
            mixed = np.empty(behind.shape, np.uint8)
            for rows, foreground in self._strips():
                blended = composite.blend(foreground, self.alpha[rows], behind[rows])
                mixed[rows] = to_bytes(blended)
            return self._as_pillow(mixed)

    def _strips(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Rows and their foreground: of what is there already, or a few rows at a time."""
        from deepmatte.foreground import foreground_strips

        if "foreground" in self.__dict__:
            return iter([(slice(None), self.foreground)])
        return foreground_strips(self.picture.levels, self.predicted)

    def _as_pillow(self, pixels: NDArray[np.uint8]) -> Image.Image:
        """Pixels as a Pillow image that saves itself with the photo's metadata."""
        from deepmatte.images import to_result

        return to_result(pixels, self.picture.metadata)


class Matter:
    """A loaded network; make one and use it for many pictures.

    Args:
        model: ``"lite"``, the network that comes with the package, another name from
            `deepmatte.weights`, or the path of an ONNX file.
        device: ``"cpu"`` or ``"cuda"``.
        threads: how many threads the network may use; None takes the cores of this process.
        tile: a picture is worked in tiles of at most as many pixels as a square of this side has,
            or None for the default.
        memory: bytes that the process may take for a picture; chooses the tile.
        quality: ``"high"`` takes several times as long as ``"normal"`` for finer mattes: see
            `deepmatte.solver.engine.Engine`.

    Raises:
        ModelError: there is no such model or device.

    Example:
        matter = deepmatte.Matter()
        for name in ("one", "two"):
            matter(f"{name}.jpg", f"{name}.trimap.png").cutout().save(f"{name}.cutout.png")
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "lite",
        *,
        device: str = "cpu",
        threads: int | None = None,
        tile: int | None = None,
        memory: int | None = None,
        quality: Quality = "normal",
    ) -> None:
        from deepmatte.solver.engine import Engine

        self._engine = Engine(
            model, device=device, threads=threads, tile=tile, memory=memory, quality=quality
        )

    def __call__(
        self,
        image: Source | Picture,
        trimap: Source,
        *,
        resize_trimap: bool = False,
        progress: Progress | None = None,
    ) -> Matte:
        """Matte one picture.

        Args:
            image: path, bytes, binary stream, Pillow image, array (uint8, uint16, or float in
                0..1) of shape (H, W), (H, W, 3) or (H, W, 4), or what `images.open_image` gave.
            trimap: the same kinds; see `deepmatte.trimap.open_trimap` for the values it may have.
            resize_trimap: bring a trimap of another size to the picture's, by nearest neighbour,
                instead of refusing it.
            progress: tells another thread how much is done, and lets it end the work.

        Raises:
            ImageError: the picture cannot be read.
            TrimapError: the trimap makes no sense, or its size is not the picture's.
            ModelError: the network failed.
            concurrent.futures.CancelledError: by ``progress``.
            MemoryError: there is not enough memory for this picture.
        """
        from deepmatte.images import Picture, open_image
        from deepmatte.trimap import open_trimap

        picture = image if isinstance(image, Picture) else open_image(image)
        labels = open_trimap(trimap, picture.shape, resize=resize_trimap)
        with named_memory_errors():
            predicted = self._engine(picture.levels, labels, progress)
        return Matte(picture, labels, predicted, _notes(picture, labels))


def _notes(picture: Picture, trimap: NDArray[np.uint8]) -> tuple[str, ...]:
    from deepmatte.trimap import BACKGROUND, FOREGROUND

    notes = [] if picture.alpha is None else [_TRANSPARENT]
    if not (trimap == FOREGROUND).any():
        notes.append(_UNMARKED.format(kind="foreground", level="fully white"))
    if not (trimap == BACKGROUND).any():
        notes.append(_UNMARKED.format(kind="background", level="fully black"))
    return tuple(notes)


@functools.cache
def shared_matter() -> Matter:
    """The shipped network, loaded once and kept."""
    return Matter()


def matte(image: Source, trimap: Source, *, resize_trimap: bool = False) -> Matte:
    """Matte one picture with the shipped network, which is loaded once and kept.

    Arguments and errors are those of `Matter.__call__`.

    Example:
        alpha = deepmatte.matte("photo.jpg", "trimap.png").alpha    # (H, W), 0..1
    """
    return shared_matter()(image, trimap, resize_trimap=resize_trimap)
