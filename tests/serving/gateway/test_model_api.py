"""TF Serving's REST API through the gateway: what the model server itself would answer."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

PIXELS = [[[[240, 0, 80]] * 24] * 16]
MODEL = "/v1/models/colours"


@pytest.mark.parametrize("place", ["", "/versions/1"])
@pytest.mark.parametrize(
    "body",
    [
        {"instances": PIXELS},
        {"inputs": PIXELS},
        {"signature_name": "serving_default", "inputs": {"images": PIXELS * 3}},
        {"instances": [{"images": PIXELS[0]}]},
    ],
)
def test_a_prediction_is_the_model_servers(
    client: httpx.Client, rest: httpx.Client, place: str, body: Any
) -> None:
    answer = client.post(f"{MODEL}{place}:predict", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == rest.post(f"{MODEL}{place}:predict", json=body).json()
    assert "7.5" in answer.text  # 240 / 32


def test_encoded_images_are_passed_on(
    client: httpx.Client, rest: httpx.Client, colour_images: Mapping[str, Path]
) -> None:
    picture = {"b64": base64.b64encode(colour_images["rot"].read_bytes()).decode()}
    body = {"signature_name": "encoded", "instances": [picture]}
    answer = client.post(f"{MODEL}:predict", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == rest.post(f"{MODEL}:predict", json=body).json()


@pytest.mark.parametrize("path", ["", "/versions/1", "/metadata", "/versions/1/metadata"])
def test_status_and_metadata_are_the_model_servers(
    client: httpx.Client, rest: httpx.Client, path: str
) -> None:
    answer = client.get(MODEL + path)
    assert answer.status_code == 200, answer.text
    assert answer.json() == rest.get(MODEL + path).json()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/models/other", 404, "not_found"),
        ("/v1/models/other/metadata", 404, "not_found"),
        (f"{MODEL}/versions/2", 404, "not_found"),
        (f"{MODEL}/versions/2/metadata", 404, "not_found"),
        (f"{MODEL}/versions/x", 400, "bad_request"),
        (f"{MODEL}/versions/-1", 400, "bad_request"),
        (f"{MODEL}/versions/{2**63}", 400, "bad_request"),
        (f"{MODEL}/versions/{'0' * 19}{'9' * 30}", 400, "bad_request"),
        (f"{MODEL}/labels/none", 400, "bad_request"),
    ],
)
def test_what_is_not_served(client: httpx.Client, path: str, status: int, code: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"instances": []}',
        b'{"instances": 1, "inputs": 1}',
        b'{"instances": [[1]]}',
        b'{"instances": [[[[256, 0, 0]]]]}',
        b'{"instances": [[[[1.5, 0, 0]]]]}',
        b'{"inputs": {"other": 1}}',
        b'{"inputs": 1, "signature_name": "nothing"}',
        b'{"inputs": 1, "signature_name": 5}',
        b'{"inputs": 1, "signature_name": "\\ud800"}',
        b'{"instances": ["' + b"a" * 10**6 + b'"' + b', "b"' * 10**5 + b"]}",
        b'{"inputs": 1, "extra": 5}',
        b'{"instances":' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"instances":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"instances":' * 50_000,
        b'{"signature_name": "encoded", "instances": [{"b64": "no base64"}]}',
    ],
)
def test_what_is_no_prediction_request_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post(f"{MODEL}:predict", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request"), answer.text
    message = answer.json()["error"]["message"]
    assert message.startswith("expected ")
    assert len(message) < 500


def test_more_values_than_memory_are_refused(client: httpx.Client) -> None:
    body = b'{"instances":[' + b"[]," * 990_000 + b"[]]}"
    assert client.post(f"{MODEL}:predict", content=body).status_code == 400
    answer = client.post(f"{MODEL}:predict", content=b'{"instances":[' + b"0," * 1_200_000)
    assert "found none that can be read" in answer.json()["error"]["message"]
    answer = client.post(f"{MODEL}:predict", content=b'{"instances":[' + b"," * 2_900_000)
    assert "found more" in answer.json()["error"]["message"]


def test_a_key_is_needed(client: httpx.Client) -> None:
    for method, path in (("GET", ""), ("GET", "/metadata"), ("POST", ":predict")):
        answer = client.request(method, MODEL + path, headers={"authorization": "Bearer x"})
        assert answer.status_code == 401


def test_it_is_counted_by_its_kind_of_path(client: httpx.Client) -> None:
    client.get(f"{MODEL}/versions/1")
    text = client.get("/metrics").text
    line = 'automl_gateway_requests_total{method="GET",path="/v1/models/{model}/versions/{version}"'
    assert line in text
