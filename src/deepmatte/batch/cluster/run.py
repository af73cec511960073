"""Batches on a Ray cluster: folders, WebDataset shards and parquet tables at any address.

Ray moves names only. Each worker reads its pictures itself and writes its results under names that
depend on the inputs alone. So a picture that is matted again, because a machine was lost, replaces
its own result. The process that distributes the work keeps the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from deepmatte.batch.cluster.inventory import Inventory
from deepmatte.batch.cluster.out_ledger import OutLedger
from deepmatte.batch.cluster.ray_job import Work, rows_of
from deepmatte.batch.cluster.shards import Shard
from deepmatte.batch.jobs import Job
from deepmatte.batch.ledger import Claim, Finding, Made, key
from deepmatte.batch.settings import Settings
from deepmatte.batch.tally import Tally, Watcher

# Seconds between two looks at what another run is doing.
_LOOK = 2.0


@dataclass(frozen=True)
class ClusterRun:
    """One run over what was found, with the ledger of its outputs open.

    Attributes:
        found: the pictures or shards.
        settings: of the batch.
        kept: the ledger.
        tally: what the run has come to so far.
    """

    found: Inventory
    settings: Settings
    kept: OutLedger
    tally: Tally

    def left_to_do(self) -> list[Work]:
        """What is missing, changed or failed; the rest counts as known.

        A shard in which pictures failed is done: another try would read the same bytes. Its
        failures are counted again.
        """
        works: list[Work] = [*self.found.pairing.jobs, *self.found.shards]
        left = self.kept.ledger.left(works, self._look_at, self._is_there)
        waiting = {work.name for work in left}
        self.tally.known += len(works) - len(left)
        for shard in self.found.shards:
            if shard.name not in waiting:
                self.tally.failures.update(self.kept.ledger.failures_below(key(shard.name)))
        return left

    def matte(self, works: Sequence[Work], processes: int, watcher: Watcher) -> None:
        """Matte what no other run is at, and wait for what another run is at.

        Args:
            works: what is left to do.
            processes: how many at a time, each with one processor.
            watcher: is told of each picture as it ends.

        Raises:
            DataError: the job failed, or the ledger cannot be written.
        """
        waiting = list(works)
        while waiting:
            shares: dict[Claim, list[Work]] = {"mine": [], "theirs": [], "done": [], "failed": []}
            claims = self.kept.ledger.claim(map(self._look_at, waiting))
            for work, claim in zip(waiting, claims, strict=True):
                shares[claim].append(work)
            self.tally.known += len(shares["done"])
            for work in shares["failed"]:
                finding = self.kept.ledger.find(key(work.name)) or Finding()
                self.tally.count(key(work.name), finding)
                watcher(key(work.name), finding)
            if shares["mine"]:
                self._share_out(shares["mine"], processes, watcher)
            elif shares["theirs"]:
                time.sleep(_LOOK)
            waiting = shares["theirs"]

    def _share_out(self, works: Sequence[Work], processes: int, watcher: Watcher) -> None:
        made = {key(work.name): self._look_at(work) for work in works}
        with closing(rows_of(works, self.settings, processes)) as tasks:
            for rows in tasks:
                self.kept.ledger.write(
                    (Made(row.name, made[row.work].inputs, made[row.work].settings), row.finding)
                    for row in rows
                )
                self.kept.store()
                for row in rows:
                    is_shard = bool(self.found.shards) and row.name == row.work
                    if not is_shard or row.finding.error:  # a shard is no picture
                        self.tally.count(row.name, row.finding)
                        watcher(row.name, row.finding)

    def _look_at(self, work: Work) -> Made:
        outputs = work.outputs if isinstance(work, Job) else work.patterns
        settings = self.settings.fingerprint(outputs)
        return Made(key(work.name), self.found.inputs[work.name], settings)

    def _is_there(self, work: Work) -> bool:
        targets = [work.target] if isinstance(work, Shard) else [name for _, name in work.outputs]
        return self.found.outputs.issuperset(targets)
