"""The weighted mean of two exported networks, weight by weight.

    python tools/mean_network.py ONE.onnx OTHER.onnx SHARE OUT.onnx    # SHARE of OTHER, 0 to 1

Of a network and of what became of it in a further training; the mean of unrelated networks is none.
Source: Wortsman et al. 2022, "Model soups".
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from deepmatte.images.files import write_bytes


def main() -> None:
    """Write the mean in the first one's graph."""
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    one, other = (onnx.load(path) for path in sys.argv[1:3])
    share = float(sys.argv[3])
    weights = {tensor.name: tensor for tensor in other.graph.initializer}
    if weights.keys() != {tensor.name for tensor in one.graph.initializer}:
        sys.exit("expected two files of the same network")
    for tensor in one.graph.initializer:
        first, second = (numpy_helper.to_array(part) for part in (tensor, weights[tensor.name]))
        if np.issubdtype(first.dtype, np.floating):
            mean = (1 - share) * first.astype(np.float32) + share * second.astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(mean.astype(first.dtype), tensor.name))
    # The checksum was of the first one's weights.
    kept = [entry for entry in one.metadata_props if entry.key != "sha256"]
    del one.metadata_props[:]
    one.metadata_props.extend(kept)
    write_bytes(Path(sys.argv[4]), one.SerializeToString())


if __name__ == "__main__":
    main()
