"""Features in fewer dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def principal(features: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """Returns the first principal components `[N, dimensions]`, or features that are no wider."""
    if features.shape[1] <= dimensions:
        return features
    centred = features - features.mean(axis=0)
    _, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    kept = vectors[:, ::-1][:, :dimensions].astype(np.float32)
    return np.asarray(centred @ kept, np.float32)


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
    random = np.random.default_rng(0).normal(size=(dimensions, dimensions))
    turn = np.linalg.qr(random)[0].astype(np.float32)
    return np.asarray(components @ turn, np.float32)
