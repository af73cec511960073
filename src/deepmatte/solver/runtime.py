"""Runs an exported network with ONNX Runtime; other threads can watch and cancel it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import numpy as np
from numpy.typing import NDArray

from deepmatte.solver.devices import session_on


class Progress:
    """The progress of one call of an `Engine`; any thread can read it and cancel the call.

    Attributes:
        share: how much of the work is done, 0..1.

    Example:
        >>> progress = Progress()
        >>> progress.cancel()
        >>> progress.advance(0.5)
        Traceback (most recent call last):
            ...
        concurrent.futures._base.CancelledError
    """

    def __init__(self) -> None:
        self.share = 0.0
        self._part = 0.0, 1.0
        self._cancelled = False
        self._stop: Callable[[], None] | None = None

    def cancel(self) -> None:
        """Cancel the call, which then raises `CancelledError`. Does nothing after its end."""
        self._cancelled = True
        stop = self._stop
        if stop is not None:
            stop()

    def advance(self, share: float) -> None:
        """Say how much is done, 0..1, of the whole or of the `part` that is under way.

        Raises:
            CancelledError: by `cancel`.
        """
        start, end = self._part
        self.share = start + (end - start) * share
        self._raise_if_cancelled()

    @contextlib.contextmanager
    def part(self, start: float, end: float) -> Iterator[None]:
        """In this context 0..1 is mapped to ``start``..``end`` of the enclosing range."""
        outer = self._part
        length = outer[1] - outer[0]
        self._part = outer[0] + length * start, outer[0] + length * end
        try:
            yield
        finally:
            self._part = outer

    def _raise_if_cancelled(self) -> None:
        if self._cancelled:
            raise CancelledError

    @contextlib.contextmanager
    def stopped_by(self, stop: Callable[[], None]) -> Iterator[None]:
        """Also cancel a network while it runs, not only between tiles."""
        self._stop = stop
        self._raise_if_cancelled()  # cancelled before there was anything to stop
        try:
            yield
        except Exception as error:
            if self._cancelled:  # that is why it failed
                raise CancelledError from error
            raise
        finally:
            self._stop = None


class OnnxNetwork:
    """A loaded network.

    Args:
        content: of an ONNX file.
        device: one of `deepmatte.solver.devices.PROVIDERS`.
        threads: of the network.

    Attributes:
        device: where it runs.
        channels: names of its inputs, with commas between; "" where the file does not say.

    Raises:
        ModelError: the device cannot be used.
        Exception: whatever the library raises if the content is not a network.
    """

    def __init__(self, content: bytes, device: str, threads: int) -> None:
        self._session = session_on(device, content, threads)
        self.device = device
        self.channels = self._session.get_modelmeta().custom_metadata_map.get("channels", "")

    def run(
        self, inputs: NDArray[np.float32], progress: Progress, *, frees: bool = True
    ) -> NDArray[np.float32]:
        """Alpha ``(1, 1, H, W)`` of ``inputs`` ``(1, C, H, W)``; from several threads at a time.

        Args:
            inputs: float32.
            progress: watches and ends it.
            frees: whether the memory that it and runs before it took is given back. The next run
                takes up to half as long again then, for the system clears each page once more.

        Raises:
            Exception: whatever the library raises; `CancelledError` if ``progress`` was cancelled.
        """
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.log_severity_level = 4  # as the session's
        if frees:
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

        def stop() -> None:
            options.terminate = True

        with progress.stopped_by(stop):
            (alpha,) = self._session.run(["alpha"], {"inputs": inputs}, options)
        return np.asarray(alpha, np.float32)
