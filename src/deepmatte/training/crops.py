"""The stream of training crops, divided among processes, and the default network's crops.

Sample ``index`` of seed ``seed`` is always the same, whatever was drawn before it and in whichever
process: a stopped training continues with exactly the crops that it would have seen.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from deepmatte.errors import DataError
from deepmatte.machine import keep_freed_memory
from deepmatte.solver.inputs import INPUT_CHANNELS, NO_PRIORS, PRIORS, network_inputs
from deepmatte.solver.resample import shrink
from deepmatte.training.scenes import Array, Scene, Sources, compose
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN

CHANNELS = len(INPUT_CHANNELS) + 7
"""Channels of a crop: see `Planes`."""

# Bytes that the name of the folder of temporary files may have. The processes pass crops on through
# sockets in it, whose names are 32 bytes longer and end at 103 (macOS) or 107; beyond that the
# training would wait for ever.
_LONGEST_TEMPORARY = 71

# Pixels; in larger scenes unknown bands may be wider.
_USUAL_SIDE = 640

# Scenes are composed as large as the network sees them, twice as large, or larger by another
# factor: in use pictures are halved, tiny ones are not, and not all are equally sharp.
_AS_THEY_ARE, _HALVED = 0.2, 0.2  # shares of the scenes
_OTHERWISE = (1.2, 2.5)

# Pixels a side of the blocks in which priors are prepared, and the shares of the scenes: one in use
# where a picture is tiny, more the larger it is.
_BLOCK_SIDES, _BLOCK_SHARES = (1, 2, 4), (0.3, 0.5, 0.2)


class Planes(NamedTuple):
    """What a batch of crops ``(B, CHANNELS, crop, crop)`` holds, by name, ``(B, ., crop, crop)``.

    Attributes:
        inputs: what the network sees.
        alpha, foreground, background: the truth.
    """

    inputs: Tensor
    alpha: Tensor
    foreground: Tensor
    background: Tensor

    @classmethod
    def of(cls, crops: Tensor) -> Planes:
        """Unpack a batch."""
        return cls(*crops.split([len(INPUT_CHANNELS), 1, 3, 3], dim=1))


@dataclass(frozen=True)
class Crops(Dataset[Tensor]):
    """Item ``i`` is the crops of scene ``i``: float16 ``(per_scene, CHANNELS, crop, crop)``.

    Several crops share a scene since the priors need the whole scene, as they see the whole
    picture in use, and cost as much as a crop's training step. Half precision halves what travels
    between processes; 8-bit pictures lose nothing in it.

    Args:
        sources: of foregrounds and backgrounds.
        seed: sample ``i`` depends on it and on ``i`` alone.
        sides: of scenes, pixels; a smaller one is drawn more often, for it costs less.
        crop: side of a crop, pixels.
        per_scene: crops of a scene.
        dropped: share of the crops whose priors are left out, so that the network learns not to
            believe them blindly.
    """

    sources: Sources
    seed: int
    sides: tuple[int, ...]
    crop: int
    per_scene: int
    dropped: float

    def __getitem__(self, index: int) -> Tensor:
        rng = np.random.default_rng((self.seed, index))
        often = 1 / np.square(self.sides, dtype=np.float64)
        while True:
            side = int(rng.choice(self.sides, p=often / often.sum()))
            scene = _turned(rng, compose(rng, self.sources, round(side * _times_larger(rng))))
            trimap = random_trimap(rng, scene.alpha)
            if len(trimap) > side:
                scene, trimap = _shrunk(scene, trimap, side)
            centres = np.argwhere(trimap == UNKNOWN)
            if len(centres) > 64:
                break
        blocks = trimap.size // int(rng.choice(_BLOCK_SIDES, p=_BLOCK_SHARES)) ** 2
        inputs = network_inputs(scene.image, trimap, blocks)
        planes = np.concatenate([inputs, truth(scene)])
        chosen = centres[rng.integers(len(centres), size=self.per_scene)]
        crops = torch.stack([_window(planes, centre, self.crop) for centre in chosen])
        without = torch.from_numpy(rng.random(self.per_scene) < self.dropped)
        crops[without, PRIORS] = torch.tensor(NO_PRIORS, dtype=crops.dtype).view(-1, 1, 1)
        return crops


def _turned(rng: np.random.Generator, scene: Scene) -> Scene:
    """The scene, flipped or turned."""
    flips = rng.random() < 0.5
    # A quarter turn less often: hair hangs, light comes from above.
    turns = rng.choice(4, p=[0.7, 0.1, 0.1, 0.1])
    layers = (scene.image, scene.alpha, scene.foreground, scene.background)
    return Scene(
        *(
            np.ascontiguousarray(np.rot90(layer[:, ::-1] if flips else layer, turns))
            for layer in layers
        )
    )


def _times_larger(rng: np.random.Generator) -> float:
    kind = rng.random()
    if kind < _AS_THEY_ARE:
        return 1
    return 2 if kind < _AS_THEY_ARE + _HALVED else rng.uniform(*_OTHERWISE)


def _shrunk(scene: Scene, trimap: NDArray[np.uint8], side: int) -> tuple[Scene, NDArray[np.uint8]]:
    """Scene and trimap at ``side`` pixels; a pixel is known only if all that it was are."""
    size = (side, side)
    layers = (scene.image, scene.alpha, scene.foreground, scene.background)
    labels = np.full(size, UNKNOWN, np.uint8)
    for label in (BACKGROUND, FOREGROUND):
        labels[shrink((trimap == label).astype(np.float32), size) > 1 - 1e-4] = label
    return Scene(*(shrink(layer, size) for layer in layers)), labels


def truth(scene: Scene) -> Array:
    """alpha, foreground, background as planes ``(7, H, W)``."""
    return np.stack(
        [scene.alpha, *cv2.split(scene.foreground), *cv2.split(scene.background)], dtype=np.float32
    )


def _window(planes: Array, centre: NDArray[np.int64], crop: int) -> Tensor:
    """The ``crop`` square around ``centre``, moved inside the scene."""
    limit = np.array(planes.shape[1:]) - crop
    top, left = np.clip(centre - crop // 2, 0, limit)
    return torch.from_numpy(planes[:, top : top + crop, left : left + crop]).half()


def random_trimap(rng: np.random.Generator, alpha: Array) -> NDArray[np.uint8]:
    """A trimap as a person might paint it around ``alpha``, uint8 ``(H, W)``.

    Foreground and background are eroded separately (the paper dilates; the public implementations
    erode both sides), by distances that wander along the contour: sometimes tight, often wide.
    Small islands of known pixels, which nobody paints, are dropped. Some trimaps are what a round
    brush leaves that went along the contour, a few are scribbles with all else unknown.
    """
    if rng.random() < 0.5:
        return _dilated_subject(rng, alpha)
    widest = rng.uniform(24, 80) if rng.random() < 0.35 else 2.0 ** rng.uniform(1, 5.5)
    widest *= _wider(rng, alpha)
    way = rng.choice(["eroded", "brushed", "scribbled"], p=[0.7, 0.25, 0.05])
    margin = 2.0 if way == "brushed" else widest
    known = [_erode(rng, part, margin) for part in (alpha > 0.995, alpha < 0.005)]
    if way == "brushed":
        known = _unbrushed(rng, known, widest)
    elif way == "scribbled":
        strokes = _scribbles(rng, alpha.shape)
        known = [part & strokes for part in known]
    # The paper's hard case, one kind of known pixels is missing; or harder still, both are.
    missing = rng.choice(["none", "first", "second", "both"], p=[0.8, 0.05, 0.1, 0.05])
    trimap = np.full(alpha.shape, UNKNOWN, np.uint8)
    if missing in ("none", "second"):
        trimap[known[0]] = FOREGROUND
    if missing in ("none", "first"):
        trimap[known[1]] = BACKGROUND
    return trimap


def _wider(rng: np.random.Generator, alpha: Array) -> float:
    """How much wider the bands of a large scene are: the network must see far, too."""
    return rng.uniform(1, max(1, len(alpha) / _USUAL_SIDE))


def _dilated_subject(rng: np.random.Generator, alpha: Array) -> NDArray[np.uint8]:
    """Dilate the subject and erode its solid part, each by its own distance.

    Often a thin rim of the subject's inside is left, and in a third of the trimaps none of it: the
    whole subject is unknown, as in Composition-1k.
    """
    subject, solid = alpha > 0.005, alpha > 0.995
    outside = cv2.distanceTransform((~subject).astype(np.uint8), cv2.DIST_L2, 3)
    inside = cv2.distanceTransform(solid.astype(np.uint8), cv2.DIST_L2, 3)
    trimap = np.full(alpha.shape, UNKNOWN, np.uint8)
    way = rng.choice(["narrow", "wide", "whole"], p=[0.47, 0.2, 0.33])
    if way != "whole":
        trimap[inside > (rng.uniform(0.5, 20) if way == "narrow" else rng.uniform(10, 60))] = (
            FOREGROUND
        )
    margin = rng.uniform(20, 80) if rng.random() < 0.25 else rng.uniform(0.5, 20)
    margin *= _wider(rng, alpha)
    trimap[outside > margin] = BACKGROUND
    return trimap


def _erode(rng: np.random.Generator, known: NDArray[np.bool_], widest: float) -> NDArray[np.bool_]:
    """``known`` less its islands and a margin of at most about ``widest`` pixels.

    Less where little would be left, because people mark some of a thin object, too.
    """
    enough = _enough(known)
    island = int(rng.choice([0, 3, 7, 15, 25, 45], p=[0.2, 0.2, 0.2, 0.15, 0.15, 0.1]))
    margin = widest * rng.uniform(0.2, 1.0) * _wander(rng, known.shape)
    while True:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(1, island), max(1, island)))
        opened = cv2.morphologyEx(known.astype(np.uint8), cv2.MORPH_OPEN, disc)
        eroded: NDArray[np.bool_] = cv2.distanceTransform(opened, cv2.DIST_L2, 3) > margin
        if eroded.sum() >= enough or (island <= 1 and margin.max() < 1):
            return eroded
        island, margin = island // 2, margin / 2


def _enough(known: NDArray[np.bool_]) -> int:
    """The fewest known pixels that a person leaves: a hundredth of the scene, if it has them."""
    return min(int(known.sum()), known.size // 100)


def _wander(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A smooth random field around 1, between 0.2 and 1.8."""
    knots = int(rng.integers(2, 14))
    field = rng.uniform(0.2, 1.8, (knots, knots)).astype(np.float32)
    return cv2.resize(field, shape[::-1], interpolation=cv2.INTER_CUBIC).clip(0.2, 1.8)


