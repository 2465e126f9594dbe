"""The gateway's ASGI application."""

from __future__ import annotations

import asyncio
import functools
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import automl
from automl_serving.body import BodyTooLargeError, read_body
from automl_serving.gateway import answers, openapi, page
from automl_serving.gateway.admission import Admission
from automl_serving.gateway.decoding import Decoder
from automl_serving.gateway.errors import (
    DeadlineError,
    GatewayError,
    SlowRequestError,
    UnavailableError,
)
from automl_serving.gateway.fetching import ImageFetcher
from automl_serving.gateway.keys import KeyFile
from automl_serving.gateway.metrics import Metrics
from automl_serving.gateway.model_api import ModelApi
from automl_serving.gateway.observe import OPERATION, Observe
from automl_serving.gateway.releases import Releases, Version
from automl_serving.gateway.score_request import ScoreRequest
from automl_serving.gateway.scoring import Scorer
from automl_serving.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

T = TypeVar("T")

_READY_SECONDS = 2.0
_GRACE = 0.2
_SMALL = 256 << 10
"""Bytes of a body that is read where it is, in about the time that a trip to a thread takes."""


class Gateway:
    """Answers the operations of `openapi.OPERATIONS`, each by the method of its name.

    Attributes:
        releases: The versions that answer, which may change.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        served: Version,
        keys: KeyFile | None,
        canary: Version | None = None,
        shadow: Version | None = None,
    ) -> None:
        """Takes what it works with; without `keys` anybody may score."""
        self._settings = settings
        self._upstream = served.upstream
        threads = settings.decode_threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        decoder = Decoder(self._pool, settings)
        fetcher = ImageFetcher(settings) if settings.fetch_urls else None
        self._models = ModelApi(served.upstream, self._in_thread)
        self._admission = Admission(keys, settings)
        self._metrics = Metrics(settings.model, served.manifest.version)

        def scorer(of: Version) -> Scorer:
            return Scorer(of.manifest, of.upstream, decoder, fetcher, settings)

        self.releases = Releases(served, canary, shadow, scorer, settings, self._metrics)
        self._stopping = False

    def app(self) -> ASGIApp:
        """Returns the ASGI application."""
        routes = [
            Route(operation.path, self._endpoint(operation), methods=[operation.method])
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

    def _endpoint(self, operation: openapi.Operation) -> Any:
        method = getattr(self, operation.method_name or operation.name)

        async def endpoint(request: Request) -> Response:
            request.scope[OPERATION] = operation.path
            if not operation.secured:
                return await method(request)  # type: ignore[no-any-return]
            with self._admission.admit(request):
                deadline = asyncio.get_running_loop().time() + self._settings.timeout
                return await self._in_time(method(request, deadline), request, deadline)

        return endpoint

    async def score(self, request: Request, deadline: float) -> Response:
        """Scores images."""
        asked = await self._asked(request)
        key = request.state.log.get("key", "")
        version, results = await self.releases.score(asked.items, key, deadline)
        self._count(results, request.state.log)
        request.state.log["version"] = version
        if asked.as_list:
            return answers.answer(results)
        return answers.answer(
            {
                "model": self._settings.model,
                "version": version,
                "results": results,
            }
        )

    async def predict(self, request: Request, deadline: float) -> Response:
        """Runs a signature of the model."""
        body = await self._body(request)
        return await self._models.predict(request, body, deadline)

    async def metadata(self, request: Request, deadline: float) -> Response:
        """Returns the model's signatures."""
        return await self._models.metadata(request, deadline)

    async def status(self, request: Request, deadline: float) -> Response:
        """Returns the state of the model's versions."""
        return await self._models.status(request, deadline)

    async def healthz(self, request: Request) -> Response:
        """Says that the process is alive."""
        return answers.answer({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Says whether requests can be answered."""
        if self._stopping:
            raise UnavailableError("expected a running service, found it stopping; ask another.")
        await self._upstream.check(_READY_SECONDS)
        return answers.answer({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """Returns the metrics."""
        return Response(self._metrics.exposition(), headers={"content-type": CONTENT_TYPE_LATEST})

    async def openapi(self, request: Request) -> Response:
        """Returns the OpenAPI document."""
        return answers.answer(openapi.document(self._settings, automl.__version__))

    async def page(self, request: Request) -> Response:
        """Returns the page to try it on."""
        return page.response()

    async def _in_time(
        self, answering: Awaitable[Response], request: Request, deadline: float
    ) -> Response:
        try:
            # The call to the model server ends by the deadline, and tells more than this does.
            async with asyncio.timeout_at(deadline + _GRACE):
                return await answering
        except TimeoutError:
            seconds = f"{self._settings.timeout:g} seconds"
            if getattr(request.state, "reads_body", False):
                raise SlowRequestError(
                    f"expected the whole body within {seconds}, found it unfinished; send it "
                    f"faster."
                ) from None
            raise DeadlineError(
                f"expected to answer within {seconds}, found more to do; retry later or send fewer "
                f"images."
            ) from None

    async def _asked(self, request: Request) -> ScoreRequest:
        """Reads a scoring request, and lets its body go before the images are scored."""
        body = await self._body(request)
        parse = functools.partial(
            ScoreRequest.parse,
            request.headers.get("content-type", ""),
            body,
            self._settings.max_images,
        )
        return parse() if len(body) <= _SMALL else await self._in_thread(parse)

    async def _body(self, request: Request) -> bytes:
        request.state.reads_body = True
        hold = functools.partial(self._admission.hold, request)
        body = await read_body(request, self._settings.max_body_bytes, hold)
        request.state.reads_body = False
        request.state.log["bytes"] = len(body)
        return body

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)

    def _count(self, results: list[dict[str, Any]], log: dict[str, Any]) -> None:
        outcomes = Counter(
            result["error"]["code"] if "error" in result else "scored" for result in results
        )
        for outcome, count in outcomes.items():
            self._metrics.images.labels(outcome).inc(count)
        log["images"] = len(results)
        log["scored"] = outcomes["scored"]


async def _answer_error(request: Request, error: GatewayError | BodyTooLargeError) -> Response:
    headers = error.headers if isinstance(error, GatewayError) else None
    return answers.problem(error.http_status, error.code, str(error), headers)


async def _answer_http_error(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"expected the method {allowed}, found another; see /openapi.json."
        return answers.problem(405, "method_not_allowed", message, error.headers)
    if error.status_code == 404:
        message = "expected a path such as /v1/score, found another; see /openapi.json for all."
        return answers.problem(404, "not_found", message)
    return answers.problem(
        error.status_code, "bad_request", "expected a request as in /openapi.json, found another."
    )


async def _answer_fault(request: Request, error: Exception) -> Response:
    return answers.problem(
        500, "internal", "expected no fault in the service, found one; its log says which."
    )
