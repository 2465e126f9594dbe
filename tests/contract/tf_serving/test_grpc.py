"""The gRPC services as TensorFlow Serving's protocol files and tests have them."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

SERVER = "tensorflow_serving/model_servers/tensorflow_model_server_test.py"
PREDICT = "tensorflow_serving/servables/tensorflow/predict_impl_test.cc"
STATUS = "tensorflow_serving/model_servers/get_model_status_impl_test.cc"
METADATA = "tensorflow_serving/servables/tensorflow/get_model_metadata_impl_test.cc"
MULTI = "tensorflow_serving/servables/tensorflow/multi_inference_test.cc"
CORE = "tensorflow_serving/model_servers/server_core_test.cc"
"""Paths in https://github.com/tensorflow/serving."""

Code = grpc.StatusCode


def cases(source: str, *rows: Any) -> list[Any]:
    """Returns parameters whose ids tell their source."""
    return [pytest.param(*row[1:], id=f"{source}::{row[0]}") for row in rows]


def spec(name: str, signature: str = "", version: int | None = None, label: str = "") -> Any:
    made = model_pb2.ModelSpec(name=name, signature_name=signature)
    if version is not None:
        made.version.value = version
    if label:
        made.version_label = label
    return made


def predict(model_spec: Any, **inputs: Any) -> Any:
    request = predict_pb2.PredictRequest(model_spec=model_spec)
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def example(**features: float) -> Any:
    made = tf.train.Example()
    for name, value in features.items():
        made.features.feature[name].float_list.value.append(value)
    return made


F32 = np.float32([2.0])
HALF = "half_plus_two"


@pytest.mark.parametrize(
    ("model_spec", "answer", "version"),
    [
        *cases(
            f"{SERVER}::testPredict",
            ("latest", spec(HALF), 4.0, 124),
            ("signature", spec(HALF, "serving_default"), 4.0, 124),
            ("version", spec(HALF, version=123), 3.0, 123),
        ),
        *cases(
            f"{CORE}::RequestWithVersionLabel",
            ("stable", spec(HALF, label="stable"), 3.0, 123),
            ("canary", spec(HALF, label="canary"), 4.0, 124),
        ),
    ],
)
def test_predict(served: Any, model_spec: Any, answer: float, version: int) -> None:
    found = served.stub("prediction_service").Predict(predict(model_spec, x=F32))
    assert tf.make_ndarray(found.outputs["y"]).tolist() == [answer]
    assert (found.model_spec.name, found.model_spec.version.value) == (HALF, version)
    assert found.model_spec.signature_name == "serving_default"


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    cases(
        f"{PREDICT}::OutputFilters",
        ("none", [], {"sum", "difference"}),
        ("one", ["sum"], {"sum"}),
        ("both", ["sum", "difference"], {"sum", "difference"}),
    ),
)
def test_output_filter(served: Any, outputs: list[str], wanted: set[str]) -> None:
    request = predict(spec("multi"), a=np.int32([[1, 2]]), b=np.float32([[1, 2]]))
    request.output_filter.extend(outputs)
    assert set(served.stub("prediction_service").Predict(request).outputs) == wanted


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        *cases(
            PREDICT,
            ("missing-spec", predict_pb2.PredictRequest(), Code.INVALID_ARGUMENT),
            ("empty-name", predict(spec(""), x=F32), Code.INVALID_ARGUMENT),
            ("unknown-model", predict(spec("foo"), x=F32), Code.NOT_FOUND),
            ("unknown-version", predict(spec(HALF, version=9), x=F32), Code.NOT_FOUND),
            ("unknown-label", predict(spec(HALF, label="x"), x=F32), Code.INVALID_ARGUMENT),
            ("unknown-signature", predict(spec(HALF, "z"), x=F32), Code.FAILED_PRECONDITION),
            ("no-inputs", predict(spec(HALF)), Code.INVALID_ARGUMENT),
            ("another-input", predict(spec(HALF), z=F32), Code.INVALID_ARGUMENT),
            ("too-many-inputs", predict(spec(HALF), x=F32, z=F32), Code.INVALID_ARGUMENT),
            ("wrong-type", predict(spec(HALF), x=np.int64([1])), Code.INVALID_ARGUMENT),
        ),
    ],
)
def test_predict_refuses(served: Any, request_: Any, code: Any) -> None:
    check(code, served.stub("prediction_service").Predict, request_)


