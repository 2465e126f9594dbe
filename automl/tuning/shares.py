"""What of the machine each of several workers gets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from automl.cache import parse_size
from automl.hardware import gpus, memory

VARIABLE = "AUTOML_WORKER_MEMORY"


@dataclass(frozen=True)
class Share:
    """A worker's part of the machine.

    Attributes:
        cpus: The numbers of its processor cores; none for all of them.
        gpu: What CUDA_VISIBLE_DEVICES names its GPU; `None` for all there are.
        memory: Bytes of private memory above which it ends after a trial, and another takes its
            place; `None` for no limit.
    """

    cpus: Sequence[int] = ()
    gpu: str | None = None
    memory: int | None = None


def share_out(workers: int) -> list[Share]:
    """Divides the machine among `workers`: cores evenly, GPUs by turns.

    Raises:
        UsageError: If the variable AUTOML_WORKER_MEMORY holds no size.
    """
    most = memory_limit(workers)
    if workers == 1:
        return [Share(memory=most)]
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    devices = _devices()
    return [
        Share(
            cpus[number * len(cpus) // workers : (number + 1) * len(cpus) // workers],
            devices[number % len(devices)] if devices else None,
            most,
        )
        for number in range(workers)
    ]


def memory_limit(workers: int) -> int:
    """Returns the user's limit for a worker's private memory, or half of its part of the machine's.

    Raises:
        UsageError: If the variable AUTOML_WORKER_MEMORY holds no size.
    """
    text = os.environ.get(VARIABLE)
    return parse_size(text, VARIABLE) if text else memory()["total"] // (2 * workers)


def _devices() -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    return [str(number) for number in range(len(gpus()))]
