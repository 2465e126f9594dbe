"""What a run keeps only while it goes on: trained weights that no export holds yet."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

from automl.tuning.events import FILE
from automl.tuning.run import ENDED, Run
from automl.workspace import Workspace

CHECKPOINTS = "trials"
"""Holds a folder for the best trial: what its last fold has trained."""

PROGRESS = "progress"
"""Holds how far a trial under way has come."""

WINNER = "winner"
"""Holds what is exported."""

SCRATCH = (CHECKPOINTS, PROGRESS, WINNER)

STALE_SECONDS = 24 * 3600.0
"""How long a run must have been silent to count as dead where its process cannot be seen, as it
may go on in another container or on another machine."""


def remove_scratch(folder: Path) -> None:
    """Removes it from a run's folder."""
    for name in SCRATCH:
        shutil.rmtree(folder / name, ignore_errors=True)


def sweep(workspace: Workspace) -> None:
    """Removes what runs that were killed have left."""
    found = (workspace.experiments.glob(f"*/*/{name}") for name in SCRATCH)
    for folder in {path.parent for paths in found for path in paths}:
        with contextlib.suppress(OSError):
            silent = time.time() - (folder / FILE).stat().st_mtime
            if silent > STALE_SECONDS and Run(folder).state in ENDED:
                remove_scratch(folder)
