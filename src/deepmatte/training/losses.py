"""The losses, over unknown pixels only (Xu et al. 2017, section 4.1).

All take ``(B, 1, H, W)`` alphas and a mask of the same shape, 1 at unknown pixels, and return a
scalar: the mean over the unknown pixels of each crop, then over the crops. Without the first mean
the few crops that are completely unknown, smoke and veils, would outweigh the hair of all others.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

EPSILON = 1e-6


def _mean(values: Tensor, unknown: Tensor) -> Tensor:
    return _per_unknown((values * unknown).sum((1, 2, 3)), unknown)


def _per_unknown(sums: Tensor, unknown: Tensor) -> Tensor:
    """The crops' sums ``(B,)`` by their numbers of unknown pixels (at least 1 %), averaged."""
    floor = 0.01 * unknown[0].numel()
    return (sums / unknown.sum((1, 2, 3)).clamp(min=floor)).mean()


def alpha_prediction(predicted: Tensor, alpha: Tensor, unknown: Tensor) -> Tensor:
    """sqrt((a_p - a_g)^2 + eps^2), equation 2."""
    return _mean(((predicted - alpha).square() + EPSILON**2).sqrt(), unknown)


def compositional(
    predicted: Tensor, alpha: Tensor, foreground: Tensor, background: Tensor, unknown: Tensor
) -> Tensor:
    """sqrt((c_p - c_g)^2 + eps^2) with colours composited from the true F and B, equation 4.

    ``foreground`` and ``background`` are ``(B, 3, H, W)``; the mean is over the three colours too.
    """
    predicted_colours = predicted * foreground + (1 - predicted) * background
    colours = alpha * foreground + (1 - alpha) * background
    difference = ((predicted_colours - colours).square() + EPSILON**2).sqrt()
    return _mean(difference.mean(dim=1, keepdim=True), unknown)


def laplacian(predicted: Tensor, alpha: Tensor, unknown: Tensor, levels: int = 4) -> Tensor:
    """Absolute differences of Laplacian pyramids, level l weighted 2^l.

    Hou and Liu 2019 (Context-Aware Matting), equation 3. Errors at known pixels count as none.
    """
    difference = (predicted - alpha) * unknown  # the pyramid is linear: that of the difference
    total = predicted.new_zeros(len(predicted))
    for level in range(levels):
        smaller = functional.avg_pool2d(difference, 2)
        enlarged = functional.interpolate(
            smaller, scale_factor=2.0, mode="bilinear", align_corners=False
        )
        total = total + 2**level * (difference - enlarged).abs().sum((1, 2, 3))
        difference = smaller
    return _per_unknown(total, unknown)


def softly_clipped(alpha: Tensor, slope: float = 0.05) -> Tensor:
    """alpha clipped to 0..1, but with a small slope outside.

    The paper clips; a clipped pixel then never learns. With a slope it may overshoot cheaply, so
    that 0 and 1 are reached exactly in use, and still comes back when it is wrong.
    """
    clipped = alpha.clamp(0, 1)
    return clipped + slope * (alpha - clipped)
