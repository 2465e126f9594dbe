"""The OpenAPI document, held against the specification and against what the gateway does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import openapi_spec_validator
import pytest

from automl.manifest import Manifest
from automl_serving.gateway import openapi
from automl_serving.gateway.app import Gateway
from automl_serving.gateway.releases import Version
from automl_serving.gateway.settings import GatewaySettings

IMAGE = {"b64": "AAAA"}


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> Any:
    return client.get("/openapi.json").json()


def test_it_is_valid(document: Any) -> None:
    openapi_spec_validator.validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_operation_is_answered_and_none_is_missing() -> None:
    described = {(one.path, one.method) for one in openapi.OPERATIONS}
    assert len(described) == len(openapi.OPERATIONS)
    settings = GatewaySettings(model="m", manifest=Path("m"))
    manifest = Manifest("m", 1, ("a", "b"), 8, 8, "squash", 1.0)
    gateway: Any = Gateway(settings, Version(manifest, None), None)  # type: ignore[arg-type]
    routes = gateway.app()._app.routes
    answered = {(route.path, method) for route in routes for method in route.methods}
    assert answered - {(path, "HEAD") for path, _ in answered} == described


def test_a_key_is_asked_for_where_there_are_keys(document: Any) -> None:
    assert document["paths"]["/v1/score"]["post"]["security"] == [{"key": []}]
    settings = GatewaySettings(model="m", manifest=Path("m"))
    open_to_all = openapi.document(settings, "1")
    assert "security" not in open_to_all["paths"]["/v1/score"]["post"]
    assert "security" in str(openapi.document(replace(settings, keys_file=Path("k")), "1"))


@pytest.mark.parametrize("operation", openapi.OPERATIONS, ids=lambda one: one.name)
def test_simple_answers_are_as_described(
    document: Any, client: httpx.Client, operation: openapi.Operation
) -> None:
    if operation.method == "GET":
        path = operation.path.format(model="colours", version=1, label="x")
        check(document, client.get(path), operation.path)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"images": [IMAGE, {"url": "https://example.org/a.jpg"}]}, 200),
        ({"images": [IMAGE], "parameters": {"top_k": 1, "add_softmax": False}}, 200),
        ([{"image_in_base64": "b'AAAA'", "parameters": None}], 200),
        ({"images": []}, 400),
        ({"images": [IMAGE], "parameters": {"top_k": 0}}, 400),
        ({"images": [{"b64": "", "url": ""}]}, 400),
        ([{"image_in_base64": 1}], 400),
        ([], 400),
        ("AAAA", 400),
        ({"images": [IMAGE] * 9}, 413),
    ],
)
def test_scoring_takes_and_gives_what_is_described(
    document: Any, client: httpx.Client, body: Any, status: int
) -> None:
    described = validator(document, "ScoreRequest").is_valid(body)
    answer = client.post("/v1/score", json=body)
    assert answer.status_code == status
    assert described == (status == 200)
    check(document, answer)


def test_scores_are_as_described(document: Any, client: httpx.Client, colour_images: Any) -> None:
    files = [("image", ("a.png", path.read_bytes())) for path in colour_images.values()]
    answer = client.post("/v1/score", files=files)
    check(document, answer)
    result = validator(document, "Scored")
    assert all(result.is_valid(one) for one in answer.json()["results"])


def check(document: Any, answer: httpx.Response, path: str = "/v1/score") -> None:
    """Holds an answer against what the document says of its path and status."""
    operation = document["paths"][path][answer.request.method.lower()]
    ((kind, media),) = operation["responses"][str(answer.status_code)]["content"].items()
    assert answer.headers["content-type"].partition(";")[0] == kind
    content = answer.json() if kind == "application/json" else answer.text
    name = media["schema"]["$ref"].rpartition("/")[2]
    validator(document, name).validate(content)


def validator(document: Any, name: str) -> Any:
    # Within the document, `$ref`s begin at its root.
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return jsonschema.Draft202012Validator(json.loads(json.dumps(schema)))


@pytest.mark.slow
def test_the_document_holds_for_requests_that_schemathesis_makes(
    gateway: Any, client: httpx.Client, tmp_path: Path
) -> None:
    pytest.importorskip("schemathesis")
    (tmp_path / "schemathesis.toml").write_text(
        "[checks.negative_data_rejection]\n"
        "expected-statuses = [400, 401, 404, 405, 413, 415]  # 413: more images than maxItems\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "schemathesis.cli", "run"),
            f"{gateway.ready['url']}/openapi.json",
            *("--header", f"Authorization: {client.headers['authorization']}"),
            # What a schema cannot say is refused, too: a form needs a file, and a model knows
            # which inputs it takes.
            *("--exclude-checks", "positive_data_acceptance"),
            *("--max-examples", "50", "--seed", "1", "--workers", "1", "--warnings", "off"),
            "--generation-database=none",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_PROXY": "*", "NO_COLOR": "1"},
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "a request failed" not in gateway.log.read_text()
