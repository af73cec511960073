"""A look into the engine: how long its network runs, and in which operators.

ONNX Runtime's class is replaced before the engine is made, so that it is the engine's own session,
with whatever settings that has, which is watched.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import onnxruntime


class Watched(onnxruntime.InferenceSession):  # type: ignore[misc]
    """A session that knows how many seconds it has run."""

    profile: Path | None = None
    """Where its record of all operators goes; without one it is as fast as any."""
    latest: Watched

    def __init__(self, network: bytes, options: Any, **settings: Any) -> None:
        if self.profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(self.profile)
        super().__init__(network, options, **settings)
        self.seconds = 0.0
        Watched.latest = self

    def run(self, *arguments: Any) -> Any:
        """As the class above."""
        began = time.perf_counter()
        try:
            return super().run(*arguments)
        finally:
            self.seconds += time.perf_counter() - began


def watch(profile: Path | None = None) -> type[Watched]:
    """From now on all sessions of this process are watched; ``latest`` is the last one made."""
    Watched.profile = profile
    onnxruntime.InferenceSession = Watched
    return Watched
