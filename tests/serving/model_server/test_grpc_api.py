"""TF Serving's gRPC services, called through TensorFlow's own stubs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)


@pytest.fixture(scope="module")
def channel(many_server: Any) -> Iterator[grpc.Channel]:
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(f"127.0.0.1:{many_server.ready['port']}", options) as channel:
        yield channel


@pytest.fixture(scope="module")
def prediction(channel: grpc.Channel) -> Any:
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(signature: str = "", **inputs: Any) -> Any:
    message = predict_pb2.PredictRequest()
    message.model_spec.name = "many"
    message.model_spec.signature_name = signature
    for name, value in inputs.items():
        tensor = value if isinstance(value, TensorProto) else proto(value)
        message.inputs[name].CopyFrom(tensor)
    return message


def proto(value: Any, dtype: Any = None, shape: Any = None) -> Any:
    return tf.make_tensor_proto(value, dtype, shape)


def f32(*values: float) -> Any:
    return proto(values, tf.float32)


def arrays(answer: Any) -> dict[str, Any]:
    return {name: tf.make_ndarray(tensor) for name, tensor in answer.outputs.items()}


def test_predict(prediction: Any) -> None:
    answer = prediction.Predict(request(x=f32(1, 2.5)))
    np.testing.assert_array_equal(arrays(answer)["y"], np.float32([2.5, 3.25]))
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("many", 10, "serving_default")


def test_predict_of_a_version(prediction: Any) -> None:
    message = request(x=f32(1))
    message.model_spec.version.value = 10
    assert arrays(prediction.Predict(message))["y"].tolist() == [2.5]


def test_every_type_of_tensor(prediction: Any) -> None:
    # With three bytes in `f` TensorFlow writes content, with one value a repeated field.
    answer = arrays(
        prediction.Predict(
            request(
                "kinds",
                i=proto(5, tf.int64),
                f=proto([True, False, True]),
                u=proto([[3], [255]], tf.uint8),
            )
        )
    )
    assert answer["i"] == 6
    assert answer["f"].tolist() == [False, True, False]
    assert (answer["u"].dtype, answer["u"].tolist()) == (np.uint8, [[3], [255]])
    assert (answer["h"].dtype, answer["h"].tolist()) == (np.float16, [[3], [255]])


def test_bytes(prediction: Any) -> None:
    answer = arrays(prediction.Predict(request("text", text=proto([b"a\x00\xff", b""]))))
    assert answer["copy_bytes"].tolist() == [b"a\x00\xff", b""]


def test_an_output_filter(prediction: Any) -> None:
    message = request("two", a=proto([[1, 2]]), b=proto([[0.5, 1]], tf.float32))
    assert set(arrays(prediction.Predict(message))) == {"sum", "difference"}
    message.output_filter.append("sum")
    assert {k: v.tolist() for k, v in arrays(prediction.Predict(message)).items()} == {
        "sum": [[1.5, 3.0]]
    }


def huge() -> Any:
    """A tensor of a few bytes that would be gigabytes in memory."""
    message = proto(1.0, tf.float32)
    message.tensor_shape.dim.add(size=1 << 40)
    return message


def cut() -> Any:
    message = proto([1.0, 2.0, 3.0], tf.float32)
    message.tensor_content = message.tensor_content[:-1]
    return message


def negative() -> Any:
    message = f32(1)
    message.tensor_shape.dim[0].size = -1
    return message


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"z": f32(1)},
        {"x": f32(1), "z": f32(1)},
        {"x": proto([1], tf.int32)},
        {"x": proto([[1.0]], tf.float32)},
        {"x": proto(1.0, tf.float32)},
        {"x": proto(["1"])},
        {"x": proto([1], tf.complex64)},
        {"x": huge()},
        {"x": cut()},
        {"x": negative()},
        {"x": TensorProto()},
    ],
)
def test_inputs_that_are_not_the_signatures(prediction: Any, inputs: Any) -> None:
    check(grpc.StatusCode.INVALID_ARGUMENT, prediction.Predict, request(**inputs))


def test_values_that_a_model_refuses(prediction: Any) -> None:
    check(grpc.StatusCode.INVALID_ARGUMENT, prediction.Predict, request("fails", x=f32(-1)))


def test_what_is_not_there(prediction: Any) -> None:
    message = request(x=f32(1))
    message.output_filter.append("z")
    check(grpc.StatusCode.INVALID_ARGUMENT, prediction.Predict, message)
    check(grpc.StatusCode.FAILED_PRECONDITION, prediction.Predict, request("nothing", x=f32(1)))
    message = request(x=f32(1))
    message.model_spec.version.value = 2
    check(grpc.StatusCode.NOT_FOUND, prediction.Predict, message)
    message.model_spec.version_label = "stable"
    check(grpc.StatusCode.INVALID_ARGUMENT, prediction.Predict, message)
    message = request(x=f32(1))
    message.model_spec.name = ""
    check(grpc.StatusCode.INVALID_ARGUMENT, prediction.Predict, message)


def test_signatures_that_take_no_examples(prediction: Any) -> None:
    message = classification_pb2.ClassificationRequest()
    message.model_spec.name = "many"
    message.input.example_list.examples.add()
    check(grpc.StatusCode.INVALID_ARGUMENT, prediction.Classify, message)


def test_a_message_that_is_too_large(prediction: Any) -> None:
    message = request(x=f32(*range(30_000)))
    check(grpc.StatusCode.RESOURCE_EXHAUSTED, prediction.Predict, message)


def test_metadata(prediction: Any) -> None:
    message = get_model_metadata_pb2.GetModelMetadataRequest()
    message.model_spec.name = "many"
    check(grpc.StatusCode.INVALID_ARGUMENT, prediction.GetModelMetadata, message)
    message.metadata_field.append("signature_def")
    answer = prediction.GetModelMetadata(message)
    assert answer.model_spec.version.value == 10
    signatures = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(signatures)
    assert signatures.signature_def["two"].inputs["a"].dtype == tf.int32.as_datatype_enum
    message.metadata_field.append("more")
    check(grpc.StatusCode.INVALID_ARGUMENT, prediction.GetModelMetadata, message)


def test_status(channel: grpc.Channel) -> None:
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    message = get_model_status_pb2.GetModelStatusRequest()
    message.model_spec.name = "many"
    (status,) = models.GetModelStatus(message).model_version_status
    assert (status.version, status.status.error_code) == (10, 0)
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    message.model_spec.version.value = 2
    check(grpc.StatusCode.NOT_FOUND, models.GetModelStatus, message)


@pytest.mark.parametrize("service", ["", "tensorflow.serving.PredictionService"])
def test_health(channel: grpc.Channel, service: str) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def check(code: grpc.StatusCode, method: Any, message: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        method(message, timeout=120)
    assert caught.value.code() == code
    details = caught.value.details()
    assert not any(word in details for word in ("Traceback", ".py", "0x"))
