"""What `drift` counts, as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from automl_serving.gateway.drift import INTERVALS, RECENT, Drift


class DriftCollector(Collector):
    """Reads the counts of all versions whenever the metrics are asked for."""

    def __init__(self, drifts: Sequence[Drift]) -> None:
        """Takes one `Drift` a version."""
        self._drifts = drifts

    def describe(self) -> Iterable[Metric]:
        """Names nothing beforehand."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yields what was counted, what was expected, and how far they are apart."""
        labels = CounterMetricFamily(
            "automl_gateway_predictions",
            "Images by the label that they were given.",
            labels=["version", "label"],
        )
        expected = GaugeMetricFamily(
            "automl_gateway_expected_share",
            "The share of held-out images that were given a label.",
            labels=["version", "label"],
        )
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
        distance = GaugeMetricFamily(
            "automl_gateway_drift",
            f"Total variation distance of the last {RECENT} images from the held-out ones, 0..1.",
            labels=["version", "of"],
        )
        for drift in self._drifts:
            for label, share in drift.expected.items():
                labels.add_metric([drift.version, label], drift.labels[label])
                if drift.expected_confidence:
                    expected.add_metric([drift.version, label], share)
            for place in range(INTERVALS):
                end = f"{(place + 1) / INTERVALS:g}"
                confidence.add_metric([drift.version, end], drift.intervals[place])
                if drift.expected_confidence:
                    share = drift.expected_confidence.get(place, 0.0)
                    likely.add_metric([drift.version, end], share)
            for of, value in drift.distances().items():
                distance.add_metric([drift.version, of], value)
        yield from (labels, expected, confidence, likely, distance)
