"""ImageNet's VGG16 as the encoder's start (Xu et al. 2017, section 4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deepmatte.errors import DataError
from deepmatte.networks.dim import DEVIATION, MEAN, EncoderDecoder
from deepmatte.networks.stored import read_weights

ADDRESS = "https://download.pytorch.org/models/vgg16-397923af.pth"
"""torchvision's VGG16; its last part is the beginning of its SHA-256."""

# What Keras's VGG16, as Caffe's before it, subtracts from 0..255; here in the order RGB.
_KERAS_MEAN = (123.68, 116.779, 103.939)
_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Vgg16:
    """Weights as torch has them: ``(outputs, inputs, height, width)``, inputs RGB, normalised."""

    convolutions: list[tuple[Tensor, Tensor]]
    """Weight and bias of the convolutions, in order."""
    fc6: tuple[Tensor, Tensor] | None
    """(4096, 512, 7, 7) and (4096,), if the file has its classifier."""


def load_imagenet(network: EncoderDecoder, path: Path | None = None) -> tuple[str, ...]:
    """Start conv1 to conv5, and fc6 where it is 7x7 and the file has it, from ImageNet's VGG16.

    The weights of the trimap's input channel become zero. Batch norms stay as they are.

    Args:
        network: of full width.
        path: torchvision's file, or an HDF5 file of Keras, with or without the classifier; None
            takes torchvision's from `ADDRESS`, through torch's cache.

    Returns:
        The names of the stages that were loaded.

    Raises:
        DataError: if the file is missing, damaged or holds something else, and where there is no
            connection.
    """
    if path is None:
        name, weights = ADDRESS, _torchvision(_fetched(), ADDRESS)
    else:
        name, weights = str(path), _read(path)
    stages = {"conv1": 2, "conv2": 2, "conv3": 3, "conv4": 3, "conv5": 3}
    if len(weights.convolutions) != sum(stages.values()):
        raise DataError(
            f"{name}: not VGG16: {len(weights.convolutions)} convolutions of 3x3; expected 13"
        )
    (first, first_bias), *others = weights.convolutions
    blind = first.new_zeros(first.shape[0], 1, *first.shape[2:])
    sources = [(torch.cat([first, blind], dim=1), first_bias), *others]  # (64, 4, 3, 3)
    targets = [layer for stage in stages for layer in _convolutions(network.get_submodule(stage))]
    loaded = list(stages)
    fc6 = [layer for layer in _convolutions(network.fc6) if layer.kernel_size == (7, 7)]
    if weights.fc6 is not None and fc6:
        sources.append(weights.fc6)
        targets += fc6
        loaded.append("fc6")
    pairs = [
        (getattr(layer, part), value)
        for layer, source in zip(targets, sources, strict=True)
        for part, value in zip(("weight", "bias"), source, strict=True)
    ]
    for own, value in pairs:
        if own.shape != value.shape:
            raise DataError(
                f"{name}: weights of shape {tuple(value.shape)}; expected {tuple(own.shape)}"
            )
    with torch.no_grad():
        for own, value in pairs:
            own.copy_(value)
    return tuple(loaded)


def _convolutions(stage: nn.Module) -> list[nn.Conv2d]:
    return [module for module in stage.modules() if isinstance(module, nn.Conv2d)]


def _fetched() -> Any:
    try:
        return torch.hub.load_state_dict_from_url(
            ADDRESS, map_location="cpu", check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"ImageNet's VGG16 cannot be fetched from {ADDRESS} ({error}): "
            "download it elsewhere and name the file (--encoder-weights FILE)"
        ) from error


def _read(path: Path) -> Vgg16:
    try:
        with path.open("rb") as file:
            is_keras = file.read(len(_HDF5)) == _HDF5
        if is_keras:
            return _keras(path)
        stored = read_weights(path, "file of weights")
    except DataError:
        raise
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: not a readable file of weights: {first}") from error
    return _torchvision(stored, str(path))


def _torchvision(stored: Any, name: str) -> Vgg16:
    if not isinstance(stored, dict) or not all(isinstance(v, Tensor) for v in stored.values()):
        raise DataError(f"{name}: not torchvision's VGG16: expected a dictionary of tensors")
    indices = sorted(
        int(match[1])
        for key, value in stored.items()
        if (match := re.fullmatch(r"features\.(\d+)\.weight", key)) and value.ndim == 4
    )
    try:
        convolutions = [
            (stored[f"features.{i}.weight"], stored[f"features.{i}.bias"]) for i in indices
        ]
        fc6 = None
        if "classifier.0.weight" in stored:
            # Flattened as (channels, height, width).
            weight = stored["classifier.0.weight"].reshape(-1, 512, 7, 7)
            fc6 = weight, stored["classifier.0.bias"]
    except (KeyError, RuntimeError) as error:
        raise DataError(f"{name}: not torchvision's VGG16: {error}") from error
    return Vgg16(convolutions, fc6)


def _keras(path: Path) -> Vgg16:
    """Any HDF5 file of Keras whose 3x3 convolutions, in the order of their names, are VGG16's."""
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise DataError(f"{path}: reading Keras's files needs h5py: pip install h5py") from error
    layers: dict[str, list[Tensor]] = {}
    with h5py.File(path, "r") as file:

        def keep(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
                layers.setdefault(name.rpartition("/")[0], []).append(torch.from_numpy(item[()]))

        file.visititems(keep)
    convolutions, fc6 = [], None
    for _, arrays in sorted(layers.items(), key=lambda layer: _natural(layer[0])):
        kernels = [array for array in arrays if array.ndim in (2, 4)]
        biases = [array for array in arrays if array.ndim == 1]
        if len(kernels) != 1 or len(biases) != 1:
            continue
        kernel, bias = kernels[0].float(), biases[0].float()
        if kernel.ndim == 4 and kernel.shape[:2] == (3, 3):
            convolutions.append((kernel.permute(3, 2, 0, 1), bias))  # (outputs, inputs, 3, 3)
        elif kernel.shape[0] == 7 * 7 * 512:
            # Flattened as (height, width, channels).
            fc6 = kernel.reshape(7, 7, 512, -1).permute(3, 2, 0, 1), bias  # (4096, 512, 7, 7)
    if convolutions and convolutions[0][0].shape[1] == 3:
        convolutions[0] = _for_normalised_rgb(*convolutions[0])
    return Vgg16(convolutions, fc6)


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which conv2d_10 comes after conv2d_9."""
    parts: list[str] = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _for_normalised_rgb(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The first convolution of a network that sees BGR, 0..255 less the mean, for our inputs."""
    weight = weight.flip(1)  # RGB
    deviation, mean = (255 * weight.new_tensor(values[:3]) for values in (DEVIATION, MEAN))
    offset = mean - weight.new_tensor(_KERAS_MEAN)
    shift = (weight.sum(dim=(2, 3)) * offset).sum(dim=1)
    return weight * deviation.view(1, 3, 1, 1), bias + shift
