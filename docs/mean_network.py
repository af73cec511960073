"""The weighted mean of two exported networks, weight by weight.

    python docs/mean_network.py ONE.onnx OTHER.onnx SHARE OUT.onnx    # SHARE of OTHER, 0 to 1

Of a network and of what became of it in a further training, which may have dropped parts of it; the
mean of unrelated networks is none.
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
    """Write the mean in the other one's graph."""
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    one, other = (onnx.load(path) for path in sys.argv[1:3])
    share = float(sys.argv[3])
    before = {tensor.name: numpy_helper.to_array(tensor) for tensor in one.graph.initializer}
    for tensor in other.graph.initializer:
        if not tensor.name.startswith("network."):  # a constant of the graph
            continue
        after = numpy_helper.to_array(tensor)
        if tensor.name not in before or before[tensor.name].shape != after.shape:
            sys.exit(f"{tensor.name}: expected two files of the same network")
        mean = (1 - share) * before[tensor.name].astype(np.float32) + share * after
        tensor.CopyFrom(numpy_helper.from_array(mean.astype(after.dtype), tensor.name))
    write_bytes(Path(sys.argv[4]), other.SerializeToString())


if __name__ == "__main__":
    main()
