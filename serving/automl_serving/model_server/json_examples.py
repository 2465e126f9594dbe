"""TF Serving's JSON for classify and regress requests and responses.

Format: https://www.tensorflow.org/tfx/serving/api_rest#classify_and_regress_api.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from automl.errors import DataError
from automl_serving.json_tensors import check_text, decode_bytes, is_bytes, load_object
from automl_serving.model_server.messages import Example, Input


def parse_examples(body: bytes) -> tuple[str, Any]:
    """Returns the signature's name and the `Input` of a request's body.

    Raises:
        DataError: If it is no such request.
    """
    request = load_object(body)
    rows = request.get("examples")
    if not isinstance(rows, list) or not rows:
        raise _invalid("a list of at least one example in 'examples'", "another value")
    given = Input()
    target = given.example_list
    if "context" in request:
        target = given.example_list_with_context
        target.context.CopyFrom(_example(request["context"]))
    target.examples.extend(_example(row) for row in rows)
    return request.get("signature_name", ""), given


def classifications_to_json(response: Any) -> bytes:
    """Returns the body for a `ClassificationResponse`."""
    rows = [
        [[one.label, _shortest(one.score)] for one in row.classes]
        for row in response.result.classifications
    ]
    return json.dumps({"results": rows}).encode()


def regressions_to_json(response: Any) -> bytes:
    """Returns the body for a `RegressionResponse`."""
    rows = [_shortest(row.value) for row in response.result.regressions]
    return json.dumps({"results": rows}).encode()


def _shortest(value: float) -> float:
    """Returns the number with the fewest digits that is the same as a float32."""
    return float(str(np.float32(value)))


def _example(row: Any) -> Any:
    if not isinstance(row, dict):
        raise _invalid("a JSON object for each example", f"a {type(row).__name__}")
    example = Example()
    for name, value in row.items():
        check_text(name, "a feature's name")
        feature = example.features.feature[name]
        for one in value if isinstance(value, list) else [value]:
            _add(feature, name, one)
    return example


def _add(feature: Any, name: str, value: Any) -> None:
    kind, converted = _feature_value(name, value)
    if feature.WhichOneof("kind") not in (None, kind):
        raise _invalid(f"values of one type for the feature {name!a}", "several")
    try:
        getattr(feature, kind).value.append(converted)
    except (ValueError, OverflowError):
        raise _invalid(f"an integer of 64 bits for the feature {name!a}", "a larger one") from None


def _feature_value(name: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, (bool, int)):
        return "int64_list", int(value)
    if isinstance(value, float):
        return "float_list", value
    if isinstance(value, str):
        return "bytes_list", value.encode("utf-8", "surrogatepass")
    if is_bytes(value):
        return "bytes_list", decode_bytes(value, name)
    raise _invalid(
        f"numbers, text or {{'b64': …}} for the feature {name!a}", f"a {type(value).__name__}"
    )


def _invalid(expected: str, found: str) -> DataError:
    return DataError(
        f"expected {expected}, found {found[:200]}; see TF Serving's REST API for the form."
    )
