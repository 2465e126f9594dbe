"""Tries every combination of values, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl.components import Strategy, StrategyContext

if TYPE_CHECKING:
    import keras_tuner


class Grid(Strategy):
    """Tries every combination of values, of ranges ten each; pin all but a few dimensions."""

    name = "grid"

    def oracle(self, context: StrategyContext) -> keras_tuner.Oracle:
        """Returns the Oracle."""
        from automl_plugins.strategies.oracles import GridOracle

        return GridOracle(context)


def combinations(space: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yields values for every combination of a space's active dimensions.

    Keras Tuner's own grid takes a name for one dimension wherever it is declared, so that the
    depths of one backbone stand for those of all.
    """
    yield from _complete(space, {})


def _complete(space: Sequence[Any], values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for index, hp in enumerate(space):
        if all(condition.is_active(values) for condition in hp.conditions):
            # A range's `values` are ten of it, evenly spread.
            for value in getattr(hp, "values", None) or [hp.default]:
                yield from _complete(space[index + 1 :], {**values, hp.name: value})
            return
    yield dict(values)
