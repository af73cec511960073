"""A Ray Data job that mattes pictures from files to files, and shards from one to one."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from deepmatte.batch import addresses
from deepmatte.batch.cluster.shards import SHARDS, Shard, matte_shard
from deepmatte.batch.jobs import Job
from deepmatte.batch.ledger import Finding, key
from deepmatte.batch.settings import Settings
from deepmatte.batch.work import Task, matte_one
from deepmatte.errors import DataError

Work: TypeAlias = Job | Shard

# Pictures of one task of Ray's: short enough that little is done again where a machine is lost,
# long enough that Ray's own work does not show; and tasks at most, for each is kept track of.
_TASK, _TASKS = 16, 20_000
# A worker has the memory of its machine to itself as far as deepmatte knows.
_MEMORY = 2**62
# Fields of a `Finding` that are columns of a table.
_MEASURES = ("seconds", "width", "height", "unknown", "haze")


@dataclass(frozen=True)
class Row:
    """What came of one picture.

    Attributes:
        work: name of the job, or of the shard that the picture is in, as in the ledger.
        name: of the picture; that of the shard for a shard as a whole.
        finding: what came of it.
    """

    work: str
    name: str
    finding: Finding


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
    resources: dict[str, float] = ray.cluster_resources()
    return max(1, int(resources.get("CPU", 1)))


def rows_of(
    works: Sequence[Work], settings: Settings, processes: int
) -> Generator[list[Row], None, None]:
    """Matte on the cluster, and tell what came of it, task by task as they end.

    Args:
        works: pictures, or shards, of which each is a task.
        settings: of the batch.
        processes: how many tasks at a time, each with one processor.

    Raises:
        DataError: the job failed.
    """
    import ray.data

    shards = any(isinstance(work, Shard) for work in works)
    blocks = len(works) if shards else _blocks(len(works), processes)
    function: Callable[..., Any] = _matte_all
    # Tasks and not actors: a task that was lost with its machine is begun anew on another, and the
    # process that it runs in keeps the network for the next one.
    table = ray.data.from_items(
        [{"work": _as_text(work)} for work in works], override_num_blocks=blocks
    ).map_batches(
        function,
        fn_args=(settings,),
        batch_size=None,
        num_cpus=1,
        compute=ray.data.TaskPoolStrategy(min(processes, blocks)),
    )
    try:
        for block in table.iter_batches(batch_size=None, batch_format="pyarrow"):
            batch: Any = block  # a table of Arrow's
            yield [_row(columns) for columns in batch.to_pylist()]
    except ray.exceptions.RayError as error:
        raise DataError(f"The job on the cluster failed: {_last_line(error)}") from error


def _blocks(pictures: int, processes: int) -> int:
    """How many tasks: no process stands idle while another has several pictures before it."""
    few = min(pictures, 4 * processes)
    return min(max(few, -(-pictures // _TASK)), _TASKS)


def _as_text(work: Work) -> str:
    """One line of ASCII, whatever bytes the names of files hold."""
    if isinstance(work, Shard):
        return json.dumps([work.name, work.source, work.target, work.patterns])
    return json.dumps([work.name, work.picture, work.partner, work.outputs])


def _matte_all(batch: Mapping[str, Sequence[str]], settings: Settings) -> dict[str, list[Any]]:
    """Matte some pictures or shards, in one of Ray's workers."""
    rows: list[Row] = []
    for text in batch["work"]:
        name, source, other, outputs = json.loads(str(text))
        kinds = tuple((kind, target) for kind, target in outputs)
        if name.endswith(SHARDS):
            rows += _shard_rows(Shard(name, source, other, kinds), settings)
        else:
            rows.append(_picture_row(Job(name, source, other, kinds), settings))
    return {
        "work": [row.work for row in rows],
        "name": [row.name for row in rows],
        "error": [row.finding.error or "" for row in rows],
        "notes": ["\n".join(row.finding.notes) for row in rows],
        **{measure: [getattr(row.finding, measure) for row in rows] for measure in _MEASURES},
    }


def _picture_row(job: Job, settings: Settings) -> Row:
    for _, target in job.outputs:
        addresses.make_folder_of(target)
    outcome = matte_one(Task(job, settings, 1, _MEMORY, is_tight=False))
    if outcome.stopped is not None:
        raise OSError(outcome.stopped)
    return Row(key(job.name), key(job.name), outcome.finding)


def _shard_rows(shard: Shard, settings: Settings) -> list[Row]:
    """The pictures of a shard, and last the shard as a whole."""
    work = key(shard.name)
    rows = [Row(work, key(name), finding) for name, finding in matte_shard(shard, settings)]
    if all(row.name != work for row in rows):  # it was written
        seconds = sum(row.finding.seconds for row in rows)
        rows.append(Row(work, work, Finding(seconds=seconds)))
    return rows


def _row(columns: Mapping[str, Any]) -> Row:
    measures = {measure: columns[measure] for measure in _MEASURES}
    error, notes = columns["error"] or None, tuple(columns["notes"].splitlines())
    return Row(columns["work"], columns["name"], Finding(error, notes=notes, **measures))


def _last_line(error: Exception) -> str:
    """What went wrong, of Ray's account of it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
