"""A span a request, where OpenTelemetry is installed and has been told where to send spans.

What sends them is set up by `opentelemetry-instrument automl-gateway …`, or whatever else sets
a tracer provider; here is only what is particular to the gateway.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import Scope

_EXPORTERS = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)


class Tracing:
    """Makes spans, or does nothing."""

    def __init__(self) -> None:
        """Looks for OpenTelemetry if one of its variables names an exporter."""
        self._tracer: Any = None
        if any(os.environ.get(name, "none") != "none" for name in _EXPORTERS):
            try:
                from opentelemetry import trace
            except ImportError:
                return
            self._tracer = trace.get_tracer("automl.gateway")

    @contextmanager
    def request(self, scope: Scope) -> Iterator[Callable[[str, str, int], None]]:
        """Spans a request, as a part of the trace that its headers name.

        Yields:
            What is to be told the request's method, path and status.
        """
        if self._tracer is None:
            yield lambda method, path, status: None
            return
        from opentelemetry import propagate, trace

        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        with self._tracer.start_as_current_span(
            "request", propagate.extract(headers), kind=trace.SpanKind.SERVER
        ) as span:

            def tell(method: str, path: str, status: int) -> None:
                span.update_name(f"{method} {path}")
                span.set_attribute("http.request.method", method)
                span.set_attribute("http.route", path)
                span.set_attribute("http.response.status_code", status)

            yield tell
