"""TF Serving's REST API, by its documentation: https://www.tensorflow.org/tfx/serving/api_rest."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import httpx
import numpy as np
import pytest


def post(client: httpx.Client, path: str, content: Any) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return client.post(f"/{path.lstrip('/')}", content=body)


@pytest.mark.parametrize("path", ["many:predict", "many/versions/10:predict"])
@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ({"instances": [1, 2.5, 5]}, {"predictions": [2.5, 3.25, 4.5]}),
        ({"instances": [{"x": 1}, {"x": 5}]}, {"predictions": [2.5, 4.5]}),
        ({"inputs": [1, 5]}, {"outputs": [2.5, 4.5]}),
        ({"inputs": {"x": [1, 5]}}, {"outputs": [2.5, 4.5]}),
        ({"inputs": []}, {"outputs": []}),
        ({"signature_name": "", "inputs": [1]}, {"outputs": [2.5]}),
        ({"signature_name": "serving_default", "instances": [1]}, {"predictions": [2.5]}),
        (
            {"signature_name": "two", "instances": [{"a": [1, 2], "b": [0.5, 1]}]},
            {"predictions": [{"sum": [1.5, 3.0], "difference": [0.5, 1.0]}]},
        ),
        (
            {"signature_name": "two", "inputs": {"a": [[1, 2]], "b": [[0.5, 1]]}},
            {"outputs": {"sum": [[1.5, 3.0]], "difference": [[0.5, 1.0]]}},
        ),
        (
            {"signature_name": "text", "instances": ["a\u00e9", {"b64": "Yg=="}]},
            {
                "predictions": [
                    {"upper": "A\u00e9", "copy_bytes": {"b64": "YcOp"}},
                    {"upper": "B", "copy_bytes": {"b64": "Yg=="}},
                ]
            },
        ),
        (
            {"signature_name": "text", "inputs": {"text": [{"b64": "Yg=="}]}},
            {"outputs": {"upper": ["B"], "copy_bytes": [{"b64": "Yg=="}]}},
        ),
        (
            {"signature_name": "kinds", "inputs": {"i": 2**40, "f": [True] * 3, "u": [[255]]}},
            {"outputs": {"i": 2**40 + 1, "f": [False] * 3, "u": [[255]], "h": [[255.0]]}},
        ),
    ],
)
def test_predict(many: httpx.Client, path: str, request_: Any, answer: Any) -> None:
    found = post(many, path, request_)
    assert (found.status_code, found.json()) == (200, answer)
    assert found.headers["content-type"] == "application/json"


def test_numbers_that_json_has_not(many: httpx.Client) -> None:
    answer = post(many, "many:predict", b'{"instances": [NaN, Infinity, -Infinity]}')
    found = json.loads(answer.text)["predictions"]
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf]


REFUSED = [
    (400, "many:predict", b""),
    (400, "many:predict", b"{"),
    (400, "many:predict", b"\xff"),
    (400, "many:predict", b"[" * 50_000),
    (400, "many:predict", b'{"instances": ' + b"[" * 900 + b"]" * 900 + b"}"),
    (400, "many:predict", []),
    (400, "many:predict", {}),
    (400, "many:predict", {"instances": [1], "inputs": [1]}),
    (400, "many:predict", {"instances": [1], "signature_name": 5}),
    (400, "many:predict", {"instances": [1], "signature_name": "nothing\ud800"}),
    (400, "many:predict", {"instances": []}),
    (400, "many:predict", {"instances": 1}),
    (400, "many:predict", {"instances": [[1]]}),
    (400, "many:predict", {"instances": ["1"]}),
    (400, "many:predict", {"instances": [None]}),
    (400, "many:predict", {"instances": [True]}),
    (400, "many:predict", {"instances": [1, [2]]}),
    (400, "many:predict", {"instances": [{"z": 1}]}),
    (400, "many:predict", {"instances": [{"x": 1}, 2]}),
    (400, "many:predict", {"instances": [{"b64": "Yg=="}]}),
    (400, "many:predict", {"instances": [{"x": 1, "z": 1}]}),
    (400, "many:predict", {"instances": [1e39]}),
    (400, "many:predict", {"instances": [2**24]}),
    (400, "many:predict", {"inputs": {}}),
    (400, "many:predict", {"signature_name": "two", "instances": [1]}),
    (400, "many:predict", {"signature_name": "two", "instances": [{"a": [1, 2]}]}),
    (400, "many:predict", {"signature_name": "two", "instances": [{"a": [1.5, 2], "b": [1, 2]}]}),
    (400, "many:predict", {"signature_name": "two", "instances": [{"a": [2**31, 2], "b": [1, 2]}]}),
    (400, "many:predict", {"signature_name": "two", "instances": [{"a": [2**70, 2], "b": [1, 2]}]}),
    (400, "many:predict", {"signature_name": "text", "instances": [1]}),
    (400, "many:predict", {"signature_name": "text", "instances": [{"b64": "?"}]}),
    (400, "many:predict", {"signature_name": "text", "instances": [{"b64": 1}]}),
    (400, "many:predict", {"signature_name": "text", "instances": ["a", ["b"]]}),
    (400, "many:predict", {"signature_name": "text", "instances": [["a"], ["b", "c"]]}),
    (400, "many:predict", {"signature_name": "text", "inputs": "a"}),
    (400, "many:predict", {"signature_name": "fails", "instances": [-1]}),
    (400, "many/labels/stable:predict", {"instances": [1]}),
    (404, "nothing:predict", {"instances": [1]}),
    (404, "many/versions/2:predict", {"instances": [1]}),
    (404, "many/versions/999999999999999999:predict", {"instances": [1]}),
    (400, "many/versions/9999999999999999999:predict", {"instances": [1]}),
    (400, "many/versions/x:predict", {"instances": [1]}),
    (400, "many:nothing", {"instances": [1]}),
    (400, "many", {"instances": [1]}),
    (400, "many:classify", {"examples": []}),
    (400, "many:classify", {"examples": [{"x": 1}]}),
    (400, "many:classify", {"examples": [{"\ud800": 1}]}),
    (400, "many:classify", {"examples": [{"x": 1}], "signature_name": "\ud800"}),
]


@pytest.mark.parametrize(("status", "path", "content"), REFUSED)
def test_what_is_refused(many: httpx.Client, status: int, path: str, content: Any) -> None:
    check_error(post(many, path, content), status)


def test_rows_are_refused_where_there_are_none(many: httpx.Client) -> None:
    content = {"signature_name": "kinds", "instances": [{"i": 1, "f": [True], "u": [1]}]}
    check_error(post(many, "many:predict", content), 400)


def test_what_a_model_refuses_is_said_without_its_graph(many: httpx.Client) -> None:
    answer = post(many, "many:predict", {"signature_name": "fails", "instances": [-1]})
    assert "must be above 0" in answer.json()["error"]
    assert "node" not in answer.json()["error"]


def test_a_body_that_is_too_large_is_refused(many: httpx.Client) -> None:
    check_error(post(many, "many:predict", b" " * 100_001), 413)
    check_error(many.post("/many:predict", content=iter([b" " * 60_000] * 3)), 413)


@pytest.mark.parametrize("path", ["many", "many/versions/10"])
def test_status(many: httpx.Client, path: str) -> None:
    status = {"error_code": "OK", "error_message": ""}
    assert many.get(f"/{path}").json() == {
        "model_version_status": [{"version": "10", "state": "AVAILABLE", "status": status}]
    }


@pytest.mark.parametrize("path", ["many/metadata", "many/versions/10/metadata"])
def test_metadata(many: httpx.Client, path: str) -> None:
    answer = many.get(f"/{path}").json()
    assert answer["model_spec"] == {"name": "many", "version": "10", "signature_name": ""}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "two", "text", "kinds", "fails"}
    two = signatures["two"]
    assert set(two["inputs"]) == {"a", "b"}
    assert two["inputs"]["a"]["dtype"] == "DT_INT32"
    assert [dim["size"] for dim in two["inputs"]["a"]["tensor_shape"]["dim"]] == ["-1", "2"]
    assert two["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nothing", 404),
        ("GET", "many/versions/3", 404),
        ("GET", "many/versions/3/metadata", 404),
        ("GET", "many:predict", 400),
        ("GET", "", 400),
        ("GET", "../../v2/models/many", 404),
        ("DELETE", "many", 400),
        ("PUT", "many:predict", 400),
    ],
)
def test_other_requests_are_refused(
    many: httpx.Client, method: str, path: str, status: int
) -> None:
    check_error(many.request(method, f"/{path}"), status)


def test_pictures_are_decoded_in_the_graph(rest: httpx.Client, colour_images: Any) -> None:
    for place, path in enumerate(colour_images.values()):
        encoded = {"b64": base64.b64encode(path.read_bytes()).decode()}
        content = {"signature_name": "encoded", "instances": [encoded]}
        (prediction,) = post(rest, "/v1/models/colours:predict", content).json()["predictions"]
        assert int(np.argmax(prediction["probabilities"])) == place
    broken = {"signature_name": "encoded", "instances": [{"b64": "AAAA"}]}
    check_error(post(rest, "/v1/models/colours:predict", broken), 400)


def test_pixels_out_of_range_are_refused(rest: httpx.Client) -> None:
    pixels = np.zeros((1, 16, 24, 3), int)
    good = post(rest, "/v1/models/colours:predict", {"instances": pixels.tolist()})
    assert good.status_code == 200
    for value in (256, -1, 0.5):
        wrong = pixels.astype(object)
        wrong[0, 0, 0, 0] = value
        content = {"instances": wrong.tolist()}
        check_error(post(rest, "/v1/models/colours:predict", content), 400)


def check_error(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    message = answer.json()["error"]
    assert message.startswith("expected ")
    assert len(message) < 700
    assert not any(word in message for word in ("Traceback", ".py", "0x"))
