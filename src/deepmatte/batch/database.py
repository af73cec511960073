"""One SQLite file that several processes and machines may write to; its errors in one sentence."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from deepmatte.errors import DataError

# Seconds that one who writes waits for the others to finish.
_PATIENCE = 60.0


class Database:
    """An open SQLite file.

    Args:
        path: of the file; is made if missing.

    Raises:
        DataError: it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with self.named_errors():
            # Not its write-ahead log: that needs memory shared by all, which no network drive has.
            self.connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Nobody else writes within; all of it is kept, or nothing.

        Raises:
            DataError: the file cannot be used, or is damaged.
        """
        with self.named_errors():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                    self.connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def named_errors(self) -> Iterator[None]:
        """SQLite's errors within become a `DataError` that names the file."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise DataError(f"The ledger {self.path} cannot be used: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"The ledger {self.path} is damaged ({error}); delete it, and every picture is"
                " matted again."
            ) from error
