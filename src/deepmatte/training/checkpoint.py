"""Checkpoints: written whole or not at all, and enough to continue bit for bit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deepmatte.errors import DataError
from deepmatte.images.files import write_bytes

State = dict[str, Any]

LAST = "checkpoint.pt"
"""The file to continue from, and the last network."""
BEST = "best.pt"
"""The network with the lowest SAD on the held-out composites."""


def find(out: Path, *, resume: bool) -> Path | None:
    """The checkpoint to continue in the folder of a run, or None where there is none.

    Errors: `DataError` where there is one that is not to be continued.
    """
    path = out / LAST
    if path.exists() and not resume:
        raise DataError(f"{path} exists: resume it, or train into another folder")
    return path if path.exists() else None


def save(state: State, path: Path) -> None:
    """Write ``state``; whoever stops this on the way finds the earlier file whole."""
    content = io.BytesIO()
    torch.save(state, content)
    write_bytes(path, content.getvalue())


def load(path: Path) -> State:
    """Read what `save` wrote. Tensors and plain values only: a pickle cannot run code here.

    Errors: `DataError` where the file is missing, damaged or not a checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: not a readable checkpoint: {first}") from error
    if not isinstance(state, dict) or "network" not in state or "step" not in state:
        raise DataError(f"{path}: not a checkpoint of this program: no network and step in it")
    return state


def averaged_weights(path: Path) -> dict[str, Tensor]:
    """The weights that a run is for, ready for the network's own names.

    They are its moving average, or the network's own where none is kept.

    Errors: `DataError`, as `load`.
    """
    state = load(path)
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

    Errors: `DataError`, as `load`, and where the weights are of another network.
    """
    weights, own = averaged_weights(path), network.state_dict()
    missing = {
        name for name in own if name not in weights and not (fresh and name.startswith(f"{fresh}."))
    }
    shapes = {name: value.shape for name, value in own.items()}
    other = {name for name, value in weights.items() if shapes.get(name) != value.shape}
    if missing or other:
        raise DataError(
            f"{path}: weights of another network; {len(missing | other)} tensors do not fit, "
            f"{min(missing | other)} among them"
        )
    network.load_state_dict({**own, **weights})
