"""The whole way from a picture and a trimap to a matte, a foreground and a cut-out.

NumPy, Pillow, OpenCV and ONNX Runtime are imported where they are first needed, so that
`import deepmatte` and `deepmatte --help` answer at once.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from deepmatte.errors import MattingError, named_memory_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from deepmatte.composite import Background
    from deepmatte.images import Depth, Layer, Picture, Source, Target
    from deepmatte.solver.engine import Quality
    from deepmatte.solver.runtime import Progress
    from deepmatte.transparency import Transparency

Part: TypeAlias = Literal["cutout", "alpha", "foreground"]

_UNKNOWN = 128  # as in `deepmatte.trimap`, which loads OpenCV
_PREVIEW = 800
_MASK = (
    "The trimap has nothing unknown, so that its edges stay as hard as they are; a segmenter's "
    "mask goes to --mask (deepmatte.trimap.from_mask)."
)
_UNMARKED = "The trimap marks no {kind}: nothing in it is {level}."


@dataclass(frozen=True, eq=False, repr=False)
class Matte:
    """A matted picture; a notebook shows its cut-out.

    Attributes:
        picture: what was matted: its colours as they were, its own transparency if it has any, its
            colour profile and its resolution.
        trimap: uint8 (H, W) of 0 (background), 128 (unknown), 255 (foreground).
        predicted: float32 (H, W), 0..1, the network's alpha.
        notes: sentences about anything that a user should know of this result.
        transparency: what became of the picture's own, if it has any; see `Matter`.
        shadow: how dark the soft shadow below the subject is, 0..1, in the cut-out and over a new
            background.

    Example:
        matte = deepmatte.matte("photo.jpg", "trimap.png")
        matte.save("cutout.png")
        matte.save("alpha.tif", "alpha", depth=16)
        matte.over("#00b140").save("green.jpg")
    """

    picture: Picture
    trimap: NDArray[np.uint8]
    predicted: NDArray[np.float32]
    notes: tuple[str, ...] = ()
    transparency: Transparency = "keep"
    shadow: float = 0.0

    def __repr__(self) -> str:
        height, width = self.predicted.shape
        unknown = (self.trimap == _UNKNOWN).mean()
        return f"<deepmatte.Matte of {width} x {height} pixels, {unknown:.0%} unknown>"

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the cut-out, no larger than a screen."""
        import numpy as np

        from deepmatte.images import encode_image

        preview = self.cutout()
        preview.thumbnail((_PREVIEW, _PREVIEW))
        return encode_image(np.asarray(preview), ".png", metadata=self.picture.metadata)

    @functools.cached_property
    def alpha(self) -> NDArray[np.float32]:
        """How much of each pixel belongs to the subject: float32 (H, W), 0..1.

        What was predicted, and the picture's own transparency as `transparency` says.
        """
        from deepmatte.transparency import kept

        own = self.picture.alpha
        if own is None or self.transparency == "ignore":
            return self.predicted
        if self.transparency == "multiply":
            return self.predicted * own
        return kept(self.picture, self.trimap, self.predicted, own)

    @functools.cached_property
    def _mixing(self) -> NDArray[np.float32]:
        """How much of the stored colours is the subject's: float32 (H, W), 0..1.

        They are not multiplied by the picture's transparency. Where that is kept they are the
        subject's own, left there by whoever cut it out.
        """
        import numpy as np

        from deepmatte.transparency import kept

        if self.picture.alpha is None or self.transparency != "keep":
            return self.predicted
        visible = (self.picture.alpha > 0).astype(np.float32)
        return kept(self.picture, self.trimap, self.predicted, visible)

    @functools.cached_property
    def foreground(self) -> NDArray[np.float32]:
        """The subject's colours without the background's: float32 (H, W, 3), 0..1.

        Computed when it is first asked for; see `deepmatte.foreground`.
        """
        from deepmatte.foreground import estimate_foreground

        with named_memory_errors():
            return estimate_foreground(self.picture.levels, self._mixing)

    @functools.cached_property
    def colours(self) -> NDArray[np.uint8]:
        """The foreground in 8 bits, as it is saved: uint8 (H, W, 3), a quarter of the memory."""
        import numpy as np

        return self._foreground_levels(np.dtype(np.uint8))

    def cutout(self) -> Image.Image:
        """The subject alone: an RGBA picture whose colours are not multiplied by alpha.

        Its ``save`` keeps the photo's colour profile, resolution, EXIF and XMP, and stores a JPEG
        in high quality. A Pillow image has 8 bits; `save` keeps more.
        """
        return self._as_pillow(self.levels("cutout", 8))

    def cropped(self, margin: int = 0, *, share: float = 0.0) -> Matte:
        """The matte cropped to the subject, and to its shadow if it has one.

        Args:
            margin: pixels around it; beyond the picture they are transparent.
            share: more margin, as a share of the subject's larger side.

        Raises:
            MattingError: the matte is empty.

        Example:
            matte.cropped(20).save("cutout.png")
        """
        from deepmatte import framing

        find = framing.shadow_box if self.shadow else framing.subject_box
        left, top, right, bottom = framing.subject_box(self.alpha)
        margin += round(share * max(right - left, bottom - top))
        left, top, right, bottom = find(self.alpha)
        box = (left - margin, top - margin, right + margin, bottom + margin)
        return dataclasses.replace(
            self,
            picture=framing.crop_picture(self.picture, box),
            trimap=framing.crop_plane(self.trimap, box),
            predicted=framing.crop_plane(self.predicted, box),
        )

    def shadowed(self, opacity: float = 0.4) -> Matte:
        """The matte with a soft shadow below the subject, in the cut-out and over backgrounds.

        Example:
            matte.shadowed().cropped(20).resized(1000).save("product.png")
        """
        return dataclasses.replace(self, shadow=opacity)

    def resized(self, longest: int) -> Matte:
        """The matte made smaller, so that its longer side has so many pixels; never enlarged."""
        from deepmatte import framing

        height, width = self.picture.shape
        scale = longest / max(height, width)
        if scale >= 1:
            return self
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return dataclasses.replace(
            self,
            picture=framing.resize_picture(self.picture, size),
            trimap=framing.shrink_trimap(self.trimap, size),
            predicted=framing.shrink_plane(self.predicted, size),
        )

    def over(self, background: Background) -> Image.Image:
        """The subject on another background: an RGB picture that saves itself as `cutout` does.

        Args:
            background: a colour (``"#00b140"``, ``"white"``, ``(0, 177, 64)``) or a picture, as
                `deepmatte.composite.over` takes it.

        Raises:
            ImageError: the background is neither a colour nor a picture that can be read.
        """
        return self._as_pillow(self.composite_levels(background, 8))

    def save(
        self,
        target: Target,
        part: Part = "cutout",
        *,
        depth: Depth | None = None,
        straight: bool = False,
    ) -> None:
        """Write the cut-out, alpha or the foreground's colours, with the photo's metadata.

        Args:
            target: a path, whose suffix (.png, .jpg, .webp, .tif, .avif, .jxl, .exr) chooses the
                format, or a binary stream, which gets a PNG.
            part: ``"cutout"``, ``"alpha"`` or ``"foreground"``.
            depth: bits of each colour: 8, 16, ``"half"`` or ``"float"``. None is 16 for a photo of
                more than 8 bits where the format can, half for an EXR, and else 8.
            straight: do not multiply an EXR's colours by alpha. No other format ever does.

        Raises:
            ImageError: the format is unknown, or lacks the depth or an alpha; or the file cannot
                be written.

        Example:
            matte.save("cutout.png")
            matte.save("alpha.tif", "alpha", depth=16)
            matte.save("cutout.exr")    # linear light, premultiplied, half floats
        """
        from deepmatte.images import save_image, suffix_of

        depth = depth or self.depth_for(suffix_of(target))
        save_image(
            target,
            self.levels(part, depth),
            metadata=self.picture.metadata,
            depth=depth,
            straight=straight,
        )

    def save_over(
        self, target: Target, background: Background, *, depth: Depth | None = None
    ) -> None:
        """Write the subject on another background; arguments as of `over` and `save`.

        Example:
            matte.save_over("new.jpg", "beach.jpg")
        """
        from deepmatte.images import save_image, suffix_of

        depth = depth or self.depth_for(suffix_of(target))
        levels = self.composite_levels(background, depth)
        save_image(target, levels, metadata=self.picture.metadata, depth=depth)

    def save_layers(self, target: Target) -> None:
        """Write an .ora or a .psd: the subject with its alpha, and the photo, hidden, below it.

        In a PSD alpha is the subject's layer mask. A stream gets OpenRaster.

        Raises:
            ImageError: another suffix, psd-tools is not installed, or the file cannot be written.
        """
        from deepmatte.images import save_layers

        save_layers(target, self.layers(), metadata=self.picture.metadata)

    def layers(self) -> list[Layer]:
        """What `save_layers` writes, from the top down."""
        import numpy as np

        from deepmatte.images import Layer
        from deepmatte.images.arrays import to_levels

        dtype = np.dtype(np.uint8 if self.picture.levels.dtype == np.uint8 else np.uint16)
        photo = to_levels(self.picture.levels, dtype)
        own = None if self.picture.alpha is None else to_levels(self.picture.alpha, dtype)
        subject = self._foreground_levels(dtype)
        return [
            Layer("Subject", subject, to_levels(self.alpha, dtype)),
            Layer("Photo", photo, own, visible=False),
        ]

    def levels(self, part: Part, depth: Depth) -> NDArray[Any]:
        """What `save` stores: uint8, uint16 or float32; (H, W), (H, W, 3) or (H, W, 4)."""
        from deepmatte import composite
        from deepmatte.framing import soft_shadow
        from deepmatte.images import level_type
        from deepmatte.images.arrays import to_levels

        dtype = level_type(depth)
        with named_memory_errors():
            if part == "alpha":
                return to_levels(self.alpha, dtype)
            colours = self.colours if depth == 8 else self._foreground_levels(dtype)
            if part == "foreground":
                return colours
            joined = composite.cutout(colours, self.alpha, dtype)
            if self.shadow:
                composite.add_shadow(joined, soft_shadow(self.alpha, self.shadow))
        return joined

    def composite_levels(self, background: Background, depth: Depth) -> NDArray[Any]:
        """What `save_over` stores: (H, W, 3), uint8, uint16 or float32."""
        import numpy as np

        from deepmatte import composite
        from deepmatte.framing import soft_shadow
        from deepmatte.images import level_type
        from deepmatte.images.arrays import to_levels, to_unit

        dtype = level_type(depth)
        with named_memory_errors():
            profile = self.picture.metadata.icc_profile
            behind = composite.backdrop(background, *self.picture.shape, profile)
            mixed = np.empty(behind.shape, dtype)
            light = 1 - soft_shadow(self.alpha, self.shadow)[..., None] if self.shadow else None
            for rows, foreground in self._strips():
                lit = behind[rows] if light is None else light[rows] * to_unit(behind[rows])
                blended = composite.blend(foreground, self.alpha[rows], lit)
                mixed[rows] = to_levels(blended, dtype)
        return mixed

    def depth_for(self, suffix: str) -> Depth:
        """The depth that `save` takes for a suffix where none is given."""
        import numpy as np

        from deepmatte.images import default_depth

        deep = self.picture.levels.dtype != np.uint8
        return default_depth(suffix, np.dtype(np.uint16 if deep else np.uint8))

    def _foreground_levels(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        import numpy as np

        from deepmatte.images.arrays import to_levels

        with named_memory_errors():
            levels = np.empty(self.picture.levels.shape, dtype)
            for rows, foreground in self._strips():
                levels[rows] = to_levels(foreground, dtype)
        return levels

    def _strips(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Rows and their foreground: of what is there already, or a few rows at a time."""
        from deepmatte.foreground import foreground_strips

        if "foreground" in self.__dict__:
            return iter([(slice(None), self.foreground)])
        return foreground_strips(self.picture.levels, self._mixing)

    def _as_pillow(self, pixels: NDArray[np.uint8]) -> Image.Image:
        """Pixels as a Pillow image that saves itself with the photo's metadata."""
        from deepmatte.images import to_result

        return to_result(pixels, self.picture.metadata)


class Matter:
    """A loaded network; make one and use it for many pictures.

    Args:
        model: ``"lite"``, the network that comes with the package, another name from
            `deepmatte.weights`, or the path of an ONNX file.
        device: ``"cpu"``, or what the installed ONNX Runtime has beside it: ``"cuda"``,
            ``"openvino"``, ``"coreml"`` or ``"directml"``.
        threads: how many threads the network may use; None takes the cores of this process.
        tile: a picture is worked in tiles of at most as many pixels as a square of this side has,
            or None for the default.
        memory: bytes that the process may take for a picture, or a text like ``"1.5GB"``; chooses
            the tile.
        quality: ``"high"`` takes several times as long as ``"normal"`` for finer mattes: see
            `deepmatte.solver.engine.Engine`.
        transparency: of a picture that has its own, as one that was cut out before: ``"keep"``
            takes it as the subject's edge and solves what is opaque, ``"multiply"`` multiplies the
            matte by it, as of a veil, and ``"ignore"`` solves the colours under it.

    Attributes:
        device: where the network runs.

    It can be pickled, for other processes; the network is loaded anew there.

    Raises:
        ModelError: there is no such model or device.
        MattingError: the text is no amount of memory.

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
        from deepmatte.machine import bytes_of
        from deepmatte.solver.engine import Engine
        from deepmatte.transparency import SAID

        if transparency not in SAID:
            raise MattingError(
                f"transparency {transparency!r}: expected {', '.join(map(repr, SAID))}."
            )
        self._made_of = (model, device, threads, tile, memory, quality, transparency)
        self._transparency = transparency
        self.device = device
        allowed = bytes_of(memory) if isinstance(memory, str) else memory
        self._engine = Engine(
            model, device=device, threads=threads, tile=tile, memory=allowed, quality=quality
        )

    def __reduce__(self) -> tuple[Callable[..., Matter], tuple[Any, ...]]:
        return _made, self._made_of

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
        from deepmatte.solver.devices import device_notes
        from deepmatte.transparency import seen
        from deepmatte.trimap import read_trimap

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
    """A matter as it was pickled."""
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
    """What a screen shows of a picture: light brighter than white is white."""
    import numpy as np

    if levels.dtype.kind == "f" and (levels.min() < 0 or levels.max() > 1):
        return np.asarray(levels.clip(0, 1))
    return levels


def _notes(
    picture: Picture, trimap: NDArray[np.uint8], transparency: Transparency
) -> tuple[str, ...]:
    from deepmatte.transparency import SAID
    from deepmatte.trimap import BACKGROUND, FOREGROUND, UNKNOWN

    notes = [] if picture.alpha is None else [SAID[transparency]]
    if not (trimap == FOREGROUND).any():
        notes.append(_UNMARKED.format(kind="foreground", level="fully white"))
    if not (trimap == BACKGROUND).any():
        notes.append(_UNMARKED.format(kind="background", level="fully black"))
    if len(notes) == (picture.alpha is not None) and not (trimap == UNKNOWN).any():
        notes.append(_MASK)
    return tuple(notes)


@functools.lru_cache(maxsize=2)
def shared_matter(
    quality: Quality = "normal",
    memory: int | str | None = None,
    threads: int | None = None,
    transparency: Transparency = "keep",
) -> Matter:
    """The shipped network, loaded once for some settings and kept."""
    return Matter(quality=quality, memory=memory, threads=threads, transparency=transparency)


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
    """Matte one picture with the shipped network, which is loaded once and kept.

    Args:
        image: path, bytes, binary stream, Pillow image, array (uint8, uint16, or float in 0..1) of
            shape (H, W), (H, W, 3) or (H, W, 4), or what `images.open_image` gave.
        trimap: the same kinds: black (0) is background, white (255) is subject, anything between
            is unknown. `deepmatte.trimap` makes one from a mask, a box or a few strokes.
        quality: ``"high"`` takes several times as long as ``"normal"`` for finer mattes.
        memory: what the process may take, bytes or a text like ``"1GB"``; None for what it takes.
        threads: how many threads the network may use; None takes the cores of this process.
        resize_trimap: bring a trimap of another size to the picture's, by nearest neighbour,
            instead of refusing it.
        transparency: of a picture that was cut out before: ``"keep"`` takes it as the subject's
            edge, ``"multiply"`` multiplies the matte by it, ``"ignore"`` leaves it out.

    Returns:
        The alpha matte, the subject's colours, and from them cut-out and composite; see `Matte`.
        `Matter` keeps other settings, and takes networks of your own.

    Raises:
        ImageError: the picture cannot be read.
        TrimapError: the trimap makes no sense, or its size is not the picture's.
        ModelError: the network failed, or the memory is too little for the picture.
        MemoryError: there is not enough memory for this picture.

    Example:
        alpha = deepmatte.matte("photo.jpg", "trimap.png").alpha    # (H, W), 0..1
    """
    matter = shared_matter(quality, memory, threads, transparency)
    return matter(image, trimap, resize_trimap=resize_trimap)
