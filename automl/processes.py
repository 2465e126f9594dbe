"""Which process this is, in records that outlive it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CLOCK_SECONDS = 2.0
"""How far a start time may be off: the system counts it from a clock that is set now and then."""


def this_process() -> dict[str, Any]:
    """Returns what tells the current process from any other, as JSON values."""
    import psutil

    process = psutil.Process()
    return {"pid": process.pid, "created": process.create_time()}


def is_alive(identity: Mapping[str, Any] | None) -> bool:
    """Says whether a process still runs; its id alone proves nothing, as others get it later.

    Args:
        identity: What `this_process` returned in it; `None` is nobody.
    """
    import psutil

    if not identity:
        return False
    try:
        process = psutil.Process(identity["pid"])
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(abs(process.create_time() - identity["created"]) < _CLOCK_SECONDS)
    except (psutil.Error, KeyError):  # gone, or noted in a form of former times
        return False
