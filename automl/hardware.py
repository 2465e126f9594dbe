"""Which processors this process may use, found without importing a framework."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any


def cores() -> int:
    """Returns how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> dict[str, int]:
    """Returns the bytes of memory that there are (`total`), and that are free (`available`)."""
    import psutil

    found = psutil.virtual_memory()
    total, available = int(found.total), int(found.available)
    limit = _container_limit()
    if limit is not None:
        total, available = min(total, limit), min(available, limit)
    return {"total": total, "available": available}


def _container_limit() -> int | None:
    """Returns the memory limit of the container that we are in, if there is one."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            return int(Path(path).read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return None


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
