"""The ledger of a batch: which pictures are done, of which files and with which settings.

One SQLite file in the output folder, which several runs may share. A run claims each picture
before it works on it. A claim holds as long as its run lives: the run writes down the time every
few seconds, and on its own machine a process that has ended counts as dead at once. So a run that
was killed leaves nothing behind that keeps the next one from its pictures.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from deepmatte.errors import DataError

NAME = ".deepmatte-batch.sqlite"
"""Of the ledger in the output folder."""

State: TypeAlias = Literal["working", "done", "failed"]
Claim: TypeAlias = Literal["mine", "theirs", "done", "failed"]

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, host TEXT, process INTEGER, seen REAL);
CREATE TABLE IF NOT EXISTS pictures (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    run TEXT,
    inputs TEXT,
    settings TEXT,
    finished REAL,
    error TEXT,
    seconds REAL,
    width INTEGER,
    height INTEGER,
    unknown REAL,
    haze REAL,
    notes TEXT,
    thumbnail BLOB
);
"""
# Seconds between two signs of life, and after which a run without one counts as dead.
_PULSE, _DEAD = 10.0, 60.0
# Seconds that a run waits for the others to finish writing.
_PATIENCE = 60.0


@dataclass(frozen=True)
class Finding:
    """What is written down about a picture that was matted or failed.

    Attributes:
        error: why it failed, a sentence, or None where it is done.
        seconds: that it took.
        width: of the picture in pixels, 0 where it could not be read.
        height: likewise.
        unknown: share of the trimap's pixels that were unknown, 0..1.
        haze: share of the picture that stayed undecided, 0..1: the mean of ``4 a (1 - a)``.
        notes: sentences that a user should know of this matte.
        thumbnail: a JPEG of picture and cut-out side by side, or empty.
    """

    error: str | None = None
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    unknown: float = 0.0
    haze: float = 0.0
    notes: tuple[str, ...] = ()
    thumbnail: bytes = b""


@dataclass(frozen=True)
class Entry:
    """What the ledger says of a picture; ``inputs`` and ``settings`` are what it was made with."""

    name: str
    state: State
    inputs: str
    settings: str


class Ledger:
    """The ledger in an output folder, opened by one run.

    Args:
        path: of the file; is made if missing.

    Raises:
        DataError: the file is no ledger, is damaged, or cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.run = uuid.uuid4().hex
        self.began = time.time()
        self._host = socket.gethostname()
        self._connection = self._connect()
        with self._named_errors():
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise DataError(
                    f"{path} is a ledger of version {version}; expected {_VERSION}: use the"
                    " version of deepmatte that made it, or another output folder."
                )
            self._connection.executescript(f"{_SCHEMA} PRAGMA user_version = {_VERSION};")
            self._sign(self._connection)
        self._closing = threading.Event()
        self._pulse = threading.Thread(target=self._beat, daemon=True)
        self._pulse.start()

    def close(self) -> None:
        """Give up what is still claimed, and close the file."""
        self._closing.set()
        self._pulse.join()
        with contextlib.suppress(sqlite3.Error), self._transaction():
            self._connection.execute("DELETE FROM pictures WHERE run = ?", (self.run,))
            self._connection.execute("DELETE FROM runs WHERE id = ?", (self.run,))
        self._connection.close()

    def entries(self) -> Iterator[Entry]:
        """All pictures that the ledger knows."""
        with self._named_errors():
            for row in self._connection.execute(
                "SELECT name, state, inputs, settings FROM pictures"
            ):
                yield Entry(*row)

    def claim(self, name: str, inputs: str, settings: str) -> Claim:
        """Take a picture on, unless another run has done so.

        Returns:
            ``"mine"`` where this run is to matte it, ``"theirs"`` where another run is at it, and
            ``"done"`` or ``"failed"`` where another run has ended it since this one began.
        """
        with self._named_errors(), self._transaction():
            row = self._connection.execute(
                "SELECT state, run, inputs, settings, finished FROM pictures WHERE name = ?",
                (name,),
            ).fetchone()
            if row is not None:
                state, run, *made_of, finished = row
                if state == "working" and run != self.run and self._lives(run):
                    return "theirs"
                if state != "working" and made_of == [inputs, settings] and finished > self.began:
                    return "done" if state == "done" else "failed"
            self._connection.execute(
                "INSERT OR REPLACE INTO pictures (name, state, run, inputs, settings)"
                " VALUES (?, 'working', ?, ?, ?)",
                (name, self.run, inputs, settings),
            )
            return "mine"

    def write(self, name: str, inputs: str, settings: str, finding: Finding) -> None:
        """Write down how a claimed picture ended."""
        state: State = "failed" if finding.error else "done"
        with self._named_errors(), self._transaction():
            self._connection.execute(
                f"INSERT OR REPLACE INTO pictures VALUES (?, ?, NULL, {', '.join('?' * 11)})",
                (
                    *(name, state, inputs, settings, time.time(), finding.error),
                    *(finding.seconds, finding.width, finding.height, finding.unknown),
                    *(finding.haze, "\n".join(finding.notes), finding.thumbnail),
                ),
            )

    def find(self, name: str) -> Finding | None:
        """What is written down about a picture, or None where it is not done and has not failed."""
        with self._named_errors():
            row = self._connection.execute(
                "SELECT error, seconds, width, height, unknown, haze, notes, thumbnail"
                " FROM pictures WHERE name = ? AND state != 'working'",
                (name,),
            ).fetchone()
        if row is None:
            return None
        error, seconds, width, height, unknown, haze, notes, thumbnail = row
        lines = tuple(notes.splitlines())
        return Finding(error, seconds, width, height, unknown, haze, lines, thumbnail)

    def is_alone(self) -> bool:
        """Whether no other run is alive; forgets those that are dead."""
        with self._named_errors(), self._transaction():
            others = [
                run
                for (run,) in self._connection.execute("SELECT id FROM runs").fetchall()
                if run != self.run
            ]
            alive = [run for run in others if self._lives(run)]
            for run in set(others) - set(alive):
                self._connection.execute("DELETE FROM pictures WHERE run = ?", (run,))
                self._connection.execute("DELETE FROM runs WHERE id = ?", (run,))
        return not alive

    def _lives(self, run: str) -> bool:
        row = self._connection.execute(
            "SELECT host, process, seen FROM runs WHERE id = ?", (run,)
        ).fetchone()
        if row is None:
            return False
        host, process, seen = row
        if host == self._host and not _is_running(process):
            return False
        return bool(time.time() - seen < _DEAD)

    def _sign(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)",
            (self.run, self._host, os.getpid(), time.time()),
        )

    def _beat(self) -> None:
        """Give a sign of life every few seconds, whatever the run is at."""
        connection = self._connect()
        while not self._closing.wait(_PULSE):
            with contextlib.suppress(sqlite3.Error):  # the run itself meets the same, and says it
                self._sign(connection)
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        with self._named_errors():
            # Not its write-ahead log: that needs memory shared by all, which no network drive has.
            return sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise DataError(f"The ledger {self.path} cannot be used: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"The ledger {self.path} is damaged ({error}); delete it, and every picture is"
                " matted again."
            ) from error


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
