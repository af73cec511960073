"""Segmenters: a picture in, a rough mask of its subject out.

Segmenters are extras; none is part of the base package or imported before it is used. Without any
of them, `Rectangle` separates the subject in a box by its colours.

| name     | finds                 | comes with           | its weights                    |
|----------|-----------------------|----------------------|--------------------------------|
| `people` | people                | `deepmatte[people]`  | in MediaPipe's wheel           |
| `rembg`  | any salient subject   | `deepmatte[subject]` | rembg downloads them once      |
| `osam`   | what a point or box hits | `deepmatte[subject]` | osam downloads them once    |
| `box`    | what differs in a box | deepmatte itself     | needs none                     |

Nothing is downloaded unless the user names the segmenter: `choose` takes `rembg` and `osam` by
itself only if their weights are on disk already.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import SubjectError
from deepmatte.images.resize import shrink
from deepmatte.machine import check_address_space

Pixels: TypeAlias = NDArray[np.uint8]
Mask: TypeAlias = NDArray[np.float32]
Point: TypeAlias = tuple[int, int]
Box: TypeAlias = tuple[int, int, int, int]

NAMES = ("people", "rembg", "osam", "box")

WAYS = (
    "pip install 'deepmatte[people]' finds people, pip install 'deepmatte[subject]' anything;"
    " a box around the subject or deepmatte studio needs neither"
)
"""What a user can do without a segmenter; ends a sentence."""

# The input size of MediaPipe's general model.
_PEOPLE_SIDE = 256
# Bytes of addresses that the libraries of rembg and osam need: with fewer SciPy's BLAS waits for
# ever as it is loaded.
_ADDRESSES = 2_000_000_000
_PEOPLE_FILE = Path("modules", "selfie_segmentation", "selfie_segmentation.tflite")


@dataclass(frozen=True)
class Hints:
    """What the user says about where the subject is.

    Attributes:
        points: (x, y) in pixels, each on a wanted subject.
        box: (left, top, right, bottom) in pixels around it, right and bottom exclusive.
    """

    points: Sequence[Point] = ()
    box: Box | None = None


class Segmenter(Protocol):
    """Finds the subject of a picture."""

    @property
    def name(self) -> str:
        """Its name for the user, with the model if there are several: ``rembg:u2net``."""

    @property
    def follows_hints(self) -> bool:
        """Whether the mask already follows the points and the box."""

    def __call__(self, rgb: Pixels, hints: Hints) -> Mask:
        """The mask, float32 (H, W) in 0..1, of a picture, uint8 (H, W, 3).

        Raises:
            SubjectError: the segmenter cannot run.
        """


class People:
    """MediaPipe's selfie segmenter: people, near and far (Apache-2.0).

    Its weights, 250 kB, are part of the wheels of MediaPipe 0.10.5 to 0.10.21. OpenCV runs them;
    MediaPipe itself is never imported.

    Raises:
        SubjectError: no such MediaPipe is installed.
    """

    name = "people"
    follows_hints = False

    def __init__(self) -> None:
        import cv2

        weights = people_weights()
        if weights is None:
            found = importlib.util.find_spec("mediapipe") is not None
            why = (
                "the installed MediaPipe carries no weights of it, only 0.10.21 and older do"
                if found
                else "MediaPipe is not installed"
            )
            raise SubjectError(f"The segmenter 'people' is missing: {why}; {WAYS}.")
        self._network = cv2.dnn.readNetFromTFLite(str(weights))
        self._lock = threading.Lock()  # it keeps its input until it runs

    def __call__(self, rgb: Pixels, hints: Hints) -> Mask:
        """The mask of all people in the picture; see `Segmenter`."""
        small = shrink(rgb, (_PEOPLE_SIDE, _PEOPLE_SIDE))  # (256, 256, 3)
        scaled = small.astype(np.float32).transpose(2, 0, 1)[None] / 255  # (1, 3, 256, 256)
        with self._lock:
            self._network.setInput(np.ascontiguousarray(scaled))
            answer = np.asarray(self._network.forward(), np.float32)[0, 0]  # (256, 256)
        return _resized(answer, rgb.shape)


class Rembg:
    """A session of rembg; its models find any salient subject.

    Args:
        model: a name of rembg's: ``"u2net"``, ``"isnet-general-use"``, ``"birefnet-general"``, ...
            rembg downloads it if it is missing.

    Raises:
        SubjectError: rembg is not installed, has no such model, cannot load it, or would send the
            picture to another machine.
    """

    follows_hints = False

    def __init__(self, model: str = "u2net") -> None:
        kind = _rembg_sessions().get(model)
        if kind is None:
            known = ", ".join(sorted(_rembg_sessions()))
            raise SubjectError(f"rembg has no model {model!r}; expected one of {known}.")
        if not kind.is_local():
            raise SubjectError(
                f"rembg's {model} sends the picture to another machine; expected a model that runs"
                " on this one, such as u2net."
            )
        import rembg

        self.name = f"rembg:{model}"
        try:
            self._session = rembg.new_session(model)
        except Exception as error:
            raise _unusable(self.name, error) from error

    def __call__(self, rgb: Pixels, hints: Hints) -> Mask:
        """The mask of the most salient subject; see `Segmenter`."""
        from deepmatte.images import to_pil

        try:
            (found, *_) = self._session.predict(to_pil(rgb))
        except Exception as error:
            raise _unusable(self.name, error) from error
        return _resized(np.asarray(found.convert("L"), np.float32) / np.float32(255), rgb.shape)


class Osam:
    """A model of osam's that takes points or a box: EfficientSAM, SAM 2, ...

    Args:
        model: a name of osam's: ``"efficientsam:10m"``, ``"sam2:tiny"``, ... osam downloads it if
            it is missing.

    Raises:
        SubjectError: osam is not installed, has no such model, or cannot load it.
    """

    follows_hints = True

    def __init__(self, model: str = "efficientsam:10m") -> None:
        self.name = f"osam:{model}"
        kind = _osam_model(model)
        try:
            self._model = kind()
        except Exception as error:
            raise _unusable(self.name, error) from error

    def __call__(self, rgb: Pixels, hints: Hints) -> Mask:
        """The mask of what lies at the points or in the box; see `Segmenter`."""
        from osam import types

        if not hints.points and hints.box is None:
            raise SubjectError(
                f"The segmenter {self.name!r} asks where the subject is; expected a point on it or"
                " a box around it."
            )
        places, labels = list(hints.points), [1] * len(hints.points)
        if hints.box is not None:  # a box's corners have labels of their own
            left, top, right, bottom = hints.box
            places += [(left, top), (right - 1, bottom - 1)]
            labels += [2, 3]
        prompt = types.Prompt(points=np.array(places, np.float32), point_labels=np.array(labels))
        request = types.GenerateRequest(model=self._model.name, image=rgb, prompt=prompt)
        try:
            answer = self._model.generate(request)
        except Exception as error:
            raise _unusable(self.name, error) from error
        found = np.zeros(rgb.shape[:2], np.float32)
        for annotation in answer.annotations:
            area, mask = annotation.bounding_box, annotation.mask
            if area is None or mask is None:
                continue
            window = found[area.ymin : area.ymax + 1, area.xmin : area.xmax + 1]
            np.maximum(window, mask, out=window)
        return found


class Rectangle:
    """GrabCut in a box; needs nothing installed."""

    name = "box"
    follows_hints = True

    def __call__(self, rgb: Pixels, hints: Hints) -> Mask:
        """The mask of what differs from the surroundings of the box; see `Segmenter`."""
        from deepmatte.trimap import from_box
        from deepmatte.types import FOREGROUND

        if hints.box is None:
            raise SubjectError("The segmenter 'box' got no box; expected one around the subject.")
        found = from_box(rgb, hints.box, width=0)
        mask: Mask = (found == FOREGROUND).astype(np.float32)
        return mask


@functools.lru_cache(maxsize=4)
def named(name: str) -> Segmenter:
    """The segmenter of a name: one of `NAMES`, or with a model of its own, ``rembg:isnet-anime``.

    It is loaded once and kept; several threads may use it. Loading may take seconds. The first use
    of a model of rembg or osam downloads it.

    Raises:
        SubjectError: there is no such segmenter, or it is not installed.
    """
    kind, _, model = name.partition(":")
    if kind == "rembg":
        return Rembg(model) if model else Rembg()
    if kind == "osam":
        return Osam(model) if model else Osam()
    if name == "people":
        return People()
    if name == "box":
        return Rectangle()
    raise SubjectError(f"There is no segmenter {name!r}; expected one of {', '.join(NAMES)}.")


def choose(hints: Hints) -> str:
    """The name of the best installed segmenter for these hints that needs no download.

    Raises:
        SubjectError: none is ready; the message says what to install.
    """
    hinted = bool(hints.points) or hints.box is not None
    if hinted and _has_osam_weights():
        return "osam"
    if _has_rembg_weights():
        return "rembg"
    if hints.box is not None:
        return "box"
    if people_weights() is not None:
        return "people"
    raise SubjectError(f"No segmenter is ready that could find the subject: {_what_is_missing()}.")


def _what_is_missing() -> str:
    """What to install, or which installed segmenter lacks weights."""
    idle = [name for name in ("rembg", "osam") if importlib.util.find_spec(name) is not None]
    if not idle:
        return WAYS
    segmenters = f"segmenter{'s' if len(idle) > 1 else ''} {' and '.join(map(repr, idle))}"
    return f"the {segmenters} must download weights first, which naming one allows; {WAYS}"


def people_weights() -> Path | None:
    """The weights file of `People`, or None if no installed MediaPipe has it."""
    spec = importlib.util.find_spec("mediapipe")  # finds it without importing it
    for folder in (spec and spec.submodule_search_locations) or ():
        if (Path(folder) / _PEOPLE_FILE).is_file():
            return Path(folder) / _PEOPLE_FILE
    return None


def _rembg_sessions() -> dict[str, Any]:
    """rembg's session classes by name."""
    if importlib.util.find_spec("rembg") is None:
        raise SubjectError(f"The segmenter 'rembg' is missing: rembg is not installed; {WAYS}.")
    check_address_space(_ADDRESSES)
    from rembg.sessions import sessions

    known: dict[str, Any] = sessions
    return known


