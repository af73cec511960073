"""Methods to measure: networks, folders of ready mattes, and pymatting's classical methods.

A method is a small value that is sent to other processes, which load what it needs. Its
``identity`` changes whenever its results could change, so that outdated results are recognised.
"""

from __future__ import annotations

import functools
import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from deepmatte.datasets.layouts import pictures_in
from deepmatte.errors import DataError, ModelError
from deepmatte.images.arrays import to_bytes
from deepmatte.images.files import reason_of
from deepmatte.solver.engine import Engine, Quality
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Floats, Trimap
from deepmatte.weights import catalogue

Matting: TypeAlias = Callable[[Floats, Trimap], Floats]
"""(image (H, W, 3) in 0..1, trimap (H, W)) -> alpha (H, W)."""

CLASSICAL = {
    "closed-form": "cf",
    "knn": "knn",
    "learning-based": "lbdm",
    "random-walk": "rw",
    "large-kernel": "lkm",
    "shared": "sm",
}
"""Classical methods, and what pymatting calls them.

Sources: Levin et al. 2008; Chen, Li and Tang 2013; Zheng and Kambhamettu 2009; Grady et al. 2005;
He, Sun and Tang 2010; Gastal and Oliveira 2010.
"""
HIGH = "-high"
"""Behind a shipped network's name: it is asked for that quality."""
PRIOR = "prior"
_OWN = (*catalogue.SHA256, *(f"{name}{HIGH}" for name in catalogue.SHA256), PRIOR)
ALL_CLASSICAL = "classical"


@dataclass(frozen=True)
class NetworkMethod:
    """A network that `deepmatte.solver.engine.Engine` runs, on one thread."""

    name: str
    model: str
    identity: str
    quality: Quality = "normal"

    def load(self) -> Matting:
        return Engine(self.model, threads=1, quality=self.quality)


@dataclass(frozen=True)
class Prior:
    """The prior alpha that the default network corrects, without the network."""

    identity: str
    name: str = PRIOR

    def load(self) -> Matting:
        from deepmatte.solver.inputs import GUESS, network_inputs

        return lambda image, trimap: network_inputs(image, trimap)[GUESS]


@dataclass(frozen=True)
class Classical:
    """One of `CLASSICAL`, with pymatting's own settings."""

    name: str
    identity: str

    def load(self) -> Matting:
        import pymatting

        estimate = getattr(pymatting, f"estimate_alpha_{CLASSICAL[self.name]}")
        if self.name != "shared":  # the only one that solves no linear system
            estimate = functools.partial(estimate, cg_kwargs={"callback": _refuse_nan})

        def matting(image: Floats, trimap: Trimap) -> Floats:
            known = np.where(trimap == UNKNOWN, 0.5, trimap == FOREGROUND)
            return np.asarray(estimate(image.astype(np.float64), known), np.float32)

        return matting


@dataclass(frozen=True)
class Predictions:
    """A folder of ready mattes: ``folder/<trimap kind>/<picture>.png``, or ``folder/<picture>.png``
    for every kind that has no folder of its own.
    """

    name: str
    folder: Path

    def find(self, kind: str, picture: str) -> Path:
        """The matte of one picture.

        Raises:
            DataError: there is none.
        """
        own = self.folder / kind
        folder = own if own.is_dir() else self.folder
        found = pictures_in(folder).get(picture)
        if found is None:
            raise DataError(
                f"{folder} has no prediction called {picture}; expected one for each photo."
            )
        return found


Method: TypeAlias = NetworkMethod | Prior | Classical | Predictions


def open_methods(names: Sequence[str]) -> tuple[Method, ...]:
    """Open methods by the user's names, and check that each exists.

    Args:
        names: "lite", "lite-high"; "prior"; a key of `CLASSICAL`, or "classical" for all of them;
            the path of an ONNX file, or of a folder of predictions. Networks and folders are called
            by the file's or folder's name without suffix.

    Raises:
        ModelError: there is no such method, a network cannot be loaded, or pymatting is missing.
        DataError: two methods would have the same name.
    """
    methods: list[Method] = []
    for name in names:
        for single in CLASSICAL if name == ALL_CLASSICAL else (name,):
            method = _method(single)
            if method in methods:
                continue
            if method.name in (other.name for other in methods):
                raise DataError(f"Two methods are called {method.name}; rename one of the files.")
            methods.append(method)
    return tuple(methods)


