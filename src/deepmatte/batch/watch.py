"""A batch that runs until it is stopped, and mattes pictures as they arrive."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from deepmatte.batch.jobs import Job, Sources
from deepmatte.batch.pairing import pair
from deepmatte.batch.settings import fingerprint

# Seconds between two looks at the folders, and for which a file must not have changed to count as
# whole.
_LOOK, _REST = 1.0, 2.0


def watch(
    sources: Sources, matte: Callable[[Sequence[Job]], None], until: Callable[[], bool]
) -> None:
    """Look for pictures until interrupted; hand over those whose files are whole.

    A picture is handed over once it and its partner have kept their size and time for two seconds,
    and again whenever they have changed.

    Args:
        sources: what to look at; what has no partner yet is waited for.
        matte: is given the pictures; it knows itself which of them are done.
        until: whether it is to end without an interrupt.

    Raises:
        KeyboardInterrupt: when the user ends it.
        MattingError: a folder cannot be read, or two pictures would be written to one file.
    """
    seen: dict[str, tuple[str, float]] = {}  # what the files looked like, and since when
    handed: dict[str, str] = {}
    while not until():
        now = time.monotonic()
        whole = []
        for job in pair(sources).jobs:
            look = fingerprint(job)
            if job.name not in seen or seen[job.name][0] != look:
                seen[job.name] = look, now
            elif now - seen[job.name][1] >= _REST and handed.get(job.name) != look:
                handed[job.name] = look
                whole.append(job)
        if whole:
            matte(whole)
        time.sleep(_LOOK)
