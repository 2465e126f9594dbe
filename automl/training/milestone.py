"""How far a fine-tuning has come, on disk: a trial that was cut off goes on from there."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.files import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FILE = "milestone.npz"

SAVING = threading.Lock()
"""Held while one is written: a process that may choose when to end waits for it."""


@dataclass(frozen=True)
class Milestone:
    """The end of an epoch.

    Attributes:
        logits: For each setting that the trial compares, those of every fold that is done.
        epochs: Epochs done of the fold after those.
        weights: What its training has made of the variables that it changes.
        optimizer: The optimizer's variables as `rounded` gives them; none after the last epoch.
        history: The logs of each epoch that the trial reports: who should have been told of the
            last ones may have been killed first.
    """

    logits: Sequence[Sequence[Floats]]
    epochs: int
    weights: Sequence[NDArray[Any]]
    optimizer: Sequence[NDArray[Any]]
    history: Sequence[Mapping[str, float]] = ()

    def save(self, folder: Path) -> None:
        """Writes it in place of the one before; one that cannot be written is done without.

        The one before goes first, and the optimizer's moments are written in bfloat16: a run may
        take no more of the disk than three models, of which the best trial's is one.
        """
        arrays: dict[str, Any] = {
            "epochs": np.array(self.epochs),
            "history": np.array(json.dumps([dict(logs) for logs in self.history])),
        }
        arrays |= {f"weight-{i}": value for i, value in enumerate(self.weights)}
        arrays |= {f"optimizer-{i}": _halve(value) for i, value in enumerate(self.optimizer)}
        for i, folds in enumerate(self.logits):
            arrays |= {f"logits-{i}-{fold}": values for fold, values in enumerate(folds)}
        with SAVING, contextlib.suppress(OSError):
            shutil.rmtree(folder, ignore_errors=True)
            with replacing(folder / FILE) as file:
                np.savez(file, **arrays)

    @classmethod
    def load(cls, folder: Path, settings: int) -> Milestone | None:
        """Returns the last one of a trial that compares `settings`; `None` if there is none."""
        try:
            with np.load(folder / FILE) as file:
                arrays = dict(file)
            folds = sum(name.startswith("logits-0-") for name in arrays)
            return cls(
                [[arrays[f"logits-{i}-{fold}"] for fold in range(folds)] for i in range(settings)],
                int(arrays["epochs"]),
                _numbered(arrays, "weight-"),
                [_double(value) for value in _numbered(arrays, "optimizer-")],
                json.loads(str(arrays["history"])),
            )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def _numbered(arrays: Mapping[str, NDArray[Any]], prefix: str) -> list[NDArray[Any]]:
    return [arrays[f"{prefix}{i}"] for i in range(sum(name.startswith(prefix) for name in arrays))]


def rounded(values: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Returns an optimizer's variables with its moments, float32, rounded to bfloat16's precision.

    To go on with these, cut off or not, makes a training that was cut off end as any other.
    """
    return [_double(_halve(value)) for value in values]


def _halve(value: NDArray[Any]) -> NDArray[Any]:
    """Returns a float32 array's values in bfloat16, as uint16; else the array as it is."""
    if value.dtype != np.float32 or value.ndim == 0:  # such as the number of steps
        return value
    bits = value.view(np.uint32)
    return ((bits + (0x7FFF + (bits >> 16 & 1))) >> 16).astype(np.uint16)  # to nearest, ties even


def _double(value: NDArray[Any]) -> NDArray[Any]:
    if value.dtype != np.uint16:
        return value
    return (value.astype(np.uint32) << 16).view(np.float32)
