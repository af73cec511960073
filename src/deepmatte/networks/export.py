"""Exports a torch network to the ONNX file that `deepmatte.solver.engine` runs."""

from __future__ import annotations

import contextlib
import io
import itertools
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
from deepmatte.images.files import write_bytes
from deepmatte.networks.dim import DeepImageMatting
from deepmatte.networks.lite import LiteMatting
from deepmatte.solver.inputs import DIM_CHANNELS, INPUT_CHANNELS
from deepmatte.solver.tiles import STRIDE
from deepmatte.weights.seal import sealed

OPSET = 18


def export(network: LiteMatting | DeepImageMatting, path: str | os.PathLike[str]) -> None:
    """Write ``network`` as ONNX: ``inputs`` (1, C, H, W) -> ``alpha`` (1, 1, H, W), clipped.

    H and W are any multiples of `STRIDE`. Batch norm is folded into the convolutions. The channels'
    names stand in the metadata, from which the engine knows what to feed.

    The weights of `LiteMatting` are stored as float16 and widened when the file is loaded, so that
    arithmetic stays float32 at half the size; those of `DeepImageMatting` stay as they are.

    Raises:
        DataError: if the weights hold values that float16 cannot.
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
    with _quiet():
        program.optimize()
        model = program.model_proto
    if lite:
        _halve(model)
    _forget_origins(model)
    helper.set_model_props(model, {"channels": ",".join(channels)})
    onnx.checker.check_model(model)
    write_bytes(path, sealed(model.SerializeToString()))


def restore(content: bytes, network: LiteMatting) -> None:
    """Load the weights of a file that `export` wrote; the network in eval mode then answers as it.

    Batch norms come back as shifts: what they were folded into the convolutions with is not stored.

    Raises:
        DataError: if the content is no such file.
    """
    try:
        tensors = onnx.load_model_from_string(content).graph.initializer
        stored = {
            tensor.name.removeprefix("network.").removesuffix("_half"): torch.from_numpy(
                numpy_helper.to_array(tensor).astype(np.float32)
            )
            for tensor in tensors
        }
        with torch.no_grad():
            for parent, block in network.named_modules():
                children = list(block.named_children())
                for (name, convolution), (_, norm) in itertools.pairwise(children):
                    if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                        shift = stored[f"{parent}.{name}.weight_bias".lstrip(".")]
                        identity = {"running_mean": 0 * shift, "weight": 0 * shift + 1}
                        identity["running_var"] = identity["weight"] - norm.eps
                        norm.load_state_dict({**identity, "bias": shift}, strict=False)
            for name, parameter in network.named_parameters():
                if parameter.ndim == 4 or name in stored:
                    parameter.copy_(stored[name])
    except Exception as error:  # of the parser, of torch, or a tensor that is not there
        raise DataError(
            f"{str(error).splitlines()[0]}; expected a network that deepmatte export wrote"
        ) from error


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
        answer = self.network(inputs)  # of the paper's network a pair: refined, and not
        alpha: Tensor = answer if isinstance(answer, Tensor) else answer[0]
        return alpha.clamp(0, 1)


def _forget_origins(model: onnx.ModelProto) -> None:
    """Drop the stack traces that the exporter writes into every node: they hold local paths."""
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
