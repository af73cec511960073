"""How steady the mattes of a shot are, compared with the true ones.

Source: Erofeev, Gitman, Vatolin, Fedorov and Wang, "Perceptually Motivated Benchmark for Video
Matting", BMVC 2015, section 3.
"""

from __future__ import annotations

import math

import numpy as np

from deepmatte.types import Flags, Floats


class Steadiness:
    """dtSSD and MESSDdt of a shot, frame by frame; two frames are in memory at a time.

    dtSSD is the root of the mean of ``(d alpha / dt - d alpha* / dt)**2``, MESSDdt the mean of
    ``|(alpha - alpha*)**2 [t + 1] - (alpha - alpha*)**2 [t]|``, the second along the true motion.
    Both are means over the pixels that count, and then over the frames; lower is better.

    Example:
        steadiness = Steadiness()
        for alpha, true in zip(alphas, true_alphas):
            steadiness.add(alpha, true)
        print(steadiness.dtssd, steadiness.messddt)
    """

    def __init__(self) -> None:
        self._before: tuple[Floats, Floats] | None = None
        self._dtssd: list[float] = []
        self._messddt: list[float] = []

    def add(
        self, alpha: Floats, true: Floats, counts: Flags | None = None, flow: Floats | None = None
    ) -> None:
        """Take the next frame.

        Args:
            alpha: float32 (H, W), 0..1.
            true: float32 (H, W), 0..1.
            counts: bool (H, W), the pixels that are looked at; None takes all.
            flow: float32 (H, W, 2), how far each pixel of this frame lay from here in the frame
                before, (x, y); None where nothing moves.
        """
        before, self._before = self._before, (alpha, true)
        if before is None:
            return
        where = np.ones(alpha.shape, np.bool_) if counts is None else counts
        if not where.any():
            return
        change = (alpha - before[0]) - (true - before[1])
        self._dtssd.append(math.sqrt(float(np.mean(change[where] ** 2))))
        earlier = (before[0] - before[1]) ** 2
        if flow is not None:
            earlier = _along(earlier, flow)
        self._messddt.append(float(np.mean(np.abs((alpha - true) ** 2 - earlier)[where])))

    @property
    def dtssd(self) -> float:
        """Of the frames so far; 0 for a single one."""
        return float(np.mean(self._dtssd)) if self._dtssd else 0.0

    @property
    def messddt(self) -> float:
        """Of the frames so far; 0 for a single one."""
        return float(np.mean(self._messddt)) if self._messddt else 0.0


def _along(plane: Floats, flow: Floats) -> Floats:
    import cv2

    height, width = plane.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    source = (grid + flow).astype(np.float32)
    x, y = np.ascontiguousarray(source[..., 0]), np.ascontiguousarray(source[..., 1])
    return np.asarray(cv2.remap(plane, x, y, cv2.INTER_LINEAR), np.float32)
