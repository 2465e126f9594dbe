"""Draws every trial at random from the whole space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.components import Strategy, StrategyContext

if TYPE_CHECKING:
    import keras_tuner


class Random(Strategy):
    """Draws every trial at random from the whole space."""

    name = "random"

    def oracle(self, context: StrategyContext) -> keras_tuner.Oracle:
        """Returns the Oracle."""
        import keras_tuner

        from automl_plugins.strategies.oracles import UNLIMITED, options

        return keras_tuner.oracles.RandomSearchOracle(
            max_trials=context.max_trials or UNLIMITED, **options(context)
        )
