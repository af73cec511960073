"""A matted picture: its alpha, its colours, and every way to take it out.

NumPy, Pillow and OpenCV are imported where they are first needed, as in `deepmatte.matting`.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from deepmatte.errors import named_memory_errors

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

_UNKNOWN = 128  # as in `deepmatte.trimap`, which loads OpenCV
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
            MattingError: the matte is empty, or the margin is too wide.

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

    def framed(self, framing: Framing) -> Matte:
        """The matte with a shadow, cropped and made smaller, as far as that is asked for.

        Raises:
            MattingError: the matte is to be cropped and is empty.
        """
        framed = self.shadowed(framing.shadow) if framing.shadow else self
        if framing.crop is not None:
            pixels, share = framing.crop
            framed = framed.cropped(pixels, share=share)
        return framed if framing.longest is None else framed.resized(framing.longest)

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
