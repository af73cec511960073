"""From a picture and a trimap to a matte, foreground colours and a cut-out.

NumPy, Pillow, OpenCV and ONNX Runtime are imported where they are first needed, so that `import
deepmatte` and `deepmatte --help` are fast.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from deepmatte.arguments import check_flag, check_height_width, check_whole, check_word, shown
from deepmatte.errors import MattingError, ModelError, TrimapError, named_memory_errors
from deepmatte.matted import Matte, Part

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from deepmatte.images import Picture, Source
    from deepmatte.solver.engine import Quality
    from deepmatte.solver.runtime import Progress
    from deepmatte.transparency import Transparency

__all__ = ["Matte", "Matter", "Part", "matte", "shared_matter"]

_MASK = (
    "The trimap has no unknown pixels, so its hard edges stay as they are; a segmentation mask is "
    "to be given as a mask, not as a trimap."
)


class Matter:
    """A loaded network; make one and use it for many pictures.

    Args:
        model: ``"lite"``, the default network; ``"dim"``, the paper's at a quarter of its channels;
            or the path of an ONNX file.
        device: ``"cpu"``, or another device that the installed ONNX Runtime supports: ``"cuda"``,
            ``"openvino"``, ``"coreml"`` or ``"directml"``.
        threads: how many threads the network may use; None takes the cores of this process.
        tile: pictures are matted in tiles of at most tile x tile pixels; None takes the default.
        memory: memory that the process may use, in bytes or as text like ``"1.5GB"``; sets the
            tile.
        quality: ``"high"`` takes several times as long as ``"normal"`` for finer mattes: see
            `deepmatte.solver.engine.Engine`.
        transparency: what to do with a picture's own transparency, such as an earlier cut-out's:
            ``"keep"`` uses it as the subject's edge and mattes the opaque part, ``"multiply"``
            multiplies the matte by it, and ``"ignore"`` mattes the colours below it.

    Attributes:
        device: where the network runs.

    A `Matter` can be pickled for other processes, which load the network again.

    Raises:
        ModelError: the model or the device does not exist.
        MattingError: the text is not an amount of memory, or `ulimit -v` allows too few addresses.

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
        memory: int | str | None = None,
        quality: Quality = "normal",
        transparency: Transparency = "keep",
    ) -> None:
        from deepmatte.machine import bytes_of, check_address_space

        check_address_space()  # before libraries are loaded, which would crash
        from deepmatte.solver.engine import Engine
        from deepmatte.transparency import SAID

        check_word(transparency, "transparency", MattingError, tuple(SAID))
        if not isinstance(model, (str, os.PathLike)):
            raise ModelError(f"The network is {shown(model)}; expected a name or a path.")
        if not isinstance(device, str):
            raise ModelError(f"The device is {shown(device)}; expected a name, such as cpu.")
        if memory is not None and not isinstance(memory, str):
            check_whole(memory, "memory", MattingError)
        self._made_of = (model, device, threads, tile, memory, quality, transparency)
        self._transparency = transparency
        self.device = device
        allowed = bytes_of(memory) if isinstance(memory, str) else memory
        self._engine = Engine(
            model, device=device, threads=threads, tile=tile, memory=allowed, quality=quality
        )

    def __reduce__(self) -> tuple[Callable[..., Matter], tuple[Any, ...]]:
        return _made, self._made_of

    def least_memory(self, shape: tuple[int, ...]) -> int:
        """Bytes that the process takes at least to matte a picture of this shape and save it.

        Args:
            shape: (height, width).
        """
        return self._engine.least_memory(check_height_width(shape, "The shape", MattingError))

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
            resize_trimap: resize a trimap of another size to the picture's by nearest neighbour
                instead of refusing it.
            progress: lets another thread read the progress and cancel the work.

        Raises:
            ImageError: the picture cannot be read.
            TrimapError: the trimap is invalid, or its size differs from the picture's.
            ModelError: the network failed.
            concurrent.futures.CancelledError: ``progress`` was cancelled.
            MemoryError: there is not enough memory for this picture.
        """
        from deepmatte.images import Picture, open_image
        from deepmatte.solver.devices import device_notes
        from deepmatte.transparency import seen
        from deepmatte.trimap import read_trimap

        check_flag(resize_trimap, "resize_trimap", TrimapError)
        admit = self._engine.admit  # before anything is decoded
        picture = image if isinstance(image, Picture) else open_image(image, admit=admit)
        labels, about = read_trimap(trimap, picture.shape, resize=resize_trimap, admit=admit)
        levels, known = picture.levels, labels
        with named_memory_errors():
            if picture.alpha is not None and self._transparency == "keep":
                levels, known = seen(picture, labels)
            predicted = self._engine(_shown(levels), known, progress)
        notes = _notes(picture, labels, self._transparency)
        notes = (*picture.notes, *about, *notes, *device_notes(self.device))
        return Matte(picture, labels, predicted, notes, self._transparency)


def _made(
    model: str | os.PathLike[str],
    device: str,
    threads: int | None,
    tile: int | None,
    memory: int | str | None,
    quality: Quality,
    transparency: Transparency,
) -> Matter:
    """Rebuild a pickled `Matter`."""
    return Matter(
        model,
        device=device,
        threads=threads,
        tile=tile,
        memory=memory,
        quality=quality,
        transparency=transparency,
    )


def _shown(levels: NDArray[Any]) -> NDArray[Any]:
    """A picture clipped for display: light brighter than white becomes white."""
    import numpy as np

    if levels.dtype.kind == "f" and (levels.min() < 0 or levels.max() > 1):
        return np.asarray(levels.clip(0, 1))
    return levels


def _notes(
    picture: Picture, trimap: NDArray[np.uint8], transparency: Transparency
) -> tuple[str, ...]:
    from deepmatte.transparency import SAID
    from deepmatte.trimap.read import missing_kinds
    from deepmatte.types import UNKNOWN

    notes = () if picture.alpha is None else (SAID[transparency],)
    missing = missing_kinds(trimap)
    if not missing and not (trimap == UNKNOWN).any():
        missing = (_MASK,)
    return (*notes, *missing)


def shared_matter(
    quality: Quality = "normal",
    memory: int | str | None = None,
    threads: int | None = None,
    transparency: Transparency = "keep",
) -> Matter:
    """The default network, loaded once for some settings and kept."""
    settings = (quality, memory, threads, transparency)
    made = _kept if all(isinstance(value, Hashable) for value in settings) else _new
    return made(*settings)


def _new(
    quality: Quality, memory: int | str | None, threads: int | None, transparency: Transparency
) -> Matter:
    """A new one; says what is wrong with settings that nothing can be kept under."""
    return Matter(quality=quality, memory=memory, threads=threads, transparency=transparency)


_kept = functools.lru_cache(maxsize=2)(_new)


def matte(
    image: Source | Picture,
    trimap: Source,
    *,
    quality: Quality = "normal",
    memory: int | str | None = None,
    threads: int | None = None,
    resize_trimap: bool = False,
    transparency: Transparency = "keep",
) -> Matte:
    """Matte one picture with the default network, which is loaded once and kept.

    Args:
        image: path, bytes, binary stream, Pillow image, array (uint8, uint16, or float in 0..1) of
            shape (H, W), (H, W, 3) or (H, W, 4), or what `images.open_image` gave.
        trimap: the same kinds: black (0) is background, white (255) is subject, anything between
            is unknown. `deepmatte.trimap` makes one from a mask, a box or a few strokes.
        quality: ``"high"`` takes several times as long as ``"normal"`` for finer mattes.
        memory: memory that the process may use, in bytes or as text like ``"1GB"``; None sets no
            limit.
        threads: how many threads the network may use; None takes the cores of this process.
        resize_trimap: resize a trimap of another size to the picture's by nearest neighbour instead
            of refusing it.
        transparency: what to do with a picture's own transparency: ``"keep"`` uses it as the
            subject's edge, ``"multiply"`` multiplies the matte by it, ``"ignore"`` ignores it.

    Returns:
        The alpha matte, foreground colours, cut-out and composites; see `Matte`. Use `Matter` for
        other settings or your own network.

    Raises:
        ImageError: the picture cannot be read.
        TrimapError: the trimap is invalid, or its size differs from the picture's.
        ModelError: the network failed, or the memory limit is too low for the picture.
        MemoryError: there is not enough memory for this picture.

    Example:
        alpha = deepmatte.matte("photo.jpg", "trimap.png").alpha    # (H, W), 0..1
    """
    matter = shared_matter(quality, memory, threads, transparency)
    return matter(image, trimap, resize_trimap=resize_trimap)
