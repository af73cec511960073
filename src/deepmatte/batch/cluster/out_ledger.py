"""The ledger of an output folder at any address.

SQLite needs a file on this machine. For object storage the ledger is fetched when a run begins and
stored from time to time. Only one run at a time may write to such a folder: a small object, which
the run renews every few seconds, keeps other runs out.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType

from deepmatte.batch import addresses
from deepmatte.batch.heartbeat import PULSE, is_alive
from deepmatte.batch.ledger import NAME, Ledger
from deepmatte.errors import DataError, ImageError

_LOCK = ".deepmatte-batch.run"
# Seconds in which two runs that begin at once see each other's lock.
_SETTLED = 1.0
# Seconds between two times that the ledger is stored, at least, and how many times as long as that
# takes.
_PERIOD, _RARITY = 20.0, 20


class OutLedger:
    """The ledger of an output folder, for one run.

    Args:
        out: the folder.

    Attributes:
        ledger: the ledger.

    Raises:
        DataError: another run writes to this folder of an object store, or the ledger cannot be
            used.
        ImageError: the ledger cannot be fetched.

    Example:
        with OutLedger("s3://bucket/mattes") as kept:
            kept.ledger.write(ended)
            kept.store()
    """

    def __init__(self, out: str) -> None:
        self._lock: _Lock | None = None
        self._address = addresses.joined(out, NAME)
        self._stored, self._took = time.monotonic(), 0.0
        self._folder = contextlib.ExitStack()
        if not addresses.is_remote(out):
            os.makedirs(out, exist_ok=True)
            self.ledger = Ledger(self._address)
            return
        self._lock = _Lock(out)
        with contextlib.ExitStack() as undo:
            undo.callback(self._lock.release)
            self._path = Path(self._folder.enter_context(tempfile.TemporaryDirectory())) / "ledger"
            if addresses.exists(self._address):
                self._path.write_bytes(addresses.read(self._address))
            self.ledger = Ledger(str(self._path))
            undo.pop_all()

    def __enter__(self) -> OutLedger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.ledger.close()
            if self._lock is not None:
                addresses.write([(self._address, self._path.read_bytes())])
        finally:
            self._folder.close()
            if self._lock is not None:
                self._lock.release()

    def store(self) -> None:
        """Store what has been written down, unless that was done a moment ago.

        Raises:
            ImageError: it cannot be stored.
        """
        began = time.monotonic()
        if self._lock is None or began - self._stored < max(_PERIOD, _RARITY * self._took):
            return
        copy = self._path.with_name("copy")
        self.ledger.copy_to(str(copy))
        addresses.write([(self._address, copy.read_bytes())])
        self._stored = time.monotonic()
        self._took = self._stored - began


class _Lock:
    """An object that says which run writes to a folder; see `OutLedger`."""

    def __init__(self, out: str) -> None:
        self._out, self._address = out, addresses.joined(out, _LOCK)
        self._run = uuid.uuid4().hex
        self._refuse_others()
        self._sign()
        time.sleep(_SETTLED)
        self._refuse_others()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Let others in."""
        self._closing.set()
        self._thread.join()
        with contextlib.suppress(Exception):  # it ends by itself
            addresses.remove(self._address)

    def _refuse_others(self) -> None:
        if not addresses.exists(self._address):
            return
        try:
            other = json.loads(addresses.read(self._address))
            run, host, process = str(other["run"]), str(other["host"]), int(other["process"])
            seen = float(other["seen"])
        except (ValueError, TypeError, KeyError):
            return  # half of it, from a store that writes in place
        if run != self._run and is_alive(host, process, seen):
            raise DataError(
                f"Another run (process {process} on {host}) is writing to {self._out}; expected one"
                " at a time in object storage."
            )

    def _sign(self) -> None:
        told = {"run": self._run, "host": socket.gethostname(), "process": os.getpid()}
        addresses.write([(self._address, json.dumps({**told, "seen": time.time()}).encode())])

    def _beat(self) -> None:
        while not self._closing.wait(PULSE):
            with contextlib.suppress(ImageError, DataError):  # the run meets the same, and says it
                self._sign()
