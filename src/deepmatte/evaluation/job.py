"""One method on one picture with one kind of trimap: predicts, measures and keeps the result.

Results are kept as plain files, so a stopped run continues::

    out/predictions/<method>/<kind>/<picture>.png   the matte, in 8 bits
    out/predictions/<method>/<kind>/<picture>.json  what it was made of, seconds, errors
    out/trimaps/<kind>/<picture>.png                trimaps that are not files of the data set

A kept matte is reused if method, picture, trimap and the matte itself have the same SHA-256. Its
errors are reused if the true alpha and the metrics' code are unchanged, too.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepmatte.datasets.layouts import Sample
from deepmatte.datasets.trimaps import make_trimap
from deepmatte.errors import DataError, MattingError, TrimapError, named_memory_errors
from deepmatte.evaluation import metrics
from deepmatte.evaluation.methods import Method, Predictions, predict
from deepmatte.evaluation.results import METRICS, Row
from deepmatte.images import encode_image, open_alpha, open_grey, open_image
from deepmatte.images.arrays import to_bytes, to_unit
from deepmatte.images.files import reason_of, write_files
from deepmatte.types import BACKGROUND, FOREGROUND, UNKNOWN, Floats, Trimap

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Job:
    """One thing to measure, and the folder ``out`` for its results."""

    method: Method
    sample: Sample
    kind: str
    out: Path

    def row(
        self,
        trimap: Trimap | None = None,
        *,
        errors: dict[str, float] | None = None,
        seconds: float | None = None,
        failure: str | None = None,
        prediction: Path | None = None,
    ) -> Row:
        """The row of the result; without a trimap if none could be read."""
        unknown, foreground, background = (
            0 if trimap is None else int((trimap == label).sum())
            for label in (UNKNOWN, FOREGROUND, BACKGROUND)
        )
        return Row(
            method=self.method.name,
            trimap=self.kind,
            picture=self.sample.name,
            unknown=unknown,
            foreground=foreground,
            background=background,
            errors=errors,
            seconds=seconds,
            failure=failure,
            image=self.sample.image,
            alpha=self.sample.alpha,
            shown_trimap=self.sample.trimaps.get(self.kind, self.made_trimap),
            prediction=prediction,
        )

    @property
    def made_trimap(self) -> Path:
        """The path of a trimap that was made."""
        return self.out / "trimaps" / self.kind / f"{self.sample.name}.png"

    @property
    def kept_matte(self) -> Path:
        """The path of the prediction."""
        folder = self.out / "predictions" / self.method.name / self.kind
        return folder / f"{self.sample.name}.png"

    @property
    def record(self) -> Path:
        """The path of the prediction's record."""
        return self.kept_matte.with_name(f"{self.sample.name}.json")


@dataclass(frozen=True)
class Answer:
    """A row, and whether it was complete before."""

    row: Row
    known: bool


def run_job(job: Job) -> Answer:
    """Run a job; an error goes into the row."""
    trimap = None
    try:
        with named_memory_errors():
            image, alpha, trimap = _open(job)
            if not (trimap == UNKNOWN).any():
                raise TrimapError(
                    f"The trimap {job.kind} of {job.sample.name} has no unknown pixel; expected"
                    " some between background (0) and foreground (255, or of 0, 1 and 2 the 2)."
                )
            path, seconds, predicted_before = _predicted(job, image, trimap)
            errors, measured_before = _errors(job, path, alpha, trimap)
        row = job.row(trimap, errors=errors, seconds=seconds, prediction=path)
        return Answer(row, known=predicted_before and measured_before)
    except MemoryError:
        failure = "There is not enough memory for this picture."
    except MattingError as error:
        failure = str(error)
    except Exception as error:  # a method may raise anything; others go on
        failure = f"{job.method.name} failed: {reason_of(error)} ({type(error).__name__})."
    return Answer(job.row(trimap, failure=failure), known=False)


