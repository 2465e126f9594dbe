"""What the gateway counts, in a Prometheus registry of its own."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from automl_serving.gateway.drift import Drift
from automl_serving.gateway.drift_metrics import DriftCollector

if TYPE_CHECKING:
    from automl_serving.gateway.upstream import Upstream

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The gateway's metrics.

    Attributes:
        requests: Requests by path, method and status.
        request_seconds: How long they took, by path.
        in_progress: How many are being answered.
        images: Images by outcome: `scored`, or the code of their error.
        canary_failures: Requests that the canary failed to answer.
        shadow_images: Images by what the shadow made of them: `same`, `different`, `failed`,
            `left_out`.
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
        self.canary_failures = Counter(
            "automl_gateway_canary_failures",
            "Requests that the canary should have answered and the served version did.",
            registry=self._registry,
        )
        self.shadow_images = Counter(
            "automl_gateway_shadow_images",
            "Images scored by the shadow, too, by whether the labels agree.",
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

    def watch(self, upstreams: Sequence[Upstream]) -> None:
        """Tells from now on how the calls to model servers go; more may be added."""
        self._registry.register(_Calls(upstreams))

    def follow(self, drifts: Sequence[Drift]) -> None:
        """Tells from now on what images are taken for; more may be added."""
        self._registry.register(DriftCollector(drifts))

    def exposition(self) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _Calls(Collector):
    """Reads what `Upstream.calls` counts whenever the metrics are asked for."""

    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        self._upstreams = upstreams

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        retries = CounterMetricFamily(
            "automl_gateway_upstream_retries",
            "Calls to the model server that were made again.",
            labels=["version"],
        )
        refusing = GaugeMetricFamily(
            "automl_gateway_upstream_refusing",
            "Whether calls are refused for a moment because the last ones were not answered.",
            labels=["version"],
        )
        for upstream in self._upstreams:
            version = [str(upstream.version)]
            retries.add_metric(version, upstream.calls.retries)
            refusing.add_metric(version, upstream.calls.breaker.is_open(time.monotonic()))
        yield retries
        yield refusing
