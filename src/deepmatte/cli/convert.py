"""`deepmatte convert CHECKPOINT`: a public checkpoint of Deep Image Matting as safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = """\b
Example:
  deepmatte convert dim_stage3_v16_pln.pth -o dim.safetensors
  deepmatte convert stage1_skip_sad_52.9.pth --skips -o dim.safetensors
  deepmatte export dim.safetensors -o dim.onnx
  deepmatte matte photo.jpg trimap.png --model dim.onnx
"""


def convert(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A checkpoint of a public implementation.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The .safetensors file to write.")
    ],
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="mmagic|huochaitiantang|indexnet",
            help="The implementation; by default it is recognised.",
        ),
    ] = None,
    skips: Annotated[
        bool | None,
        typer.Option(
            "--skips/--no-skips",
            help="Whether the decoder adds the encoder's features; required for files of "
            "huochaitiantang.",
        ),
    ] = None,
) -> None:
    """Convert a public checkpoint of Deep Image Matting; needs pip install 'deepmatte[train]'.

    Only tensors and plain values are read from the checkpoint, never code. Every tensor must fit
    into the network.
    """
    from deepmatte.cli import outputs
    from deepmatte.cli.train import needs_torch

    if out.suffix.lower() != ".safetensors":
        raise typer.BadParameter(
            f"{out} does not end in .safetensors; expected a name such as net.safetensors.",
            param_hint="'-o' / '--out'",
        )
    with needs_torch():
        from deepmatte import networks
        from deepmatte.networks import convert as networks_convert

        network = networks_convert.convert(checkpoint, layout=layout, skips=skips)
        networks.save(network, out)
    count = sum(parameter.numel() for parameter in network.parameters())
    outputs.log(f"{checkpoint}: {count:,} parameters, {network.config}, wrote {out}")
