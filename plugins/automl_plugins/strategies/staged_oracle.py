"""Cheap trials first: heads on frozen features, then fine-tuning of the best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras_tuner

from automl.components import StrategyContext
from automl.components.strategy import OBJECTIVE

Values = dict[str, Any]

BRANCHES = ("backbone", "depth", "resolution")
REFINED = 2
"""How many of the best networks get a second head, and are fine-tuned."""

RECIPES: Sequence[Values] = (
    {"unfreeze": 0.5, "optimizer": "adamw", "lr": 3e-4, "schedule": "cosine", "epochs": 15},
    {"unfreeze": 1.0, "optimizer": "adamw", "lr": 1e-4, "schedule": "cosine", "epochs": 15},
    {"unfreeze": 0.25, "optimizer": "adamw", "lr": 1e-3, "schedule": "cosine", "epochs": 15},
    {"unfreeze": 0.5, "optimizer": "sgd", "lr": 1e-2, "schedule": "one-cycle", "epochs": 15},
    {"unfreeze": 0.5, "optimizer": "adamw", "lr": 3e-4, "schedule": "cosine", "epochs": 8},
    {"unfreeze": 0.25, "optimizer": "adamw", "lr": 1e-3, "schedule": "cosine", "epochs": 8},
)
"""Fine-tuning that usually does well, tried before anything is drawn at random."""

SHORT = 8
"""Epochs of a training that is tried where the default number does not fit the budget."""

DRAWS = 20
"""Random draws before the space is taken to hold nothing more that is affordable."""


class StagedOracle(keras_tuner.Oracle):  # type: ignore[misc]
    """Chooses trials in three stages.

    1. Every backbone and depth at its preferred resolution, the cheapest first, frozen unless
       it is trained from scratch; another head for the best of them, and other resolutions.
    2. Fine-tuning of the best by a list of recipes.
    3. Random draws from the whole space.

    Each answer follows from the trials that ended before it, so that a replay of the same
    results makes the same choices.
    """

    def __init__(self, context: StrategyContext) -> None:
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, "max"),
            max_trials=context.max_trials,
            hyperparameters=context.space,
            seed=context.seed + 1,  # Keras Tuner takes 0 for no seed
        )
        self._context = context

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the next trial's values, as Keras Tuner asks for them."""
        for values in self._candidates():
            if not self._duplicate(values) and self._context.affordable(values):
                return {"status": "RUNNING", "values": values}
        return {"status": "STOPPED"}

    def _candidates(self) -> Iterator[Values]:
        frozen = {"unfreeze": 0.0, "head": "logistic"}
        points = self._points(frozen)
        first: dict[tuple[Any, ...], Values] = {}
        for values in points:  # of each network, the preferred resolution comes first
            first.setdefault((values["backbone"], values["depth"]), values)
        preferred = sorted(first.values(), key=self._context.cost)
        yield from preferred
        best = self._best_networks()
        for network in best:
            yield self._complete({**network, "unfreeze": 0.0, "head": "linear-svm"})
        if self._is_perfect():
            return
        for values in preferred:
            if values["unfreeze"] > 0:
                yield self._complete({**values, "epochs": SHORT})
        if best:
            for values in sorted(points, key=self._context.cost):
                if all(values[name] == best[0][name] for name in ("backbone", "depth")):
                    yield values
        for recipe in RECIPES:
            for network in best:
                values = self._complete({**network, "head": "linear", **recipe})
                if values["unfreeze"] > 0:
                    yield values
        for _ in range(DRAWS):
            drawn = self._random_values()
            if drawn is None:
                return
            yield drawn

    def _is_perfect(self) -> bool:
        """Nothing can beat a perfect score, and a tie goes to the cheaper model."""
        return any(trial.score is not None and trial.score >= 1 for trial in self._completed())

    def _completed(self) -> list[Any]:
        return [trial for trial in self.trials.values() if trial.status == "COMPLETED"]

    def _best_networks(self) -> list[Values]:
        """Returns backbone, depth and resolution of the best completed trials."""
        ranked = sorted(self._completed(), key=lambda trial: -trial.score)
        networks: list[Values] = []
        for trial in ranked:
            network = {name: trial.hyperparameters.values[name] for name in BRANCHES}
            if network not in networks:
                networks.append(network)
        return networks[:REFINED]

    def _points(self, given: Mapping[str, Any]) -> list[Values]:
        """Returns every network of the space, all else as `given` or by default."""
        partial: list[Values] = [{}]
        for hp in self.hyperparameters.space:
            grown = []
            for values in partial:
                if not _active(hp, values):
                    grown.append(values)
                elif hp.name in BRANCHES:
                    options = getattr(hp, "values", None) or [hp.default]
                    grown.extend({**values, hp.name: option} for option in options)
                else:
                    grown.append({**values, hp.name: _value(hp, given)})
            partial = grown
        return partial

    def _complete(self, given: Mapping[str, Any]) -> Values:
        """Returns `given` with a value for every other active dimension.

        A value that the space does not offer there gives way to the default: a pin wins.
        """
        values: Values = {}
        for hp in self.hyperparameters.space:
            if _active(hp, values):
                values[hp.name] = _value(hp, given)
        return values


def _active(hp: Any, values: Mapping[str, Any]) -> bool:
    return all(condition.is_active(values) for condition in hp.conditions)


def _value(hp: Any, given: Mapping[str, Any]) -> Any:
    if hp.name not in given or isinstance(hp, keras_tuner.engine.hyperparameters.Fixed):
        return hp.default
    wanted = given[hp.name]
    options = getattr(hp, "values", None)
    return wanted if options is None or wanted in options else hp.default
