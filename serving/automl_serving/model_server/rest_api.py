"""TF Serving's REST API: predict, status and metadata.

Paths and bodies: https://www.tensorflow.org/tfx/serving/api_rest.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from automl_serving.body import BodyTooLargeError, read_body
from automl_serving.model_server import responses
from automl_serving.model_server.errors import ServingError, as_serving_error
from automl_serving.model_server.grpc_api import RunInThread
from automl_serving.model_server.json_tensors import JsonRequest, to_json
from automl_serving.model_server.models import ServedModel
from automl_serving.model_server.servable import Servable

_PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)"
    r"(?:/versions/(?P<version>[0-9]{1,19})|/labels/(?P<label>[^/:]+))?"
    r"(?P<action>:predict|:classify|:regress|/metadata)?"
)
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class RestApi:
    """The REST API over one served model."""

    def __init__(self, models: ServedModel, run: RunInThread, max_bytes: int) -> None:
        self._models = models
        self._run = run
        self._max_bytes = max_bytes

    def app(self) -> Starlette:
        """Returns the ASGI application."""
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=_METHODS)])

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._dispatch(request)
        except ClientDisconnect:
            return _json_response(b"{}", 499)
        except BodyTooLargeError as error:
            return _error(error, error.http_status)
        except Exception as error:
            told = as_serving_error(error)
            return _error(told, told.http_status)

    async def _dispatch(self, request: Request) -> Response:
        path = _PATH.fullmatch(request.url.path)
        action = path["action"] if path else None
        if path is None or (request.method == "POST") != (action or "").startswith(":"):
            raise ServingError(
                "INVALID_ARGUMENT" if path else "NOT_FOUND",
                "expected GET /v1/models/NAME, GET /v1/models/NAME/metadata or "
                f"POST /v1/models/NAME:predict, found {request.method} "
                f"{ascii(request.url.path)[:200]}; correct the request.",
            )
        if request.method not in ("GET", "HEAD", "POST"):
            raise ServingError(
                "INVALID_ARGUMENT", f"expected GET or POST, found {request.method}; use one."
            )
        version = int(path["version"]) if path["version"] else None
        servable = self._models.find(path["name"], version, path["label"] or "")
        if action is None:
            return _message_response(responses.status(servable))
        if action == "/metadata":
            return _json_response(json.dumps(_metadata(servable), indent=1).encode())
        if action != ":predict":
            raise ServingError(
                "UNIMPLEMENTED", f"expected :predict, found {action}; this server has no other."
            )
        body = await read_body(request, self._max_bytes)
        return _json_response(await self._run(functools.partial(_predict, servable, body)))


def _predict(servable: Servable, body: bytes) -> bytes:
    request = JsonRequest.parse(body)
    infos = servable.signature(request.signature_name).inputs
    outputs = servable.predict(request.signature_name, request.arrays(infos))
    return to_json(outputs, request.by_row)


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
