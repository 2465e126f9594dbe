"""How much memory a worker may keep; one that has grown beyond is started anew between trials."""

from __future__ import annotations

import os

from automl.cache import parse_size
from automl.hardware import memory

VARIABLE = "AUTOML_WORKER_MEMORY"


def memory_limit(workers: int) -> int:
    """Returns the user's limit for a worker's private memory, or half of its part of the machine's.

    Raises:
        UsageError: If the variable AUTOML_WORKER_MEMORY holds no size.
    """
    text = os.environ.get(VARIABLE)
    return parse_size(text, VARIABLE) if text else memory()["total"] // (2 * workers)
