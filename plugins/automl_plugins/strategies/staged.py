"""Heads on frozen features first, then fine-tuning of the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.components import Strategy, StrategyContext

if TYPE_CHECKING:
    import keras_tuner


class Staged(Strategy):
    """Heads on frozen features first, then fine-tuning of the best."""

    name = "staged"

    def oracle(self, context: StrategyContext) -> keras_tuner.Oracle:
        """Returns the Oracle."""
        from automl_plugins.strategies.staged_oracle import StagedOracle

        return StagedOracle(context)
