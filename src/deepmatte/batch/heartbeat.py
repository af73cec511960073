"""Which runs share a ledger, and which of them are alive.

A run writes down the time every few seconds. On its own machine a process that has ended counts as
dead at once.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import threading
import time
import uuid

from deepmatte.batch.database import Database
from deepmatte.errors import DataError

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, host TEXT, process INTEGER, seen REAL);"
)
PULSE = 10.0
"""Seconds between two signs of life."""
# Seconds after which a run without one counts as dead.
_DEAD = 60.0


class Heartbeat:
    """This run's signs of life in a database, from now on.

    Args:
        database: holds the table of `SCHEMA`.

    Attributes:
        run: this run's name, which no other has.
    """

    def __init__(self, database: Database) -> None:
        self.run = uuid.uuid4().hex
        self._sign(database.connection)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._beat, args=(database.path,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give no more signs."""
        self._closing.set()
        self._thread.join()

    def lives(self, run: str, connection: sqlite3.Connection) -> bool:
        """Whether a run is alive, as far as its signs tell."""
        row = connection.execute(
            "SELECT host, process, seen FROM runs WHERE id = ?", (run,)
        ).fetchone()
        if row is None:
            return False
        return is_alive(*row)

    def _sign(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)",
            (self.run, socket.gethostname(), os.getpid(), time.time()),
        )

    def _beat(self, path: str) -> None:
        """Give a sign of life every few seconds, whatever the run is at."""
        # The run itself meets the same errors, and says them.
        with contextlib.suppress(DataError), contextlib.closing(Database(path)) as database:
            while not self._closing.wait(PULSE):
                with contextlib.suppress(sqlite3.Error):
                    self._sign(database.connection)


def is_alive(host: str, process: int, seen: float) -> bool:
    """Whether a run is alive, by its last sign of life: ``seen``, as `time.time` counts."""
    if host == socket.gethostname() and not _is_running(process):
        return False
    return time.time() - seen < _DEAD


def _is_running(process: int) -> bool:
    """Whether a process of this machine is there."""
    if os.name == "nt":
        return True  # os.kill would end it; its signs of life tell soon enough
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
