"""A matted picture: its alpha, its colours, and all outputs made from them.

NumPy, Pillow and OpenCV are imported where they are first needed, as in `deepmatte.matting`.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from deepmatte.arguments import check_number, check_whole, check_word
from deepmatte.errors import ImageError, MattingError, named_memory_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from deepmatte.composite import Background
    from deepmatte.framing import Framing
    from deepmatte.images import Depth, Layer, Picture, Target
    from deepmatte.transparency import Transparency

Part: TypeAlias = Literal["cutout", "alpha", "foreground"]

_PREVIEW = 800  # pixels


@dataclass(frozen=True, eq=False, repr=False)
class Matte:
    """A matted picture; a notebook shows its cut-out.

    Attributes:
        picture: what was matted: its colours as they were, its own transparency if it has any, its
            colour profile and its resolution.
        trimap: uint8 (H, W) of 0 (background), 128 (unknown), 255 (foreground).
        predicted: float32 (H, W), 0..1, the network's alpha.
        notes: sentences that the user should know about this result.
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
        from deepmatte.types import UNKNOWN

        height, width = self.predicted.shape
        unknown = (self.trimap == UNKNOWN).mean()
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
        from deepmatte.transparency import with_own_alpha

        return with_own_alpha(self.picture, self.trimap, self.predicted, self.transparency)

    @functools.cached_property
    def _subject(self) -> _SubjectColours:
        from deepmatte.transparency import share_of_colours

        share = share_of_colours(self.picture, self.trimap, self.predicted, self.transparency)
        return _SubjectColours(self.picture.levels, share)

    @property
    def _shadow(self) -> NDArray[np.float32] | None:
        from deepmatte.framing import soft_shadow

        return soft_shadow(self.alpha, self.shadow) if self.shadow else None

    @property
    def foreground(self) -> NDArray[np.float32]:
        """The subject's colours without the background's: float32 (H, W, 3), 0..1.

        Computed when it is first asked for; see `deepmatte.foreground`.
        """
        return self._subject.unit

    @property
    def colours(self) -> NDArray[np.uint8]:
        """The foreground in 8 bits, as it is saved: uint8 (H, W, 3), a quarter of the memory."""
        return self._subject.bytes

    def cutout(self) -> Image.Image:
        """The subject alone: an RGBA picture whose colours are not multiplied by alpha.

        Its ``save`` keeps the photo's colour profile, resolution, EXIF and XMP, and stores a JPEG
        in high quality. A Pillow image has 8 bits; `save` keeps more.
        """
        return _as_pillow(self.levels("cutout", 8), self.picture)

    def cropped(self, margin: int = 0, *, share: float = 0.0) -> Matte:
        """The matte cropped to the subject, and to its shadow if it has one.

        Args:
            margin: pixels around it; beyond the picture they are transparent.
            share: more margin, as a share of the subject's larger side.

        Raises:
            MattingError: the matte is empty, or the margin is negative or too wide.

        Example:
            matte.cropped(20).save("cutout.png")
        """
        from deepmatte import framing

        box = framing.box_with_margin(self.alpha, margin, share, shadow=self.shadow > 0)
        return dataclasses.replace(
            self,
            picture=framing.crop_picture(self.picture, box),
            trimap=framing.crop_plane(self.trimap, box),
            predicted=framing.crop_plane(self.predicted, box),
        )

    def shadowed(self, opacity: float = 0.4) -> Matte:
        """The matte with a soft shadow below the subject, in the cut-out and over backgrounds.

        Args:
            opacity: how dark the shadow is, 0..1.

        Raises:
            MattingError: the opacity is not in 0..1.

        Example:
            matte.shadowed().cropped(20).resized(1000).save("product.png")
        """
        opacity = check_number(opacity, "The opacity", MattingError, low=0, high=1)
        return dataclasses.replace(self, shadow=opacity)

    def resized(self, longest: int) -> Matte:
        """The matte made smaller; a smaller matte is not enlarged.

        Args:
            longest: pixels of the longer side.

        Raises:
            MattingError: ``longest`` is less than 1 or no whole number.
        """
        longest = check_whole(longest, "The longer side", MattingError)
        from deepmatte import framing
        from deepmatte.images.resize import limited, shrink

        size = limited(self.picture.shape, longest)
        if size == self.picture.shape:
            return self
        return dataclasses.replace(
            self,
            picture=framing.resize_picture(self.picture, size),
            trimap=framing.shrink_trimap(self.trimap, size),
            predicted=shrink(self.predicted, size),
        )

    def over(self, background: Background) -> Image.Image:
        """The subject on another background: an RGB picture that saves itself as `cutout` does.

        Args:
            background: a colour (``"#00b140"``, ``"white"``, ``(0, 177, 64)``) or a picture, as
                `deepmatte.composite.over` takes it.

        Raises:
            ImageError: the background is neither a colour nor a picture that can be read.
        """
        return _as_pillow(self.composite_levels(background, 8), self.picture)

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
            ImageError: the format is unknown, or lacks the depth or an alpha; there is no such
                part or depth; or the file cannot be written.

        Example:
            matte.save("cutout.png")
            matte.save("alpha.tif", "alpha", depth=16)
            matte.save("cutout.exr")    # linear light, premultiplied, half floats
        """
        from deepmatte.images import save_image

        depth = _depth(target, self.picture) if depth is None else depth
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
        from deepmatte.images import save_image

        depth = _depth(target, self.picture) if depth is None else depth
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

        from deepmatte.images import layers_of

        eight_bits = self.picture.levels.dtype == np.uint8
        colours = self._subject.levels(np.dtype(np.uint8 if eight_bits else np.uint16))
        return layers_of(self.picture, colours, self.alpha)

    def levels(self, part: Part, depth: Depth) -> NDArray[Any]:
        """What `save` stores: uint8, uint16 or float32; (H, W), (H, W, 3) or (H, W, 4).

        Raises:
            ImageError: there is no such part or depth.
        """
        from deepmatte import composite
        from deepmatte.images import level_type
        from deepmatte.images.arrays import to_levels

        dtype = level_type(depth)
        check_word(part, "The part", ImageError, get_args(Part))
        with named_memory_errors():
            if part == "alpha":
                return to_levels(self.alpha, dtype)
            colours = self.colours if depth == 8 else self._subject.levels(dtype)
            if part == "foreground":
                return colours
            return composite.cutout(colours, self.alpha, dtype, self._shadow)

    def composite_levels(self, background: Background, depth: Depth) -> NDArray[Any]:
        """What `save_over` stores: (H, W, 3), uint8, uint16 or float32."""
        from deepmatte import composite
        from deepmatte.images import level_type

        with named_memory_errors():
            profile = self.picture.metadata.icc_profile
            behind = composite.backdrop(background, *self.picture.shape, profile)
            strips, dtype = self._subject.strips(), level_type(depth)
            return composite.over_strips(strips, self.alpha, behind, dtype, self._shadow)


def framed(matte: Matte, framing: Framing) -> Matte:
    """A matte with a shadow, cropped and made smaller, as far as that is asked for.

    Raises:
        MattingError: the matte is to be cropped and is empty.
    """
    if framing.shadow:
        matte = matte.shadowed(framing.shadow)
    if framing.crop is not None:
        pixels, share = framing.crop
        matte = matte.cropped(pixels, share=share)
    return matte if framing.longest is None else matte.resized(framing.longest)


def _depth(target: Target, picture: Picture) -> Depth:
    """What a result is stored in where nothing is asked for."""
    from deepmatte.images import depth_for, suffix_of

    return depth_for(suffix_of(target), picture.levels)


def _as_pillow(pixels: NDArray[np.uint8], picture: Picture) -> Image.Image:
    """Pixels as a Pillow image that saves itself with the photo's metadata."""
    from deepmatte.images import to_result

    return to_result(pixels, picture.metadata)


