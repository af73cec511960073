"""The four metrics of `deepmatte.evaluation.metrics`, averaged over pictures while one trains.

Example:
    errors = MattingErrors().to(device)
    for batch in validation:
        errors.update(network(batch), batch.alpha, batch.trimap)
    errors.compute()["sad"]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from deepmatte.errors import DataError
from deepmatte.evaluation.metrics import measure
from deepmatte.evaluation.results import METRICS
from deepmatte.images.arrays import check_floats


class MattingErrors(Metric):
    """The mean over all pictures of SAD, MSE, gradient and connectivity error.

    ``update`` rounds both alphas to 8 bit first, as saving does: that is what a user gets and what
    the official code reads. Under a distributed group ``compute`` counts the pictures of all
    processes. The work is done on the CPU.

    Input of ``update``, and of a call:
        prediction, alpha: (B, 1, H, W), any kind of float in 0..1.
        trimap: uint8 (B, 1, H, W) of exactly 0, 128 and 255. One without unknown pixels makes the
            mean MSE NaN.

    Output of ``compute``:
        the means by name (`results.METRICS`), float64 scalars; NaN before the first picture.

    Raises:
        DataError: other shapes.
        ImageError, TrimapError: other types or values; then no picture of the batch counts.
    """

    higher_is_better = False
    is_differentiable = False
    full_state_update = False

    sums: Tensor  # (4,), in the order of METRICS
    pictures: Tensor

    def __init__(self) -> None:
        super().__init__()
        zeros = torch.zeros(len(METRICS), dtype=torch.float64)
        self.add_state("sums", default=zeros, dist_reduce_fx="sum")
        self.add_state("pictures", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, alpha: Tensor, trimap: Tensor) -> None:
        shape = tuple(alpha.shape)
        same = prediction.shape == alpha.shape == trimap.shape
        if len(shape) != 4 or shape[1] != 1 or 0 in shape or not same:
            raise DataError(
                f"The prediction has shape {tuple(prediction.shape)}, the alpha {shape} and the"
                f" trimap {tuple(trimap.shape)}; expected (B, 1, H, W), the same for all."
            )
        triples = zip(
            eight_bit(prediction, "The prediction"),
            eight_bit(alpha, "The alpha"),
            _planes(trimap),
            strict=True,
        )
        errors = [[*measure(*triple).values()] for triple in triples]
        self.sums += torch.tensor(errors, dtype=torch.float64).sum(0).to(self.sums.device)
        self.pictures += len(errors)

    def compute(self) -> dict[str, Tensor]:
        return dict(zip(METRICS, self.sums / self.pictures, strict=True))


def eight_bit(alpha: Tensor, name: str = "The alpha") -> NDArray[np.uint8]:
    """Alphas (B, 1, H, W) in 0..1 as a user gets them in files: uint8 (B, H, W).

    Raises:
        ImageError: they are not finite, or not in 0..1.
    """
    levels = np.rint(check_floats(_planes(alpha.float()), name) * np.float32(255))
    rounded: NDArray[np.uint8] = levels.astype(np.uint8)
    return rounded


def _planes(batch: Tensor) -> NDArray[Any]:
    """(B, H, W) on the CPU."""
    planes: NDArray[Any] = batch.detach()[:, 0].cpu().numpy()
    return planes
