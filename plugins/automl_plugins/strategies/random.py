"""Draws every trial at random from the whole space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.components import Strategy, StrategyContext
from automl.components.strategy import OBJECTIVE

if TYPE_CHECKING:
    import keras_tuner

UNLIMITED = 1_000_000
"""Keras Tuner's own default is ten trials; here the budget is what ends a search."""


class Random(Strategy):
    """Draws every trial at random from the whole space."""

    name = "random"

    def oracle(self, context: StrategyContext) -> keras_tuner.Oracle:
        """Returns the Oracle."""
        import keras_tuner

        return keras_tuner.oracles.RandomSearchOracle(
            objective=keras_tuner.Objective(OBJECTIVE, "max"),
            max_trials=context.max_trials or UNLIMITED,
            hyperparameters=context.space,
            seed=context.seed + 1,  # Keras Tuner takes 0 for no seed
        )
