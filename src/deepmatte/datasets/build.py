"""Composing a data set: on all cores, with a manifest, resumable.

`composition_1k`, `testset` and `structural` make a `Plan`; `build` carries it out. Beside the
pictures it writes ``manifest.json`` with the SHA-256 of every file read and written for each
sample. A sample is complete, and skipped the next time, if the manifest lists it and all its files
still have their SHA-256. Anything unfinished, changed or deleted is made again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import signal
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deepmatte.errors import DataError, MattingError, named_memory_errors
from deepmatte.images import encode_image
from deepmatte.images.files import read_bytes, write_bytes, write_files
from deepmatte.machine import usable_cores
from deepmatte.version import __version__
from deepmatte.workers import Death, run

PicturesByFolder: TypeAlias = dict[str, NDArray[np.uint8]]
"""The pictures of a sample, (H, W) or (H, W, 3), by the folder that each goes to."""

MANIFEST = "manifest.json"
SAVE_SECONDS = 10
"""Time between two writings of the manifest: what a killed run has to make again at most."""
NAMED = 10
"""How many files an error names before it only counts them."""


@dataclass(frozen=True)
class Composite:
    """One composite to make.

    Attributes:
        name: of its files, without suffix.
        sources: the role of each input ("foreground") and its file.
        settings: everything else that its pixels depend on, as JSON.
    """

    name: str
    sources: Mapping[str, Path]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """A data set to make.

    Attributes:
        kind: of data set, a word.
        rule: how samples are composed, for people. Must change if the pixels do.
        settings: everything that the whole set depends on, as JSON.
        samples: with different names.
        render: makes a sample's pictures. A module-level function, because other processes must
            find it.
        folders: those folders.
        inputs: folders of the sources; nothing is written there.
        tables: text files of the set, by name: its ``groups.tsv``.
    """

    kind: str
    rule: str
    settings: Mapping[str, int | None]
    samples: Sequence[Composite]
    render: Callable[[Composite], PicturesByFolder]
    folders: Sequence[str]
    inputs: Sequence[Path]
    tables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BuildResult:
    """The result of one sample.

    Attributes:
        record: its entry in the manifest; None if it failed.
        made: whether its files were written now; False if they were complete already, or it failed.
        failure: why it failed, one sentence.
    """

    record: dict[str, Any] | None
    made: bool = False
    failure: str | None = None


Task: TypeAlias = tuple[
    Composite, Callable[[Composite], PicturesByFolder], Path, dict[str, Any] | None
]


def build(plan: Plan, out: Path) -> Generator[BuildResult]:
    """Make the missing samples of a data set, one process per core.

    Raises at once if the work cannot start. The work is done while the results are iterated over,
    one per sample, as they finish. Close the generator to stop early.

    Args:
        plan: the data set.
        out: the folder for the results; created if missing.

    Raises:
        DataError: `out` holds another data set or lies in an input. A failed sample does not raise:
            it has a result too, and the rest continues.
        ImageError: the manifest or a table cannot be written.

    Example:
        with closing(build(plan, Path("testset"))) as outcomes:
            failures = [outcome.failure for outcome in outcomes if outcome.failure]
    """
    _check_apart(plan, out)
    records = _known_records(plan, out)
    for folder in plan.folders:
        (out / folder).mkdir(parents=True, exist_ok=True)
    _save_manifest(plan, out, records)
    write_files([(out / name, text.encode()) for name, text in plan.tables.items()])
    return _outcomes(plan, out, records)


def named(files: Sequence[object]) -> str:
    """The first few of many files, for an error message."""
    text = ", ".join(map(str, files[:NAMED]))
    return text if len(files) <= NAMED else f"{text} and {len(files) - NAMED} more"


# --- in the workers -----------------------------------------------------------------------------


def _make(task: Task) -> BuildResult:
    sample, render, out, known = task
    # A process that is told to end exits normally, so that its temporary files are removed.
    signal.signal(signal.SIGTERM, _end)
    try:
        record: dict[str, Any] = {
            "sources": {
                role: {"file": path.name, "sha256": _digest(path)}
                for role, path in sample.sources.items()
            },
            "settings": dict(sample.settings),
        }
        if known is not None and _is_whole(sample.name, known, record, out):
            return BuildResult(known)
        with named_memory_errors():
            pictures = render(sample)
        contents = {folder: encode_image(pixels, ".png") for folder, pixels in pictures.items()}
        targets = {folder: _target(out, folder, sample.name) for folder in contents}
        for target in targets.values():
            if target.is_symlink():  # it may point to an input, which would be replaced
                raise DataError(f"{target} is a link; expected a file or nothing there.")
        write_files([(targets[folder], data) for folder, data in contents.items()])
    except MattingError as error:
        return BuildResult(None, failure=str(error))
    except MemoryError:
        return BuildResult(None, failure=f"There is not enough memory to compose {sample.name}.")
    record["outputs"] = {folder: _sha256(data) for folder, data in contents.items()}
    return BuildResult(record, made=True)


def _end(_signal: int, _frame: object) -> None:
    sys.exit(1)


def _is_whole(name: str, known: dict[str, Any], wanted: dict[str, Any], out: Path) -> bool:
    outputs = known.get("outputs")
    if not isinstance(outputs, dict) or known != {**wanted, "outputs": outputs}:
        return False
    try:
        return all(
            _sha256(_target(out, folder, name).read_bytes()) == digest
            for folder, digest in outputs.items()
        )
    except (OSError, ValueError, TypeError):
        return False


def _target(out: Path, folder: str, name: str) -> Path:
    return out / folder / f"{name}.png"


@functools.lru_cache(maxsize=4096)
def _digest(path: Path) -> str:
    return _sha256(read_bytes(path))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- in the first process -----------------------------------------------------------------------


def _check_apart(plan: Plan, out: Path) -> None:
    """Refuse to write among the inputs."""
    for folder in plan.folders:
        target = (out / folder).resolve()
        for source in plan.inputs:
            real = source.resolve()
            if real == target or real in target.parents or target in real.parents:
                raise DataError(
                    f"The results would go to {out / folder}, which is not apart from the input"
                    f" {source}; choose another folder."
                )


def _outcomes(plan: Plan, out: Path, records: dict[str, dict[str, Any]]) -> Generator[BuildResult]:
    """Make the samples; `records` always holds the complete ones."""
    tasks = [(sample, plan.render, out, records.get(sample.name)) for sample in plan.samples]
    saved = time.monotonic()
    try:
        with closing(run(_make, tasks, usable_cores())) as answers:
            for (sample, *_), answer in answers:
                outcome = _outcome(sample, answer)
                if outcome.record is None:
                    records.pop(sample.name, None)
                else:
                    records[sample.name] = outcome.record
                yield outcome
                if time.monotonic() - saved > SAVE_SECONDS:
                    _save_manifest(plan, out, records)
                    saved = time.monotonic()
    finally:
        _save_manifest(plan, out, records)


def _outcome(sample: Composite, answer: BuildResult | Death) -> BuildResult:
    if isinstance(answer, Death):
        return BuildResult(None, failure=f"{sample.name} could not be composed: {answer}")
    return answer


def _head(plan: Plan) -> dict[str, Any]:
    return {"kind": plan.kind, "rule": plan.rule, "settings": dict(plan.settings)}


def _known_records(plan: Plan, out: Path) -> dict[str, dict[str, Any]]:
    """The records of an earlier run of the same plan, by sample.

    Raises:
        DataError: the manifest belongs to another plan, whose files would mix with this one's.
    """
    path = out / MANIFEST
    if not path.exists():
        return {}
    try:
        manifest = json.loads(path.read_bytes())
        # An entry that is none is as good as missing: its sample is made again.
        records = {
            str(name): record
            for name, record in dict(manifest["samples"]).items()
            if isinstance(record, dict) and isinstance(record.get("outputs"), dict)
        }
        head = {key: manifest[key] for key in _head(plan)}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(f"{path} is not a manifest of deepmatte; choose another folder.") from error
    if head != _head(plan):
        raise DataError(
            f"{out} holds a data set made by other rules or settings ({head['kind']},"
            f" {head['settings']}; these are {plan.kind}, {dict(plan.settings)}); choose another"
            " folder."
        )
    strangers = sorted(records.keys() - {sample.name for sample in plan.samples})
    if strangers:
        raise DataError(
            f"{out} holds {len(strangers)} composites that these inputs do not produce"
            f" ({named(strangers)}); choose another folder."
        )
    return records


def _save_manifest(plan: Plan, out: Path, records: Mapping[str, dict[str, Any]]) -> None:
    in_order = {s.name: records[s.name] for s in plan.samples if s.name in records}
    manifest = {"deepmatte": __version__, **_head(plan), "samples": in_order}
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    write_bytes(out / MANIFEST, text.encode())