def _open(job: Job) -> tuple[Floats, Floats, Trimap]:
    """Picture (H, W, 3), true alpha (H, W) and trimap (H, W); made trimaps are kept as files."""
    image = open_image(job.sample.image).rgb
    alpha = open_alpha(job.sample.alpha)
    _check_size(alpha, image, job.sample.alpha)
    trimap = make_trimap(job.kind, job.sample, alpha)
    if job.kind not in job.sample.trimaps:
        data = encode_image(trimap, ".png")
        if _file_digest(job.made_trimap) != _digest(data):
            _write([(job.made_trimap, data)])
    return image, alpha, trimap


def _predicted(job: Job, image: Floats, trimap: Trimap) -> tuple[Path, float | None, bool]:
    """The file of a prediction, its seconds, and whether it existed before."""
    if isinstance(job.method, Predictions):
        return job.method.find(job.kind, job.sample.name), None, True
    made_of = _digest(job.method.identity.encode(), image, trimap)
    record = _read(job.record)
    seconds = record.get("seconds")
    sound = seconds is None or _is_number(seconds)  # somebody may have edited it
    same = record.get("made_of") == made_of and record.get("sha256") == _file_digest(job.kept_matte)
    if same and sound:
        return job.kept_matte, seconds, True
    matte, seconds = predict(job.method, image, trimap)
    data = encode_image(matte, ".png")
    record = {"made_of": made_of, "sha256": _digest(data), "seconds": seconds}
    _write([(job.kept_matte, data), (job.record, _encoded(record))])
    return job.kept_matte, seconds, False


def _errors(job: Job, path: Path, alpha: Floats, trimap: Trimap) -> tuple[dict[str, float], bool]:
    """The errors of a prediction's file, and whether they were kept from before."""
    measured = _digest(_file_digest(path).encode(), alpha, trimap, _code_of_metrics().encode())
    record = _read(job.record)
    kept = record.get("errors") if record.get("measured") == measured else None
    known: dict[str, Any] = {}
    if isinstance(kept, dict):
        known = {name: kept.get(name) for name in METRICS}
    if known and all(_is_number(value) for value in known.values()):
        return known, True
    matte = open_matte(path)
    _check_size(matte, alpha, path)
    errors = metrics.measure(to_bytes(matte), _truth(alpha), trimap)
    _write([(job.record, _encoded({**record, "measured": measured, "errors": errors}))])
    return errors, False


def _check_size(matte: Floats, like: Floats, path: Path) -> None:
    (height, width), (expected_height, expected_width) = matte.shape, like.shape[:2]
    if (height, width) != (expected_height, expected_width):
        raise DataError(
            f"{path} is {width} x {height} pixels (width x height) but the picture is"
            f" {expected_width} x {expected_height}."
        )


def open_matte(path: Path) -> Floats:
    """A prediction (H, W), 0..1: its levels as they are stored, or a cut-out's transparency.

    Unlike `open_alpha` it does not take levels 0 and 1 for a mask.
    """
    try:
        grey = open_grey(path)
    except TrimapError:
        return open_alpha(path)
    return to_unit(grey.levels) if grey.alpha is None else grey.alpha


def _truth(alpha: Floats) -> Bytes | Floats:
    """A true alpha, in 8 bits if it is stored so, because these are exact."""
    levels = to_bytes(alpha)
    return levels if np.array_equal(to_unit(levels), alpha) else alpha


# --- what is kept ---------------------------------------------------------------------------------


def _read(record: Path) -> dict[str, Any]:
    """A record's contents; empty if the file is missing or damaged."""
    try:
        content = json.loads(record.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value < float("inf")


def _encoded(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, indent=1) + "\n").encode()


def _write(files: Sequence[tuple[Path, bytes]]) -> None:
    for path, _ in files:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_files(files)


def _digest(*parts: bytes | NDArray[Any]) -> str:
    """SHA-256 of bytes and arrays in sequence, including the arrays' shapes."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(str(part.shape).encode())
            part = part.tobytes()
        digest.update(part)
    return digest.hexdigest()


def _file_digest(path: Path) -> str:
    """SHA-256 of a file; "" if it does not exist."""
    try:
        return _digest(path.read_bytes())
    except OSError:
        return ""


@functools.cache
def _code_of_metrics() -> str:
    return _file_digest(Path(metrics.__file__))
