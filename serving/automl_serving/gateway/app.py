"""The gateway's ASGI application."""

from __future__ import annotations

import asyncio
import functools
import json
import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import automl
from automl.manifest import Manifest
from automl_serving.body import BodyTooLargeError, read_body
from automl_serving.gateway import openapi, page
from automl_serving.gateway.errors import (
    DeadlineError,
    GatewayError,
    SlowRequestError,
    UnavailableError,
)
from automl_serving.gateway.fetching import ImageFetcher
from automl_serving.gateway.keys import KeyFile
from automl_serving.gateway.metrics import Metrics
from automl_serving.gateway.observe import Observe
from automl_serving.gateway.rate_limit import RateLimit
from automl_serving.gateway.score_request import ScoreRequest
from automl_serving.gateway.scoring import Scorer
from automl_serving.gateway.settings import GatewaySettings
from automl_serving.gateway.upstream import Upstream

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_READY_SECONDS = 2.0
_GRACE = 0.2


class Gateway:
    """Answers the operations of `openapi.OPERATIONS`, each by the method of its name."""

    def __init__(
        self,
        settings: GatewaySettings,
        manifest: Manifest,
        keys: KeyFile | None,
        upstream: Upstream,
    ) -> None:
        """Takes what it works with; without `keys` anybody may score."""
        self._settings = settings
        self._manifest = manifest
        self._keys = keys
        self._upstream = upstream
        threads = settings.decode_threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        fetcher = ImageFetcher(settings) if settings.fetch_urls else None
        self._scorer = Scorer(manifest, upstream, self._pool, fetcher, settings)
        self._limit = RateLimit(settings.rate, settings.burst) if settings.rate else None
        self._metrics = Metrics(settings.model, manifest.version)
        self._metrics.watch([upstream])
        self._stopping = False
        self._in_flight = 0

    def app(self) -> ASGIApp:
        """Returns the ASGI application."""
        routes = [
            Route(operation.path, getattr(self, operation.name), methods=[operation.method])
            for operation in openapi.OPERATIONS
        ]
        handlers: Mapping[Any, Any] = {
            GatewayError: _answer_error,
            BodyTooLargeError: _answer_error,
            HTTPException: _answer_http_error,
            Exception: _answer_fault,
        }
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False
        return Observe(app, self._metrics, [operation.path for operation in openapi.OPERATIONS])

    def stop(self) -> None:
        """Makes `/readyz` say that no new request should come."""
        self._stopping = True

    async def score(self, request: Request) -> Response:
        """Scores images."""
        self._admit(request)
        if self._in_flight >= self._settings.max_requests:
            raise UnavailableError(
                f"expected at most {self._settings.max_requests} requests at a time, found more; "
                f"retry in a moment."
            )
        self._in_flight += 1
        try:
            return await self._score(request)
        finally:
            self._in_flight -= 1

    async def _score(self, request: Request) -> Response:
        log = request.state.log
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.timeout
        try:
            async with asyncio.timeout_at(deadline):
                body = await read_body(request, self._settings.max_body_bytes)
        except TimeoutError:
            raise SlowRequestError(
                f"expected the whole body within {self._settings.timeout:g} seconds, found it "
                f"unfinished; send it faster."
            ) from None
        log["bytes"] = len(body)
        parse = functools.partial(
            ScoreRequest.parse,
            request.headers.get("content-type", ""),
            body,
            self._settings.max_images,
        )
        try:
            # The call to the model server ends by the deadline, and tells more than this does.
            async with asyncio.timeout_at(deadline + _GRACE):
                asked = await loop.run_in_executor(self._pool, parse)
                results = await self._scorer.score(asked.items, deadline)
        except TimeoutError:
            raise DeadlineError(
                f"expected to answer within {self._settings.timeout:g} seconds, found more to do; "
                f"retry later or send fewer images."
            ) from None
        self._count(results, log)
        if asked.as_list:
            return _json(results)
        return _json(
            {
                "model": self._settings.model,
                "version": self._manifest.version,
                "results": results,
            }
        )

    async def healthz(self, request: Request) -> Response:
        """Says that the process is alive."""
        return _json({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Says whether requests can be answered."""
        if self._stopping:
            raise UnavailableError("expected a running service, found it stopping; ask another.")
        await self._upstream.check(_READY_SECONDS)
        return _json({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """Returns the metrics."""
        return Response(self._metrics.exposition(), headers={"content-type": CONTENT_TYPE_LATEST})

    async def openapi(self, request: Request) -> Response:
        """Returns the OpenAPI document."""
        return _json(openapi.document(self._settings, automl.__version__))

    async def page(self, request: Request) -> Response:
        """Returns the page to try it on."""
        return page.response()

    def _admit(self, request: Request) -> None:
        """Checks the request's key and that it may make one more."""
        key = ""
        if self._keys is not None:
            key = self._keys.check(request.headers.get("authorization", ""))
            request.state.log["key"] = key
        if self._limit is not None:
            self._limit.take(key, asyncio.get_running_loop().time())

    def _count(self, results: list[dict[str, Any]], log: dict[str, Any]) -> None:
        outcomes = Counter(
            result["error"]["code"] if "error" in result else "scored" for result in results
        )
        for outcome, count in outcomes.items():
            self._metrics.images.labels(outcome).inc(count)
        log["images"] = len(results)
        log["scored"] = outcomes["scored"]


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        json.dumps(content, allow_nan=False).encode(),
        status,
        headers={"cache-control": "no-store", **(headers or {})},
        media_type="application/json",
    )


def _problem(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    return _json({"error": {"code": code, "message": message}}, status, headers)


async def _answer_error(request: Request, error: GatewayError | BodyTooLargeError) -> Response:
    headers = error.headers if isinstance(error, GatewayError) else None
    return _problem(error.http_status, error.code, str(error), headers)


async def _answer_http_error(request: Request, error: HTTPException) -> Response:
    paths = ", ".join(operation.path for operation in openapi.OPERATIONS)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"expected the method {allowed}, found another; see /openapi.json."
        return _problem(405, "method_not_allowed", message, error.headers)
    if error.status_code == 404:
        message = f"expected one of the paths {paths}, found another; see /openapi.json."
        return _problem(404, "not_found", message)
    return _problem(
        error.status_code, "bad_request", "expected a request as in /openapi.json, found another."
    )


async def _answer_fault(request: Request, error: Exception) -> Response:
    return _problem(
        500, "internal", "expected no fault in the service, found one; its log says which."
    )
