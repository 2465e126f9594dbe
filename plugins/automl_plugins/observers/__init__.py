"""The built-in observers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import automl
from automl_plugins.observers.mlflow import MLflow
from automl_plugins.observers.tensorboard import TensorBoard


@automl.hookimpl
def automl_observers(register: Callable[[Any], None]) -> None:
    """Registers the built-in observers."""
    register(TensorBoard())
    register(MLflow())