def _unbrushed(
    rng: np.random.Generator, known: list[NDArray[np.bool_]], radius: float
) -> list[NDArray[np.bool_]]:
    """The known pixels left after dabs of up to ``radius`` pixels along the unknown ones."""
    points = np.argwhere(~(known[0] | known[1]))
    if not len(points):
        return known
    enough = [_enough(part) for part in known]
    while True:
        count = min(400, 8 + int(rng.uniform(0.1, 0.5) * len(points) / radius))
        dabs = np.zeros(known[0].shape, np.uint8)
        for row, column in points[rng.integers(len(points), size=count)].tolist():
            size = round(radius * rng.uniform(0.4, 1.0))
            cv2.circle(dabs, (column, row), size, 1, -1)
        left = [part & (dabs == 0) for part in known]
        if radius < 2 or all(part.sum() >= few for part, few in zip(left, enough, strict=True)):
            return left
        radius /= 2


def _scribbles(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A few thick strokes across the scene."""
    strokes = np.zeros(shape, np.uint8)
    for _ in range(int(rng.integers(3, 12))):
        corners = rng.uniform(0.0, 1.0, (4, 2)) * shape[::-1]
        thickness = max(2, round(min(shape) * rng.uniform(0.01, 0.07)))
        cv2.polylines(strokes, [corners.astype(np.int32)], False, 1, thickness)
    return strokes > 0


@dataclass(frozen=True)
class Share:
    """Which of each step's scenes a process composes, and in how many parts it learns from them.

    Together the processes see the same scenes whatever their number is: process ``process`` of
    ``processes`` takes a run of neighbouring ones.
    """

    scenes: int
    process: int = 0
    processes: int = 1
    parts: int = 1

    def __post_init__(self) -> None:
        """Refuse unequal shares: their mean would not be the mean of the whole."""
        if self.scenes % (self.processes * self.parts):
            raise DataError(
                f"{self.scenes} scenes a step for {self.processes} processes in {self.parts} "
                f"parts: expected a multiple of {self.processes * self.parts}"
            )

    def indices(self, step: int) -> range:
        """The indices of this process's scenes in a step."""
        own = self.scenes // self.processes
        first = step * self.scenes + self.process * own
        return range(first, first + own)


class _Stream(Sampler[int]):
    """The endless indices of a share, from step ``first`` on."""

    def __init__(self, share: Share, first: int) -> None:
        self.share = share
        self.first = first

    def __iter__(self) -> Iterator[int]:
        for step in itertools.count(self.first):
            yield from self.share.indices(step)


def _start_worker(_: int) -> None:
    # One core a worker, and that only while the training waits: where all cores are in use, each of
    # its threads that loses its core holds up the others.
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    keep_freed_memory()
    if hasattr(os, "nice"):
        os.nice(15)


def batches(
    samples: Dataset[Tensor], share: Share, *, first: int, workers: int
) -> DataLoader[Tensor]:
    """Endless batches, ``share.parts`` of them a step, from step ``first`` on.

    Each is the joined items of its scenes, ``(B, channels, crop, crop)``.

    Raises:
        DataError: the processes could not pass crops on.
    """
    folder = os.fsencode(tempfile.gettempdir())
    if workers and os.name == "posix" and len(folder) > _LONGEST_TEMPORARY:
        raise DataError(
            f"the name of the folder for temporary files, {os.fsdecode(folder)}, has {len(folder)}"
            f" bytes: expected at most {_LONGEST_TEMPORARY}; set TMPDIR to a shorter one"
        )
    return DataLoader(
        samples,
        batch_size=share.scenes // share.processes // share.parts,
        sampler=_Stream(share, first),
        num_workers=workers,
        collate_fn=torch.cat,
        worker_init_fn=_start_worker,
        prefetch_factor=4 if workers else None,
        persistent_workers=bool(workers),
        # A forked worker would inherit OpenCV's threads as locks that nobody releases.
        multiprocessing_context="spawn" if workers else None,
    )
