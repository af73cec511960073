"""Memory of a process that needs the same large blocks again and again."""

from __future__ import annotations

import ctypes
import platform

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_MOST = 2**31 - 1


def keep_freed_memory() -> None:
    """Let this process keep what it frees, up to 2 GB; nothing happens where it has not glibc.

    By itself glibc gives each large block back to the system, which clears it page by page before
    it lends it again: with the tensors of a training step that takes longer than half of the
    arithmetic.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_MAX, 0)  # large blocks too come from the heap
        library.mallopt(_TRIM_THRESHOLD, _MOST)  # which does not shrink
