"""The REST API as TensorFlow Serving's documentation and tests have it.

`SOURCES` says where each group of cases comes from; the words and values are ours.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest

REST = "tensorflow_serving/g3doc/api_rest.md"
HANDLER = "tensorflow_serving/model_servers/http_rest_api_handler_test.cc"
UTIL = "tensorflow_serving/model_servers/http_rest_api_util_test.cc"
JSON = "tensorflow_serving/util/json_tensor_test.cc"
"""Paths in https://github.com/tensorflow/serving."""

HELLO = {"b64": base64.b64encode(b"hello").decode()}


def cases(source: str, *rows: Any) -> list[Any]:
    """Returns parameters whose ids tell their source."""
    return [pytest.param(*row[1:], id=f"{source}::{row[0]}") for row in rows]


def post(served: Any, path: str, content: Any) -> Any:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return served.rest.post(f"/{path}", content=body)


ROWS = {"instances": [1.0, 2.0, 5.0]}


@pytest.mark.parametrize(
    ("path", "content", "answer"),
    [
        *cases(
            f"{REST}#predict-api",
            ("row", "half_plus_two:predict", ROWS, {"predictions": [3.5, 4.0, 5.5]}),
            ("column", "half_plus_two:predict", {"inputs": [1.0]}, {"outputs": [3.5]}),
            ("named-column", "half_plus_two:predict", {"inputs": {"x": [1]}}, {"outputs": [3.5]}),
            (
                "named-row",
                "half_plus_two:predict",
                {"instances": [{"x": 1}, {"x": 2}]},
                {"predictions": [3.5, 4.0]},
            ),
            (
                "several-outputs-in-rows",
                "multi:predict",
                {"instances": [{"a": [1, 2], "b": [1, 0.5]}, {"a": [3, 4], "b": [1, 1]}]},
                {
                    "predictions": [
                        {"sum": [2.0, 2.5], "difference": [0.0, 1.5]},
                        {"sum": [4.0, 5.0], "difference": [2.0, 3.0]},
                    ]
                },
            ),
            (
                "several-outputs-in-columns",
                "multi:predict",
                {"inputs": {"a": [[1, 2]], "b": [[1, 0.5]]}},
                {"outputs": {"sum": [[2.0, 2.5]], "difference": [[0.0, 1.5]]}},
            ),
        ),
        *cases(
            f"{REST}#encoding-binary-values",
            (
                "text-and-bytes",
                "text:predict",
                {"instances": ["hello", HELLO]},
                {
                    "predictions": [
                        {"upper": "HELLO", "copy_bytes": HELLO},
                        {"upper": "HELLO", "copy_bytes": HELLO},
                    ]
                },
            ),
            (
                "bytes-in-columns",
                "text:predict",
                {"inputs": {"text": [HELLO]}},
                {"outputs": {"upper": ["HELLO"], "copy_bytes": [HELLO]}},
            ),
            (
                "no-bytes",
                "text:predict",
                {"inputs": [""]},
                {"outputs": {"upper": [""], "copy_bytes": [{"b64": ""}]}},
            ),
        ),
        *cases(
            HANDLER,
            ("version", "half_plus_two/versions/123:predict", ROWS, {"predictions": [2.5, 3, 4.5]}),
            (
                "signature",
                "half_plus_two/versions/123:predict",
                {"signature_name": "serving_default", "instances": [3.0, 4.0]},
                {"predictions": [3.5, 4.0]},
            ),
            (
                "signature-in-columns",
                "half_plus_two/versions/123:predict",
                {"signature_name": "serving_default", "inputs": [3.0, 4.0]},
                {"outputs": [3.5, 4.0]},
            ),
            ("label", "half_plus_two/labels/stable:predict", ROWS, {"predictions": [2.5, 3, 4.5]}),
            (
                "other-label",
                "half_plus_two/labels/canary:predict",
                ROWS,
                {"predictions": [3.5, 4, 5.5]},
            ),
            (
                "regress",
                "half_plus_two/versions/123:regress",
                {"signature_name": "regress_x_to_y", "examples": [{"x": 80.0}]},
                {"results": [42.0]},
            ),
            (
                "classify",
                "half_plus_two/versions/123:classify",
                {"signature_name": "classify_x_to_y", "examples": [{"x": 20.0}]},
                {"results": [[["", 12.0]]]},
            ),
            (
                "classify-two",
                "half_plus_two/versions/123:classify",
                {"signature_name": "classify_x_to_y", "examples": [{"x": 10.0}, {"x": [0.0]}]},
                {"results": [[["", 7.0]], [["", 2.0]]]},
            ),
        ),
        *cases(
            f"{REST}#classify-and-regress-api",
            (
                "labels-and-scores",
                "text:classify",
                {"signature_name": "classify", "examples": [{"words": ["hello", HELLO]}]},
                {"results": [[["hello", 5.0], ["hello", 5.0]]]},
            ),
            (
                "context",
                "half_plus_two/versions/123:regress",
                {"signature_name": "regress_x_to_y", "context": {"x": 8.0}, "examples": [{}, {}]},
                {"results": [6.0, 6.0]},
            ),
        ),
        *cases(
            JSON,
            (
                "mixed-numbers-for-float",
                "half_plus_two:predict",
                {"instances": [1, 2.0, 0]},
                {"predictions": [3.5, 4.0, 3.0]},
            ),
            (
                "unknown-keys-are-left-alone",
                "half_plus_two:predict",
                {"instances": [1.0], "id": 7},
                {"predictions": [3.5]},
            ),
            (
                "columns-of-no-input-are-left-alone",
                "half_plus_two:predict",
                {"inputs": {"x": [1.0], "z": [1.0]}},
                {"outputs": [3.5]},
            ),
            (
                "base64-of-several-lines",
                "text:predict",
                {"inputs": [{"b64": "aGVs\nbG8"}]},
                {"outputs": {"upper": ["HELLO"], "copy_bytes": [HELLO]}},
            ),
            (
                "integers-booleans-doubles",
                "kinds:predict",
                {"instances": [{"i64": 2**53, "i8": -128, "u8": 255, "flag": True, "f64": 0.1}]},
                {
                    "predictions": [
                        {"i64": 2**53 + 1, "i8": -128, "u8": 255, "flag": False, "f64": 0.2}
                    ]
                },
            ),
        ),
    ],
)
def test_answers(served: Any, path: str, content: Any, answer: Any) -> None:
    found = post(served, path, content)
    assert (found.status_code, found.json()) == (200, answer)
    assert found.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("content", "answer"),
    cases(
        f"{REST}#json-conformance",
        ("nan", b'{"instances": [NaN]}', math.nan),
        ("infinity", b'{"instances": [Infinity]}', math.inf),
        ("minus-infinity", b'{"instances": [-Infinity]}', -math.inf),
        ("exponent", b'{"instances": [1e2]}', 53.0),
    ),
)
def test_numbers_beyond_json(served: Any, content: bytes, answer: float) -> None:
    (found,) = json.loads(post(served, "half_plus_two:predict", content).text)["predictions"]
    assert found == answer or (math.isnan(found) and math.isnan(answer))


