"""Images that are far from all others in feature space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from automl.training.principal import principal

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 10
FAR = 6.0
"""Robust deviations above the median from which on an image is an outlier."""

DIMENSIONS = 64
"""Principal components that distances are measured in; the rest is mostly noise, and time."""

REFERENCES = 20_000
"""The most images that each is compared with."""

_BLOCK = 1024


def outliers(features: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns the rows of outliers, the farthest first, and how far they are.

    The distance is the mean of that to the `NEIGHBOURS` nearest others, in deviations above the
    median of all (1.4826 times the median absolute deviation).

    Args:
        features: `[N, F]`.
    """
    if len(features) <= 2 * NEIGHBOURS:
        return np.zeros(0, np.int64), np.zeros(0)
    points = principal(features, DIMENSIONS)
    chance = np.random.default_rng(0)
    count = min(len(points), REFERENCES)
    references = np.sort(chance.choice(len(points), count, replace=False))
    squares = (points**2).sum(axis=1)
    distances = np.empty(len(points))
    for start in range(0, len(points), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(points)))
        apart = squares[rows, None] - 2 * points[rows] @ points[references].T + squares[references]
        # An image is no neighbour of itself.
        apart[rows[:, None] == references[None]] = np.inf
        nearest = np.partition(apart, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
        distances[rows] = np.sqrt(np.maximum(nearest, 0)).mean(axis=1)
    middle = np.median(distances)
    deviation = 1.4826 * np.median(np.abs(distances - middle)) or 1.0
    far = (distances - middle) / deviation
    order = np.argsort(-far, kind="stable")
    order = order[far[order] >= FAR]
    return order, far[order]
