"""Checkpoints of public implementations -> `DeepImageMatting`.

Checkpoints are pickles, which can run anything when they are read. They are read as weights only:
tensors, plain values and NumPy's numbers, and nothing that could be called.

What the implementations do differently from the paper and from each other: docs/paper.md.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepmatte.errors import DataError
from deepmatte.networks.dim import DeepImageMatting, DimConfig, Output, Part
from deepmatte.networks.stored import check_content

_SCALAR = np.float64().__reduce__()[0]
# Scores of past epochs often stand beside the weights as numbers of NumPy, which both its old and
# its new name make.
_NUMBERS: list[Any] = [
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float64", "float32", "int64", "int32", "bool")),
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]


@dataclass(frozen=True)
class Layout:
    """How an implementation names the parts of the network, and which variant it is.

    In the names ``{stage}`` and ``{number}`` count convolutions as VGG16's do, from 1; ``{index}``
    counts a stage's modules from 0.
    """

    name: str
    convolution: str
    norm: str | None
    fc6: str
    fc6_norm: str | None
    fc6_kernels: tuple[int, ...]
    fc6_channels: int
    deconvolution: str
    prediction: str
    refinement: str | None
    """Beginning of the names of the refinement's convolutions."""
    output: Output
    may_skip: bool


LAYOUTS = (
    Layout(
        name="mmagic",
        convolution="backbone.encoder.layer{stage}.{index}",
        norm="backbone.encoder.layer{stage}.{index}",
        fc6="backbone.encoder.conv6",
        fc6_norm="backbone.encoder.bn",
        fc6_kernels=(1,),
        fc6_channels=512,
        deconvolution="backbone.decoder.deconv{stage}_1",
        prediction="backbone.decoder.deconv1",
        refinement="refiner.refine_",
        output="sigmoid",
        may_skip=False,
    ),
    Layout(
        name="huochaitiantang",
        convolution="conv{stage}_{number}",
        norm=None,
        fc6="conv6_1",
        fc6_norm=None,
        fc6_kernels=(3, 1),
        fc6_channels=512,
        deconvolution="deconv{stage}_1",
        prediction="deconv1",
        refinement="refine_",
        output="sigmoid",
        may_skip=True,
    ),
    Layout(
        name="indexnet",
        convolution="conv{stage}{number}",
        norm="bn{stage}{number}",
        fc6="conv6",
        fc6_norm=None,
        fc6_kernels=(7,),
        fc6_channels=4096,
        deconvolution="dconv{stage}",
        prediction="alpha_pred",
        refinement=None,
        output="clipped",
        may_skip=False,
    ),
)


def convert(
    path: str | os.PathLike[str], *, layout: str | None = None, skips: bool | None = None
) -> DeepImageMatting:
    """Read a checkpoint of a public implementation.

    Args:
        path: what torch saved: a ``state_dict``, alone or beside an optimiser's state and the like.
        layout: mmagic, huochaitiantang or indexnet; None recognises it by its names.
        skips: whether the encoder's features are added in the decoder. The files of
            huochaitiantang do not tell: those of version 1.5 and later do so, earlier ones do not.

    Returns:
        The network in eval mode, float32, on the CPU.

    Raises:
        DataError: if the file is missing, damaged, or holds more than weights; where it is of
            another layout; where a tensor is missing, unexpected or of another shape; where
            ``skips`` is needed and not said, or said of a layout that has none.
    """
    name = os.fspath(path)
    weights = _weights(_read(path), name)
    known = _layout(weights, layout, name)
    if known.may_skip and skips is None:
        raise DataError(
            f"{name}: the files of {known.name} do not tell whether the network adds the encoder's "
            "features in its decoder; say --skips (version 1.5 and later) or --no-skips"
        )
    if skips and not known.may_skip:
        raise DataError(f"{name}: the network of {known.name} has no skips; expected --no-skips")
    config = _config(known, weights, bool(skips))
    with torch.device("meta"):  # the weights' own storage becomes the network's
        network = DeepImageMatting(config)
    network.load_state_dict(_renamed(network, known, weights, name), assign=True)
    return network.eval()


