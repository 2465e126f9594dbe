"""What a model takes held-out images for, kept for a service to compare its own with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

INTERVALS = 10
"""Of the highest probability, each as wide as the next."""


def reference(labels: Sequence[str], probabilities: NDArray[np.float64]) -> dict[str, Any]:
    """Returns `Manifest.reference`.

    Args:
        labels: The C classes.
        probabilities: `[N, C]`, of the held-out images; N is 1 or more.
    """
    counts = np.bincount(probabilities.argmax(axis=1), minlength=len(labels))
    highest, _ = np.histogram(probabilities.max(axis=1), INTERVALS, (0.0, 1.0))
    total = len(probabilities)
    return {
        "classes": {label: round(n / total, 6) for label, n in zip(labels, counts, strict=True)},
        "confidence": [round(n / total, 6) for n in highest],
    }
