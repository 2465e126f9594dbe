"""The gateway's operations as one table, and the OpenAPI 3.1 document made from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from automl_serving.gateway.settings import GatewaySettings

JSON = "application/json"
FORM = "multipart/form-data"


@dataclass(frozen=True)
class Operation:
    """One path and method.

    Attributes:
        path: The path.
        method: `"GET"` or `"POST"`.
        name: Its `operationId`, which is mostly also the name of the method that answers it.
        summary: What it does.
        answers: By status, a sentence and the content type with its schema's name.
        request: The request's schemas' names by content type.
        secured: Whether it wants a key.
        method_name: The method that answers it, where that is not `name`.
    """

    path: str
    method: str
    name: str
    summary: str
    answers: Mapping[int, tuple[str, str, str]]
    request: Mapping[str, str] = field(default_factory=dict)
    secured: bool = False
    method_name: str = ""


def _error(sentence: str) -> tuple[str, str, str]:
    return sentence, JSON, "Error"


_CALLED = {
    401: _error("The key is missing or wrong."),
    404: _error("The model, version or label is not served."),
    429: _error("The key makes too many requests; Retry-After says when to go on."),
    502: _error("The model server gave no usable answer."),
    503: _error("The model server cannot be reached now."),
    504: _error("The answer would have come too late."),
}


def _model_operations(place: str, suffix: str) -> tuple[Operation, ...]:
    """Returns TF Serving's own operations, on the model or a version or label of it."""
    path = f"/v1/models/{{model}}{place}"
    bad = {400: _error("The path or the body is none that the model takes.")}
    of = f"the model{suffix.replace('_', ' ')}"
    return (
        Operation(
            f"{path}:predict",
            "POST",
            f"predict{suffix}",
            f"Run a signature of {of}, in TF Serving's form.",
            {
                200: ("The outputs.", JSON, "PredictAnswer"),
                408: _error("The body did not arrive in time."),
                413: _error("The body is too large."),
                **bad,
                **_CALLED,
            },
            {JSON: "PredictRequest"},
            secured=True,
            method_name="predict",
        ),
        Operation(
            f"{path}/metadata",
            "GET",
            f"metadata{suffix}",
            f"The signatures of {of}.",
            {200: ("They.", JSON, "Document"), **bad, **_CALLED},
            secured=True,
            method_name="metadata",
        ),
        Operation(
            path,
            "GET",
            f"status{suffix}",
            f"The state of {of}.",
            {200: ("It.", JSON, "Document"), **bad, **_CALLED},
            secured=True,
            method_name="status",
        ),
    )


OPERATIONS = (
    Operation(
        "/",
        "GET",
        "page",
        "A page to drop a picture on and see its scores.",
        {200: ("The page.", "text/html", "Text")},
    ),
    Operation(
        "/v1/score",
        "POST",
        "score",
        "Score images, sent as JSON in one of two forms or as files.",
        {
            200: ("The results, in the images' order.", JSON, "ScoreAnswer"),
            400: _error("The body is no scoring request."),
            401: _error("The key is missing or wrong."),
            408: _error("The body did not arrive in time."),
            413: _error("The body or the number of images is too large."),
            415: _error("The body's type is not understood."),
            429: _error("The key makes too many requests; Retry-After says when to go on."),
            502: _error("The model server gave no usable answer."),
            503: _error("The model server cannot be reached now."),
            504: _error("The answer would have come too late."),
        },
        {JSON: "ScoreRequest", FORM: "ScoreForm"},
        secured=True,
    ),
    *_model_operations("", ""),
    *_model_operations("/versions/{version}", "_of_version"),
    *_model_operations("/labels/{label}", "_of_label"),
    Operation(
        "/healthz",
        "GET",
        "healthz",
        "Whether the process is alive.",
        {200: ("It is.", JSON, "Status")},
    ),
    Operation(
        "/readyz",
        "GET",
        "readyz",
        "Whether requests can be answered: the model server serves the model, and no stop is near.",
        {200: ("They can.", JSON, "Status"), 503: _error("They cannot.")},
    ),
    Operation(
        "/metrics",
        "GET",
        "metrics",
        "Metrics in Prometheus' text format.",
        {200: ("The metrics.", "text/plain", "Text")},
    ),
    Operation(
        "/openapi.json",
        "GET",
        "openapi",
        "This document.",
        {200: ("The document.", JSON, "Document")},
    ),
)
"""Everything the gateway answers."""


