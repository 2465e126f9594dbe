"""Spans for OpenTelemetry, by its own SDK."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from automl_serving.gateway.metrics import Metrics
from automl_serving.gateway.observe import Observe

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def get(path: str) -> None:
    """Asks an application that is observed, as part of a trace."""

    async def run() -> None:
        observed = Observe(Response("hello"), Metrics("m", 1), ["/known"])
        transport = httpx.ASGITransport(observed)
        headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            assert (await client.get(path, headers=headers)).status_code == 200

    asyncio.run(run())


@pytest.fixture(scope="module")
def spans() -> Any:
    """Where the spans of this process end; a provider can be set once only."""
    trace = pytest.importorskip("opentelemetry.trace")
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


def test_a_request_is_a_span_of_its_callers_trace(
    spans: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans.clear()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    get("/known")
    get("/a/secret/path")
    known, other = spans.get_finished_spans()
    assert f"{known.context.trace_id:032x}" == TRACE
    assert known.name == "GET /known"
    assert known.attributes["http.response.status_code"] == 200
    assert other.name == "GET other"


def test_without_an_exporter_there_are_none(spans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spans.clear()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    get("/known")
    assert spans.get_finished_spans() == ()