@pytest.mark.parametrize(
    "outputs", cases(f"{PREDICT}::output-filter", ("unknown", ["z"]), ("twice", ["y", "y"]))
)
def test_wrong_output_filter(served: Any, outputs: list[str]) -> None:
    request = predict(spec(HALF), x=F32)
    request.output_filter.extend(outputs)
    check(Code.INVALID_ARGUMENT, served.stub("prediction_service").Predict, request)


def test_repeated_fields_and_content_are_one(served: Any) -> None:
    """tensorflow/core/framework/tensor.proto, as `testPredict` in the server's test uses it."""
    request = predict_pb2.PredictRequest(model_spec=spec(HALF))
    tensor = request.inputs["x"]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=3)
    tensor.float_val.append(2.0)  # stands for all three
    found = served.stub("prediction_service").Predict(request)
    assert tf.make_ndarray(found.outputs["y"]).tolist() == [4.0, 4.0, 4.0]


def test_images_go_as_one_tensor(served: Any) -> None:
    """A uint8 batch as the gateway sends it; tensor.proto's tensor_content."""
    images = np.zeros((3, 4, 4, 3), np.uint8)
    for place in range(3):
        images[place, ..., place] = 255
    found = served.stub("prediction_service").Predict(predict(spec("image"), images=images))
    probabilities = tf.make_ndarray(found.outputs["probabilities"])
    assert probabilities.argmax(axis=1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_bytes_come_back_as_they_were(served: Any) -> None:
    """DT_STRING holds any bytes; tensorflow_serving/g3doc/api_rest.md#output-of-binary-values."""
    sent = [b"a\x00\xff", b""]
    found = served.stub("prediction_service").Predict(predict(spec("text"), text=sent))
    assert tf.make_ndarray(found.outputs["copy_bytes"]).tolist() == sent


def test_classify(served: Any) -> None:
    """tensorflow_serving/model_servers/tensorflow_model_server_test.py::testClassify."""
    request = classification_pb2.ClassificationRequest(
        model_spec=spec(HALF, "classify_x_to_y", 123)
    )
    request.input.example_list.examples.append(example(x=2.0))
    found = served.stub("prediction_service").Classify(request)
    (row,) = found.result.classifications
    assert [one.score for one in row.classes] == [3.0]
    assert found.model_spec.signature_name == "classify_x_to_y"
    assert found.model_spec.version.value == 123


def test_regress(served: Any) -> None:
    """tensorflow_serving/model_servers/tensorflow_model_server_test.py::testRegress."""
    request = regression_pb2.RegressionRequest(model_spec=spec(HALF, "regress_x_to_y", 123))
    request.input.example_list.examples.extend([example(x=2.0), example(x=4.0)])
    found = served.stub("prediction_service").Regress(request)
    assert [row.value for row in found.result.regressions] == [3.0, 4.0]
    assert found.model_spec.version.value == 123


def test_a_context_is_part_of_every_example(served: Any) -> None:
    """tensorflow_serving/apis/input.proto."""
    request = regression_pb2.RegressionRequest(model_spec=spec(HALF, "regress_x_to_y", 123))
    listed = request.input.example_list_with_context
    listed.context.CopyFrom(example(x=6.0))
    listed.examples.extend([example(), example()])
    found = served.stub("prediction_service").Regress(request)
    assert [row.value for row in found.result.regressions] == [5.0, 5.0]


@pytest.mark.parametrize(
    ("method", "signature", "examples"),
    cases(
        "tensorflow_serving/servables/tensorflow/classification_service_test.cc",
        ("empty-input", "Classify", "classify_x_to_y", []),
        ("regress-signature", "Classify", "regress_x_to_y", [example(x=1.0)]),
        ("predict-signature", "Classify", "", [example(x=1.0)]),
        ("unknown-signature", "Classify", "z", [example(x=1.0)]),
        ("empty-input-to-regress", "Regress", "regress_x_to_y", []),
        ("classify-signature", "Regress", "classify_x_to_y", [example(x=1.0)]),
    ),
)
def test_examples_are_refused(
    served: Any, method: str, signature: str, examples: list[Any]
) -> None:
    kinds = {
        "Classify": classification_pb2.ClassificationRequest,
        "Regress": regression_pb2.RegressionRequest,
    }
    request = kinds[method](model_spec=spec(HALF, signature))
    request.input.example_list.examples.extend(examples)
    check(Code.INVALID_ARGUMENT, getattr(served.stub("prediction_service"), method), request)


def multi(*tasks: tuple[str, str, str]) -> Any:
    request = inference_pb2.MultiInferenceRequest()
    for name, signature, method in tasks:
        request.tasks.add(
            model_spec=spec(name, signature), method_name=f"tensorflow/serving/{method}"
        )
    request.input.example_list.examples.append(example(x=2.0))
    return request


def test_multi_inference(served: Any) -> None:
    """tensorflow_serving/model_servers/tensorflow_model_server_test.py::testMultiInference."""
    request = multi((HALF, "regress_x_to_y", "regress"), (HALF, "classify_x_to_y", "classify"))
    first, second = served.stub("prediction_service").MultiInference(request).results
    assert first.regression_result.regressions[0].value == 4.0
    assert second.classification_result.classifications[0].classes[0].score == 4.0
    assert first.model_spec.signature_name == "regress_x_to_y"


@pytest.mark.parametrize(
    ("tasks", "code"),
    cases(
        MULTI,
        (
            "two-models",
            [(HALF, "regress_x_to_y", "regress"), ("text", "classify", "classify")],
            Code.INVALID_ARGUMENT,
        ),
        ("one-signature-twice", [(HALF, "regress_x_to_y", "regress")] * 2, Code.INVALID_ARGUMENT),
        ("predict", [(HALF, "serving_default", "predict")], Code.UNIMPLEMENTED),
        ("unknown-model", [("foo", "regress_x_to_y", "regress")], Code.NOT_FOUND),
    ),
)
def test_multi_inference_refuses(served: Any, tasks: list[Any], code: Any) -> None:
    check(code, served.stub("prediction_service").MultiInference, multi(*tasks))


@pytest.mark.parametrize(
    ("model_spec", "versions"),
    cases(
        STATUS,
        ("all", spec(HALF), {123, 124}),
        ("one", spec(HALF, version=123), {123}),
        ("label", spec(HALF, label="canary"), {124}),
    ),
)
def test_model_status(served: Any, model_spec: Any, versions: set[int]) -> None:
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=model_spec)
    found = served.stub("model_service").GetModelStatus(request).model_version_status
    assert {one.version for one in found} == versions
    for one in found:
        assert one.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
        assert (one.status.error_code, one.status.error_message) == (0, "")


