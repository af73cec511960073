"""Batches on a Ray cluster: folders, WebDataset shards and parquet tables at any address.

Ray moves names only. Each worker reads what it needs from where it lies and writes its results
under names that follow from the inputs alone. So a picture that is done again, because a machine
was lost, replaces its own result and is there once.
"""

from __future__ import annotations

import json
import logging
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deepmatte.batch import addresses
from deepmatte.batch.jobs import PARTNER_ENDINGS, SUFFIXES, Job, Pairing, Sources
from deepmatte.batch.ledger import Finding
from deepmatte.batch.naming import check_outputs, output_names
from deepmatte.batch.pairing import why_unpaired
from deepmatte.batch.settings import Settings
from deepmatte.batch.shards import SHARDS, Shard, matte_shard
from deepmatte.batch.work import Task, matte_one
from deepmatte.errors import DataError

if TYPE_CHECKING:
    import ray.data

# Pictures of one task of Ray's: short enough that little is done again where a machine is lost,
# long enough that Ray's own work does not show; and tasks at most, for each is kept track of.
_TASK, _TASKS = 16, 20_000
# A worker has the memory of its machine to itself as far as deepmatte knows.
_MEMORY = 2**62


@dataclass(frozen=True)
class Remaining:
    """What is left to do.

    Attributes:
        pairing: all that there is; no jobs where there are shards.
        jobs: those of its jobs whose outputs are missing, or older than what they are made of.
        shards: likewise of the shards.
        known: how many pictures, or else shards, are done.
    """

    pairing: Pairing
    jobs: tuple[Job, ...] = ()
    shards: tuple[Shard, ...] = ()
    known: int = 0

    @property
    def has_shards(self) -> bool:
        """Whether there are shards, done or not."""
        return bool(self.shards or (self.known and not self.pairing.jobs))


def find(sources: Sources) -> Remaining:
    """Find what is to do in a folder at any address; no ledger says what is done.

    Pictures and trimaps are paired as `pairing.pair` does. A folder of ``.tar`` or ``.parquet``
    files holds shards instead, each with many pictures.

    Raises:
        DataError: a folder cannot be listed, two outputs would have one name, or there are both
            pictures and shards.
    """
    if len(sources.pictures) != 1:
        raise DataError(
            f"{len(sources.pictures)} folders and files were given; --engine ray takes one folder."
        )
    times = _listing(sources.pictures[0], aside=(sources.out, sources.partners))
    shards = {name: time for name, time in times.items() if name.endswith(SHARDS)}
    pictures = {name: time for name, time in times.items() if _is_picture(name)}
    if shards and pictures:
        raise DataError(
            f"{sources.pictures[0]} holds pictures and shards; expected one of them in a folder."
        )
    return _shards(sources, shards) if shards else _pictures(sources, pictures, times)


def _shards(sources: Sources, times: Mapping[str, float]) -> Remaining:
    there = _there(sources.out)
    left = [
        Shard(
            name,
            addresses.joined(sources.pictures[0], name),
            addresses.joined(sources.out, name),
            sources.patterns,
        )
        for name, time in times.items()
        if there.get(name, -1.0) < time
    ]
    return Remaining(Pairing(()), shards=tuple(left), known=len(times) - len(left))


def _pictures(
    sources: Sources, pictures: Mapping[str, float], beside: Mapping[str, float]
) -> Remaining:
    apart = sources.partners is not None and sources.partners != sources.pictures[0]
    folder = sources.partners if apart and sources.partners else sources.pictures[0]
    partners = _listing(folder) if apart else beside
    by_stem: dict[str, list[str]] = {}
    for name in partners:
        stem, suffix = posixpath.splitext(name)
        if suffix.lower() in SUFFIXES:
            by_stem.setdefault(stem, []).append(name)
    jobs, unpaired, changed = [], {}, dict(pictures)
    for name in pictures:
        stem = posixpath.splitext(name)[0]
        partner = None
        if sources.partner != "subject":
            wanted = [f"{stem}.{sources.partner}", *([stem] if apart else [])]
            found = [other for known in wanted for other in by_stem.get(known, ())]
            if len(found) != 1:
                unpaired[name] = why_unpaired(found, sources.partner)
                continue
            partner = addresses.joined(folder, found[0])
            changed[name] = max(changed[name], partners[found[0]])
        picture = addresses.joined(sources.pictures[0], name)
        jobs.append(Job(name, picture, partner, tuple(output_names(name, sources))))
    check_outputs(jobs)
    there = _there(sources.out)
    left = [
        job
        for job in jobs
        if any(
            there.get(_below(target, sources.out), -1.0) < changed[job.name]
            for _, target in job.outputs
        )
    ]
    return Remaining(Pairing(tuple(jobs), unpaired), tuple(left), known=len(jobs) - len(left))


