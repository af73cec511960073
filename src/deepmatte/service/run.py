"""Starts the server of `deepmatte serve` and ends it."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from deepmatte.errors import DataError
from deepmatte.machine import usable_cores
from deepmatte.service.app import Limits, Service
from deepmatte.service.work import Worker

# Seconds in which a new connection must have sent the head of a request.
_HEAD = 15.0
# Seconds in which who receives an answer must have taken some of it.
_STALLED = 30.0


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes:
        host: the address to listen at.
        port: the port to listen at; 0 takes any.
        keys: see `Service`.
        limits: see `Service`.
        jobs: orders that are done at a time; None takes a core for each.
        model: as `deepmatte.Matter` takes it, and so the next two.
        device: see there.
        memory: see there; for all jobs together.
        segmenter: see `deepmatte.find_subject`.
        root: the path under which a proxy serves this; the proxy strips it.
        proxies: addresses of proxies whose X-Forwarded headers are believed.
        grace: seconds that orders have to end once the server is told to stop.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    keys: Sequence[str] = ()
    limits: Limits = field(default_factory=Limits)
    jobs: int | None = None
    model: str = "lite"
    device: str = "cpu"
    memory: int | None = None
    segmenter: str | None = None
    root: str = ""
    proxies: str = "127.0.0.1"
    grace: int = 30


class _Patient(H11Protocol):
    """Connections that end where nothing moves: no request comes, or no answer is taken."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._left = -1  # bytes of an answer that were not yet taken at the last look
        self.loop.call_later(_HEAD, self._look, transport, True)

    def _look(self, transport: asyncio.Transport, first: bool = False) -> None:
        if transport.is_closing() and transport.get_write_buffer_size() == 0:
            return
        left = transport.get_write_buffer_size()
        if (first and self.cycle is None) or (left and left == self._left):
            transport.abort()
            return
        self._left = left
        self.loop.call_later(_STALLED, self._look, transport)


def serve(settings: Settings) -> None:
    """Serve until interrupted or told to stop (SIGTERM); orders that were taken are done first.

    Args:
        settings: how.

    Raises:
        DataError: others could reach the server and no API key is asked for, or the port is taken.
        ModelError: there is no such model or device.
        SubjectError: there is no such segmenter.
    """
    if not settings.keys and not _is_loopback(settings.host):
        raise DataError(
            f"At {settings.host} others can reach this server; expected an API key, in the"
            " environment variable DEEPMATTE_API_KEY."
        )
    cores = usable_cores()
    jobs = settings.jobs or cores
    memory = None if settings.memory is None else settings.memory // jobs
    threads = max(1, cores // jobs)
    workers = [
        Worker(
            settings.model,
            device=settings.device,
            threads=threads,
            memory=memory,
            segmenter=settings.segmenter,
            pixels=settings.limits.pixels,
        )
        for _ in range(jobs)
    ]
    service = Service(workers, settings.limits, settings.keys)
    config = uvicorn.Config(
        service.app(),
        host=settings.host,
        port=settings.port,
        http=_Patient,
        ws="none",
        log_config=None,
        log_level="critical",  # what goes wrong is said once, by the application
        access_log=False,
        server_header=False,
        root_path=settings.root,
        proxy_headers=True,
        forwarded_allow_ips=settings.proxies,
        timeout_graceful_shutdown=settings.grace,
    )
    try:
        listener = config.bind_socket()
    except SystemExit:  # that is how uvicorn says it
        raise DataError(
            f"The address {settings.host}:{settings.port} is taken or not allowed; choose another"
            " port: --port N."
        ) from None
    listener.listen(config.backlog)  # whoever reads the address may ask at once
    address = listener.getsockname()
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    print(f"Serving at http://{host}:{address[1]}\nCtrl-C stops it.", flush=True)
    # uvicorn ends what was taken and then raises the signal anew.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    uvicorn.Server(config).run(sockets=[listener])


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False
