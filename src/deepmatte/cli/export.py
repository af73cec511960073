"""`deepmatte export CHECKPOINT`: a trained network as the ONNX file that `matte --model` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = """\b
Example:
  deepmatte export runs/lite/checkpoint.pt -o mine.onnx
  deepmatte matte photo.jpg trimap.png --model mine.onnx
"""


def export(
    checkpoint: Annotated[Path, typer.Argument(help="What `deepmatte train` wrote.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The ONNX file to write.")
    ],
) -> None:
    """Export a trained network's averaged weights; needs pip install 'deepmatte[train]'."""
    from deepmatte.cli.train import needs_torch

    with needs_torch():
        from deepmatte.networks import export as networks_export
        from deepmatte.networks.lite import LiteMatting
        from deepmatte.training.checkpoint import averaged_weights
    network = LiteMatting().eval()
    network.load_state_dict(averaged_weights(checkpoint))
    networks_export.export(network, out)
