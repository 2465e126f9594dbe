"""What a frozen trial says of the images that it learns from, at no cost: it has seen them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from automl.training.doubted_labels import doubted_labels
from automl.training.strangers import outliers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]

MOST = 50
"""The most images of each kind; people look at them one by one."""

MOST_COMPARED = 5_000
"""The most images that are compared with one another, which takes half a second."""


class Doubts(TypedDict):
    """Images that a trial doubts, the surest first, as positions among the training images.

    Attributes:
        judged: How many images had their labels judged.
        labels: Position and suggested class number.
        compared: How many images were compared with one another; 0 where there are too many.
        outliers: Position, and deviations farther from its neighbours than usual.
    """

    judged: int
    labels: Sequence[tuple[int, int]]
    compared: int
    outliers: Sequence[tuple[int, float]]


def find_doubts(
    y: Rows, folds: Sequence[tuple[Rows, Rows]], logits: Sequence[Floats], features: Floats
) -> Doubts:
    """Returns the images whose labels the folds' heads doubt, and those unlike all others.

    Args:
        y: Class numbers `[N]`.
        folds: (training, validation) positions.
        logits: `[V, C]` of each fold's validation images.
        features: `[N, F]`.
    """
    from scipy.special import softmax

    total, times = np.zeros((len(y), logits[0].shape[1])), np.zeros(len(y))
    for (_, validation), values in zip(folds, logits, strict=True):
        total[validation] += softmax(values.astype(np.float64), axis=1)
        times[validation] += 1
    judged = np.flatnonzero(times)
    rows, suggested = doubted_labels(total[judged] / times[judged, None], y[judged])
    few = len(features) <= MOST_COMPARED
    far, deviations = outliers(features) if few else (np.zeros(0, np.int64), np.zeros(0))
    return {
        "judged": len(judged),
        "labels": list(zip(judged[rows].tolist(), suggested.tolist(), strict=True))[:MOST],
        "compared": len(features) if few else 0,
        "outliers": list(zip(far.tolist(), deviations.round(1).tolist(), strict=True))[:MOST],
    }
