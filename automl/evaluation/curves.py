"""Curves of one class against the rest, and their average over the classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_GRID = np.linspace(0.0, 1.0, 201)


@dataclass(frozen=True, eq=False)
class Curve:
    """An ROC or a precision-recall curve.

    Attributes:
        x: float64 `[P]`, 0..1: the false positive rate, or the recall; never falls.
        y: float64 `[P]`, 0..1: the true positive rate, or the precision.
        area: ROC AUC, or average precision; 0..1. Of an average curve, the mean of the areas.
    """

    x: Floats
    y: Floats
    area: float


def roc_curve(positive: Flags, scores: Floats) -> Curve | None:
    """Returns the ROC curve of bool `positive` `[N]` by `scores` `[N]`.

    Returns:
        `None` where all or none are positive: there is nothing to tell apart.
    """
    from sklearn import metrics

    if positive.all() or not positive.any():
        return None
    false_rate, true_rate, _ = metrics.roc_curve(positive, scores)
    return Curve(false_rate, true_rate, float(metrics.auc(false_rate, true_rate)))


def pr_curve(positive: Flags, scores: Floats) -> Curve | None:
    """Returns the precision-recall curve of bool `positive` `[N]` by `scores` `[N]`.

    The area is the average precision, which does not interpolate between points.

    Returns:
        `None` where none are positive: there is nothing to recall.
    """
    from sklearn import metrics

    if not positive.any():
        return None
    precision, recall, _ = metrics.precision_recall_curve(positive, scores, drop_intermediate=True)
    area = float(metrics.average_precision_score(positive, scores))
    return Curve(recall[::-1], precision[::-1], area)


def average_roc(curves: Sequence[Curve]) -> Curve | None:
    """Returns the mean of ROC curves at evenly spaced rates; `None` if there are none."""
    # Of points above one another the last counts: the mean begins at the top of a rise at 0.
    return _average(curves, lambda curve: np.interp(_GRID, *_last_of_each_x(curve)))


def average_pr(curves: Sequence[Curve]) -> Curve | None:
    """Returns the mean of precision-recall curves, as step functions; `None` if none."""
    return _average(curves, lambda curve: curve.y[np.searchsorted(curve.x, _GRID)])


def _average(curves: Sequence[Curve], heights: Callable[[Curve], Floats]) -> Curve | None:
    if not curves:
        return None
    mean: Floats = np.mean([heights(curve) for curve in curves], axis=0)
    return Curve(_GRID, mean, float(np.mean([curve.area for curve in curves])))


def _last_of_each_x(curve: Curve) -> tuple[Floats, Floats]:
    last = np.append(curve.x[1:] != curve.x[:-1], True)
    return curve.x[last], curve.y[last]
