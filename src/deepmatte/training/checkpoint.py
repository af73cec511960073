"""Checkpoints: written whole or not at all; a run continues from them bit for bit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deepmatte.errors import DataError
from deepmatte.images.files import write_bytes
from deepmatte.networks.stored import read_weights

State = dict[str, Any]

LAST = "checkpoint.pt"
"""The file to continue from, and the last network."""
BEST = "best.pt"
"""The network with the lowest SAD on the held-out composites."""


def find(out: Path, *, resume: bool) -> Path | None:
    """The checkpoint to continue in the folder of a run, or None where there is none.

    Raises:
        DataError: if there is one that is not to be continued.
    """
    path = out / LAST
    if path.exists() and not resume:
        raise DataError(f"{path} exists: resume it, or train into another folder")
    return path if path.exists() else None


def save(state: State, path: Path) -> None:
    """Write ``state``; if this is interrupted, the earlier file stays whole.

    Raises:
        DataError: if weights are not finite; the earlier file stays.
    """
    for part in ("network", "average"):
        for name, value in state.get(part, {}).items():
            if value.is_floating_point() and not value.isfinite().all():
                raise DataError(
                    f"{name} is not finite any more, so that {path} was not written: lower the "
                    "learning rate"
                )
    content = io.BytesIO()
    torch.save(state, content)
    write_bytes(path, content.getvalue())


def load(path: Path) -> State:
    """Read what `save` wrote. Tensors and plain values only: a pickle cannot run code here.

    Raises:
        DataError: if the file is missing, damaged or not a checkpoint.
    """
    state = read_weights(path, "checkpoint")
    if not isinstance(state, dict) or "network" not in state or "step" not in state:
        raise DataError(
            f"{path}: no network and step in it; expected a checkpoint that deepmatte train wrote"
        )
    for part in ("network", "average"):
        weights = state.get(part, {})
        if not isinstance(weights, dict) or not all(
            isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
        ):
            raise DataError(
                f"{path}: no weights in its {part}; expected a checkpoint that deepmatte "
                "train wrote"
            )
    if type(state["step"]) is not int or state["step"] < 0:
        raise DataError(
            f"{path}: its step is no whole number; expected a checkpoint that deepmatte train wrote"
        )
    return state


def check_moments(optimizer: torch.optim.Optimizer) -> None:
    """Check that an optimiser's state has the shapes of its parameters; torch does not.

    Raises:
        ValueError: if it has not.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.ndim and value.shape != parameter.shape:
                raise ValueError(f"{name} has the shape {tuple(value.shape)}")


def averaged_weights(state: State) -> dict[str, Tensor]:
    """The resulting weights of a run that `load` read, under the network's own names.

    They are its moving average, or the network's own where none is kept.
    """
    prefix = "module."  # how torch's AveragedModel names the network that it wraps
    weights: dict[str, Tensor] = state["network"]
    if "average" in state:
        average = state["average"].items()
        weights = {n.removeprefix(prefix): v for n, v in average if n.startswith(prefix)}
    return weights


def start_from(path: Path, network: nn.Module, *, fresh: str | None = None) -> None:
    """Load `averaged_weights` of another run.

    Args:
        path: the other run's checkpoint.
        network: what they are loaded into.
        fresh: the part of the network that may be missing there; it then stays as it is.

    Raises:
        DataError: as `load`, and where the weights are of another network.
    """
    weights, own = averaged_weights(load(path)), network.state_dict()
    missing = {
        name for name in own if name not in weights and not (fresh and name.startswith(f"{fresh}."))
    }
    shapes = {name: value.shape for name, value in own.items()}
    other = {name for name, value in weights.items() if shapes.get(name) != value.shape}
    if missing or other:
        raise DataError(
            f"{path}: {len(missing | other)} tensors do not fit, {min(missing | other)} "
            "among them; expected weights of the same network"
        )
    network.load_state_dict({**own, **weights})
