"""What a trial reports and finds: scores on images that it was not fitted on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.training.doubts import Doubts
from automl.training.fitting import EpochReport
from automl.training.scoring import fit_temperature, out_of_fold_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]

ENOUGH_VALIDATION = 200
"""Validation images that suffice to judge a fine-tuned trial; fewer take another fold."""


@dataclass(frozen=True)
class Reports:
    """Where a trial reports what it is doing.

    Attributes:
        on_images: Called with the images that a network has seen, and those that it will see.
        on_epoch: Called after each epoch.
        reported: Epochs that it need not report, as they were before it was cut off.
    """

    on_images: Callable[[int, int], None] = lambda done, total: None
    on_epoch: EpochReport = lambda epoch, logs: None
    reported: int = 0


@dataclass(frozen=True)
class TrialResult:
    """What a trial found, on images that it was not fitted on.

    Attributes:
        score: Class-averaged accuracy, 0..1.
        spread: Its standard deviation over folds.
        accuracy: Plain accuracy, 0..1.
        log_loss: Calibrated, in nats.
        temperature: What calibrates the logits.
        folds: Folds that were used.
        params: The hyperparameters, with those the trial itself chose (such as `C`).
        features_seconds: What computing features took; 0 where they were cached.
        preparing_seconds: What was needed once before the folds, such as activations.
        fold_seconds: Mean seconds of fitting one fold.
        doubts: What it says of its own images, where that was asked for.
    """

    score: float
    spread: float
    accuracy: float
    log_loss: float
    temperature: float
    folds: int
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    features_seconds: float = 0.0
    preparing_seconds: float = 0.0
    fold_seconds: float = 0.0
    doubts: Doubts | None = None


def folds_to_train(folds: Sequence[tuple[Rows, Rows]]) -> int:
    """Returns how many folds judge what gradient descent trains: `ENOUGH_VALIDATION` images.

    Repetitions are left to estimators on frozen features, where they cost next to nothing.
    """
    images, seen = 0, set[int]()
    for count, (_, validation) in enumerate(folds):
        if images >= ENOUGH_VALIDATION or not seen.isdisjoint(validation.tolist()):
            return count
        images += len(validation)
        seen.update(validation.tolist())
    return len(folds)


def judged(y: Rows, folds: Sequence[tuple[Rows, Rows]], logits: Sequence[Floats]) -> TrialResult:
    """Returns what the logits of each fold's validation images say of a configuration."""
    score, spread = out_of_fold_score(y, folds, logits)
    judged_rows, values = np.concatenate([rows for _, rows in folds]), np.concatenate(logits)
    # A class that a fold had nothing to learn from says nothing about how sure the others are.
    known = np.concatenate([np.isin(y[rows], y[train]) for train, rows in folds])
    temperature, log_loss = fit_temperature(
        y[judged_rows[known]], values[known], len(np.unique(judged_rows[known]))
    )
    accuracy = float(np.mean(values.argmax(axis=1) == y[judged_rows]))
    return TrialResult(score, spread, accuracy, log_loss, temperature, len(folds))
