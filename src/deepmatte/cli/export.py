"""`deepmatte export NETWORK`: a trained network as an ONNX file for `matte --model`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepmatte.cli import outputs

if TYPE_CHECKING:
    from deepmatte.networks.dim import DeepImageMatting
    from deepmatte.networks.lite import LiteMatting

EXAMPLE = """\b
Example:
  deepmatte export runs/lite/checkpoint.pt -o mine.onnx
  deepmatte export runs/dim/dim.safetensors -o dim.onnx
  deepmatte matte photo.jpg trimap.png --model dim.onnx
"""


def export(
    network: Annotated[
        Path,
        typer.Argument(
            metavar="NETWORK",
            help="A checkpoint of `deepmatte train`, or the .safetensors file that "
            "`deepmatte train dim` or `deepmatte convert` wrote.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The ONNX file to write.")
    ],
) -> None:
    """Export a trained or converted network to ONNX; needs pip install 'deepmatte[train]'."""
    from deepmatte.cli.train import needs_torch

    with needs_torch():
        from deepmatte.networks import export as networks_export

        loaded = _load(network)
    networks_export.export(loaded, out)
    megabytes = out.stat().st_size / 1e6
    outputs.log(f"wrote {out}, {megabytes:.1f} MB: deepmatte matte PHOTO TRIMAP --model {out}")


def _load(path: Path) -> LiteMatting | DeepImageMatting:
    from deepmatte import networks
    from deepmatte.networks.lite import LiteMatting
    from deepmatte.training import checkpoint, dim

    if path.suffix.lower() == ".safetensors":
        return networks.load(path)
    state = checkpoint.load(path)
    described = state.get("training")
    if isinstance(described, dict) and "stage" in described:
        return dim.trained(state, path)
    network = LiteMatting()
    checkpoint.start_from(path, network)
    return network.eval()
