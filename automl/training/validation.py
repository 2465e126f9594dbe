"""What a fold's validation images say after each epoch of its training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from automl.training.scoring import balanced_accuracy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from automl.training.finetuning import FineTuning

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]


class Validation:
    """Watches a fold's validation images while it trains."""

    def __init__(self, tuning: FineTuning, y: Rows, positions: Rows) -> None:
        self._tuning, self._y, self._positions = tuning, y[positions], positions
        self._last: Floats | None = None

    def logits(self) -> Floats:
        """Returns the logits after the last epoch."""
        return self._tuning.logits(self._positions) if self._last is None else self._last

    def logged(self, logs: Mapping[str, float]) -> dict[str, float]:
        """Returns an epoch's logs with what the validation images say after it."""
        from scipy.special import log_softmax

        y = self._y
        values = self._last = self._tuning.logits(self._positions)
        picked = log_softmax(values.astype(np.float64), axis=1)[np.arange(len(y)), y]
        return {
            **logs,
            "val_loss": float(-picked.mean()),
            "val_accuracy": float(np.mean(values.argmax(axis=1) == y)),
            "val_balanced_accuracy": balanced_accuracy(y, values),
        }