def _method(name: str) -> Method:
    if name in CLASSICAL:
        return Classical(name, f"pymatting {_pymatting(name)} {name}")
    if name == PRIOR:
        return Prior(f"prior {_own_code()}")
    if name.endswith(HIGH) and name.removesuffix(HIGH) in catalogue.SHA256:
        normal = _network(name.removesuffix(HIGH))
        return replace(normal, name=name, identity=f"{normal.identity} high", quality="high")
    if name not in catalogue.SHA256 and Path(name).is_dir():
        return Predictions(Path(name).resolve().name, Path(name))
    if name not in catalogue.SHA256 and Path(name).suffix.lower() != ".onnx":
        raise ModelError(
            f"There is no method {name!r}; expected {', '.join(_OWN)},"
            f" {', '.join(CLASSICAL)}, {ALL_CLASSICAL} for these six, an .onnx file, or a folder of"
            " predictions."
        )
    return _network(name)


def _network(name: str) -> NetworkMethod:
    """A shipped network, or that of an ONNX file."""
    import onnxruntime

    content = hashlib.sha256(catalogue.find(name)).hexdigest()
    identity = f"network {content} onnxruntime {onnxruntime.__version__} {_own_code()}"
    network = NetworkMethod(Path(name).stem, name, identity)
    network.load()  # what is no network of ours is refused before anything is measured
    return network


def _pymatting(name: str) -> str:
    """The version of pymatting, which is imported once here: then its code is compiled for all."""
    try:
        import pymatting  # noqa: F401

        return metadata.version("pymatting")
    except ImportError as error:
        raise ModelError(
            f"The method {name} needs {error.name or 'pymatting'}, which is not installed:"
            " pip install 'deepmatte[baselines]'."
        ) from error
    except Exception as error:  # numba finds no folder for what it compiles, for instance
        raise ModelError(f"pymatting cannot be used: {reason_of(error)}.") from error


@functools.cache
def _own_code() -> str:
    """SHA-256 of the modules that may change a result: the package's own, and three folders."""
    package = Path(catalogue.FOLDER).parent
    digest = hashlib.sha256()
    for folder in (package, package / "images", package / "solver", package / "trimap"):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _refuse_nan(
    _matrix: object, _x: object, _b: object, _norm_b: float, _r: object, norm_r: float
) -> None:
    """Stop pymatting's solver once it divided by zero: else it goes on for 10,000 iterations.

    So closed-form does where no unknown pixel touches the foreground: its right-hand side is zero.
    """
    if not math.isfinite(norm_r):
        raise ValueError("the linear solver divided by zero")


def predict(
    method: NetworkMethod | Prior | Classical, image: Floats, trimap: Trimap
) -> tuple[NDArray[np.uint8], float]:
    """A matte as a user gets it, (H, W) in 8 bits, and the seconds that it took of one core.

    Args:
        method: loaded at its first use, which is not timed.
        image: float32 (H, W, 3), 0..1.
        trimap: uint8 (H, W) of 0, 128, 255.

    Raises:
        Exception: whatever the method raises; `ModelError` where it answers with no matte.
    """
    matting = _loaded(method)
    began = time.process_time()  # other processes' share of the machine does not count
    alpha = matting(image, trimap)
    seconds = time.process_time() - began
    if alpha.shape != trimap.shape or not np.isfinite(alpha).all():
        raise ModelError(
            f"{method.name} answered with shape {alpha.shape} or values that are not finite;"
            f" expected an alpha of shape {trimap.shape}."
        )
    return to_bytes(alpha), seconds


@functools.lru_cache(maxsize=len(CLASSICAL) + 4)
def _loaded(method: NetworkMethod | Prior | Classical) -> Matting:
    """Load a method and run it once on a small picture, so that compilation is not timed."""
    matting = method.load()
    rows, columns = np.mgrid[:64, :64].astype(np.float32)
    distance = np.hypot(rows - 32, columns - 32)
    trimap = np.full(distance.shape, UNKNOWN, np.uint8)
    trimap[distance < 14], trimap[distance > 24] = FOREGROUND, BACKGROUND
    matting(np.stack([rows, columns, distance], axis=2) / np.float32(64), trimap)
    return matting
