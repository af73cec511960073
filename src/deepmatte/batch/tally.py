"""The results of a run, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from deepmatte.batch.ledger import Finding

Watcher: TypeAlias = Callable[[str, Finding], None]
"""Is told the name of each picture that has ended, and how."""


@dataclass
class Tally:
    """The results of a run, counted.

    Attributes:
        done: pictures matted by this run.
        known: pictures that were done already, or by another run meanwhile.
        failures: sentences by the pictures' names.
        left: pictures that were neither done nor failed when the run ended.
        stages: seconds of all processes by stage.
        seconds: that the run has taken.
        stopped: why the run stopped early, or None.
    """

    done: int = 0
    known: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    left: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    stopped: str | None = None

    def count(self, name: str, finding: Finding) -> None:
        """A picture has ended, by this run."""
        self.failures.pop(name, None)  # of before it changed
        if finding.error is not None:
            self.failures[name] = finding.error
        else:
            self.done += 1

    @property
    def is_complete(self) -> bool:
        """Whether everything asked for is done."""
        return not self.failures and not self.left and self.stopped is None
