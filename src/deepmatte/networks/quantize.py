"""float ONNX -> ONNX that calculates in 8 bit: twice as fast where processors can multiply those.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic
-Only Inference", CVPR 2018; here without training. Ranges of features are those seen in samples.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from deepmatte.errors import DataError
from deepmatte.evaluation.datasets import Dataset
from deepmatte.images import open_image
from deepmatte.inputs import NetworkInputs
from deepmatte.tiles import STRIDE
from deepmatte.trimap import UNKNOWN, open_trimap

_QUANTIZED = "_quantized"
"""What ONNX Runtime appends to the name of a tensor that it stores in 8 bit."""


_SAMPLES = 24
_SIDE = 512
"""Pixels a side of what is seen of a sample, at most."""


def quantize(content: bytes, samples: Iterable[NDArray[np.float32]]) -> bytes:
    """The network of a file that `deepmatte.networks.export` wrote, with convolutions in 8 bit.

    Weights stay stored as they are and are rounded when the file is loaded, so that a training can
    start from it. What is added up to alpha stays float32: 8 bits of its range are coarser than a
    level of 255.

    Args:
        content: of an ONNX file.
        samples: inputs (C, H, W) of the network, for the ranges of what it calculates.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = onnx.load_model_from_string(content)
    folded, widened = _fold(model)
    with TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "quantized.onnx"
        quantize_static(
            folded,
            path,
            _reader(samples),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            # Of 7 bits: products of 8 overflow on processors without VNNI.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_alpha_nodes(folded.graph),
        )
        quantized = onnx.load(path)
    _store_as_before(quantized.graph, model.graph, widened)
    helper.set_model_props(quantized, {prop.key: prop.value for prop in model.metadata_props})
    del quantized.graph.value_info[:]
    onnx.checker.check_model(quantized)
    return bytes(quantized.SerializeToString())


def samples(dataset: Dataset) -> Iterator[NDArray[np.float32]]:
    """Inputs (C, H, W) of the compact network: windows around unknown pixels of some pictures.

    Errors: `DataError` where no picture has a trimap with unknown pixels; those of opening them.
    """
    step = max(1, len(dataset.samples) // _SAMPLES)
    found = False
    for index, sample in enumerate(dataset.samples[::step][:_SAMPLES]):
        if not sample.trimaps:
            continue
        image = open_image(sample.image).rgb
        trimap = open_trimap(list(sample.trimaps.values())[index % len(sample.trimaps)])
        places = np.argwhere(trimap == UNKNOWN)
        if not len(places):
            continue
        found = True
        row, column = places[len(places) // 2].tolist()
        height, width = trimap.shape
        window = _around(row, height), _around(column, width)
        yield _whole_blocks(NetworkInputs(image, trimap).read(window))
    if not found:
        raise DataError(f"{dataset.name}: expected pictures with trimaps that have unknown pixels")


def _around(place: int, side: int) -> slice:
    start = max(0, min(place - _SIDE // 2, side - _SIDE)) // STRIDE * STRIDE
    return slice(start, min(start + _SIDE, side))


def _whole_blocks(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inputs continued at their edges to multiples of `STRIDE`, as the engine does."""
    height, width = inputs.shape[1:]
    return np.pad(inputs, ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE)), mode="edge")


def _fold(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[onnx.NodeProto]]:
    """The model with weights as plain tensors, and the nodes that made them of what is stored."""
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    constant = {tensor.name for tensor in model.graph.initializer}
    widened = []
    for node in model.graph.node:
        if node.input and all(name in constant for name in node.input):
            widened.append(node)
            constant.update(node.output)
    names = [name for node in widened for name in node.output]
    part = helper.make_graph(
        widened,
        "weights",
        [],
        [helper.make_empty_tensor_value_info(name) for name in names],
        list(model.graph.initializer),
    )
    values = ReferenceEvaluator(helper.make_model(part, opset_imports=model.opset_import)).run(
        names, {}
    )
    for name, value in zip(names, values, strict=True):
        folded.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    rest = [node for node in model.graph.node if node not in widened]
    _replace(folded.graph, rest, folded.graph.initializer)
    return folded, widened


def _alpha_nodes(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes whose results are only added up, moved and clipped before they are alpha,
    and of the convolutions that they come from."""
    made_by = {name: node for node in graph.node for name in node.output}
    waiting, found = [output.name for output in graph.output], []
    while waiting:
        node = made_by.get(waiting.pop())
        if node is not None:
            found.append(node.name)
            if node.op_type != "Conv":
                waiting += node.input
    return found


def _store_as_before(
    graph: onnx.GraphProto, original: onnx.GraphProto, widened: list[onnx.NodeProto]
) -> None:
    """Put the weights back as they were stored, and round them when the file is loaded."""
    eighths = {
        tensor.name: tensor.name.removesuffix(_QUANTIZED)
        for tensor in graph.initializer
        if tensor.data_type == TensorProto.INT8 and tensor.name.endswith(_QUANTIZED)
    }
    needed = set(eighths.values())
    makers: list[onnx.NodeProto] = []
    for node in reversed(widened):
        if needed.intersection(node.output):
            makers.insert(0, node)
            needed.update(node.input)
    for quantized, name in eighths.items():
        scale, zero = f"{name}_scale", f"{name}_zero_point"
        makers.append(helper.make_node("QuantizeLinear", [name, scale, zero], [quantized], axis=0))
    nodes = [*makers, *graph.node]
    known = {name for node in nodes for name in node.output}
    stored = [tensor for tensor in graph.initializer if tensor.name not in known]
    known.update(tensor.name for tensor in stored)
    stored += [tensor for tensor in original.initializer if tensor.name not in known]
    _replace(graph, nodes, stored)


def _replace(
    graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto], stored: Iterable[onnx.TensorProto]
) -> None:
    """Give the graph other nodes, and those of the stored tensors that they use."""
    used = {name for node in nodes for name in node.input}
    stored = [tensor for tensor in stored if tensor.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(stored)


def _reader(samples: Iterable[NDArray[np.float32]]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest = iter(samples)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            sample = next(self.rest, None)
            return None if sample is None else {"inputs": sample[None]}

    return Reader()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """ONNX Runtime asks for a preparation that folding has made needless."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
