"""`deepmatte export NETWORK`: a trained network as the ONNX file that `matte --model` takes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from deepmatte.evaluation.datasets import open_dataset
from deepmatte.files import write_bytes
from deepmatte.weights import catalogue

if TYPE_CHECKING:
    from deepmatte.networks.dim import DeepImageMatting
    from deepmatte.networks.lite import LiteMatting

EXAMPLE = """\b
Example:
  deepmatte export runs/lite/checkpoint.pt -o mine.onnx
  deepmatte export runs/lite/checkpoint.pt -o fast.onnx --int8 composites
  deepmatte export runs/dim/dim.safetensors -o dim.onnx
  deepmatte matte photo.jpg trimap.png --model dim.onnx
"""


def export(
    network: Annotated[
        Path,
        typer.Argument(
            help="A checkpoint of `deepmatte train lite` or the .onnx file that was made of it, or "
            "the .safetensors file that `deepmatte train dim` or `deepmatte convert` wrote."
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The ONNX file to write.")
    ],
    int8: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Calculate in 8 bit, twice as fast on processors that can: the folder holds "
            "images and trimaps, as `deepmatte compose set` writes them, to see how large values "
            "become. For networks of `train lite`.",
        ),
    ] = None,
) -> None:
    """Export a trained or converted network; needs pip install 'deepmatte[train]'."""
    from deepmatte.cli.train import needs_torch

    with needs_torch():
        from deepmatte.networks.export import export as export_network
        from deepmatte.networks.lite import LiteMatting
        from deepmatte.networks.quantize import quantize, samples

        loaded = _load(network)
    if int8 is None:
        export_network(loaded, out)
        return
    if not isinstance(loaded, LiteMatting):
        raise typer.BadParameter("the paper's network stays as it is", param_hint="--int8")
    shown = samples(open_dataset(int8))
    with TemporaryDirectory() as folder:
        exported = Path(folder) / "float.onnx"
        export_network(loaded, exported)
        write_bytes(out, quantize(exported.read_bytes(), shown))


def _load(path: Path) -> LiteMatting | DeepImageMatting:
    from deepmatte import networks
    from deepmatte.networks.export import restore
    from deepmatte.networks.lite import LiteMatting
    from deepmatte.training.checkpoint import start_from

    if path.suffix.lower() == ".safetensors":
        return networks.load(path)
    network = LiteMatting()
    if path.suffix.lower() == ".onnx":
        restore(catalogue.find(path), network)
    else:
        start_from(path, network)
    return network.eval()
