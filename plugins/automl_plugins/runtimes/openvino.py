"""Executes models with OpenVINO, which is several times as fast as TensorFlow on a CPU."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.components import Forward, LoadedModel, Precision, Runtime
from automl.errors import ExportError
from automl_plugins.runtimes.quiet_openvino import import_converter, import_openvino
from automl_plugins.runtimes.signatures import signature_defs
from automl_plugins.runtimes.tensorflow import TensorFlowRuntime

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

SIGNATURE = "serving_default"
DEVICE = "CPU"

_MOMENT = 0.1
"""For how many seconds after two calls at a time others are expected."""

HINTS = {"float32": "f32", "bfloat16": "bf16"}
"""OpenVINO's names. It is always told: left alone, it takes bfloat16 where the CPU has it."""


class OpenVINORuntime(Runtime):
    """OpenVINO on a CPU, for `serving_default`; TensorFlow for what OpenVINO does not run.

    TensorFlow is loaded with the first request for another signature; models that are loaded
    later are made ready for such requests beforehand. A model whose `serving_default` OpenVINO
    cannot convert is TensorFlow's alone, and the log says so.
    """

    name = "openvino"

    def __init__(self) -> None:
        """Knows of no request for another signature yet."""
        self._others_wanted = threading.Event()

    @property
    def precisions(self) -> frozenset[Precision]:
        """float32, and bfloat16 where the processor computes in it."""
        able = import_openvino().Core().get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
        return frozenset({"float32", "bfloat16"} if "BF16" in able else {"float32"})

    def load(self, path: Path, precision: Precision = "float32") -> LoadedModel:
        """Loads the SavedModel in the folder `path`.

        Raises:
            ExportError: If it cannot be loaded.
        """
        from google.protobuf.message import DecodeError

        try:
            definitions = signature_defs(path)
        except (OSError, ValueError, DecodeError) as error:
            raise ExportError(
                f"expected a SavedModel in {path}, found none that can be read "
                f"({_reason(error)}); export it again."
            ) from error
        try:
            requests = _convert(path, definitions, precision)
        except (ValueError, RuntimeError) as error:
            logger.warning("TensorFlow runs %s, since OpenVINO cannot: %s", path, _reason(error))
            return TensorFlowRuntime().load(path)
        model = _OpenVINOModel(path, definitions, requests, self._others_wanted)
        model.precision = precision
        if self._others_wanted.is_set() and len(definitions) > 1:
            # A version that takes over from one that is asked for them must not begin with a pause.
            model.load_others()
        return model

    def compile(self, model: keras.Model, precision: Precision) -> Forward | None:
        """Prepares a Keras model of the TensorFlow backend; of another, returns `None`."""
        import keras

        if keras.backend.backend() != "tensorflow":
            return None
        import tensorflow as tf

        inputs = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
        function = tf.function(
            lambda images: model(images, training=False), [inputs], autograph=False
        )
        # Straight from memory: writing and reading a SavedModel would take 8 s more.
        converted = import_converter(tf.__version__)(function.get_concrete_function())
        return _Forward(_compile(converted, precision, "THROUGHPUT"))


def _convert(path: Path, definitions: Mapping[str, Any], precision: Precision) -> _Requests:
    """Compiles `serving_default`.

    Raises:
        ValueError: If what OpenVINO made of the model is not that signature.
        RuntimeError: If it cannot be converted.
    """
    if SIGNATURE not in definitions:
        raise ValueError(f"it has no signature {SIGNATURE}")
    # OpenVINO's own reader: its `convert_model` would import TensorFlow, if only to look.
    model = import_openvino().Core().read_model(path)
    ports = [
        set().union(*(port.get_names() for port in side)) for side in (model.inputs, model.outputs)
    ]
    definition = definitions[SIGNATURE]
    for found, wanted in zip(ports, (definition.inputs, definition.outputs), strict=True):
        if not set(wanted) <= found:
            raise ValueError(f"it reads {sorted(found)} where {SIGNATURE} has {sorted(wanted)}")
    alone, many = (_compile(model, precision, hint) for hint in ("LATENCY", "THROUGHPUT"))
    # The last, since it changes the model: a copy would hold the interpreter's lock for too long.
    pairs = _compile(model, precision, "THROUGHPUT") if _limit_to_two_rows(model) else many
    return _Requests(alone, many, pairs)