def _read(path: str | os.PathLike[str]) -> Any:
    try:
        check_content(path)
        with torch.serialization.safe_globals(_NUMBERS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{os.fspath(path)}: cannot be read: {error.strerror}") from error
    except Exception as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        if found:
            raise DataError(
                f"{os.fspath(path)}: holds a pickled {found[1]}, which is a program and not "
                "weights, and is not run; expected a state_dict of tensors: load the file in the "
                "code that wrote it, if you trust it, and save its state_dict"
            ) from error
        raise DataError(
            f"{os.fspath(path)}: damaged or no checkpoint; expected what torch.save writes"
        ) from error


def _weights(content: Any, name: str) -> dict[str, Tensor]:
    """The tensors by their names, without what DataParallel puts before them."""
    state = content.get("state_dict", content) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not state:
        raise DataError(f"{name}: holds a {type(state).__name__}; expected a state_dict of tensors")
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise DataError(
                f"{name}: {key!r} is a {type(value).__name__}; expected a state_dict of tensors"
            )
        if not value.isfinite().all():
            raise DataError(
                f"{name}: {key} holds values that are not finite; expected finite numbers"
            )
    return {key.removeprefix("module."): value for key, value in state.items()}


def _layout(weights: dict[str, Tensor], wanted: str | None, name: str) -> Layout:
    names = ", ".join(layout.name for layout in LAYOUTS)
    if wanted is not None and wanted not in {layout.name for layout in LAYOUTS}:
        raise DataError(f"layout {wanted!r}: expected one of {names}")
    for layout in LAYOUTS:
        first = layout.convolution.format(stage=1, number=1, index=0)
        if f"{first}.weight" in weights:
            if wanted in (None, layout.name):
                return layout
            raise DataError(f"{name}: of the layout {layout.name}; expected {wanted}")
    raise DataError(
        f"{name}: of no known layout: its first tensors are {_some(weights)}; "
        f"expected a network of {wanted or names}"
    )


def _config(layout: Layout, weights: dict[str, Tensor], skips: bool) -> DimConfig:
    """The variant, from the layout and the tensors in the file."""
    norms: dict[Part, str | None] = {"encoder": layout.norm, "fc6": layout.fc6_norm}
    with_norm = tuple(
        part
        for part, norm in norms.items()
        if norm and f"{norm.format(stage=1, number=1, index=1)}.weight" in weights
    )
    fc6 = weights.get(f"{layout.fc6}.weight", torch.empty(0))
    fitting = [kernel for kernel in layout.fc6_kernels if fc6.shape[-1:] == (kernel,)]
    refined = layout.refinement and any(key.startswith(layout.refinement) for key in weights)
    return DimConfig(
        fc6_kernel=(fitting or layout.fc6_kernels)[0],
        fc6_channels=layout.fc6_channels,
        batch_norm=with_norm,
        skips=skips,
        output=layout.output,
        refinement="sigmoid" if refined else "none",
        refinement_scale=1.0,
    )


def _renamed(
    network: DeepImageMatting, layout: Layout, weights: dict[str, Tensor], name: str
) -> dict[str, Tensor]:
    """The tensors by our names; all of them, and all of the network's."""
    own = network.state_dict()
    modules = _names(layout, network.config)
    theirs = {key: f"{modules[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}" for key in own}
    expected = {theirs[key]: tuple(value.shape) for key, value in own.items()}
    # Only newer versions of torch write these counters, and nothing depends on them.
    for key in expected.keys() - weights.keys():
        if key.endswith(".num_batches_tracked"):
            weights = {**weights, key: torch.zeros(())}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    complaints = {
        "missing": [key for key in expected if key not in found],
        "unexpected": [key for key in found if key not in expected],
        "of another shape": [
            f"{key} {found[key]}, expected {shape}"
            for key, shape in expected.items()
            if found.get(key, shape) != shape
        ],
    }
    if any(complaints.values()):
        listed = [f"{len(v)} {kind} ({_some(v)})" for kind, v in complaints.items() if v]
        raise DataError(
            f"{name}: not the network of {layout.name} with its {len(expected)} tensors: "
            f"{'; '.join(listed)}"
        )
    return {key: weights[theirs[key]].to(value.dtype).contiguous() for key, value in own.items()}


def _names(layout: Layout, config: DimConfig) -> dict[str, str]:
    """The layout's names of our convolutions and batch norms."""
    names = {}
    step = 3 if "encoder" in config.batch_norm else 2  # convolution, norm if there is one, ReLU
    for stage, convolutions in enumerate((2, 2, 3, 3, 3), 1):
        for number in range(convolutions):
            ours = f"encoder_decoder.conv{stage}.{number}"
            index = number * step
            names[f"{ours}.convolution"] = layout.convolution.format(
                stage=stage, number=number + 1, index=index
            )
            names[f"{ours}.norm"] = (layout.norm or "").format(
                stage=stage, number=number + 1, index=index + 1
            )
    names["encoder_decoder.fc6.0.convolution"] = layout.fc6
    names["encoder_decoder.fc6.0.norm"] = layout.fc6_norm or ""
    for stage in range(1, 7):
        names[f"encoder_decoder.deconv{stage}.0.convolution"] = layout.deconvolution.format(
            stage=stage
        )
        names[f"refinement.{stage - 1}.convolution"] = f"{layout.refinement}conv{stage}"
    names["encoder_decoder.prediction"] = layout.prediction
    names["refinement.3"] = f"{layout.refinement}pred"
    return names


def _some(things: Mapping[str, Any] | list[str]) -> str:
    shown = list(things)[:3]
    return ", ".join(shown) + (", ..." if len(things) > len(shown) else "")
