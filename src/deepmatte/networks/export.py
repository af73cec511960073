"""torch -> ONNX: the file that `deepmatte.engine` runs, weights at half precision."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from deepmatte.engine import STRIDE
from deepmatte.errors import DataError
from deepmatte.files import write_bytes
from deepmatte.inputs import INPUT_CHANNELS
from deepmatte.networks.lite import LiteMatting

OPSET = 18


def export(network: LiteMatting, path: str | os.PathLike[str]) -> None:
    """Write ``network`` as ONNX: ``inputs`` (1, C, H, W) -> ``alpha`` (1, 1, H, W), clipped.

    H and W are any multiples of `STRIDE`. Batch norm is folded into the convolutions; their
    weights are stored as float16 and widened when the file is loaded, so that arithmetic stays
    float32 at half the size. The channels' names stand in the metadata, and the engine refuses a
    file whose channels are not its own.

    Errors: `DataError` where the weights hold values that float16 cannot.
    """
    example = torch.rand(1, len(INPUT_CHANNELS), 2 * STRIDE, 3 * STRIDE)
    size = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    # The exporter reports its progress on stdout and warns about packages that are not needed.
    with _quiet():
        program = torch.onnx.export(
            _Alpha(network).eval(),
            (example,),
            dynamo=True,
            input_names=["inputs"],
            output_names=["alpha"],
            dynamic_shapes={"inputs": size},
            opset_version=OPSET,
        )
    if program is None:
        raise DataError("torch exported nothing; expected an ONNX program")
    program.optimize()
    model = program.model_proto
    _halve(model)
    _forget_origins(model)
    helper.set_model_props(model, {"channels": ",".join(INPUT_CHANNELS)})
    onnx.checker.check_model(model)
    write_bytes(path, model.SerializeToString())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


class _Alpha(nn.Module):
    """The part of the network's output that is used: the refined alpha, clipped."""

    def __init__(self, network: LiteMatting) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        alpha: Tensor = self.network(inputs)[0].clamp(0, 1)
        return alpha


def _forget_origins(model: onnx.ModelProto) -> None:
    """Drop the stack traces that the exporter writes into every node: paths of this machine."""
    for part in (model, model.graph, *model.graph.node):
        del part.metadata_props[:]
        part.doc_string = ""


def _halve(model: onnx.ModelProto) -> None:
    """Store the weights of convolutions as float16, each widened by a Cast of its name."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.ndim != 4:
            continue
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise DataError(f"{tensor.name}: values beyond float16's range; expected below 65504")
        name, halves = tensor.name, values.astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(halves, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    # Value infos of initializers would now disagree with the tensors that they describe.
    del model.graph.value_info[:]