@pytest.mark.parametrize(
    ("value", "text"),
    cases(
        f"{JSON}::FromJsonSingleFloatTensorSixDigitPrecision",
        ("few-digits", -3.6, "1.2"),
        ("whole", 2.0, "4.0"),
        ("many-digits", 1.1111112, "3.5555556"),
    ),
)
def test_floats_have_no_more_digits_than_they_need(served: Any, value: float, text: str) -> None:
    found = post(served, "half_plus_two:predict", {"instances": [value]})
    assert "".join(found.text.split()) == f'{{"predictions":[{text}]}}'


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        *cases(
            f"{HANDLER}::PredictRequestErrors",
            ("empty", "half_plus_two:predict", b"", 400),
            ("no-json", "half_plus_two:predict", b"instances = [1, 2]", 400),
            ("wrong-type", "half_plus_two:predict", {"instances": ["x", "y"]}, 400),
            ("unknown-label", "half_plus_two/labels/nothing:predict", ROWS, 400),
            ("signature-no-text", "half_plus_two:predict", {"signature_name": 100}, 400),
            ("unknown-signature", "half_plus_two:predict", {"signature_name": "z", **ROWS}, 400),
        ),
        *cases(
            f"{HANDLER}::PredictModelNameVersionErrors",
            ("unknown-model", "foo:predict", ROWS, 404),
            ("unknown-model-version", "foo/versions/50:predict", ROWS, 404),
            ("unknown-version", "half_plus_two/versions/99:predict", ROWS, 404),
        ),
        *cases(
            f"{HANDLER}::UnsupportedApiCalls",
            ("version-for-versions", "foo/version/50:regress", ROWS, 400),
            ("version-no-number", "foo/versions/HELLO:regress", ROWS, 400),
            ("version-too-large", f"foo/versions/{2**64 - 1}:regress", ROWS, 400),
            ("unknown-verb", "half_plus_two:foo", ROWS, 400),
            ("post-status", "half_plus_two", ROWS, 400),
        ),
        *cases(
            f"{JSON}::SingleUnnamedTensorErrors",
            ("both-forms", "half_plus_two:predict", {"instances": [1], "inputs": [1]}, 400),
            ("no-form", "half_plus_two:predict", {}, 400),
            ("ragged", "half_plus_two:predict", {"instances": [[1, 2], [3]]}, 400),
            ("mixed-depth", "half_plus_two:predict", {"instances": [1, [1]]}, 400),
            ("no-list", "half_plus_two:predict", {"instances": 1}, 400),
            ("empty-list", "half_plus_two:predict", {"instances": []}, 400),
            ("list-of-nothing", "half_plus_two:predict", {"instances": [None]}, 400),
        ),
        *cases(
            f"{JSON}::MultipleNamedTensorErrors",
            ("plain-list", "multi:predict", {"instances": [[1, 2], [3, 4]]}, 400),
            ("missing-input", "multi:predict", {"instances": [{"a": [1, 2]}]}, 400),
            ("missing-column", "multi:predict", {"inputs": {"a": [[1, 2]]}}, 400),
            ("plain-column", "multi:predict", {"inputs": [[1, 2]]}, 400),
            (
                "inputs-that-differ",
                "multi:predict",
                {"instances": [{"a": [1, 2], "b": [1, 2]}, {"a": [1, 2]}]},
                400,
            ),
            (
                "object-after-list",
                "half_plus_two:predict",
                {"instances": [1, {"x": 1}]},
                400,
            ),
        ),
        *cases(
            f"{JSON}::errors-of-types",
            ("too-large-for-float", "half_plus_two:predict", {"instances": [1e39]}, 400),
            ("too-precise-for-float", "half_plus_two:predict", {"instances": [2**24]}, 400),
            ("boolean-for-float", "half_plus_two:predict", {"instances": [True]}, 400),
            ("too-large-for-byte", "kinds:predict", {"inputs": {"u8": [256]}}, 400),
            ("fraction-for-integer", "kinds:predict", {"instances": [{"i64": 0.5}]}, 400),
            ("bad-base64", "text:predict", {"instances": [{"b64": "?"}]}, 400),
            ("number-for-text", "text:predict", {"instances": [1]}, 400),
            ("bytes-for-number", "half_plus_two:predict", {"instances": [HELLO]}, 400),
        ),
        *cases(
            f"{JSON}::FromJsonClassifyRegressErrors",
            ("no-examples", "half_plus_two:classify", {"signature_name": "classify_x_to_y"}, 400),
            (
                "empty-examples",
                "half_plus_two:classify",
                {"signature_name": "classify_x_to_y", "examples": []},
                400,
            ),
            (
                "example-no-object",
                "half_plus_two:classify",
                {"signature_name": "classify_x_to_y", "examples": [1.0]},
                400,
            ),
            (
                "feature-of-two-types",
                "half_plus_two:classify",
                {"signature_name": "classify_x_to_y", "examples": [{"x": [1.0, "a"]}]},
                400,
            ),
            (
                "feature-of-nothing",
                "half_plus_two:classify",
                {"signature_name": "classify_x_to_y", "examples": [{"x": None}]},
                400,
            ),
            (
                "wrong-feature",
                "half_plus_two:classify",
                {"signature_name": "classify_x_to_y", "examples": [{"z": 1.0}]},
                400,
            ),
        ),
        *cases(
            "tensorflow_serving/servables/tensorflow/classifier_test.cc",
            ("signature-for-predict", "half_plus_two:classify", {"examples": [{"x": 1.0}]}, 400),
            (
                "signature-for-regress",
                "half_plus_two:classify",
                {"signature_name": "regress_x_to_y", "examples": [{"x": 1.0}]},
                400,
            ),
        ),
        *cases(
            "tensorflow_serving/servables/tensorflow/regressor_test.cc",
            (
                "signature-for-classify",
                "half_plus_two:regress",
                {"signature_name": "classify_x_to_y", "examples": [{"x": 1.0}]},
                400,
            ),
        ),
    ],
)
def test_refusals(served: Any, path: str, content: Any, status: int) -> None:
    found = post(served, path, content)
    assert found.status_code == status, found.text
    assert set(json.loads(found.text, strict=False)) == {"error"}


