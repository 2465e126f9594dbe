"""A bar for what takes a while and can be counted."""

from __future__ import annotations

import os
import time
from typing import TextIO

_PAUSE = 0.1
"""Seconds between two looks; a source may tell of a million rows."""


class Bar:
    """Progress on standard error, on a terminal only.

    It writes to the terminal that it was made on, whatever happens to standard error meanwhile.
    """

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._terminal: TextIO = os.fdopen(os.dup(2), "w", encoding="utf-8")
        console = Console(file=self._terminal)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=None)
        self._shown = 0.0

    def __enter__(self) -> Bar:
        """Shows the bar."""
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Takes the bar away."""
        self._bar.stop()
        self._terminal.close()

    def update(self, done: int, total: int | None = None, title: str | None = None) -> None:
        """Shows how much is done, of how much if that is known, and of what if that changes."""
        now = time.monotonic()
        if now - self._shown >= _PAUSE or done == total:
            self._shown = now
            self._bar.update(self._task, completed=done, total=total, description=title)
