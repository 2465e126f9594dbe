"""Keeps logs from growing for ever, while those that write them go on."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

LARGEST = 10 * 2**20
"""The bytes from which on a log is put aside."""

KEPT = 3
"""How many of those that were put aside are kept."""


def rotate(log: Path, largest: int = LARGEST, kept: int = KEPT) -> None:
    """Empties a log of more than `largest` bytes, what it held being in `<log>.1` then.

    What was put aside before moves on to `.2`, and so on. The file itself stays, since its writers
    hold it open; they append, and so go on at its beginning. What one of them writes in the instant
    between copying and emptying is lost, and so is all of it where there is no room for a copy.
    """
    with contextlib.suppress(FileNotFoundError):  # the deployment was deleted
        if log.stat().st_size <= largest:
            return
        for number in range(kept - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                _aside(log, number).replace(_aside(log, number + 1))
        with contextlib.suppress(OSError):
            shutil.copy(log, _aside(log, 1))
        os.truncate(log, 0)


def _aside(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")