def state(*versions: int) -> Any:
    status = {"error_code": "OK", "error_message": ""}
    return {
        "model_version_status": [
            {"version": str(version), "state": "AVAILABLE", "status": status}
            for version in versions
        ]
    }


@pytest.mark.parametrize(
    ("path", "answer"),
    cases(
        f"{HANDLER}::GetStatus",
        ("all-versions", "half_plus_two", state(124, 123)),
        ("version", "half_plus_two/versions/123", state(123)),
        ("label", "half_plus_two/labels/stable", state(123)),
        ("one-version", "multi", state(1)),
    ),
)
def test_status(served: Any, path: str, answer: Any) -> None:
    assert served.rest.get(f"/{path}").json() == answer


@pytest.mark.parametrize(
    ("path", "version"),
    cases(
        f"{HANDLER}::GetModelMetadata",
        ("latest", "half_plus_two/metadata", "124"),
        ("version", "half_plus_two/versions/123/metadata", "123"),
        ("label", "half_plus_two/labels/stable/metadata", "123"),
    ),
)
def test_metadata(served: Any, path: str, version: str) -> None:
    found = served.rest.get(f"/{path}").json()
    assert found["model_spec"] == {
        "name": "half_plus_two",
        "signature_name": "",
        "version": version,
    }
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "classify_x_to_y", "regress_x_to_y"} <= set(signatures)
    assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"
    assert signatures["serving_default"]["inputs"]["x"]["dtype"] == "DT_FLOAT"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *cases(
            f"{HANDLER}::UnsupportedApiCalls",
            ("get-foo", "GET", "/v1/foo", 400),
            ("post-foo", "POST", "/v1/foo", 400),
            ("get-models", "GET", "/v1/models", 400),
            ("post-models", "POST", "/v1/models", 400),
            ("get-predict", "GET", "/v1/models/foo:predict", 400),
            ("get-version-predict", "GET", "/v1/models/foo/version/50:predict", 400),
        ),
        *cases(
            f"{HANDLER}::kPathRegex",
            ("elsewhere", "GET", "/statuspage", 404),
            ("any-case", "GET", "/V1/Models/multi", 200),
        ),
        *cases(
            f"{HANDLER}::GetModelMetadata",
            ("metadata-of-no-model", "GET", "/v1/models/foo/metadata", 404),
            ("metadata-of-no-version", "GET", "/v1/models/multi/versions/9/metadata", 404),
        ),
        *cases(
            "tensorflow_serving/model_servers/get_model_status_impl_test.cc",
            ("status-of-no-model", "GET", "/v1/models/foo", 404),
            ("status-of-no-version", "GET", "/v1/models/multi/versions/9", 404),
            ("status-of-no-label", "GET", "/v1/models/multi/labels/x", 400),
        ),
    ],
)
def test_paths(served: Any, method: str, path: str, status: int) -> None:
    assert served.root.request(method, path).status_code == status


