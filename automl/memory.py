"""How the C library keeps memory that programs free."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Has glibc keep some freed memory for the next picture instead of handing it back.

    A picture's memory would go and come with each, page by page; that takes up to 2 ms of each on
    a virtual machine. It holds for the whole process. Other C libraries have no such call.

    Threads that share what is kept keep less. Two heaps are as fast as one for each thread, which
    is the default; with one for all, a server loses a fiftieth of its rate.
    """
    _call("mallopt", _M_ARENA_MAX, 2)
    _call("mallopt", _M_MMAP_THRESHOLD, 32 << 20)
    _call("mallopt", _M_TRIM_THRESHOLD, 64 << 20)


def release_freed_memory() -> None:
    """Has glibc hand back what it has kept until now."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    if function is not None:
        function(*arguments)
