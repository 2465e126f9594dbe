"""The built-in targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import automl
from automl_plugins.targets.compose import ComposeTarget
from automl_plugins.targets.kubernetes import KubernetesTarget
from automl_plugins.targets.local import LocalTarget
from automl_plugins.targets.tf_serving import TfServingTarget


@automl.hookimpl
def automl_targets(register: Callable[[Any], None]) -> None:
    """Registers the built-in targets."""
    register(LocalTarget())
    register(TfServingTarget())
    register(ComposeTarget())
    register(KubernetesTarget())
