"""The mean of two exported networks, weight by weight.

    python docs/mean_network.py ONE.onnx OTHER.onnx OUT.onnx

Of a network and of what became of it in a further training; the mean of unrelated networks is none.
Source: Wortsman et al. 2022, "Model soups".
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from deepmatte.files import write_bytes


def main() -> None:
    """Write the mean in the first one's graph."""
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    one, other = (onnx.load(path) for path in sys.argv[1:3])
    weights = {tensor.name: tensor for tensor in other.graph.initializer}
    if weights.keys() != {tensor.name for tensor in one.graph.initializer}:
        sys.exit("expected two files of the same network")
    for tensor in one.graph.initializer:
        first, second = (numpy_helper.to_array(part) for part in (tensor, weights[tensor.name]))
        if np.issubdtype(first.dtype, np.floating):
            mean = (first.astype(np.float32) + second.astype(np.float32)) / 2
            tensor.CopyFrom(numpy_helper.from_array(mean.astype(first.dtype), tensor.name))
    write_bytes(Path(sys.argv[3]), one.SerializeToString())


if __name__ == "__main__":
    main()