def document(settings: GatewaySettings, version: str) -> dict[str, Any]:
    """Returns the OpenAPI document of a gateway with these settings.

    Args:
        settings: Its limits become limits of the schemas.
        version: Of the software.
    """
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation, keyed=settings.keys_file is not None
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Scoring gateway for {settings.model}",
            "version": version,
            "description": "Pictures in, labels with probabilities out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(settings.max_images),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation, keyed: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {
            str(status): {"description": sentence, "content": {kind: {"schema": _ref(schema)}}}
            for status, (sentence, kind, schema) in operation.answers.items()
        },
    }
    names = re.findall(r"{(\w+)}", operation.path)
    if names:
        described["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": _PATH[name]} for name in names
        ]
    if operation.request:
        described["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": _ref(name)} for kind, name in operation.request.items()},
        }
    if operation.secured and keyed:
        described["security"] = [{"key": []}]
    return described


_PATH: dict[str, Any] = {
    "model": {"type": "string", "minLength": 1},
    "version": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
    "label": {"type": "string", "minLength": 1},
}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


def _list(items: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": most, "items": items}


def _schemas(most: int) -> dict[str, Any]:
    text = {"type": "string"}
    parameters = {"oneOf": [_ref("Parameters"), {"type": "null"}]}
    return {
        "Text": text,
        "Document": {"type": "object"},
        "Status": _object(["status"], status=text),
        "Problem": _object(["code", "message"], code=text, message=text),
        "Error": _object(["error"], error=_ref("Problem")),
        "Parameters": _object(
            [],
            top_k={
                "type": ["integer", "null"],
                "minimum": 1,
                "description": "How many labels, the best first; all where it is missing.",
            },
            add_softmax={
                "type": "boolean",
                "default": True,
                "description": "Whether scores are probabilities; else they are logits.",
            },
        ),
        "Image": {
            "oneOf": [
                _object(["b64"], b64={"type": "string", "contentEncoding": "base64"}),
                _object(["url"], url={"type": "string"}),
            ],
            "description": "An image; addresses are fetched where the service is set to.",
        },
        "ListItem": _object(
            ["image_in_base64"],
            image_in_base64={
                "type": "string",
                "description": "Base64, which may be in Python's literal form b'…'.",
            },
            parameters=parameters,
        ),
        "ScoreRequest": {
            "oneOf": [
                _object(["images"], images=_list(_ref("Image"), most), parameters=parameters),
                _list(_ref("ListItem"), most),
            ]
        },
        "ScoreForm": {
            "type": "object",
            "properties": {"parameters": _ref("Parameters")},
            "additionalProperties": {
                "type": "string",
                "contentMediaType": "application/octet-stream",
            },
            "description": "Image files in parts of any name, each with a filename.",
        },
        "PredictRequest": {
            "type": "object",
            "properties": {
                "signature_name": text,
                "instances": {"type": "array", "minItems": 1},
                "inputs": {},
            },
            "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
        },
        "PredictAnswer": {
            "oneOf": [
                _object(["predictions"], predictions={"type": "array"}),
                _object(["outputs"], outputs={}),
            ],
            "description": "Predictions where the request had instances, else outputs.",
        },
        "Scored": _object(
            ["label", "probability", "scores"],
            label={"type": "string", "description": "The most probable label."},
            probability={"type": "number", "minimum": 0, "maximum": 1},
            scores={
                "type": "object",
                "additionalProperties": {"type": "number"},
                "description": "By label, the most probable first.",
            },
        ),
        "Result": {"oneOf": [_ref("Scored"), _ref("Error")]},
        "ScoreAnswer": {
            "oneOf": [
                _object(
                    ["model", "version", "results"],
                    model=text,
                    version={"type": "integer", "minimum": 1},
                    results={"type": "array", "items": _ref("Result")},
                ),
                {"type": "array", "items": _ref("Result")},
            ],
            "description": "A bare list where the request was one.",
        },
    }
