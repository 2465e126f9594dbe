"""What the server counts for Prometheus, under TF Serving's names where it has them.

Names: tensorflow_serving/servables/tensorflow/util.cc and saved_model_warmup_util.cc, as
tensorflow_serving/util/prometheus_exporter.cc writes them; durations are in microseconds, as there.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client import generate_latest as _generate
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from automl_serving.model_server.errors import code_of

PATH = "/monitoring/prometheus/metrics"

_PREFIX = ":tensorflow:serving:"
_MICROSECONDS = [10 * 1.8**power for power in range(33)]
_ROWS = [2.0**power for power in range(15)]


class ServerMetrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = _Counts(
            _PREFIX + "request_count", "Requests.", ("model_name", "status"), self.registry
        )
        self._latency = self._histogram(
            "request_latency",
            "Wall time of requests.",
            ["model_name", "API", "entrypoint", "status"],
        )
        self._loads = _Counts(
            ":tensorflow:cc:saved_model:load_attempt_count",
            "Attempts to load a version.",
            ("model_path", "status"),
            self.registry,
        )
        self._load_latency = _Counts(
            ":tensorflow:cc:saved_model:load_latency",
            "Wall time of loading versions, with their warm-up.",
            ("model_path",),
            self.registry,
        )
        self._waiting = self._histogram("batching_session:queuing_latency", "Waiting for a batch.")
        self._rows = Histogram(
            "automl_model_server_batch_rows",
            "Rows that were run together.",
            buckets=_ROWS,
            registry=self.registry,
        )

    @contextmanager
    def request(self, model: str, api: str, entrypoint: str) -> Iterator[None]:
        """Counts a request and its time, and how it ended.

        Args:
            model: Its model's name, if there is such a model: names are for clients to choose, and
                every one would be kept.
            api: Such as `"Predict"`.
            entrypoint: `"GRPC"` or `"REST"`.
        """
        begun = time.perf_counter()
        status = "OK"
        try:
            yield
        except BaseException as error:
            status = code_of(error)
            raise
        finally:
            self._requests.add(1, model, status)
            spent = 1e6 * (time.perf_counter() - begun)
            self._latency.labels(model, api, entrypoint, status).observe(spent)

    @contextmanager
    def load(self, path: Path) -> Iterator[None]:
        """Counts an attempt to load a version, and its time."""
        begun = time.perf_counter()
        status = "success"
        try:
            yield
        except BaseException:
            status = "fail"
            raise
        finally:
            self._loads.add(1, str(path), status)
            self._load_latency.add(1e6 * (time.perf_counter() - begun), str(path))

    def batch(self, rows: int, waited: float) -> None:
        """Counts a batch that starts, whose first rows waited so many seconds."""
        self._rows.observe(rows)
        self._waiting.observe(1e6 * waited)

    def page(self) -> bytes:
        """Returns the text that Prometheus reads."""
        return _generate(self.registry)

    def _histogram(self, name: str, doc: str, labels: list[str] | None = None) -> Histogram:
        return Histogram(
            _PREFIX + name,
            f"{doc} In microseconds.",
            labels or [],
            buckets=_MICROSECONDS,
            registry=self.registry,
        )


class _Counts(Collector):
    """A counter whose name does not end in `_total`, which the library's own insist on."""

    def __init__(
        self, name: str, doc: str, labels: tuple[str, ...], registry: CollectorRegistry
    ) -> None:
        self._name, self._doc, self._labels = name, doc, labels
        self._lock = threading.Lock()
        self._values: Counter[tuple[str, ...]] = Counter()
        registry.register(self)

    def add(self, amount: float, *labels: str) -> None:
        with self._lock:
            self._values[labels] += amount  # type: ignore[assignment]

    def collect(self) -> Iterator[Metric]:
        metric = Metric(self._name, self._doc, "unknown")
        with self._lock:
            for labels, value in self._values.items():
                metric.add_sample(self._name, dict(zip(self._labels, labels, strict=True)), value)
        yield metric
