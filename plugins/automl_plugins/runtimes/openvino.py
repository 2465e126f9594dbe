"""Executes models with OpenVINO, which is several times as fast as TensorFlow on a CPU."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.components import Forward, LoadedModel, Precision, Runtime
from automl.errors import ExportError
from automl_plugins.runtimes.openvino_apart import PAUSE, convert_apart
from automl_plugins.runtimes.openvino_compiling import (
    DEVICE,
    SIGNATURE,
    WAYS,
    compile_model,
    convert,
    is_best_one_by_one,
    of_one_row,
    takes_one_row,
)
from automl_plugins.runtimes.openvino_requests import Requests, at_a_time, in_turn
from automl_plugins.runtimes.quiet_openvino import core, import_converter
from automl_plugins.runtimes.signatures import signature_defs
from automl_plugins.runtimes.tensorflow import TensorFlowRuntime

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


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
        able = core().get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
        return frozenset({"float32", "bfloat16"} if "BF16" in able else {"float32"})

    def load(self, path: Path, precision: Precision = "float32") -> LoadedModel:
        """Loads the SavedModel in the folder `path`.

        Raises:
            ExportError: If it cannot be loaded.
        """
        return self._load(path, precision, beside=False)

    def load_beside(self, path: Path, precision: Precision = "float32") -> LoadedModel:
        """Loads it with OpenVINO's work done in another process, the rest with pauses.

        Raises:
            ExportError: If it cannot be loaded.
        """
        return self._load(path, precision, beside=True)

    def _load(self, path: Path, precision: Precision, beside: bool) -> LoadedModel:
        from google.protobuf.message import DecodeError

        try:
            definitions = signature_defs(path)
        except (OSError, ValueError, DecodeError) as error:
            raise ExportError(
                f"expected a SavedModel in {path}, found none that can be read "
                f"({_reason(error)}); export it again."
            ) from error
        try:
            compiled = (convert_apart if beside else convert)(path, definitions, precision)
        except (ValueError, RuntimeError) as error:
            logger.warning("TensorFlow runs %s, since OpenVINO cannot: %s", path, _reason(error))
            return TensorFlowRuntime().load(path)
        requests = Requests(compiled, definitions[SIGNATURE].outputs, PAUSE if beside else 0.0)
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
        single = of_one_row(converted)
        best = single if single is not None and is_best_one_by_one(single) else converted
        return _Forward(compile_model(best, precision, WAYS["many"]))


def _reason(error: BaseException) -> str:
    """Returns what OpenVINO says is wrong, without where in its sources it was noticed."""
    lines = [line.strip() for line in str(error).splitlines()]
    places = ("Exception from ", "Check ", "FrontEnd API failed")
    return (
        " ".join(line for line in lines if line and not line.startswith(places))[:200] or "damaged"
    )


class _Forward:
    """Runs batches, as many at a time as suits the machine; or their rows, of a model of one."""

    def __init__(self, compiled: Any) -> None:
        self._by_row = takes_one_row(compiled)
        self._requests = [compiled.create_infer_request() for _ in range(at_a_time(compiled))]

    def __call__(self, batches: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        if not self._by_row:
            yield from self._run(batches)
            return
        import numpy as np

        sizes: deque[int] = deque()

        def rows() -> Iterator[NDArray[np.float32]]:
            for batch in batches:
                sizes.append(len(batch))
                yield from np.split(batch, len(batch))

        found = self._run(rows())
        for first in found:
            yield np.concatenate([first, *itertools.islice(found, sizes.popleft() - 1)])

    def _run(self, batches: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        for request in in_turn(self._requests, ([batch] for batch in batches)):
            yield request.get_output_tensor().data.copy()


class _OpenVINOModel(LoadedModel):
    def __init__(
        self,
        path: Path,
        definitions: Mapping[str, Any],
        requests: Requests,
        others_wanted: threading.Event,
    ) -> None:
        self._path, self._definitions, self._requests = path, definitions, requests
        self._others_wanted = others_wanted
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
        return self._requests.infer(inputs)

    def warm_up(self, signature: str, inputs: Mapping[str, NDArray[np.generic]]) -> None:
        if signature == SIGNATURE:
            self._requests.warm_up(inputs)
        else:
            self.load_others().warm_up(signature, inputs)

    def close(self) -> None:
        self._requests.close()
        if self._whole is not None:
            self._whole.close()
            self._whole = None

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
