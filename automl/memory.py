"""How the C library keeps memory that programs free."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Has glibc keep some freed memory for the next picture instead of handing it back.

    A picture's memory would go and come with each, page by page; that takes up to 2 ms of each on
    a virtual machine. Pillow lays large pictures into blocks of 16 MiB: those go back at once, as
    what they leave in a heap is seldom what the next one needs. It holds for the whole process.
    Other C libraries have no such call.
    """
    _call("mallopt", _M_MMAP_THRESHOLD, 12 << 20)
    _call("mallopt", _M_TRIM_THRESHOLD, 64 << 20)


def share_freed_memory() -> None:
    """Has threads that are to be started share two of glibc's heaps, and what these keep.

    Else each gets one of its own, which keeps a large picture's memory to itself. On two cores two
    are as fast; with a single one, a gateway there lost a fiftieth of its rate.
    """
    _call("mallopt", _M_ARENA_MAX, 2)


def release_freed_memory() -> None:
    """Has glibc hand back what it has kept until now."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    if function is not None:
        function(*arguments)