@pytest.mark.parametrize(
    ("model_spec", "code"),
    cases(
        STATUS,
        ("missing-spec", None, Code.INVALID_ARGUMENT),
        ("unknown-model", spec("foo"), Code.NOT_FOUND),
        ("unknown-version", spec(HALF, version=9), Code.NOT_FOUND),
    ),
)
def test_model_status_refuses(served: Any, model_spec: Any, code: Any) -> None:
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=model_spec)
    check(code, served.stub("model_service").GetModelStatus, request)


def metadata(name: str, *fields: str, version: int | None = None) -> Any:
    return get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=spec(name, version=version), metadata_field=fields
    )


@pytest.mark.parametrize(
    ("version", "answer"), cases(METADATA, ("latest", None, 124), ("version", 123, 123))
)
def test_model_metadata(served: Any, version: int | None, answer: int) -> None:
    request = metadata(HALF, "signature_def", version=version)
    found = served.stub("prediction_service").GetModelMetadata(request)
    assert (found.model_spec.name, found.model_spec.version.value) == (HALF, answer)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    found.metadata["signature_def"].Unpack(signatures)
    assert signatures.signature_def["serving_default"].outputs["y"].dtype == 1


@pytest.mark.parametrize(
    ("request_", "code"),
    cases(
        METADATA,
        ("no-field", metadata(HALF), Code.INVALID_ARGUMENT),
        ("unknown-field", metadata(HALF, "foo"), Code.INVALID_ARGUMENT),
        ("unknown-model", metadata("foo", "signature_def"), Code.NOT_FOUND),
        ("empty-name", metadata("", "signature_def"), Code.INVALID_ARGUMENT),
    ),
)
def test_model_metadata_refuses(served: Any, request_: Any, code: Any) -> None:
    check(code, served.stub("prediction_service").GetModelMetadata, request_)


def test_a_configuration_must_be_a_list(served: Any) -> None:
    """tensorflow_serving/model_servers/model_service_impl.cc."""
    request = model_management_pb2.ReloadConfigRequest()
    check(Code.INVALID_ARGUMENT, served.stub("model_service").HandleReloadConfigRequest, request)


def check(code: Any, method: Any, request: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        method(request, timeout=30)
    assert caught.value.code() == code, caught.value.details()
