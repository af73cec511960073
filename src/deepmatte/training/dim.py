"""How the paper's network (`deepmatte.networks.dim`) is trained: Xu et al. 2017, section 4.

Samples (section 4.1): a composite, cut to a square of 320, 480 or 640 pixels around a random
unknown pixel, resized to 320, flipped half of the time, with a trimap that is made of the alpha
anew. Only the square is composed, and it is composed before it is resized.
"""

from __future__ import annotations

import ast
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from deepmatte.errors import DataError
from deepmatte.networks.dim import DeepImageMatting, DimConfig
from deepmatte.networks.vgg16 import load_imagenet
from deepmatte.solver.inputs import DIM_CHANNELS, picture_and_trimap
from deepmatte.training import checkpoint, losses
from deepmatte.training.base import HELD_OUT, Outcome, Training
from deepmatte.training.crops import truth
from deepmatte.training.pictures import MattedPhotos, Pictures
from deepmatte.training.scenes import Array, composite, patch
from deepmatte.training.synthetic import noise_texture, synthetic_foreground
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN

Stage = Literal["encoder-decoder", "refinement", "finetune"]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""In the order in which they are trained."""

CHANNELS = len(DIM_CHANNELS) + 7
"""Channels of a crop: the network's inputs, then alpha, foreground (3), background (3)."""

_FEWEST = 64  # unknown pixels of a crop that is worth learning from
_ATTEMPTS = 200


