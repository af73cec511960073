"""torch -> ONNX: the file that `deepmatte.engine` runs."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from onnxscript import opset18
from torch import Tensor, nn

from deepmatte.errors import DataError
from deepmatte.files import write_bytes
from deepmatte.inputs import DIM_CHANNELS, INPUT_CHANNELS
from deepmatte.networks.dim import DeepImageMatting
from deepmatte.networks.lite import LiteMatting
from deepmatte.tiles import STRIDE

OPSET = 18


def export(network: LiteMatting | DeepImageMatting, path: str | os.PathLike[str]) -> None:
    """Write ``network`` as ONNX: ``inputs`` (1, C, H, W) -> ``alpha`` (1, 1, H, W), clipped.

    H and W are any multiples of `STRIDE`. Batch norm is folded into the convolutions. The channels'
    names stand in the metadata, from which the engine knows what to feed.

    The weights of `LiteMatting` are stored as float16 and widened when the file is loaded, so that
    arithmetic stays float32 at half the size; those of `DeepImageMatting` stay as they are.

    Errors: `DataError` where the weights hold values that float16 cannot.
    """
    lite = isinstance(network, LiteMatting)
    channels = INPUT_CHANNELS if lite else DIM_CHANNELS
    example = torch.rand(1, len(channels), 2 * STRIDE, 3 * STRIDE)
    size = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    # The exporter reports its progress on stdout and warns about packages that are not needed.
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            _Alpha(network).eval(),
            (example,),
            dynamo=True,
            input_names=["inputs"],
            output_names=["alpha"],
            dynamic_shapes={"inputs": size},
            opset_version=OPSET,
            custom_translation_table={
                torch.ops.aten.max_pool2d_with_indices.default: _max_pool,
                torch.ops.aten.max_unpool2d.default: _max_unpool,
            },
        )
    if program is None:
        raise DataError("torch exported nothing; expected an ONNX program")
    program.optimize()
    model = program.model_proto
    if lite:
        _halve(model)
    _forget_origins(model)
    helper.set_model_props(model, {"channels": ",".join(channels)})
    onnx.checker.check_model(model)
    write_bytes(path, model.SerializeToString())


# torch counts a maximum's place within its channel, ONNX within the whole tensor. As both of ONNX's
# operators do so, pooling and unpooling still fit each other where both are translated like this.
def _max_pool(features: Any, kernel_size: list[int]) -> Any:
    return opset18.MaxPool(features, kernel_shape=kernel_size, strides=kernel_size)


def _max_unpool(features: Any, indices: Any, output_size: Any) -> Any:
    return opset18.MaxUnpool(features, indices, kernel_shape=[2, 2], strides=[2, 2])


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

    def __init__(self, network: LiteMatting | DeepImageMatting) -> None:
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
