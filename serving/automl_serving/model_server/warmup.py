"""Runs the requests that come with a model, so that no client waits for what is slow only once.

Format: a TFRecord file of `PredictionLog`s, see
https://www.tensorflow.org/tfx/serving/saved_model_warmup; at most 1,000 of them, as
tensorflow_serving/servables/tensorflow/saved_model_warmup_util.cc has it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from automl_serving import tensors
from automl_serving.model_server.errors import ServingError
from automl_serving.model_server.examples import classify, multi_inference, regress
from automl_serving.model_server.messages import PredictionLog
from automl_serving.model_server.servable import DEFAULT_SIGNATURE, Servable

logger = logging.getLogger(__name__)

REQUESTS = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_REQUESTS = 1000
_MAX_BYTES = 1 << 30


def warm_up(servable: Servable, path: Path) -> None:
    """Runs the warm-up requests of the version in the folder `path`; without any, zeros once.

    Raises:
        ServingError: DATA_LOSS or INVALID_ARGUMENT if the file is damaged; what the model says to
            a request of it.
        DataError: If the model refuses what is in a request.
    """
    if not (path / REQUESTS).is_file():
        _run_zeros(servable)
        return
    for number, log in enumerate(read_requests(path / REQUESTS)):
        if number == MAX_REQUESTS:
            raise _damaged("INVALID_ARGUMENT", path, f"more than {MAX_REQUESTS} requests")
        kind = log.WhichOneof("log_type")
        if kind == "predict_log":
            request = log.predict_log.request
            name = request.model_spec.signature_name
            inputs = {
                key: tensors.from_proto(value, _MAX_BYTES) for key, value in request.inputs.items()
            }
            servable.check(name, inputs, request.output_filter)
            servable.warm_up(name, inputs)
        elif kind == "classify_log":
            classify(servable, log.classify_log.request)
        elif kind == "regress_log":
            regress(servable, log.regress_log.request)
        elif kind == "multi_inference_log":
            multi_inference(servable, log.multi_inference_log.request)
        else:
            raise _damaged("UNIMPLEMENTED", path, f"a {kind or 'record without a request'}")


def read_requests(path: Path) -> Iterator[Any]:
    """Yields the `PredictionLog`s in a TFRecord file, without TensorFlow.

    Raises:
        ServingError: DATA_LOSS or INVALID_ARGUMENT if the file is damaged.
    """
    from google.protobuf.message import DecodeError
    from tensorboard.compat.tensorflow_stub import errors
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    reader = PyRecordReader_New(str(path))
    while True:
        try:
            reader.GetNext()
        except errors.OutOfRangeError:
            return
        except errors.DataLossError:
            raise _damaged("DATA_LOSS", path, "a damaged record") from None
        try:
            yield PredictionLog.FromString(reader.record())
        except DecodeError:
            raise _damaged("INVALID_ARGUMENT", path, "another record") from None


def _run_zeros(servable: Servable) -> None:
    signature = servable.model.signatures.get(DEFAULT_SIGNATURE)
    infos: Mapping[str, Any] = getattr(signature, "inputs", {})
    if not infos or any(info.dtype == tensors.STRING for info in infos.values()):
        return
    zeros = {
        name: np.zeros(
            [max(dim.size, 1) for dim in info.tensor_shape.dim], tensors.dtype_of(info.dtype)
        )
        for name, info in infos.items()
    }
    try:
        servable.warm_up(DEFAULT_SIGNATURE, zeros)
    except Exception as error:  # nobody promised that it takes zeros
        logger.warning("%s could not be warmed up with zeros: %s", servable.name, error)


def _damaged(code: str, path: Path, found: str) -> ServingError:
    return ServingError(
        code,
        f"expected a TFRecord file of PredictionLogs in {path}, found {found}; write it anew, or "
        f"start with --enable_model_warmup=false.",
    )
