"""What the gateway counts, in a Prometheus registry of its own."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The gateway's metrics.

    Attributes:
        requests: Requests by path, method and status.
        request_seconds: How long they took, by path.
        in_progress: How many are being answered.
        images: Images by outcome: `scored`, or the code of their error.
    """

    def __init__(self, model: str, version: int) -> None:
        """Takes what is served, for the metric `automl_gateway_model_info`."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "automl_gateway_requests",
            "Requests answered.",
            ["path", "method", "status"],
            registry=self._registry,
        )
        self.request_seconds = Histogram(
            "automl_gateway_request_seconds",
            "Time from a request's first byte to its answer's last.",
            ["path"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.in_progress = Gauge(
            "automl_gateway_requests_in_progress",
            "Requests being answered.",
            registry=self._registry,
        )
        self.images = Counter(
            "automl_gateway_images",
            "Images answered, by outcome.",
            ["outcome"],
            registry=self._registry,
        )
        info = Gauge(
            "automl_gateway_model_info",
            "What is served; always 1.",
            ["model", "version"],
            registry=self._registry,
        )
        info.labels(model, str(version)).set(1)

    def exposition(self) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
