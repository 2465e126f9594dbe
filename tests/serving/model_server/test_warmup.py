"""Warm-up requests: those that an export writes, others', and damaged ones."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from automl.errors import DataError
from automl.model import Model
from automl.plugins import load_runtime
from automl_serving.model_server.errors import ServingError
from automl_serving.model_server.servable import Servable
from automl_serving.model_server.warmup import REQUESTS, read_requests, warm_up


class Listening:
    """A loaded model that remembers how many rows each request had."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.signatures = model.signatures
        self.rows: list[int] = []

    def predict(self, signature: str, inputs: Any) -> Any:
        return self.model.predict(signature, inputs)

    def warm_up(self, signature: str, inputs: Any) -> None:
        self.rows.append(len(next(iter(inputs.values()))))
        self.model.warm_up(signature, inputs)


@pytest.fixture
def version(colour_model: Model, tmp_path: Path) -> Path:
    """A copy of the exported model."""
    shutil.copytree(colour_model.path, tmp_path / "1")
    return tmp_path / "1"


def warmed(path: Path, runtime: str = "openvino") -> list[int]:
    listening: Any = Listening(load_runtime(runtime).load(path))
    warm_up(Servable("colours", 1, listening), path)
    return listening.rows  # type: ignore[no-any-return]


def predict_log(signature: str, name: str, value: Any) -> Any:
    log = PredictionLog()
    log.predict_log.request.model_spec.signature_name = signature
    log.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return log


def write(path: Path, logs: Sequence[Any]) -> None:
    with tf.io.TFRecordWriter(str(path / REQUESTS)) as writer:
        for log in logs:
            writer.write(log.SerializeToString())


def test_an_export_brings_requests_of_one_picture_and_of_several(version: Path) -> None:
    logs = list(read_requests(version / REQUESTS))
    images = [log.predict_log.request.inputs["images"] for log in logs]
    assert [tf.make_ndarray(tensor).shape for tensor in images] == [(1, 16, 24, 3), (8, 16, 24, 3)]
    assert (version / REQUESTS).stat().st_size < 1000
    assert warmed(version) == [1, 8]


def test_without_requests_zeros_are_run(version: Path) -> None:
    (version / REQUESTS).unlink()
    assert warmed(version) == [1]


def test_requests_for_any_signature(version: Path, colour_images: dict[str, Path]) -> None:
    pictures = [path.read_bytes() for path in colour_images.values()]
    write(version, [predict_log("encoded", "encoded_images", pictures)] * 2)
    assert warmed(version, "tensorflow") == [3, 3]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"damaged and damaged", "a damaged record"), (b"\0", "a damaged record")],
)
def test_a_damaged_file_is_told(version: Path, content: bytes, said: str) -> None:
    (version / REQUESTS).write_bytes(content)
    with pytest.raises(ServingError, match=said) as caught:
        warmed(version)
    assert caught.value.grpc_code == "DATA_LOSS"


def test_requests_that_the_model_does_not_take_are_told(version: Path) -> None:
    write(version, [predict_log("nothing", "x", 1.0)])
    with pytest.raises(ServingError, match="a signature of colours"):
        warmed(version)
    write(version, [predict_log("encoded", "encoded_images", [b"no picture"])])
    with pytest.raises(DataError):
        warmed(version, "tensorflow")
    write(version, [PredictionLog()])
    with pytest.raises(ServingError, match="without a request"):
        warmed(version)


def test_there_may_be_a_thousand(version: Path) -> None:
    one = predict_log("serving_default", "images", tf.zeros((1, 16, 24, 3), tf.uint8).numpy())
    write(version, [one] * 1001)
    with pytest.raises(ServingError, match="more than 1000"):
        warmed(version)
