"""Whether a probability means what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ReliabilityBin:
    """Images whose predicted class has a probability in one range.

    Attributes:
        low: Where the range begins, 0..1.
        high: Where it ends.
        images: How many lie in it, 1 or more.
        confidence: Their mean probability, 0..1.
        accuracy: The share of them that is right, 0..1.
    """

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


def reliability(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15
) -> list[ReliabilityBin]:
    """Groups images by their confidence; ranges without images are left out.

    Args:
        confidence: float64 `[N]`, the probability of the predicted class, 0..1.
        right: bool `[N]`.
        bins: How many ranges of equal width 0..1 is cut into.
    """
    # A range holds its upper end, as in Guo et al.; only the first holds its lower end too.
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return [
        ReliabilityBin(
            low=place / bins,
            high=(place + 1) / bins,
            images=int(inside.sum()),
            confidence=float(confidence[inside].mean()),
            accuracy=float(right[inside].mean()),
        )
        for place in np.unique(places).tolist()
        for inside in [places == place]
    ]


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Returns the mean distance of confidence and accuracy over all images, 0..1.

    Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, equation 3.
    """
    images = sum(group.images for group in bins)
    return sum(group.images * abs(group.confidence - group.accuracy) for group in bins) / images
