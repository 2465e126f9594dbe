"""Loads a version of a model without getting in the way of those that are served."""

from __future__ import annotations

import logging
from pathlib import Path

from automl.components import LoadedModel, Precision, Runtime
from automl_serving.model_server.metrics import ServerMetrics
from automl_serving.model_server.precision import precision_of
from automl_serving.model_server.servable import Servable
from automl_serving.model_server.warmup import warm_up

logger = logging.getLogger(__name__)


class Loader:
    """Loads versions with one runtime."""

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

    def __call__(self, name: str, version: int, path: Path, beside: bool) -> Servable:
        """Loads a version and runs its warm-up requests.

        Args:
            name: The model's name.
            version: The version.
            path: Its folder.
            beside: Whether others answer in the meantime.

        Raises:
            ExportError: If it cannot be loaded.
            ServingError: If its warm-up file is damaged, or the model refuses a request of it.
        """
        with self._metrics.load(path):
            servable = Servable(name, version, self._load(path, beside))
            if self._warm:
                try:
                    warm_up(servable, path)
                except BaseException:
                    servable.model.close()
                    raise
            return servable

    def _load(self, path: Path, beside: bool) -> LoadedModel:
        load = self._runtime.load_beside if beside else self._runtime.load
        precision = precision_of(path, self._precision, self._runtime)
        if precision == "float32":
            return load(path)
        loaded = load(path, precision)
        logger.info("%s is computed in %s", path, loaded.precision)
        return loaded
