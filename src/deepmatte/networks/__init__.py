"""The networks as torch modules: how they are trained, converted and exported.

Using them through `deepmatte.matte` needs no torch; neither does importing this.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from deepmatte.networks.dim import DeepImageMatting
    from deepmatte.networks.lite import LiteMatting

__all__ = ["load", "load_lite", "save"]


def save(network: DeepImageMatting, path: str | os.PathLike[str]) -> None:
    """Write a network with its configuration as safetensors, whole or not at all.

    Raises:
        ImageError: if the file cannot be written.
    """
    import dataclasses
    import json

    import safetensors.torch

    from deepmatte.images.files import write_bytes

    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    config = json.dumps(dataclasses.asdict(network.config))
    stored = {"deep_image_matting": config, "sha256": _digest(weights, config)}
    write_bytes(path, safetensors.torch.save(weights, stored))


def load(path: str | os.PathLike[str]) -> DeepImageMatting:
    """The network that `save` wrote, in eval mode on the CPU.

    Raises:
        DataError: if the file is missing, damaged, or holds something else.

    Example:
        network = deepmatte.networks.load("dim.safetensors")
        alpha = network.infer(image, trimap)
    """
    import json

    import safetensors
    import torch

    from deepmatte.errors import DataError
    from deepmatte.networks.dim import DeepImageMatting, DimConfig

    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            stored = metadata.get("deep_image_matting")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise DataError(
            f"{os.fspath(path)}: not a readable safetensors file ({error}); expected a network "
            "that deepmatte convert or deepmatte train wrote"
        ) from error
    if stored is None:
        raise DataError(
            f"{os.fspath(path)}: no configuration of Deep Image Matting in it; expected a file "
            "that deepmatte convert or deepmatte train wrote"
        )
    if "sha256" in metadata and metadata["sha256"] != _digest(weights, stored):
        raise DataError(
            f"{os.fspath(path)}: damaged: the weights do not fit their checksum; "
            "expected a whole copy"
        )
    try:
        values = json.loads(stored)
        config = DimConfig(**{**values, "batch_norm": tuple(values["batch_norm"])})
        with torch.device("meta"):  # the weights' own storage becomes the network's
            network = DeepImageMatting(config)
        network.load_state_dict(weights, assign=True)
    except (ValueError, TypeError, KeyError, RuntimeError, OverflowError, MemoryError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{os.fspath(path)}: not a network of this version ({first}); expected one that this "
            "version of deepmatte wrote"
        ) from error
    return network.eval()


def load_lite() -> LiteMatting:
    """The default network, in eval mode on the CPU, with the weights of its ONNX file.

    Raises:
        ModelError: the file is missing or damaged.

    Example:
        network = deepmatte.networks.load_lite()
        alpha = network(inputs).clamp(0, 1)     # (B, C, H, W) -> (B, 1, H, W)
    """
    from deepmatte.networks.export import restore
    from deepmatte.networks.lite import LiteMatting
    from deepmatte.weights import catalogue

    network = LiteMatting().eval()
    restore(catalogue.find("lite"), network)
    return network


def _digest(weights: dict[str, Tensor], config: str) -> str:
    """SHA-256 of the weights, in the order of their names, and of the configuration."""
    import hashlib

    import torch

    digest = hashlib.sha256(config.encode())
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
