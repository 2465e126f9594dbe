"""Features in fewer dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def principal(features: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """Returns the first principal components, or features that are no wider.

    Args:
        features: `[N, F]`.
        dimensions: How many columns the result has at most; it has no more than there are rows.
    """
    if features.shape[1] <= dimensions:
        return features
    # Deferred: its import takes a second.
    from sklearn.decomposition import PCA

    components = PCA(min(dimensions, len(features)), random_state=0).fit_transform(features)
    return np.asarray(components, np.float32)


def narrowed(features: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """Returns features that a linear head learns nearly the same from, in less time.

    They are standardised as the head would do it, and the principal components of that turned at
    random, so that all are about as large: else the head would standardise each of them, and
    blow up those that hardly matter.
    """
    if features.shape[1] <= dimensions:
        return features
    deviations = np.maximum(features.std(axis=0), 1e-6)
    components = principal(features / deviations, dimensions)
    size = components.shape[1]
    random = np.random.default_rng(0).normal(size=(size, size))
    turn = np.linalg.qr(random)[0].astype(np.float32)
    return np.asarray(components @ turn, np.float32)
