"""Switches off the telemetry of libraries, before any of them is loaded."""

from __future__ import annotations

import os

_SWITCHES = {
    # ONNX Runtime's own function `disable_telemetry_events` comes too late: by then the device's
    # identity is written and the collector's address is asked for.
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, which accelerate loads
}


def keep_to_this_machine() -> None:
    """Set the switches in this process's environment, which the processes it starts inherit.

    `deepmatte/__init__.py` calls this before it imports anything else, so that every way in passes
    here. A program that imports ONNX Runtime before deepmatte has to set the switch itself.
    """
    os.environ.update(_SWITCHES)
