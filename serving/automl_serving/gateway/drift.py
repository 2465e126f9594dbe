"""Whether the images that come are like those that the model was measured on.

The true labels of a service's images are not known. What can be compared is what they are taken
for, and how surely: with the same of the held-out images, which the manifest holds.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import TypeVar

from automl.manifest import Manifest

K = TypeVar("K")

RECENT = 1000
"""How many images are compared."""

LEAST = 100
"""Of how many on: fewer differ by chance."""

INTERVALS = 10
"""Of the highest probability, as in `Manifest.reference`."""


class Drift:
    """Counts what one version takes images for.

    Attributes:
        version: Its number.
        expected: The shares of the held-out images by label, and 0 for each without any.
        expected_confidence: Their shares by interval; empty where the manifest has none.
        labels: How many images were given a label.
        intervals: How many images' probabilities were in an interval.
    """

    def __init__(self, manifest: Manifest) -> None:
        """Takes the version's labels and what it is compared with, if the manifest has that."""
        self.version = str(manifest.version)
        classes = manifest.reference.get("classes", {})
        self.expected = {label: float(classes.get(label, 0.0)) for label in manifest.labels}
        confidence = manifest.reference.get("confidence", ())
        self.expected_confidence = {place: float(share) for place, share in enumerate(confidence)}
        self.labels: Counter[str] = Counter()
        self.intervals: Counter[int] = Counter()
        self._recent: deque[tuple[str, int]] = deque(maxlen=RECENT)

    def add(self, label: str, probability: float) -> None:
        """Counts an image by its label and that label's probability."""
        interval = min(INTERVALS - 1, int(probability * INTERVALS))
        self.labels[label] += 1
        self.intervals[interval] += 1
        self._recent.append((label, interval))

    def distances(self) -> dict[str, float]:
        """Returns how far the recent images are from the held-out ones: 0 alike, 1 disjoint.

        The figure is the total variation distance, by `classes` and by `confidence`. It is empty
        for few images, and without anything to compare them with.
        """
        if len(self._recent) < LEAST or not self.expected_confidence:
            return {}
        labels = Counter(label for label, _ in self._recent)
        intervals = Counter(interval for _, interval in self._recent)
        return {
            "classes": _distance(labels, self.expected),
            "confidence": _distance(intervals, self.expected_confidence),
        }


def _distance(counts: Mapping[K, int], shares: Mapping[K, float]) -> float:
    total = sum(counts.values())
    keys = set(counts) | set(shares)
    return sum(abs(counts.get(key, 0) / total - shares.get(key, 0.0)) for key in keys) / 2
