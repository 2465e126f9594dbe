"""Executes SavedModels with TensorFlow itself: every signature, on every device it knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.components import LoadedModel, Precision, Runtime
from automl.errors import DataError, ExportError
from automl_plugins.runtimes.signatures import signature_defs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TensorFlowRuntime(Runtime):
    """TensorFlow, the reference that other runtimes are measured against."""

    name = "tensorflow"

    def load(self, path: Path, precision: Precision = "float32") -> LoadedModel:
        """Loads the SavedModel in the folder `path`, in the types that it was written with.

        Raises:
            ExportError: If it cannot be loaded.
        """
        import tensorflow as tf
        from google.protobuf.message import DecodeError

        try:
            definitions = signature_defs(path)
            return _TensorFlowModel(tf.saved_model.load(str(path)), definitions)
        except (OSError, ValueError, DecodeError, tf.errors.OpError) as error:
            raise ExportError(
                f"expected a SavedModel in {path}, found none that TensorFlow can load "
                f"({_reason(error)}); export it again."
            ) from error


class _TensorFlowModel(LoadedModel):
    def __init__(self, loaded: Any, definitions: Mapping[str, Any]) -> None:
        self._loaded: Any = loaded  # owns the variables that the functions use
        self._functions = dict(loaded.signatures)
        self._signatures = {
            name: definition for name, definition in definitions.items() if name in self._functions
        }

    @property
    def signatures(self) -> Mapping[str, object]:
        return self._signatures

    def predict(
        self, signature: str, inputs: Mapping[str, NDArray[np.generic]]
    ) -> dict[str, NDArray[np.generic]]:
        import tensorflow as tf

        tensors = {
            name: tf.constant(array, tf.string if array.dtype == object else None)
            for name, array in inputs.items()
        }
        try:
            outputs = self._functions[signature](**tensors)
        except (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError) as error:
            raise DataError(
                f"expected inputs that the model can process, found some that its graph refused "
                f"({_reason(error)}); check them."
            ) from error
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    def close(self) -> None:
        self._loaded = None
        self._functions.clear()
        super().close()


def _reason(error: BaseException) -> str:
    """Returns the line of TensorFlow's message that says what is wrong, not where."""
    message = str(getattr(error, "message", None) or error)
    lines = [line.strip() for line in message.splitlines()]
    telling = [
        line
        for line in lines
        if line and not line.startswith(("Graph execution error", "Detected at", "<", "[["))
    ]
    reason = telling[0] if telling else "no reason given"
    return re.sub(r"^\{\{.*?\}\}\s*", "", reason)[:200]
