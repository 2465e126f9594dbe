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
