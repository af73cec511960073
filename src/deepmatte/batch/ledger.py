"""The ledger of a batch: which pictures are done, of which files and with which settings.

One SQLite file in the output folder, which several runs may share. A run claims each picture
before it works on it, and its claim holds as long as the run is alive; see `heartbeat`. So the
claims of a killed run do not block the next one.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from deepmatte.batch import heartbeat
from deepmatte.batch.database import Database
from deepmatte.batch.heartbeat import Heartbeat
from deepmatte.errors import DataError

NAME = ".deepmatte-batch.sqlite"
"""Of the ledger in the output folder."""

State: TypeAlias = Literal["working", "done", "failed"]
Claim: TypeAlias = Literal["mine", "theirs", "done", "failed"]
Item = TypeVar("Item")

_VERSION = 1
_SCHEMA = f"""
{heartbeat.SCHEMA}
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


@dataclass(frozen=True)
class Made:
    """A picture, and what its outputs are made of.

    Attributes:
        name: of the picture, as `key` gives it.
        inputs: a line that differs where its files have changed.
        settings: a line that differs where the settings have.
    """

    name: str
    inputs: str
    settings: str


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


def key(name: str) -> str:
    """A picture's name in the ledger, which holds Unicode only; names of files may be no such."""
    return name.encode("utf-8", "backslashreplace").decode()


class Ledger:
    """The ledger in an output folder, opened by one run.

    Args:
        path: of the file; is made if missing.

    Raises:
        DataError: the file is no ledger, is damaged, or cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.began = time.time()
        self._database = Database(path)
        with self._database.named_errors():
            connection = self._database.connection
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise DataError(
                    f"{path} is a ledger of version {version}; expected {_VERSION}: use the"
                    " version of deepmatte that made it, or another output folder."
                )
            connection.executescript(f"{_SCHEMA} PRAGMA user_version = {_VERSION};")
            self._heartbeat = Heartbeat(self._database)

    def close(self) -> None:
        """Give up what is still claimed, and close the file."""
        self._heartbeat.stop()
        with contextlib.suppress(DataError), self._database.transaction() as connection:
            _forget(connection, self._heartbeat.run)
        self._database.close()

    def left(
        self,
        items: Iterable[Item],
        look: Callable[[Item], Made],
        is_there: Callable[[Item], bool],
    ) -> list[Item]:
        """What is missing, changed or failed; what has failed already comes last.

        Args:
            items: pictures or whatever the ledger keeps.
            look: what an item's outputs would be made of now.
            is_there: whether an item has all of its outputs.
        """
        fresh: list[Item] = []
        failed: list[Item] = []
        for item in items:
            made = look(item)
            with self._database.named_errors():
                before = _entry(self._database.connection, made.name)
            state = before.state if before is not None and before.made == made else None
            if state == "failed":
                failed.append(item)
            elif state != "done" or not is_there(item):
                fresh.append(item)
        return fresh + failed

    def claim(self, pictures: Iterable[Made]) -> list[Claim]:
        """Take pictures on, unless another run has done so.

        Returns:
            For each ``"mine"`` where this run is to matte it, ``"theirs"`` where another run is at
            it, and ``"done"`` or ``"failed"`` where another has ended it since this one began.
        """
        alive: dict[str, bool] = {}
        with self._database.transaction() as connection:
            return [self._claimed(made, connection, alive) for made in pictures]

    def _claimed(self, made: Made, connection: sqlite3.Connection, alive: dict[str, bool]) -> Claim:
        before = _entry(connection, made.name)
        if before is not None:
            run, state = before.run, before.state
            if state == "working" and run is not None and run != self._heartbeat.run:
                if run not in alive:
                    alive[run] = self._heartbeat.lives(run, connection)
                if alive[run]:
                    return "theirs"
            if state != "working" and before.made == made and before.finished > self.began:
                return state
        _set_working(connection, made, self._heartbeat.run)
        return "mine"

    def write(self, ended: Iterable[tuple[Made, Finding]]) -> None:
        """Write down how claimed pictures ended."""
        with self._database.transaction() as connection:
            connection.executemany(
                f"INSERT OR REPLACE INTO pictures VALUES (?, ?, NULL, {', '.join('?' * 11)})",
                (_row(made, finding) for made, finding in ended),
            )

    def find(self, name: str) -> Finding | None:
        """What is written down about a picture, or None where it is not done and has not failed."""
        with self._database.named_errors():
            row = self._database.connection.execute(
                "SELECT error, seconds, width, height, unknown, haze, notes, thumbnail"
                " FROM pictures WHERE name = ? AND state != 'working'",
                (name,),
            ).fetchone()
        if row is None:
            return None
        error, seconds, width, height, unknown, haze, notes, thumbnail = row
        lines = tuple(notes.splitlines())
        return Finding(error, seconds, width, height, unknown, haze, lines, thumbnail)

    def failures_below(self, name: str) -> dict[str, str]:
        """The sentences about what failed in a shard, by name."""
        with self._database.named_errors():
            rows = self._database.connection.execute(
                "SELECT name, error FROM pictures WHERE state = 'failed' AND name > ? AND name < ?",
                (f"{name}/", f"{name}0"),  # 0 is the character after /
            ).fetchall()
        return dict(rows)

    def copy_to(self, path: str) -> None:
        """Write a copy of the file as it is at one moment.

        Raises:
            DataError: it cannot be written.
        """
        with self._database.named_errors(), contextlib.closing(sqlite3.connect(path)) as copy:
            self._database.connection.backup(copy)

    def is_alone(self) -> bool:
        """Whether no other run is alive; forgets those that are dead."""
        with self._database.transaction() as connection:
            runs = {run for (run,) in connection.execute("SELECT id FROM runs").fetchall()}
            others = runs - {self._heartbeat.run}
            alive = {run for run in others if self._heartbeat.lives(run, connection)}
            for run in others - alive:
                _forget(connection, run)
        return not alive


@dataclass(frozen=True)
class _Entry:
    """What the ledger says of a picture, and which run is at it."""

    made: Made
    state: State
    run: str | None
    finished: float


def _entry(connection: sqlite3.Connection, name: str) -> _Entry | None:
    row = connection.execute(
        "SELECT inputs, settings, state, run, finished FROM pictures WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        return None
    inputs, settings, state, run, finished = row
    return _Entry(Made(name, inputs, settings), state, run, finished or 0.0)


def _set_working(connection: sqlite3.Connection, made: Made, run: str) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO pictures (name, state, run, inputs, settings)"
        " VALUES (?, 'working', ?, ?, ?)",
        (made.name, run, made.inputs, made.settings),
    )


def _forget(connection: sqlite3.Connection, run: str) -> None:
    connection.execute("DELETE FROM pictures WHERE run = ?", (run,))
    connection.execute("DELETE FROM runs WHERE id = ?", (run,))


def _row(made: Made, finding: Finding) -> tuple[object, ...]:
    error = None if finding.error is None else key(finding.error)
    return (
        *(made.name, "failed" if finding.error else "done", made.inputs, made.settings),
        *(time.time(), error, finding.seconds, finding.width, finding.height),
        *(finding.unknown, finding.haze, "\n".join(finding.notes), finding.thumbnail),
    )
