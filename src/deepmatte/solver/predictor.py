"""Loads a network and runs it on a window: padded, mirrored if wanted, and checked."""

from __future__ import annotations

import os
import threading
from concurrent.futures import CancelledError

import numpy as np

from deepmatte.errors import ModelError
from deepmatte.solver.inputs import NetworkInputs, PictureAndTrimap
from deepmatte.solver.runtime import OnnxNetwork, Progress
from deepmatte.solver.tiles import STRIDE
from deepmatte.types import Floats
from deepmatte.weights import catalogue
from deepmatte.weights.seal import check_network

_PATIENCE = 5
"""Seconds in which a network answers for the least that it can be asked."""


class Predictor:
    """Predicts alpha of a window from the network's inputs.

    Args:
        model: a shipped network's name, or the path of an ONNX file.
        device: one of `deepmatte.solver.devices.PROVIDERS`.
        threads: of the network.
        mirrors: whether alpha is the mean over the window and its mirror image.
        kept: bytes that the network may keep from one window to the next.

    Attributes:
        inputs: which of the two kinds of inputs the network takes; the ONNX file names it.

    Raises:
        ModelError: the network is missing, damaged, made for other inputs, or the device cannot be
            used.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        device: str,
        threads: int,
        *,
        mirrors: bool,
        kept: int,
    ) -> None:
        self._name = os.fspath(model)
        content = catalogue.find(model)
        ours = self._name in catalogue.SHA256 or check_network(content, self._name)
        try:
            self._network = OnnxNetwork(content, device, threads)
        except (ModelError, ImportError):
            raise
        except Exception as error:
            _raise_if_memory(error)
            raise ModelError(
                f"{model}: not a network that ONNX Runtime can load ({_first_line(error)}); "
                "expected a file that deepmatte export wrote"
            ) from error
        known = {",".join(kind.channels): kind for kind in (NetworkInputs, PictureAndTrimap)}
        if self._network.channels not in known:
            raise ModelError(
                f"{model}: made for the inputs {self._network.channels or '(unknown)'}, "
                f"expected {' or '.join(known)}: export it with this version"
            )
        self.inputs: type[NetworkInputs | PictureAndTrimap] = known[self._network.channels]
        self._mirrors = mirrors
        self._memory = _KeptMemory(kept // self.inputs.memory)
        if not ours:
            self._try()

    @property
    def tile_pixel(self) -> int:
        """Bytes for each pixel of a tile while the network runs; mirroring needs a copy."""
        return self.inputs.memory + (len(self.inputs.channels) * 4 if self._mirrors else 0)

    def __call__(self, window: Floats, progress: Progress) -> Floats:
        """Alpha, float32 ``(h, w)``, 0..1, of a window of inputs ``(C, h, w)``.

        Args:
            window: what `inputs` reads of the picture; padded here to multiples of `STRIDE`.
            progress: lets another thread cancel it.

        Raises:
            ModelError: the network fails, or does not answer with an alpha.
            CancelledError: by ``progress``.
        """
        height, width = window.shape[1:]
        padded = window
        if height % STRIDE or width % STRIDE:
            padding = ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE))
            padded = np.pad(window, padding, mode=self.inputs.padding)
        alpha = self._answer(padded, progress)
        if self._mirrors:
            mirrored = self._answer(np.ascontiguousarray(padded[..., ::-1]), progress)
            alpha = np.float32(0.5) * (alpha + mirrored[:, ::-1])
        return alpha[:height, :width]

    def _try(self) -> None:
        """Run a user's network once on a tiny input.

        Raises:
            ModelError: it cannot be run, or takes so long that something is wrong with it.
        """
        progress = Progress()
        watch = threading.Timer(_PATIENCE, progress.cancel)
        watch.start()
        try:
            self._answer(
                np.zeros((len(self.inputs.channels), STRIDE, STRIDE), np.float32), progress
            )
        except (CancelledError, MemoryError) as error:
            raise ModelError(
                f"{self._name}: no network for pictures: it takes more than {_PATIENCE} s, or more "
                f"memory than there is, for {STRIDE} x {STRIDE} pixels"
            ) from error
        finally:
            watch.cancel()

    def _answer(self, inputs: Floats, progress: Progress) -> Floats:
        """Alpha (H, W) of inputs (C, H, W), H and W multiples of `STRIDE`."""
        frees = self._memory.overflows(inputs.shape[1:])
        try:
            alpha = self._network.run(inputs[None], progress, frees=frees)
        except CancelledError:
            raise
        except Exception as error:
            _raise_if_memory(error)
            raise ModelError(
                f"{self._name}: the network cannot be run: {_first_line(error)}"
            ) from error
        if alpha.shape != (1, 1, *inputs.shape[1:]) or not np.isfinite(alpha).all():
            raise ModelError(
                f"{self._name}: the network answered with shape {alpha.shape} or values that are "
                f"not finite; expected an alpha of shape {(1, 1, *inputs.shape[1:])}"
            )
        return np.asarray(alpha[0, 0].clip(0, 1), np.float32)


class _KeptMemory:
    """The memory that the network keeps: a window takes what earlier ones of its shape took.

    Args:
        pixels: of all shapes together, for which memory may be kept. Without a limit it would grow
            with every new shape.
    """

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels
        self._shapes: set[tuple[int, ...]] = set()

    def overflows(self, shape: tuple[int, ...]) -> bool:
        """Whether a window (h, w) is the last before the memory has to be given back."""
        shapes = {*self._shapes, shape}
        full = sum(height * width for height, width in shapes) > self._pixels
        self._shapes = set() if full else shapes
        return full


def _raise_if_memory(error: Exception) -> None:
    if "alloc" in str(error):  # "Failed to allocate memory", "std::bad_alloc"
        raise MemoryError("There is not enough memory for this picture.") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
