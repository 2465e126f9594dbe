"""TF Serving's REST API: predict, classify, regress, status, metadata and metrics.

Paths and bodies: https://www.tensorflow.org/tfx/serving/api_rest; the paths' form is that of
tensorflow_serving/model_servers/http_rest_api_util.cc.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from automl_serving.body import BodyTooLargeError, read_body
from automl_serving.json_tensors import JsonRequest, to_json
from automl_serving.model_server import examples, messages, metrics, responses
from automl_serving.model_server.catalog import Catalog
from automl_serving.model_server.errors import ServingError, as_serving_error
from automl_serving.model_server.execution import Predict, RunInThread
from automl_serving.model_server.json_examples import (
    classifications_to_json,
    parse_examples,
    regressions_to_json,
)
from automl_serving.model_server.servable import Servable

_MODEL = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_PATHS = {
    "GET": re.compile(_MODEL + r"(?P<action>/metadata)?", re.IGNORECASE),
    "POST": re.compile(_MODEL + r":(?P<action>predict|classify|regress)", re.IGNORECASE),
}
_LARGEST_VERSION = 2**63 - 1


class RestApi:
    """The REST API over the models of a catalog."""

    def __init__(
        self,
        catalog: Catalog,
        predict: Predict,
        run: RunInThread,
        counts: metrics.ServerMetrics,
        max_bytes: int,
        timeout: float,
    ) -> None:
        self._catalog = catalog
        self._execute = predict
        self._run = run
        self._counts = counts
        self._max_bytes = max_bytes
        self._timeout = timeout

    def app(self) -> Starlette:
        """Returns the ASGI application."""
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        return Starlette(
            routes=[
                Route(metrics.PATH, self._metrics, methods=["GET"]),
                Route("/{path:path}", self._answer, methods=methods),
            ]
        )

    async def _metrics(self, request: Request) -> Response:
        return Response(self._counts.page(), media_type="text/plain; version=0.0.4")

    async def _answer(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._dispatch(request)
        except ClientDisconnect:
            return _json_response(b"{}", 499)
        except BodyTooLargeError as error:
            return _error(error, error.http_status)
        except Exception as error:
            told = as_serving_error(error)
            return _error(told, told.http_status)

    async def _dispatch(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        # As it was sent: a slash that is part of a name is encoded.
        path = request.scope["raw_path"].decode("ascii", "replace").partition("?")[0]
        found = _PATHS[method].fullmatch(path) if method in _PATHS else None
        if found is None:
            raise ServingError(
                "INVALID_ARGUMENT" if path.lower().startswith("/v1/") else "NOT_FOUND",
                "expected GET /v1/models/NAME, GET /v1/models/NAME/metadata or "
                "POST /v1/models/NAME:predict, NAME with /versions/N or /labels/L if wanted, found "
                f"{request.method} {ascii(path)[:200]}; correct the request.",
            )
        name, label = unquote(found["name"]), unquote(found["label"] or "")
        asked = (name, _version(found["version"]), label)
        action = (found["action"] or "status").lower().lstrip("/")
        if action == "status":
            return _message_response(responses.status(self._catalog.states(*asked)))
        if action == "metadata":
            with self._catalog.use(*asked) as servable:
                return _json_response(json.dumps(_metadata(servable), indent=1).encode())
        with self._counts.request(self._catalog.known(name), action.capitalize(), "REST"):
            # Before a version is lent: a slow sender must not keep an old one from being unloaded.
            body = await read_body(request, self._max_bytes)
            with self._catalog.use(*asked) as servable:
                if action == "predict":
                    return _json_response(await self._predict(servable, body))
                work = functools.partial(_BY_EXAMPLES[action], servable, body)
                return _json_response(await self._run(work))

    async def _predict(self, servable: Servable, body: bytes) -> bytes:
        request: JsonRequest = await self._run(functools.partial(JsonRequest.parse, body))
        infos = servable.signature(request.signature_name).inputs
        return await self._execute(
            servable,
            request.signature_name,
            functools.partial(request.arrays, infos),
            functools.partial(to_json, by_row=request.by_row),
        )


def _classify(servable: Servable, body: bytes) -> bytes:
    name, given = parse_examples(body)
    spec = messages.ModelSpec(name=servable.name, signature_name=name)
    request = messages.ClassificationRequest(model_spec=spec, input=given)
    return classifications_to_json(examples.classify(servable, request))


def _regress(servable: Servable, body: bytes) -> bytes:
    name, given = parse_examples(body)
    spec = messages.ModelSpec(name=servable.name, signature_name=name)
    request = messages.RegressionRequest(model_spec=spec, input=given)
    return regressions_to_json(examples.regress(servable, request))


_BY_EXAMPLES: dict[str, Callable[[Servable, bytes], bytes]] = {
    "classify": _classify,
    "regress": _regress,
}


def _version(text: str | None) -> int | None:
    if text is None:
        return None
    if len(text) > 19 or int(text) > _LARGEST_VERSION:
        raise ServingError(
            "INVALID_ARGUMENT",
            f"expected a version of 64 bits, found {text[:50]}; correct the request.",
        )
    return int(text)


def _metadata(servable: Servable) -> dict[str, Any]:
    response = responses.metadata(servable)
    return {
        "model_spec": _as_dict(response.model_spec),
        "metadata": {"signature_def": _as_dict(responses.signature_map(servable))},
    }


def _as_dict(message: Any) -> dict[str, Any]:
    fields: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return fields


def _message_response(message: Any) -> Response:
    return _json_response(json.dumps(_as_dict(message), indent=1).encode())


def _json_response(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


def _error(error: Exception, status: int) -> Response:
    return _json_response(json.dumps({"error": str(error)}).encode(), status)
