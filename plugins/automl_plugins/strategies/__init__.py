"""The built-in strategies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import automl
from automl_plugins.strategies.bayesian import Bayesian
from automl_plugins.strategies.grid import Grid
from automl_plugins.strategies.hyperband import Hyperband
from automl_plugins.strategies.random import Random
from automl_plugins.strategies.staged import Staged


@automl.hookimpl
def automl_strategies(register: Callable[[Any], None]) -> None:
    """Registers the built-in strategies; the first is the default."""
    register(Staged())
    register(Random())
    register(Bayesian())
    register(Hyperband())
    register(Grid())
