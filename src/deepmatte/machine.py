"""The cores and the memory that this process may use, and the handling of freed memory.

glibc's defaults suit neither many pictures nor many training steps.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import platform
import re
from pathlib import Path

from deepmatte.errors import MattingError

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_MOST = 2**31 - 1
# Bytes that are assumed free if the system does not say.
_UNKNOWN_MEMORY = 2_000_000_000

# Bytes of addresses that the libraries take, and their threads, one a core.
_LIBRARIES, _THREAD = 500_000_000, 40_000_000

_UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}


class _Heap(ctypes.Structure):
    """glibc's ``struct mallinfo2``; the ninth number is the free bytes."""

    _fields_ = [
        ("before", ctypes.c_size_t * 8),
        ("free", ctypes.c_size_t),
        ("top", ctypes.c_size_t),
    ]


def usable_cores() -> int:
    """Cores that this process may use: its affinity, and a container's CPU quota."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):  # no control group, or "max"
        pass
    return max(1, cores)


def available_memory() -> int:
    """Bytes that are free for this process: the machine's, within a container's limit."""
    free = _free_memory()
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text()
        free = min(free, max(0, int(limit) - int(used)))
    except (OSError, ValueError):  # no control group, or "max"
        pass
    return free


def _free_memory() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:  # not Linux: half of what it has
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return _UNKNOWN_MEMORY


def return_freed_memory(beyond: int = 0) -> None:
    """Return freed memory to the system; does nothing without glibc.

    glibc keeps smaller blocks for reuse. Over pictures of many sizes they rarely fit, and the kept
    memory grows with each picture.

    Args:
        beyond: bytes to keep, because the system clears each page before it hands it out again.
    """
    library = _glibc()
    if library is None:
        return
    if beyond and hasattr(library, "mallinfo2"):  # since glibc 2.33
        library.mallinfo2.restype = _Heap
        if library.mallinfo2().free <= beyond:
            return
    library.malloc_trim(0)


def keep_freed_memory() -> None:
    """Let this process keep freed memory, up to 2 GB; does nothing without glibc.

    glibc returns each large block to the system, which clears it page by page before it hands it
    out again. For the tensors of a training step that takes more than half as long as the
    arithmetic.
    """
    library = _glibc()
    if library is not None:
        library.mallopt(_MMAP_MAX, 0)  # large blocks come from the heap, too
        library.mallopt(_TRIM_THRESHOLD, _MOST)  # which does not shrink


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def bytes_of(text: str) -> int:
    """Bytes of "1.5GB", "800 MB", "2g" or a plain number.

    Raises:
        MattingError: the text is something else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", text.strip().upper())
    if match is None:
        raise MattingError(f"{text!r} is not an amount of memory; expected 1.5GB or 800MB.")
    return round(float(match[1]) * _UNITS[match[2]])


def check_address_space(least: int | None = None) -> None:
    """Refuse a limit of addresses (``ulimit -v``) under which libraries crash as they are loaded.

    Args:
        least: bytes that the libraries need; None stands for what this package always loads.

    Raises:
        MattingError: there is such a limit.
    """
    with contextlib.suppress(ImportError):  # Windows, which has none
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if least is None:
            least = _LIBRARIES + _THREAD * usable_cores()
        if 0 <= limit < least:
            raise MattingError(
                f"This process may use {limit / 1e9:.2f} GB of addresses (ulimit -v); expected at"
                f" least {least / 1e9:.2f} GB."
            )
