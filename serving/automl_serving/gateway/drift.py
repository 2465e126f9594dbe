"""Whether the images that come are like those that the model was measured on.

The true labels of a service's images are not known. What can be compared is what they are taken
for, and how surely: with the same of the held-out images, which the manifest holds.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from automl.manifest import Manifest

K = TypeVar("K")

RECENT = 1000
"""How many images are compared."""

LEAST = 100
"""Of how many on: fewer differ by chance."""

INTERVALS = 10
"""Of the highest probability, as in `Manifest.reference`."""


class Drift(Collector):
    """Counts what one version takes images for; a collector of Prometheus metrics."""

    def __init__(self, manifest: Manifest) -> None:
        """Takes the version's labels and what it is compared with, if the manifest has that."""
        self._version = str(manifest.version)
        self._labels = manifest.labels
        classes = manifest.reference.get("classes", {})
        self._classes = {label: float(classes.get(label, 0.0)) for label in manifest.labels}
        confidence = manifest.reference.get("confidence", ())
        self._confidence = {place: float(share) for place, share in enumerate(confidence)}
        self._total: Counter[str] = Counter()
        self._intervals: Counter[int] = Counter()
        self._recent: deque[tuple[str, int]] = deque(maxlen=RECENT)

    def add(self, label: str, probability: float) -> None:
        """Counts an image by its label and that label's probability."""
        interval = min(INTERVALS - 1, int(probability * INTERVALS))
        self._total[label] += 1
        self._intervals[interval] += 1
        self._recent.append((label, interval))

    def distances(self) -> dict[str, float]:
        """Returns how far the recent images are from the held-out ones: 0 alike, 1 disjoint.

        The figure is the total variation distance, by `classes` and by `confidence`. It is empty
        for few images, and without anything to compare them with.
        """
        if len(self._recent) < LEAST or not self._confidence:
            return {}
        labels = Counter(label for label, _ in self._recent)
        intervals = Counter(interval for _, interval in self._recent)
        return {
            "classes": _distance(labels, self._classes),
            "confidence": _distance(intervals, self._confidence),
        }

    def describe(self) -> Iterable[Metric]:
        """Names nothing beforehand; there is one of these for each version."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yields what was counted, what was expected, and how far they are apart."""
        classes = CounterMetricFamily(
            "automl_gateway_predictions",
            "Images by the label that they were given.",
            labels=["version", "label"],
        )
        expected = GaugeMetricFamily(
            "automl_gateway_expected_share",
            "The share of held-out images that were given a label.",
            labels=["version", "label"],
        )
        for label in self._labels:
            classes.add_metric([self._version, label], self._total[label])
            expected.add_metric([self._version, label], self._classes[label])
        confidence = CounterMetricFamily(
            "automl_gateway_confidence",
            "Images by the interval of their label's probability, named by its upper end.",
            labels=["version", "up_to"],
        )
        likely = GaugeMetricFamily(
            "automl_gateway_expected_confidence_share",
            "The share of held-out images in an interval of their label's probability.",
            labels=["version", "up_to"],
        )
        for place in range(INTERVALS):
            end = f"{(place + 1) / INTERVALS:g}"
            confidence.add_metric([self._version, end], self._intervals[place])
            likely.add_metric([self._version, end], self._confidence.get(place, 0.0))
        distance = GaugeMetricFamily(
            "automl_gateway_drift",
            f"Total variation distance of the last {RECENT} images from the held-out ones, 0..1.",
            labels=["version", "of"],
        )
        for of, value in self.distances().items():
            distance.add_metric([self._version, of], value)
        yield classes
        yield confidence
        if self._confidence:
            yield from (expected, likely, distance)


def _distance(counts: Mapping[K, int], shares: Mapping[K, float]) -> float:
    total = sum(counts.values())
    keys = set(counts) | set(shares)
    return sum(abs(counts.get(key, 0) / total - shares.get(key, 0.0)) for key in keys) / 2