def _listing(folder: str, aside: Iterable[str | None] = ()) -> dict[str, float]:
    inside = [_below(other, folder) for other in aside if other and _is_below(other, folder)]
    return {
        name: time
        for name, time in addresses.listing(folder).items()
        if not any(_is_below(name, other) for other in inside)
    }


def _there(folder: str) -> dict[str, float]:
    try:
        return addresses.listing(folder)
    except DataError:  # it is made with the first output
        return {}


def _is_below(address: str, folder: str) -> bool:
    return address.startswith(f"{folder.rstrip('/')}/")


def _below(address: str, folder: str) -> str:
    return address[len(folder.rstrip("/")) :].lstrip("/")


def _is_picture(name: str) -> bool:
    stem, suffix = posixpath.splitext(name)
    return suffix.lower() in SUFFIXES and not stem.lower().endswith(PARTNER_ENDINGS)


# --- Ray ----------------------------------------------------------------------------------------


def connect(address: str | None) -> int:
    """Join a Ray cluster, or start Ray on this machine; tells how many processors it has.

    Raises:
        DataError: Ray is not installed, or there is no cluster at this address.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise DataError(
            "This needs Ray, which is not installed: pip install 'deepmatte[cluster]'."
        ) from error
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise DataError(f"There is no Ray cluster at {address}: {error}.") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what fails is raised
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU", 1)))


def matte_on_ray(
    remaining: Remaining, settings: Settings, processes: int
) -> Iterator[tuple[str, Finding]]:
    """Matte what is left on the cluster, and tell what came of each picture, as it comes.

    Args:
        remaining: what `find` has found.
        settings: of the batch.
        processes: how many at a time, each with one processor.
    """
    import ray.data

    if remaining.shards:
        items = [json.dumps(shard.as_row()) for shard in remaining.shards]
        function: Callable[..., Any] = _matte_shards
        blocks = len(items)
    else:
        items = [
            json.dumps([job.name, job.picture, job.partner, job.outputs]) for job in remaining.jobs
        ]
        function, blocks = _matte_jobs, min(-(-len(items) // _TASK), _TASKS)
    # Tasks and not actors: a task that was lost with its machine is begun anew on another, and the
    # process that it runs in keeps the network for the next one.
    rows = ray.data.from_items(
        [{"work": item} for item in items], override_num_blocks=blocks
    ).map_batches(
        function,
        fn_args=(settings,),
        batch_size=None,
        num_cpus=1,
        compute=ray.data.TaskPoolStrategy(processes),
    )
    try:
        yield from _findings(rows)
    except ray.exceptions.RayError as error:
        raise DataError(f"The job on the cluster failed: {_last_line(error)}") from error


def _findings(rows: ray.data.Dataset) -> Iterator[tuple[str, Finding]]:
    for row in rows.iter_rows():
        yield (
            row["name"],
            Finding(
                error=row["error"] or None,
                seconds=row["seconds"],
                unknown=row["unknown"],
                haze=row["haze"],
            ),
        )


def _last_line(error: Exception) -> str:
    """What went wrong, of Ray's account of it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _matte_jobs(batch: Mapping[str, Sequence[str]], settings: Settings) -> dict[str, list[Any]]:
    """Matte pictures from files to files, in one of Ray's workers."""
    findings = []
    for text in batch["work"]:
        name, picture, partner, outputs = json.loads(str(text))
        job = Job(name, picture, partner, tuple((kind, target) for kind, target in outputs))
        for _, target in job.outputs:
            addresses.make_folder_of(target)
        outcome = matte_one(Task(job, settings, 1, _MEMORY, is_tight=False))
        if outcome.stopped is not None:
            raise OSError(outcome.stopped)
        findings.append((name, outcome.finding))
    return _table(findings)


def _matte_shards(batch: Mapping[str, Sequence[str]], settings: Settings) -> dict[str, list[Any]]:
    """Matte whole shards, in one of Ray's workers."""
    return _table(
        [
            found
            for text in batch["work"]
            for found in matte_shard(Shard.of_row(json.loads(str(text))), settings)
        ]
    )


def _table(findings: Sequence[tuple[str, Finding]]) -> dict[str, list[Any]]:
    return {
        "name": [name for name, _ in findings],
        "error": [finding.error or "" for _, finding in findings],
        "seconds": [finding.seconds for _, finding in findings],
        "unknown": [finding.unknown for _, finding in findings],
        "haze": [finding.haze for _, finding in findings],
    }
