"""Locks on folders between processes. They leave no file behind and end with whoever holds them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lets one process at a time change what is in `folder`, which is made if need be.

    A signal waits until that is done: an exception at the wrong moment would keep the lock, for
    which the same process then waited when it cleans up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        with _flock(folder, fcntl.LOCK_EX):
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def claimed(folder: Path, shared: bool = False) -> contextlib.AbstractContextManager[None]:
    """Holds `folder` for a longer work, alone or with others that share it.

    Raises:
        FileNotFoundError: If there is no such folder.
        BlockingIOError: If somebody else holds it, unless both share it.
    """
    return _flock(folder, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


@contextlib.contextmanager
def _flock(folder: Path, operation: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, operation)
        yield
    finally:
        os.close(descriptor)
