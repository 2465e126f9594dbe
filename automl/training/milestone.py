"""How far a fine-tuning has come, on disk: a trial that was cut off goes on from there."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.files import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FILE = "milestone.npz"


@dataclass(frozen=True)
class Milestone:
    """The end of an epoch.

    Attributes:
        logits: For each setting that the trial compares, those of every fold that is done.
        epochs: Epochs done of the fold after those.
        values: What its training has made of all variables.
    """

    logits: Sequence[Sequence[Floats]]
    epochs: int
    values: Sequence[NDArray[Any]]

    def save(self, folder: Path) -> None:
        """Writes it in place of the one before; one that cannot be written is done without."""
        arrays: dict[str, Any] = {"epochs": np.array(self.epochs)}
        arrays |= {f"value-{i}": value for i, value in enumerate(self.values)}
        for i, folds in enumerate(self.logits):
            arrays |= {f"logits-{i}-{fold}": values for fold, values in enumerate(folds)}
        with contextlib.suppress(OSError), replacing(folder / FILE) as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, folder: Path, settings: int) -> Milestone | None:
        """Returns the last one of a trial that compares `settings`; `None` if there is none."""
        try:
            with np.load(folder / FILE) as arrays:
                count = sum(name.startswith("value-") for name in arrays)
                folds = sum(name.startswith("logits-0-") for name in arrays)
                return cls(
                    [
                        [arrays[f"logits-{i}-{fold}"] for fold in range(folds)]
                        for i in range(settings)
                    ],
                    int(arrays["epochs"]),
                    [arrays[f"value-{i}"] for i in range(count)],
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
