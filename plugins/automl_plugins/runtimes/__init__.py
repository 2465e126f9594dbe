"""The built-in runtimes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import automl
from automl_plugins.runtimes.openvino import OpenVINORuntime
from automl_plugins.runtimes.tensorflow import TensorFlowRuntime


@automl.hookimpl
def automl_runtimes(register: Callable[[Any], None]) -> None:
    """Registers the built-in runtimes."""
    register(TensorFlowRuntime())
    register(OpenVINORuntime())