class _SubjectColours:
    """A subject's colours without the background's, computed when they are first asked for.

    Args:
        photo: (H, W, 3), uint8, uint16 or float32.
        share: float32 (H, W), 0..1, how much of the photo's colours is the subject's.
    """

    def __init__(self, photo: NDArray[Any], share: NDArray[np.float32]) -> None:
        self._photo = photo
        self._share = share

    @functools.cached_property
    def unit(self) -> NDArray[np.float32]:
        """All of them: float32 (H, W, 3), 0..1."""
        from deepmatte.foreground import estimate_foreground

        with named_memory_errors():
            return estimate_foreground(self._photo, self._share)

    @functools.cached_property
    def bytes(self) -> NDArray[np.uint8]:
        """All of them in 8 bits: uint8 (H, W, 3)."""
        import numpy as np

        return self.levels(np.dtype(np.uint8))

    def levels(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """All of them as uint8, uint16 or float32 (H, W, 3)."""
        import numpy as np

        from deepmatte.images.arrays import to_levels

        with named_memory_errors():
            levels = np.empty(self._photo.shape, dtype)
            for rows, foreground in self.strips():
                levels[rows] = to_levels(foreground, dtype)
        return levels

    def strips(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Rows and their colours: of what is there already, or a few rows at a time."""
        from deepmatte.foreground import foreground_strips

        if "unit" in self.__dict__:
            return iter([(slice(None), self.unit)])
        return foreground_strips(self._photo, self._share)
