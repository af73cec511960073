"""Numbers for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from deepmatte.service.line import Line

_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)


class Metrics:
    """Counts requests, and reads the line and the process when it is asked.

    Args:
        line: whose lengths are told.
    """

    def __init__(self, line: Line) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # memory, CPU seconds, open files
        PlatformCollector(registry=self._registry)
        self._requests = Counter(
            "deepmatte_requests", "Requests for a matte.", ["status"], registry=self._registry
        )
        self._seconds = Histogram(
            "deepmatte_request_seconds",
            "Seconds from a request to its answer, those answered with 200.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        waiting = Gauge("deepmatte_waiting", "Orders that wait.", registry=self._registry)
        working = Gauge("deepmatte_working", "Orders being done.", registry=self._registry)
        waiting.set_function(lambda: line.waiting)
        working.set_function(lambda: line.working)

    def count(self, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(str(status)).inc()
        if status == 200:
            self._seconds.observe(seconds)

    def text(self) -> bytes:
        """All numbers in Prometheus's text format."""
        return generate_latest(self._registry)
