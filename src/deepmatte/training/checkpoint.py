"""Checkpoints: written whole or not at all, and enough to continue bit for bit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deepmatte.errors import DataError
from deepmatte.files import write_bytes

State = dict[str, Any]


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
    """The weights that a run is for, its moving average, ready for the network's own names.

    Errors: `DataError`, as `load`.
    """
    prefix = "module."  # how torch's AveragedModel names the network that it wraps
    average = load(path)["average"]
    return {
        name.removeprefix(prefix): value
        for name, value in average.items()
        if name.startswith(prefix)
    }
