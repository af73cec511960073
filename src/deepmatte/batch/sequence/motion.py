"""Motion from one frame of a shot to the next, where it is reliable, and scene cuts.

Source: Kroeger, Timofte, Dai and Van Gool, "Fast Optical Flow using Dense Inverse Search",
ECCV 2016, as OpenCV has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.types import Flags, Floats

# The flow is looked for with this longer side, in pixels: edges of alpha are found by the network,
# not by the flow.
_SIDE = 640
# A pixel and its partner agree if going there and back ends no further away than this, in pixels,
# and this share of the way.
_SLACK, _SLACK_SHARE = 1.0, 0.1
# Levels (of 1) that a pixel may differ from its partner beyond the frames' noise.
_DIFFERENCE = 0.06
# A pixel counts as still where standing still explains it as well as moving, but for this.
_STILL = 0.004
# Share of the pixels that find no partner after a cut.
_CUT = 0.5


@dataclass(frozen=True)
class Motion:
    """The motion from the previous frame to this one.

    Attributes:
        source: float32 (H, W, 2): for each pixel of this frame where it was, (x, y).
        speed: float32 (H, W), how far it came, in pixels.
        trust: float32 (H, W), 0..1: 1 where the pixel looks as it did there.
        is_cut: whether the frames show different scenes.
    """

    source: NDArray[np.float32]
    speed: Floats
    trust: Floats
    is_cut: bool

    def carry(self, plane: Floats) -> Floats:
        """A plane of the frame before, float32 (H, W), as it looks in this one."""
        return np.asarray(_moved(plane, self.source), np.float32)


class Tracker:
    """Compares each frame of a shot with the one before."""

    def __init__(self) -> None:
        self._before: NDArray[np.uint8] | None = None

    def follow(self, levels: NDArray[Any]) -> Motion | None:
        """The motion to this frame (H, W, 3); None for the first, and where the size changes."""
        small = _small(levels)
        before, self._before = self._before, small
        if before is None or before.shape != small.shape:
            return None
        return _motion(before, small, (levels.shape[0], levels.shape[1]))


def _small(levels: NDArray[Any]) -> NDArray[np.uint8]:
    from deepmatte.images.arrays import to_bytes, to_unit
    from deepmatte.images.resize import shrink

    height, width = levels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    # The flow's coarsest level needs some pixels.
    shrunk = shrink(levels, (max(32, round(height * scale)), max(32, round(width * scale))))
    return shrunk if shrunk.dtype == np.uint8 else to_bytes(to_unit(shrunk))  # (h, w, 3)


def _motion(before: NDArray[np.uint8], now: NDArray[np.uint8], shape: tuple[int, int]) -> Motion:
    import cv2

    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, now)]
    nothing = np.zeros((*now.shape[:2], 2), np.float32)
    forward = flow.calc(greys[0], greys[1], nothing.copy())  # (h, w, 2)
    backward = flow.calc(greys[1], greys[0], nothing.copy())  # (h, w, 2)
    grid = _grid(now.shape[0], now.shape[1])
    moved, still = _difference(now, before, grid + backward), _difference(now, before, grid)
    stays = still <= moved + _STILL  # (h, w)
    backward[stays] = 0
    there = _moved(forward, grid + backward)  # (h, w, 2)
    there[stays] = 0
    away = np.linalg.norm(backward + there, axis=2)
    way = np.linalg.norm(backward, axis=2)
    difference = np.where(stays, still, moved)
    noise = float(np.median(difference))
    agrees = away <= _SLACK + _SLACK_SHARE * way
    beyond = np.maximum(difference - noise, 0) / _DIFFERENCE
    trust = np.exp(-(beyond**2)) * agrees
    is_cut = bool(np.mean((difference > 0.1) | ~agrees) > _CUT)
    flow_back = np.asarray(backward, np.float32)
    return _enlarged(flow_back, np.asarray(trust, np.float32), shape, is_cut)


def _difference(
    now: NDArray[np.uint8], before: NDArray[np.uint8], source: NDArray[np.float32]
) -> Floats:
    """How much each pixel differs from its match, 0..1, averaged over a window."""
    import cv2

    difference = cv2.absdiff(now, _moved(before, source)).max(axis=2).astype(np.float32) / 255
    return np.asarray(cv2.GaussianBlur(difference, (0, 0), 1.5), np.float32)


def _enlarged(
    backward: NDArray[np.float32], trust: Floats, shape: tuple[int, int], is_cut: bool
) -> Motion:
    """The motion between small frames as one between frames of the full size."""
    import cv2

    height, width = shape
    scale = np.array([width / backward.shape[1], height / backward.shape[0]], np.float32)
    flow = cv2.resize(backward, (width, height), interpolation=cv2.INTER_LINEAR) * scale
    large = cv2.resize(trust, (width, height), interpolation=cv2.INTER_LINEAR)
    return Motion(
        source=(_grid(height, width) + flow).astype(np.float32),
        speed=np.linalg.norm(flow, axis=2).astype(np.float32),
        trust=np.asarray(large, np.float32),
        is_cut=is_cut,
    )


def _moved(plane: NDArray[Any], source: NDArray[np.float32]) -> NDArray[Any]:
    """What lies where each pixel comes from: (H, W) or (H, W, C)."""
    import cv2

    x, y = np.ascontiguousarray(source[..., 0]), np.ascontiguousarray(source[..., 1])
    return cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _grid(height: int, width: int) -> NDArray[np.float32]:
    """Where each pixel is: float32 (H, W, 2), (x, y)."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x, y], axis=-1).astype(np.float32)


def near(mask: Flags, pixels: float) -> Flags:
    """The pixels no further than so many from one of a mask (H, W)."""
    import cv2

    if not mask.any():
        return mask
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(distance <= pixels)