@dataclass(frozen=True)
class DimCrops(Dataset[Tensor]):
    """Item ``i`` is the crops of composite ``i``: float16 ``(per_scene, CHANNELS, crop, crop)``.

    A photo behind a foreground is enlarged where it is smaller, as in the published composites;
    without ``foregrounds`` or ``photos``, they are procedural.
    """

    foregrounds: Pictures
    photos: Pictures
    synthetic: float
    """Share of procedural foregrounds."""
    seed: int
    sides: tuple[int, ...]
    crop: int
    dilation: tuple[int, int]
    per_scene: int
    matted: MattedPhotos = field(default_factory=lambda: MattedPhotos(()))
    matted_share: float = 0.0
    """Share of foregrounds that come from ``matted`` photos."""

    def __getitem__(self, index: int) -> Tensor:
        rng = np.random.default_rng((self.seed, index))
        for _ in range(_ATTEMPTS):
            cutout = self._foreground(rng)
            centres = np.argwhere(_boundary(cutout[..., 3]))
            if not len(centres):
                continue
            chosen = centres[rng.integers(len(centres), size=self.per_scene)]
            crops = np.stack([self._crop(rng, cutout, centre) for centre in chosen])
            trimaps = crops[:, len(DIM_CHANNELS) - 1]
            if ((trimaps > 0) & (trimaps < 1)).sum(axis=(1, 2)).min() >= _FEWEST:
                return torch.from_numpy(crops)
        raise DataError(
            f"{_ATTEMPTS} foregrounds had hardly any unknown pixels; expected cut-outs with "
            "transparency, or folders fg and alpha"
        )

    def _foreground(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Colours and alpha, 8 bit, ``(H, W, 4)``."""
        if len(self.matted) and rng.random() < self.matted_share:
            photo = self.matted.draw(rng)
            return np.dstack([photo.foreground, photo.alpha])
        if not len(self.foregrounds) or (self.synthetic and rng.random() < self.synthetic):
            side = max(self.sides)
            colours, alpha = synthetic_foreground(rng, side, side, self._texture)
            layers = np.concatenate([colours, alpha[..., None]], axis=2)
            return (layers * 255 + 0.5).astype(np.uint8)
        pixels = self.foregrounds.draw(rng)
        if pixels.shape[2] == 3:
            return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
        return pixels

    def _texture(self, rng: np.random.Generator, height: int, width: int) -> Array:
        if not len(self.photos):
            return noise_texture(rng, height, width)
        return patch(rng, self.photos.draw(rng)[..., :3], height, width, 2.0 ** rng.uniform(0, 3.5))

    def _crop(
        self, rng: np.random.Generator, cutout: NDArray[np.uint8], centre: NDArray[np.int64]
    ) -> NDArray[np.float16]:
        """A composite around ``centre`` with trimap and truth, ``(CHANNELS, crop, crop)``."""
        size = np.array(cutout.shape[:2])
        side = min(int(rng.choice(self.sides)), *size)
        top, left = np.clip(centre - side // 2, 0, size - side)
        window = cutout[top : top + side, left : left + side] / np.float32(255)
        if len(self.photos):
            photo = self.photos.draw(rng)[..., :3]
            zoom = max(1.0, size[0] / photo.shape[0], size[1] / photo.shape[1])
            background = patch(rng, photo, side, side, zoom)
        else:
            background = noise_texture(rng, side, side)
        scene = composite(window[..., :3], window[..., 3], background, self.crop)
        trimap = dilated_trimap(rng, scene.alpha, self.dilation)
        inputs = picture_and_trimap(scene.image.clip(0, 1), trimap)
        planes = np.concatenate([inputs, truth(scene)]).astype(np.float16)
        return planes[:, :, ::-1] if rng.random() < 0.5 else planes


def _boundary(alpha: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where even the narrowest trimap is unknown: half transparent pixels, and edges."""
    three = np.ones((3, 3), np.uint8)
    edge = cv2.dilate(alpha, three) != cv2.erode(alpha, three)
    return np.asarray(edge | ((alpha > 0) & (alpha < 255)))


def dilated_trimap(
    rng: np.random.Generator, alpha: Array, dilation: tuple[int, int]
) -> NDArray[np.uint8]:
    """A trimap whose unknown region is dilated at random (section 4.1).

    Foreground and background are eroded separately by ellipses whose diameters are drawn from
    ``dilation``, both ends included: dilating the half transparent pixels alone, as the paper's
    words may be read, leaves hard edges known. (1, 1) does not dilate at all.

    Args:
        rng: the source of randomness.
        alpha: float32 ``(H, W)``, 0..1.
        dilation: smallest and largest diameter, pixels.

    Returns:
        uint8 ``(H, W)``, labels of `deepmatte.trimap`.
    """
    trimap = np.full(alpha.shape, UNKNOWN, np.uint8)
    half_level = np.float32(0.5 / 255)
    regions = {FOREGROUND: alpha > 1 - half_level, BACKGROUND: alpha < half_level}
    for label, known in regions.items():
        diameter = int(rng.integers(dilation[0], dilation[1] + 1))
        ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
        trimap[cv2.erode(known.astype(np.uint8), ellipse) > 0] = label
    return trimap


@dataclass(frozen=True, kw_only=True)
class DimTraining(Training[DeepImageMatting]):
    """One of the three stages of section 4.2.

    The encoder-decoder learns from both losses, then the refinement alone from the
    alpha-prediction loss while the encoder-decoder rests, then both parts from the losses of both.
    """

    stage: Stage
    network: DimConfig
    """The variant; the stage of the encoder-decoder is trained without its refinement."""
    sides: tuple[int, ...]
    """Sides of the squares that are cut from composites, in pixels."""
    dilation: tuple[int, int]
    """Smallest and largest diameter of the random dilation of trimaps, in pixels.

    The refinement stage learns from trimaps that are not dilated (section 4.2). All stages are
    validated on the same dilated trimaps.
    """
    matted: tuple[Path, ...] = ()
    """Folders with photos (in images) and their true alphas (in alphas); the foreground's colours
    are estimated."""
    matted_share: float
    """Share of the foregrounds that come from photos of ``matted``."""
    synthetic: float
    """Share of procedural foregrounds among the others, if there are others."""
    alpha_weight: float
    """Share of the alpha-prediction loss, w_l in equation 4; the rest is compositional."""
    checkpointing: bool
    """Recompute activations in the backward pass: less memory, a third more time."""
    start: Path | None
    """A checkpoint to start from: of the earlier stage, or any other of this network."""
    imagenet: bool
    """Start the encoder from ImageNet's VGG16, or from scratch; not used with ``start``."""
    encoder_weights: Path | None
    """File of VGG16's weights; None downloads those of torchvision."""

    # The rate is constant: how long a run is to be changes nothing in its steps.
    incidental: ClassVar[frozenset[str]] = Training.incidental | {"steps"}

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        super().__post_init__()
        if self.stage not in STAGES:
            raise DataError(f"stage {self.stage}: expected one of {', '.join(STAGES)}")
        if not self.sides or min(self.sides) < 16:
            raise DataError(f"squares with sides of {self.sides} pixels: expected at least 16")
        if not 1 <= self.dilation[0] <= self.dilation[1]:
            raise DataError(
                f"dilation by {self.dilation}: expected two diameters from 1 on, sorted"
            )
        for name in ("alpha_weight", "synthetic", "matted_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise DataError(f"{name} {getattr(self, name)}: expected 0 to 1")
        if self.stage != "encoder-decoder" and self.network.refinement == "none":
            raise DataError(f"stage {self.stage} of a network without refinement: expected one")
        if self.checkpointing and self.network.batch_norm:
            raise DataError(
                "checkpointing with batch norm: expected one of them, for what is computed twice "
                "is counted twice in the norm's averages"
            )

    def build(self) -> DeepImageMatting:
        config = self.network
        if self.stage == "encoder-decoder":
            config = dataclasses.replace(config, refinement="none")
        network = DeepImageMatting(config)
        if self.stage == "refinement":
            network.encoder_decoder.requires_grad_(False)
        if self.checkpointing:
            network.recompute_activations()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def initialise(self, network: DeepImageMatting) -> None:
        if self.stage == "refinement":
            _start_as_identity(network)
        if self.start is not None:
            fresh = "refinement" if self.stage == "refinement" else None
            checkpoint.start_from(self.start, network, fresh=fresh)
        elif self.imagenet:
            load_imagenet(network.encoder_decoder, self.encoder_weights)

    def groups(self, network: DeepImageMatting) -> list[list[nn.Parameter]]:
        return [[parameter for parameter in network.parameters() if parameter.requires_grad]]

    def learning(self, network: DeepImageMatting, step: int) -> list[float]:
        network.train()
        if self.stage == "refinement":
            network.encoder_decoder.eval()
        return [self.learning_rate]

    def samples(self, *, held_out: bool) -> Dataset[Tensor]:
        own = held_out and bool(self.held_out_foregrounds)
        dilates = held_out or self.stage != "refinement"
        return DimCrops(
            foregrounds=Pictures(
                self.held_out_foregrounds if own else self.foregrounds, longest=None
            ),
            photos=Pictures(self.backgrounds, longest=None),
            synthetic=self.synthetic,
            seed=HELD_OUT if held_out else self.seed,
            sides=self.sides,
            crop=self.crop,
            dilation=self.dilation if dilates else (1, 1),
            per_scene=self.per_scene,
            matted=MattedPhotos(() if own else self.matted),
            matted_share=self.matted_share,
        )

    def loss(self, network: nn.Module, crops: Tensor) -> Outcome:
        inputs, alpha, foreground, background = crops.split([len(DIM_CHANNELS), 1, 3, 3], dim=1)
        inputs = inputs.contiguous(memory_format=torch.channels_last)  # as the weights are
        trimap = inputs[:, 3:]  # (B, 1, crop, crop)
        unknown = ((trimap > 0) & (trimap < 1)).float()
        refined, coarse = (alphas.float() for alphas in network(inputs))
        scalars = {}
        loss = crops.new_zeros(())
        if self.stage != "refinement":
            scalars["alpha"] = losses.alpha_prediction(coarse, alpha, unknown)
            colours = foreground, background
            scalars["composition"] = losses.compositional(coarse, alpha, *colours, unknown)
            share = self.alpha_weight
            loss = loss + share * scalars["alpha"] + (1 - share) * scalars["composition"]
        if self.stage != "encoder-decoder":
            scalars["refined"] = losses.alpha_prediction(refined, alpha, unknown)
            loss = loss + scalars["refined"]
        known = (trimap == 1).float()
        return Outcome(
            loss,
            scalars,
            {"picture": inputs[:, :3], "trimap": trimap, "predicted": refined, "true": alpha},
            predicted=torch.where(unknown > 0, refined, known),
            alpha=alpha,
            trimap=(unknown * UNKNOWN + known * FOREGROUND).to(torch.uint8),
        )


def _start_as_identity(network: DeepImageMatting) -> None:
    """Set the refinement's last layer to zero: the alpha that it is given stays as it is.

    The paper does not say how the refinement starts. Random weights would first spoil the alpha,
    and learning to undo that takes time.
    """
    if network.refinement is None:
        return
    prediction = network.refinement[-1]
    assert isinstance(prediction, nn.Conv2d)
    assert prediction.bias is not None
    nn.init.zeros_(prediction.weight)
    nn.init.zeros_(prediction.bias)


def trained(state: checkpoint.State, path: Path) -> DeepImageMatting:
    """The network of a stage's checkpoint, with its averaged weights, in eval mode.

    Args:
        state: what `checkpoint.load` read.
        path: of the checkpoint, for errors.

    Raises:
        DataError: if it is no checkpoint of this network.
    """
    try:
        described = state["training"]
        values = ast.literal_eval(described["network"])
        if described["stage"] == "encoder-decoder":
            values["refinement"] = "none"
        config = DimConfig(**values)
        with torch.device("meta"):  # the weights' own storage becomes the network's
            network = DeepImageMatting(config)
        network.load_state_dict(checkpoint.averaged_weights(state), assign=True)
    except (
        *(KeyError, TypeError, ValueError, SyntaxError),  # of the text
        *(DataError, RuntimeError, OverflowError, MemoryError),  # of the network
    ) as error:
        raise DataError(
            f"{path}: no network of Deep Image Matting in it; expected a checkpoint that "
            "deepmatte train dim wrote"
        ) from error
    return network.eval()
