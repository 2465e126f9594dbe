"""Which processors this process may use, found without importing a framework."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import Any


def cores() -> int:
    """Returns how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpus() -> list[dict[str, Any]]:
    """Returns the NVIDIA GPUs that the driver's own tool lists."""
    rows = _ask("name,memory.total,driver_version")
    return [
        {"name": name, "memory": int(mebibytes) * 2**20, "driver": driver}
        for name, mebibytes, driver in (row for row in rows if len(row) == 3)
        if mebibytes.isdigit()
    ]


def compute_capabilities() -> list[float]:
    """Returns the compute capability of each NVIDIA GPU, such as 8.0."""
    found = []
    for row in _ask("compute_cap"):
        with contextlib.suppress(ValueError):  # a driver that is too old to tell
            found.append(float(row[0]))
    return found


def _ask(fields: str) -> list[list[str]]:
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=15, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]
