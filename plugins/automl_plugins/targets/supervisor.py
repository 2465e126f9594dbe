"""Starts servers again that have ended: `python -m automl_plugins.targets.supervisor PLAN`.

They were started by who made the plan and need no parent: where this process ends, they go on.
SIGTERM ends it and only it; SIGHUP makes it read the plan again. It holds the gateway's socket, so
that nobody else gets the port, and connections wait in line, while one gateway takes another's
place. It keeps the logs beside the plan from growing for ever.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from automl_plugins.targets.plan import POLL, REREAD, read_plan
from automl_plugins.targets.processes import LISTEN_FD, Detached
from automl_plugins.targets.rotation import rotate

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 4.0
_SOUND_AFTER = 10.0


def main() -> None:
    """Watches until SIGTERM or SIGINT."""
    stop, reread = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(REREAD, lambda *_: reread.set())
    # It was held until now: it would have ended a process that was still coming up.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {REREAD})
    listening = int(os.environ.pop(LISTEN_FD))
    os.set_inheritable(listening, False)
    plan = Path(sys.argv[1])
    watched = _watch(plan, listening)
    while not stop.wait(POLL):
        if reread.is_set():
            reread.clear()
            watched = _watch(plan, listening)
        for each in watched:
            _try(each.look)
        for log in plan.parent.glob("*.log"):
            _try(rotate, log)


def _try(do: Callable[..., None], *arguments: Any) -> None:
    """Does what is done again soon, so that a full disk or memory now is not the end of it."""
    try:
        do(*arguments)
    except OSError as error:
        with contextlib.suppress(OSError):
            print(f"{_moment()} not done now, but soon again: {error}", flush=True)


def _moment() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _watch(plan: Path, listening: int) -> list[_Watched]:
    *behind, gateway = read_plan(plan)
    return [*(_Watched(server, None) for server in behind), _Watched(gateway, listening)]


class _Watched:
    """A server; one that ends again and again is started ever later, up to 4 seconds."""

    def __init__(self, server: Detached, listening: int | None) -> None:
        self._server, self._listening = server, listening
        self._started = self._due = 0.0
        self._pause = _FIRST_PAUSE

    def look(self) -> None:
        """Starts the server again if it has ended and it is time."""
        now = time.monotonic()
        if now < self._due or self._server.find() is not None:
            return
        if now - self._started > _SOUND_AFTER:
            self._pause = _FIRST_PAUSE
        self._started, self._due = now, now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._server = self._server.start(self._listening)
        print(f"{_moment()} the {self._server.role} was not there; started it", flush=True)


if __name__ == "__main__":
    main()
