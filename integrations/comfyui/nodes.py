"""Nodes around `deepmatte`: subject, trimap, matte, colours, composite.

ComfyUI's IMAGE is float32 (B, H, W, 3) in 0..1 and its MASK float32 (B, H, W) in 0..1, both torch
tensors; a trimap is a MASK of 0 (background), 0.5 (unknown) and 1 (subject). Where two inputs have
other numbers of pictures, one picture of the one goes with all of the other.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

import deepmatte
from deepmatte.composite import over
from deepmatte.foreground import estimate_foreground
from deepmatte.solver.devices import available_devices

CATEGORY = "mask/deepmatte"

Arrays = Iterator[tuple[NDArray[np.float32], ...]]


@functools.lru_cache(maxsize=2)
def _matter(device: str, quality: Literal["normal", "high"]) -> deepmatte.Matter:
    return deepmatte.Matter(device=device, quality=quality)


def _pairs(*batches: torch.Tensor) -> Arrays:
    """The pictures of several batches side by side, as arrays.

    Raises:
        ValueError: the batches have other numbers of pictures, none of them one.
    """
    count = max(len(batch) for batch in batches)
    if any(len(batch) not in (1, count) for batch in batches):
        numbers = ", ".join(str(len(batch)) for batch in batches)
        raise ValueError(
            f"Batches of {numbers} pictures; expected equal numbers, or one of them 1."
        )
    for index in range(count):
        yield tuple(
            batch[index if len(batch) > 1 else 0].detach().cpu().numpy().astype(np.float32)
            for batch in batches
        )


def _colours(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """An IMAGE's colours, within 0..1: some nodes overshoot, and some add an alpha channel."""
    clipped: NDArray[np.float32] = picture[..., :3].clip(0, 1)
    return clipped


def _stacked(pictures: list[NDArray[Any]]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures).astype(np.float32))


def _trimap(levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A MASK as a trimap; the middle of the levels is unknown, however a node has rounded them."""
    labels = np.full(levels.shape, 128, np.uint8)
    labels[levels <= 0.02] = 0
    labels[levels >= 0.98] = 255
    return labels


class FindSubject:
    """A rough mask of the subject, by an installed segmenter."""

    CATEGORY = CATEGORY
    FUNCTION = "run"
    RETURN_TYPES = ("MASK",)
    DESCRIPTION = "Find the subject: people by MediaPipe, anything by rembg where it is installed."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 (ComfyUI's name)
        """What ComfyUI asks for."""
        return {
            "required": {
                "image": ("IMAGE",),
                "segmenter": (["best", "people", "rembg"], {"default": "best"}),
            }
        }

    def run(self, image: torch.Tensor, segmenter: str) -> tuple[torch.Tensor]:
        """Find it."""
        name = None if segmenter == "best" else segmenter
        masks = [
            deepmatte.find_subject(_colours(picture), segmenter=name)
            for (picture,) in _pairs(image)
        ]
        return (_stacked(masks),)


class TrimapFromMask:
    """A trimap of a segmenter's mask."""

    CATEGORY = CATEGORY
    FUNCTION = "run"
    RETURN_TYPES = ("MASK",)
    RETURN_NAMES = ("trimap",)
    DESCRIPTION = "Leave a band along a mask's edge unknown: 0 background, 0.5 unknown, 1 subject."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """What ComfyUI asks for."""
        return {
            "required": {
                "mask": ("MASK",),
                "width": (
                    "FLOAT",
                    {
                        "default": 0.0,
                        "min": 0.0,
                        "max": 2000.0,
                        "tooltip": "Of the band, pixels; 0 takes 4 % of the picture's side.",
                    },
                ),
            }
        }

    def run(self, mask: torch.Tensor, width: float) -> tuple[torch.Tensor]:
        """Make it."""
        trimaps = [
            deepmatte.trimap.from_rough_mask(levels.clip(0, 1), width=width or None)
            for (levels,) in _pairs(mask)
        ]
        return (_stacked([(labels // 127) / 2 for labels in trimaps]),)  # 0, 128, 255


class Matte:
    """The alpha matte of a picture and a trimap."""

    CATEGORY = CATEGORY
    FUNCTION = "run"
    RETURN_TYPES = ("MASK", "IMAGE")
    RETURN_NAMES = ("alpha", "foreground")
    DESCRIPTION = "Matte a picture within the unknown part of a trimap, down to single hairs."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """What ComfyUI asks for."""
        return {
            "required": {
                "image": ("IMAGE",),
                "trimap": ("MASK",),
                "quality": (["normal", "high"],),
                "device": (available_devices(),),
            }
        }

    def run(
        self,
        image: torch.Tensor,
        trimap: torch.Tensor,
        quality: Literal["normal", "high"],
        device: str,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Matte it."""
        matter = _matter(device, quality)
        mattes = [
            matter(_colours(picture), _trimap(levels)) for picture, levels in _pairs(image, trimap)
        ]
        return _stacked([m.alpha for m in mattes]), _stacked([m.foreground for m in mattes])


class Foreground:
    """The subject's own colours, of any alpha."""

    CATEGORY = CATEGORY
    FUNCTION = "run"
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("foreground",)
    DESCRIPTION = "Free the subject's colours of the old background that shines through its edge."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """What ComfyUI asks for."""
        return {"required": {"image": ("IMAGE",), "alpha": ("MASK",)}}

    def run(self, image: torch.Tensor, alpha: torch.Tensor) -> tuple[torch.Tensor]:
        """Estimate them."""
        return (
            _stacked(
                [
                    estimate_foreground(_colours(picture), levels.clip(0, 1))
                    for picture, levels in _pairs(image, alpha)
                ]
            ),
        )


class Composite:
    """The subject on another picture."""

    CATEGORY = CATEGORY
    FUNCTION = "run"
    RETURN_TYPES = ("IMAGE",)
    DESCRIPTION = "Put the subject on a background, which is scaled to cover it."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """What ComfyUI asks for."""
        return {
            "required": {"foreground": ("IMAGE",), "alpha": ("MASK",), "background": ("IMAGE",)}
        }

    def run(
        self, foreground: torch.Tensor, alpha: torch.Tensor, background: torch.Tensor
    ) -> tuple[torch.Tensor]:
        """Put it there."""
        return (
            _stacked(
                [
                    over(_colours(front), levels.clip(0, 1), _colours(behind))
                    for front, levels, behind in _pairs(foreground, alpha, background)
                ]
            ),
        )


NODE_CLASS_MAPPINGS: dict[str, type] = {
    "DeepmatteFindSubject": FindSubject,
    "DeepmatteTrimapFromMask": TrimapFromMask,
    "DeepmatteMatte": Matte,
    "DeepmatteForeground": Foreground,
    "DeepmatteComposite": Composite,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "DeepmatteFindSubject": "Find subject (deepmatte)",
    "DeepmatteTrimapFromMask": "Trimap from mask (deepmatte)",
    "DeepmatteMatte": "Matte (deepmatte)",
    "DeepmatteForeground": "Foreground colours (deepmatte)",
    "DeepmatteComposite": "Composite (deepmatte)",
}
