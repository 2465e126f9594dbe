"""Configurations of a space whose dimensions depend on one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner

Values = dict[str, Any]
Dimensions = Sequence[keras_tuner.engine.hyperparameters.HyperParameter]
"""What Keras Tuner calls a space: its declarations in order, each after what it depends on."""


def complete(space: Dimensions, given: Mapping[str, Any]) -> Values:
    """Returns `given` with a value for every other active dimension.

    A value that the space does not offer there gives way to the default: a pin wins.
    """
    values: Values = {}
    for hp in space:
        if _is_active(hp, values):
            values[hp.name] = _value(hp, given)
    return values


def combinations_of(
    space: Dimensions, names: Sequence[str], given: Mapping[str, Any]
) -> list[Values]:
    """Returns every combination of the named choices, all else as `given` or by default."""
    partial: list[Values] = [{}]
    for hp in space:
        grown = []
        for values in partial:
            if not _is_active(hp, values):
                grown.append(values)
            elif hp.name in names:
                options = getattr(hp, "values", None) or [hp.default]
                grown.extend({**values, hp.name: option} for option in options)
            else:
                grown.append({**values, hp.name: _value(hp, given)})
        partial = grown
    return partial


def options(space: Dimensions, name: str, values: Mapping[str, Any]) -> list[Any]:
    """Returns what a choice offers to a configuration; nothing where it is not active."""
    active = (hp for hp in space if hp.name == name and _is_active(hp, values))
    return next((list(getattr(hp, "values", [])) for hp in active), [])


def _is_active(hp: Any, values: Mapping[str, Any]) -> bool:
    return all(condition.is_active(values) for condition in hp.conditions)


def _value(hp: Any, given: Mapping[str, Any]) -> Any:
    if hp.name not in given or isinstance(hp, keras_tuner.engine.hyperparameters.Fixed):
        return hp.default
    wanted = given[hp.name]
    # Keras Tuner gives a range samples of itself as `values`; any number in it will do.
    offered = not isinstance(hp, keras_tuner.engine.hyperparameters.Choice) or wanted in hp.values
    return wanted if offered else hp.default
