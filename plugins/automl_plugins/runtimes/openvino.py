"""Executes models with OpenVINO, which is several times as fast as TensorFlow on a CPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.components import Forward, LoadedModel, Precision, Runtime
from automl.errors import ExportError
from automl_plugins.runtimes.signatures import signature_defs

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

SIGNATURE = "serving_default"
DEVICE = "CPU"

HINTS = {"float32": "f32", "bfloat16": "bf16"}
"""OpenVINO's names. It is always told: left alone, it takes bfloat16 where the CPU has it."""


class OpenVINORuntime(Runtime):
    """OpenVINO on a CPU. Of a SavedModel it runs `serving_default` alone."""

    name = "openvino"

    def load(self, path: Path) -> LoadedModel:
        """Loads the SavedModel in the folder `path`, in float32.

        Raises:
            ExportError: If it cannot be loaded.
        """
        import openvino
        from google.protobuf.message import DecodeError

        try:
            definition = signature_defs(path)[SIGNATURE]
            compiled = _compile(openvino.convert_model(str(path)), "float32", "LATENCY")
        except (OSError, ValueError, KeyError, RuntimeError, DecodeError) as error:
            reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else "damaged"
            raise ExportError(
                f"expected a SavedModel in {path}, found none that OpenVINO can load ({reason}); "
                f"export it again or use the tensorflow runtime."
            ) from error
        return _OpenVINOModel(compiled, definition)

    def compile(self, model: keras.Model, precision: Precision) -> Forward | None:
        """Prepares a Keras model of the TensorFlow backend; of another, returns `None`."""
        import keras

        if keras.backend.backend() != "tensorflow":
            return None
        import openvino
        import tensorflow as tf

        inputs = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
        function = tf.function(lambda images: model(images, training=False), [inputs])
        # Straight from memory: writing and reading a SavedModel would take 8 s more.
        converted = openvino.convert_model(function.get_concrete_function())
        return _Forward(_compile(converted, precision, "THROUGHPUT"))


def _compile(model: Any, precision: Precision, hint: str) -> Any:
    import openvino

    properties = {"INFERENCE_PRECISION_HINT": HINTS[precision], "PERFORMANCE_HINT": hint}
    return openvino.Core().compile_model(model, DEVICE, properties)


class _Forward:
    """Runs batches, as many at a time as suits the machine."""

    def __init__(self, compiled: Any) -> None:
        count = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._requests = [compiled.create_infer_request() for _ in range(count)]

    def __call__(self, batches: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        free: deque[Any] = deque(self._requests)
        busy: deque[Any] = deque()
        for batch in batches:
            if not free:
                yield _output(busy[0])
                free.append(busy.popleft())
            busy.append(free.popleft())
            busy[-1].start_async([batch])
        for request in busy:
            yield _output(request)


def _output(request: Any) -> NDArray[np.float32]:
    request.wait()
    values: NDArray[np.float32] = request.get_output_tensor().data.copy()
    return values


class _OpenVINOModel(LoadedModel):
    def __init__(self, compiled: Any, definition: Any) -> None:
        self._compiled, self._definition = compiled, definition

    @property
    def signatures(self) -> Mapping[str, object]:
        return {SIGNATURE: self._definition}

    def predict(
        self, signature: str, inputs: Mapping[str, NDArray[np.generic]]
    ) -> dict[str, NDArray[np.generic]]:
        request = self._compiled.create_infer_request()  # one a call: threads share nothing
        outputs = request.infer(dict(inputs))
        return {
            name: values.copy()
            for port, values in outputs.items()
            for name in port.get_names() & set(self._definition.outputs)
        }
