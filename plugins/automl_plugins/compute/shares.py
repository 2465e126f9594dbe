"""What of the machine each of several tasks gets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from automl.components import Part
from automl.hardware import gpus


@dataclass(frozen=True)
class Share:
    """A task's part of the machine.

    Attributes:
        cpus: The numbers of its processor cores; none for all of them.
        gpu: What CUDA_VISIBLE_DEVICES names its GPU; `None` for all there are.
    """

    cpus: Sequence[int] = ()
    gpu: str | None = None


def share_of(part: Part | None) -> Share:
    """Returns what of the machine a part is: cores go evenly, GPUs by turns."""
    if part is None or part.of == 1:
        return Share()
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    devices = _devices()
    begin, end = (number * len(cpus) // part.of for number in (part.number, part.number + 1))
    return Share(cpus[begin:end], devices[part.number % len(devices)] if devices else None)


def _devices() -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    return [str(number) for number in range(len(gpus()))]
