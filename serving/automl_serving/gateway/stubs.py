"""TF Serving's message classes and stubs, loaded without loading TensorFlow.

`tensorflow_serving.apis` imports message classes from inside the `tensorflow` package, and so
all of TensorFlow: seconds, and hundreds of megabytes. They need no more than their files, so a
bare package stands in for `tensorflow` while they are imported. Of all that is here only this
module does such a thing, and only the gateway's process uses it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import types
from collections.abc import Iterator

from automl.errors import DeploymentError

_PACKAGE = "tensorflow"


@contextlib.contextmanager
def _bare_package() -> Iterator[None]:
    if _PACKAGE in sys.modules:
        yield
        return
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise DeploymentError(
            "expected TensorFlow's message classes, found no tensorflow folder on the import path; "
            "install automl-vision with its dependencies."
        )
    bare = types.ModuleType(_PACKAGE)
    bare.__path__ = list(spec.submodule_search_locations)
    sys.modules[_PACKAGE] = bare
    try:
        yield
    finally:
        # Whoever imports tensorflow after this gets the real one.
        for name in [n for n in sys.modules if n.partition(".")[0] == _PACKAGE]:
            del sys.modules[name]


with _bare_package():
    from tensorflow_serving.apis import (
        get_model_status_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )

GetModelStatusRequest = get_model_status_pb2.GetModelStatusRequest
ModelVersionStatus = get_model_status_pb2.ModelVersionStatus
PredictRequest = predict_pb2.PredictRequest
PredictResponse = predict_pb2.PredictResponse
ModelServiceStub = model_service_pb2_grpc.ModelServiceStub
PredictionServiceStub = prediction_service_pb2_grpc.PredictionServiceStub