def _has_rembg_weights(model: str = "u2net") -> bool:
    if importlib.util.find_spec("rembg") is None:
        return False
    # To import rembg may take a minute, and where none of its folders has the file, for nothing.
    data = os.getenv("XDG_DATA_HOME", "~")
    folders = [f"{data}/.u2net", f"{data}/rembg", "~/.u2net", "~/.rembg"]
    folders += [os.environ[name] for name in ("U2NET_HOME", "REMBG_HOME") if name in os.environ]
    if not any(any(Path(folder).expanduser().rglob(f"{model}.onnx")) for folder in folders):
        return False
    return _rembg_sessions()[model].resolve_existing(f"{model}.onnx") is not None


def _osam_model(model: str) -> Any:
    if importlib.util.find_spec("osam") is None:
        raise SubjectError(f"The segmenter 'osam' is missing: osam is not installed; {WAYS}.")
    check_address_space(_ADDRESSES)
    from loguru import logger
    from osam import apis

    logger.disable("osam")  # it would log to standard error what it loads
    try:
        return apis.get_model_type_by_name(model)
    except ValueError as error:
        known = ", ".join(kind.name for kind in apis.registered_model_types)
        raise SubjectError(f"osam has no model {model!r}; expected one of {known}.") from error


def _has_osam_weights(model: str = "efficientsam:10m") -> bool:
    if importlib.util.find_spec("osam") is None:
        return False
    return _osam_model(model).get_size() is not None


def _unusable(name: str, error: Exception) -> SubjectError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return SubjectError(f"The segmenter {name!r} cannot be used: {reason}.")


def _resized(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """A mask at the size of a picture, its values in 0..1."""
    import cv2

    size = (shape[1], shape[0])  # OpenCV: width first
    resized = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR), np.float32)
    unit: Mask = np.clip(resized, 0, 1)
    return unit
