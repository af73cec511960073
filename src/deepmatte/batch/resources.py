"""How many processes and threads and how much memory a run takes."""

from __future__ import annotations

from dataclasses import dataclass

from deepmatte.batch.jobs import Job
from deepmatte.batch.settings import Settings
from deepmatte.batch.work import Task
from deepmatte.machine import available_memory, usable_cores
from deepmatte.solver.budget import MEMORY

# Bytes that a process takes at least, network and libraries included, for a photo of a few
# megapixels in small tiles.
_LEAST = 600_000_000
# Bytes of the process that gives the work out.
_OWN = 180_000_000
# Of the memory that is free, if nothing is said.
_SHARE_OF_FREE = 0.75


@dataclass(frozen=True)
class Resources:
    """What a run takes of the machine.

    Attributes:
        processes: pictures that are worked on at a time.
        threads: of each process.
        memory: bytes that all of them may take together.
        is_tight: whether the user named the memory; then tiles are made to fit it.
    """

    processes: int
    threads: int
    memory: int
    is_tight: bool

    def task(self, job: Job, settings: Settings) -> Task:
        """A job for one of the processes."""
        return Task(job, settings, self.threads, self.memory // self.processes, self.is_tight)

    def with_processes(self, processes: int) -> Resources:
        """The same cores and memory for another number of processes."""
        threads = max(self.threads, self.processes * self.threads // processes)
        return Resources(processes, threads, self.memory, self.is_tight)


def choose_resources(
    processes: int | None = None, threads: int | None = None, memory: int | None = None
) -> Resources:
    """One process a core with one thread, as far as the memory goes.

    Decoding, encoding and the colours use one core each; a process a core keeps all of them busy
    whatever each process is at.

    Args:
        processes: at a time, or None to choose.
        threads: of each process, or None to choose.
        memory: bytes for all together, or None for three quarters of what is free.
    """
    cores = usable_cores()
    most = max(0, memory - _OWN) if memory else round(available_memory() * _SHARE_OF_FREE)
    if processes is None:
        each = _LEAST if memory else MEMORY
        processes = max(1, min(cores // (threads or 1), most // each))
    return Resources(processes, threads or max(1, cores // processes), most, memory is not None)
