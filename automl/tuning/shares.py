"""What of the machine each of several workers gets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from automl.hardware import gpus


@dataclass(frozen=True)
class Share:
    """A worker's part of the machine.

    Attributes:
        cpus: The numbers of its processor cores; none for all of them.
        gpu: What CUDA_VISIBLE_DEVICES names its GPU; `None` for all there are.
    """

    cpus: Sequence[int] = ()
    gpu: str | None = None


def share_out(workers: int) -> list[Share]:
    """Divides the machine among `workers`: cores evenly, GPUs by turns."""
    if workers == 1:
        return [Share()]
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    devices = _devices()
    return [
        Share(
            cpus[number * len(cpus) // workers : (number + 1) * len(cpus) // workers],
            devices[number % len(devices)] if devices else None,
        )
        for number in range(workers)
    ]


def _devices() -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    return [str(number) for number in range(len(gpus()))]
