"""Chooses trials by a Gaussian process over the whole space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.components import Strategy, StrategyContext

if TYPE_CHECKING:
    import keras_tuner


class Bayesian(Strategy):
    """Chooses trials by a Gaussian process over the whole space."""

    name = "bayesian"

    def oracle(self, context: StrategyContext) -> keras_tuner.Oracle:
        """Returns the Oracle."""
        from automl_plugins.strategies.oracles import BayesianOracle

        return BayesianOracle(context)
