"""Scores of validation predictions, and the temperature that calibrates them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
    Logits = NDArray[np.float32]

TEMPERATURE_RANGE = (0.02, 50.0)


def balanced_accuracy(y: Rows, logits: Logits) -> float:
    """Returns recall averaged over the classes that occur in `y`, 0..1.

    Args:
        y: Class numbers `[N]`.
        logits: `[N, C]`.
    """
    from sklearn.metrics import recall_score

    classes = np.arange(logits.shape[1])
    predicted = logits.argmax(axis=1)
    recall = recall_score(y, predicted, labels=classes, average=None, zero_division=0)
    return float(np.mean(recall[np.unique(y)]))


def out_of_fold_score(
    y: Rows, folds: Sequence[tuple[Rows, Rows]], logits: Sequence[Logits]
) -> tuple[float, float]:
    """Scores a trial by the predictions it made for images it was not fitted on.

    Folds are pooled until every image has been predicted once, so that a class with fewer
    images than folds counts as it should; repetitions are averaged.

    Args:
        y: Class numbers `[N]`.
        folds: (training rows, validation rows) pairs.
        logits: For each fold, logits of its validation rows.

    Returns:
        Class-averaged accuracy, and its standard deviation over folds.
    """
    scores, each = [], []
    pooled: list[tuple[Rows, Logits]] = []
    seen: set[int] = set()
    for (_, validation), values in zip(folds, logits, strict=True):
        each.append(balanced_accuracy(y[validation], values))
        if seen.intersection(validation.tolist()):
            scores.append(_pooled_score(y, pooled))
            pooled, seen = [], set()
        pooled.append((validation, values))
        seen.update(validation.tolist())
    scores.append(_pooled_score(y, pooled))
    return float(np.mean(scores)), float(np.std(each))


def fit_temperature(y: Rows, logits: Logits, images: int) -> tuple[float, float]:
    """Fits the temperature that minimises the log loss of `softmax(logits / T)`.

    Guo et al., "On Calibration of Modern Neural Networks", 2017. The targets are smoothed as
    Platt does ("Probabilistic Outputs for Support Vector Machines", 1999), so that a small set
    without a single error does not ask for certainty.

    Args:
        y: Class numbers `[N]`.
        logits: `[N, C]`, of images that were not fitted on.
        images: How many different images these are.

    Returns:
        The temperature, and the log loss that is left.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    values = logits.astype(np.float64)
    classes = values.shape[1]
    smoothed = np.full_like(values, 1.0 / (images + classes))
    smoothed[np.arange(len(y)), y] = (images + 1.0) / (images + classes)

    def log_loss(log_temperature: float) -> float:
        scaled = values / np.exp(log_temperature)
        return float(np.mean(logsumexp(scaled, axis=1) - np.sum(smoothed * scaled, axis=1)))

    low, high = np.log(TEMPERATURE_RANGE)
    best = minimize_scalar(log_loss, bounds=(low, high), method="bounded")
    return float(np.exp(best.x)), float(best.fun)


def _pooled_score(y: Rows, parts: Sequence[tuple[Rows, Logits]]) -> float:
    rows = np.concatenate([rows for rows, _ in parts])
    return balanced_accuracy(y[rows], np.concatenate([values for _, values in parts]))
