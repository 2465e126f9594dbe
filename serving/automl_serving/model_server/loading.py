"""Loads a version of a model without getting in the way of those that are served."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import threading
from pathlib import Path

from automl.components import LoadedModel, Precision, Runtime
from automl_serving.model_server.metrics import ServerMetrics
from automl_serving.model_server.precision import precision_of
from automl_serving.model_server.servable import Servable
from automl_serving.model_server.warmup import warm_up

logger = logging.getLogger(__name__)

_NICE = 10


class Loader:
    """Loads versions with one runtime; call it with a model's name, a version and its folder."""

    def __init__(
        self,
        runtime: Runtime,
        warm: bool,
        metrics: ServerMetrics,
        precision: Precision = "float32",
    ) -> None:
        """Takes what executes models, and whether to run their warm-up requests.

        Where `precision` is another than float32, the versions that allow it are computed in it.
        """
        self._runtime, self._warm, self._metrics = runtime, warm, metrics
        self._precision = precision

    def __call__(self, name: str, version: int, path: Path) -> Servable:
        """Loads a version and runs its warm-up requests.

        Raises:
            ExportError: If it cannot be loaded.
            ServingError: If its warm-up file is damaged, or the model refuses a request of it.
        """
        with self._metrics.load(path):
            servable = Servable(name, version, self._load(path))
            if self._warm:
                warm_up(servable, path)
            return servable

    def _load(self, path: Path) -> LoadedModel:
        precision = precision_of(path, self._precision, self._runtime)
        if precision == "float32":
            return self._runtime.load(path)
        loaded = self._runtime.load(path, precision)
        logger.info("%s is computed in %s", path, loaded.precision)
        return loaded


def lower_priority() -> None:
    """Makes the calling thread, and those that it starts, yield to requests.

    Only Linux has priorities for threads. An engine's threads that are started from here stay
    niced, so the first model is loaded without this; OpenVINO's of later versions do stay so.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            current = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), max(_NICE, current))


def release() -> None:
    """Frees the memory of a version that nothing refers to any more."""
    gc.collect()
