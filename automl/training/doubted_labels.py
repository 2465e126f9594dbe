"""Labels that a model doubts which has not seen the images: confident learning.

An image counts as mislabelled where the model gives another class at least the probability that
it gives that class on average in the images labelled so, and more than it gives the label. Those
are ranked by the probability of their label, the least first (Northcutt, Jiang and Chuang:
Confident Learning, 2021, https://doi.org/10.1613/jair.1.12125).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def doubted_labels(
    probabilities: NDArray[np.float64], y: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns rows whose labels are doubted, the most doubted first, and the suggested classes.

    Args:
        probabilities: `[N, C]`, each row's from a model that was not fitted on it.
        y: The given class numbers `[N]`.
    """
    rows = np.arange(len(y))
    given = probabilities[rows, y]
    usual = np.array(
        [
            given[y == label].mean() if (y == label).any() else np.inf
            for label in range(probabilities.shape[1])
        ]
    )
    confident = np.where(probabilities >= usual, probabilities, -1.0)
    suggested = confident.argmax(axis=1)
    best = confident[rows, suggested]
    doubted = np.flatnonzero((best > given) & (suggested != y))
    order = doubted[np.argsort(given[doubted], kind="stable")]
    return order, suggested[order].astype(np.int64)
