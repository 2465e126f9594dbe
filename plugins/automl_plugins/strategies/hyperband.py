"""Successive halving over epochs, in brackets (Li et al., 2018, JMLR 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.components import Strategy, StrategyContext

if TYPE_CHECKING:
    import keras_tuner


class Hyperband(Strategy):
    """Trains many configurations for few epochs, and the best of them for more.

    Only what is trained in epochs is tried, as long as the space has any of it.
    """

    name = "hyperband"

    def oracle(self, context: StrategyContext) -> keras_tuner.Oracle:
        """Returns the Oracle."""
        from automl_plugins.strategies.oracles import HyperbandOracle

        return HyperbandOracle(context)
