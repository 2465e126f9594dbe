"""Starts servers again that have ended: `python -m automl_plugins.targets.supervisor PLAN`.

PLAN is a JSON list of servers as `Detached.to_state` writes them. They were started by who made
the plan and need no parent: where this process ends, they go on. SIGTERM ends it and only it.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from pathlib import Path

from automl_plugins.targets.processes import ENVIRONMENT, Detached

_POLL = 0.5
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 4.0
_SOUND_AFTER = 10.0


def main() -> None:
    """Watches until SIGTERM or SIGINT."""
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    watched = [_Watched(Detached.from_state(state)) for state in plan]
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(_POLL):
        for each in watched:
            each.look()


class _Watched:
    """A server; one that ends again and again is started ever later, up to 4 seconds."""

    def __init__(self, server: Detached) -> None:
        self._server = server
        self._started = self._due = 0.0
        self._pause = _FIRST_PAUSE

    def look(self) -> None:
        """Starts the server again if it has ended and it is time."""
        now = time.monotonic()
        if now < self._due or self._server.find() is not None:
            return
        if now - self._started > _SOUND_AFTER:
            self._pause = _FIRST_PAUSE
        self._server = self._server.start(ENVIRONMENT)
        self._started, self._due = now, now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        moment = time.strftime("%Y-%m-%d %H:%M:%S")
        print(f"{moment} the {self._server.role} had ended; started it again", flush=True)


if __name__ == "__main__":
    main()
