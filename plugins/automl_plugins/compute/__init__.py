"""The built-in places where tasks run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import automl
from automl_plugins.compute.local import LocalCompute
from automl_plugins.compute.ray import RayCompute


@automl.hookimpl
def automl_compute(register: Callable[[Any], None]) -> None:
    """Registers the built-in places where tasks run."""
    register(LocalCompute())
    register(RayCompute())
