"""The supervisor's plan: the servers that are to run, the gateway last."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil

from automl.files import write_json
from automl_plugins.targets.processes import Detached

REREAD = signal.SIGHUP
"""It has a supervisor read its plan again."""

POLL = 0.5
"""The seconds between two looks of the supervisor."""


def write_plan(path: Path, servers: Sequence[Detached]) -> None:
    """Writes what a supervisor is to watch from now on."""
    write_json(path, [server.to_state() for server in servers], mode=0o600)


def read_plan(path: Path) -> list[Detached]:
    """Reads what `write_plan` wrote."""
    return [Detached.from_state(state) for state in json.loads(path.read_text(encoding="utf-8"))]


def tell(supervisor: Detached) -> None:
    """Has a supervisor read its plan again, at its next look."""
    process = supervisor.find()
    if process is not None:
        with contextlib.suppress(psutil.Error):
            process.send_signal(REREAD)
