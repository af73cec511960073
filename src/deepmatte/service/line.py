"""The bounded queue in front of the workers; a client that disconnects leaves it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import CancelledError

import anyio
import anyio.to_thread
from starlette.types import Receive

from deepmatte.service.orders import Order
from deepmatte.service.work import Done, Worker
from deepmatte.solver.runtime import Progress


class FullError(Exception):
    """There is no place left.

    Args:
        seconds: after which there may be one.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"full for {seconds} s")
        self.seconds = seconds


class GoneError(Exception):
    """Who asked has hung up."""


class Line:
    """Orders that wait, and the workers that do them.

    Args:
        workers: each does one order at a time.
        places: orders that may wait beside those that are being done.

    Attributes:
        waiting: orders that wait.
        working: orders that are being done.
    """

    def __init__(self, workers: Sequence[Worker], places: int) -> None:
        self._idle, self._count = list(workers), len(workers)
        self._places = places
        self._turn = anyio.Semaphore(len(workers), fast_acquire=True)
        self._threads = anyio.CapacityLimiter(len(workers))
        self._usual = 1.0  # seconds that an order takes, lately
        self.waiting = self.working = 0

    def check(self) -> None:
        """See whether there is a place.

        Raises:
            FullError: there is none.
        """
        if self.waiting + self.working >= self._count + self._places:
            ahead = self.waiting + self.working
            raise FullError(max(1, math.ceil(self._usual * ahead / self._count / 2)))

    async def done(self, order: Order, receive: Receive) -> Done:
        """Wait and have an order done.

        Args:
            order: what is to be done.
            receive: of the request, whose body has been read; tells when who asked hangs up.

        Raises:
            FullError: there is no place.
            GoneError: who asked has hung up; the order is ended.
            MattingError: see `Worker`.
            MemoryError: see `Worker`.
        """
        self.check()
        progress = Progress()
        done: Done | None = None
        failure: Exception | None = None

        async def watch(scope: anyio.CancelScope) -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            progress.cancel()
            scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, tasks.cancel_scope)
            try:
                done = await self._in_turn(order, progress)
            except Exception as error:  # raised in here, the group would wrap it
                failure = error
            tasks.cancel_scope.cancel()
        if failure is not None and not isinstance(failure, CancelledError):
            raise failure
        if done is None:
            raise GoneError
        return done

    async def _in_turn(self, order: Order, progress: Progress) -> Done:
        self.waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self.waiting -= 1
        self.working += 1
        worker = self._idle.pop()
        started = anyio.current_time()
        try:
            # Not abandoned where it is cancelled: the worker is free only once it has ended.
            return await anyio.to_thread.run_sync(worker, order, progress, limiter=self._threads)
        finally:
            self._usual += 0.2 * (anyio.current_time() - started - self._usual)
            self._idle.append(worker)
            self.working -= 1
            self._turn.release()