@pytest.mark.parametrize(
    "form",
    cases(
        f"{UTIL}::ParseModelInfo",
        ("encoded-name", "/v1/models/half%5Fplus%5Ftwo"),
        ("encoded-label", "/v1/models/half_plus_two/labels/st%61ble"),
    ),
)
def test_encoded_paths(served: Any, form: str) -> None:
    import http.client

    connection = http.client.HTTPConnection(served.root.base_url.host, served.root.base_url.port)
    connection.request("GET", form)  # httpx would decode what needs no encoding
    assert connection.getresponse().status == 200
    connection.close()


def test_pictures_in_the_graph(served: Any) -> None:
    from io import BytesIO

    from PIL import Image

    picture = BytesIO()
    Image.new("RGB", (4, 4), (0, 255, 0)).save(picture, "PNG")
    encoded = {"b64": base64.b64encode(picture.getvalue()).decode()}
    content = {"signature_name": "encoded", "instances": [encoded]}
    (found,) = post(served, "image:predict", content).json()["predictions"]
    assert found["probabilities"].index(max(found["probabilities"])) == 1


def test_metrics(served: Any) -> None:
    """tensorflow_serving/util/prometheus_exporter_test.cc; a real server must be told to."""
    post(served, "half_plus_two:predict", ROWS)
    found = served.root.get("/monitoring/prometheus/metrics")
    if served.folder is None and found.status_code == 404:
        pytest.skip("that TensorFlow Serving was started without a monitoring_config_file")
    assert found.headers["content-type"].startswith("text/plain")
    lines = found.text.splitlines()
    assert any(
        line.startswith(":tensorflow:serving:request_count{") and 'status="OK"' in line
        for line in lines
    )
    assert any(line.startswith(":tensorflow:serving:request_latency_bucket{") for line in lines)