def _limit_to_two_rows(model: Any) -> bool:
    """Makes it a model for two rows alone, of which some 10 % more are computed a second.

    Returns whether that was possible; it is not for a model that has no rows.
    """
    if not all(port.partial_shape.rank.is_static for port in model.inputs):
        return False
    shapes = {port.any_name: list(port.partial_shape) for port in model.inputs}
    if not all(shape and shape[0].is_dynamic for shape in shapes.values()):
        return False
    try:
        model.reshape({name: [2, *shape[1:]] for name, shape in shapes.items()})
    except RuntimeError:  # something in it has another size
        return False
    return True


def _reason(error: BaseException) -> str:
    """Returns what OpenVINO says is wrong, without where in its sources it was noticed."""
    lines = [line.strip() for line in str(error).splitlines()]
    places = ("Exception from ", "Check ", "FrontEnd API failed")
    return (
        " ".join(line for line in lines if line and not line.startswith(places))[:200] or "damaged"
    )


def _compile(model: Any, precision: Precision, hint: str) -> Any:
    properties: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "PERFORMANCE_HINT": hint,
    }
    if hint == "THROUGHPUT":
        # One thread a core; bound to it, each would wait for whatever else runs there while
        # another core is idle.
        properties["ENABLE_CPU_PINNING"] = False
    return import_openvino().Core().compile_model(model, DEVICE, properties)


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


class _Requests:
    """Lends out requests of a model that is compiled for several ways of being asked.

    A call that is alone gets all cores; calls at a time get one each, which wastes none of them on
    waiting for one another.
    """

    def __init__(self, alone: Any, many: Any, pairs: Any) -> None:
        """Takes the model compiled for a call alone, for many, and for many of two rows each."""
        self._alone, self._many, self._pairs = alone, many, pairs
        # A call has one to itself: threads share nothing.
        self._idle: dict[Any, deque[Any]] = {way: deque() for way in (alone, many, pairs)}
        self._lent, self._lock = 0, threading.Lock()
        self._together = -math.inf

    @contextlib.contextmanager
    def one(self, inputs: Iterable[NDArray[np.generic]]) -> Iterator[Any]:
        """Lends one out for such inputs."""
        of_two = all(array.shape[:1] == (2,) for array in inputs)
        now = time.monotonic()
        with self._lock:
            if self._lent:
                self._together = now
            # Under load, too, there is a moment between two calls.
            shared = now - self._together < _MOMENT
            way = self._alone if not shared else self._pairs if of_two else self._many
            self._lent += 1
        try:
            try:
                request = self._idle[way].pop()
            except IndexError:
                request = way.create_infer_request()
            yield request
            self._idle[way].append(request)
        finally:
            with self._lock:
                self._lent -= 1


class _OpenVINOModel(LoadedModel):
    def __init__(
        self,
        path: Path,
        definitions: Mapping[str, Any],
        requests: _Requests,
        others_wanted: threading.Event,
    ) -> None:
        self._path, self._definitions, self._requests = path, definitions, requests
        self._others_wanted = others_wanted
        self._outputs = set(definitions[SIGNATURE].outputs)
        self._loading = threading.Lock()
        self._whole: LoadedModel | None = None

    @property
    def signatures(self) -> Mapping[str, object]:
        return self._definitions

    def predict(
        self, signature: str, inputs: Mapping[str, NDArray[np.generic]]
    ) -> dict[str, NDArray[np.generic]]:
        if signature != SIGNATURE:
            return self.load_others().predict(signature, inputs)
        with self._requests.one(inputs.values()) as request:
            return {
                name: values.copy()
                for port, values in request.infer(dict(inputs)).items()
                for name in port.get_names() & self._outputs
            }

    def load_others(self) -> LoadedModel:
        self._others_wanted.set()
        with self._loading:
            if self._whole is None:
                begun = time.monotonic()
                self._whole = TensorFlowRuntime().load(self._path)
                logger.info(
                    "TensorFlow was loaded in %.1f s for the other signatures of %s; a warm-up "
                    "request for one would have it loaded at the start",
                    time.monotonic() - begun,
                    self._path,
                )
            return self._whole
