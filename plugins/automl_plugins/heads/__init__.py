"""The built-in heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import automl
from automl_plugins.heads.linear import Linear
from automl_plugins.heads.linear_svm import LinearSVM
from automl_plugins.heads.logistic import Logistic
from automl_plugins.heads.mlp import MLP


@automl.hookimpl
def automl_heads(register: Callable[[Any], None]) -> None:
    """Registers the built-in heads."""
    register(Logistic())
    register(LinearSVM())
    register(Linear())
    register(MLP())
