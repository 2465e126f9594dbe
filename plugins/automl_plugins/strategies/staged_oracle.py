"""Takes the trial that promises most for its seconds, by what has been measured in this run."""

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

RELIEF = {"network": 0.2, "tune": 0.5, "scratch": 0.5, "head": 0.03, "resolution": 0.05}
"""The share of the best error so far that a kind of trial is expected to take away, until this
run has shown its own. Kinds: another frozen network, fine-tuning of one, a network trained from
scratch, another head, another resolution."""

RECIPES: Sequence[tuple[float, Values]] = (
    (0.7, {"unfreeze": 0.25, "augmentation": "none", "lr": 1e-3, "epochs": 3}),
    (0.8, {"unfreeze": 0.25, "augmentation": "none", "lr": 1e-3, "epochs": 5}),
    (0.9, {"unfreeze": 0.25, "augmentation": "flip-crop", "lr": 1e-3, "epochs": 8}),
    (0.9, {"unfreeze": 0.5, "augmentation": "none", "lr": 5e-4, "epochs": 8}),
    (1.0, {"unfreeze": 0.5, "augmentation": "flip-crop", "lr": 5e-4, "epochs": 8}),
    (1.1, {"unfreeze": 0.5, "augmentation": "flip-crop", "lr": 5e-4, "epochs": 15}),
    (1.0, {"unfreeze": 0.25, "augmentation": "imgaug", "lr": 1e-3, "epochs": 15}),
    (1.2, {"unfreeze": 1.0, "augmentation": "flip-crop", "lr": 2e-4, "epochs": 15}),
    (1.1, {"unfreeze": 0.5, "augmentation": "flip-crop", "lr": 2e-4, "epochs": 30}),
)
"""Fine-tuning that usually does well, with AdamW on a cosine schedule, and how much of a
fine-tuning's relief each is expected to give."""

OVERHEAD = 0.1
"""Seconds that a trial costs whatever it does."""

SCRATCH_RECIPES: Sequence[tuple[float, Values]] = (
    (0.9, {"epochs": 8}),
    (1.0, {"epochs": 15}),
    (1.0, {"epochs": 15, "augmentation": "flip-crop"}),
    (1.1, {"epochs": 30}),
    (1.1, {"epochs": 30, "augmentation": "flip-crop"}),
)
"""The same for networks that are trained from random weights."""

DRAWS = 20
"""Random draws before the space is taken to hold nothing more that is affordable."""


class StagedOracle(keras_tuner.Oracle):  # type: ignore[misc]
    """Chooses trials by the expected relief from error per second.

    It begins with the cheapest network, frozen, at the largest resolution at which the budget
    also lets it be fine-tuned. From then on, every candidate is weighed: what its kind took
    from the best error so far in this run (or usually takes), over what it is predicted to
    cost. Once the list is exhausted, it draws at random from the whole space.

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
        ended = self._completed()
        if any(trial.score >= 1 for trial in ended):
            return  # the cheapest came first, and a tie goes to the cheaper model
        points = self._points({"unfreeze": 0.0, "head": "logistic"})
        preferred = self._preferred(points)
        if not ended:
            yield from self._openers(preferred, points)
        reliefs = self._reliefs(preferred)
        ranked = sorted(
            self._weighed(points, preferred),
            key=lambda found: (
                -reliefs[found[0]] * found[1] / (OVERHEAD + self._context.cost(found[2]))
            ),
        )
        yield from (values for _, _, values in ranked)
        for _ in range(DRAWS):
            drawn = self._random_values()
            if drawn is None:
                return
            yield drawn

    def _preferred(self, points: Sequence[Values]) -> list[Values]:
        """Returns every network at its preferred resolution, the cheapest first."""
        first: dict[tuple[Any, ...], Values] = {}
        for values in points:  # of each network, the preferred resolution comes first
            first.setdefault((values["backbone"], values["depth"]), values)
        return sorted(first.values(), key=self._context.cost)

    def _openers(self, preferred: Sequence[Values], points: Sequence[Values]) -> Iterator[Values]:
        for network in preferred:
            same = [each for each in points if _family(each) == _family(network)]
            for values in [network, *sorted(same, key=lambda each: -each["resolution"])]:
                tuned = self._complete({**values, "head": "linear", **RECIPES[0][1]})
                smaller = values["resolution"] <= network["resolution"]
                if smaller and self._context.cost(tuned) <= self._context.seconds_left(tuned):
                    yield values
            yield network

    def _weighed(
        self, points: Sequence[Values], preferred: Sequence[Values]
    ) -> Iterator[tuple[str, float, Values]]:
        """Yields candidates, each with its kind and its share of that kind's relief."""
        tried = {_family(trial.hyperparameters.values) for trial in self._completed()}
        for values in preferred:
            if values["unfreeze"] > 0:
                for promise, recipe in SCRATCH_RECIPES:
                    yield "scratch", promise, self._complete({**values, **recipe})
            elif _family(values) not in tried:
                yield "network", 1.0, values
        best = self._best_networks()
        for network in best:
            yield "head", 1.0, self._complete({**network, "unfreeze": 0.0, "head": "linear-svm"})
        for values in points:
            if best and _family(values) == _family(best[0]):
                yield "resolution", 1.0, values
        for network in best:
            for values in points:
                if _family(values) != _family(network) or values["unfreeze"] > 0:
                    continue  # the recipes are for what has been trained before
                size = values["resolution"] / network["preferred"]
                for promise, recipe in RECIPES:
                    tuned = self._complete({**values, "head": "linear", **recipe})
                    if tuned["unfreeze"] > 0:
                        yield "tune", promise * min(size, 1.1), tuned

    def _reliefs(self, preferred: Sequence[Values]) -> dict[str, float]:
        """Returns the relief to expect of each kind: the usual one, and this run's, averaged."""
        usual = {_family(values): values for values in preferred}
        seen: dict[str, list[float]] = {kind: [relief] for kind, relief in RELIEF.items()}
        error, tried = None, set[tuple[Any, ...]]()
        for trial in self._completed():
            found = max(1 - trial.score, 1e-6)
            if error is not None:
                kind = _kind(trial.hyperparameters.values, usual, tried)
                seen[kind].append(max(0.0, (error - found) / error))
            error = found if error is None else min(error, found)
            tried.add(_family(trial.hyperparameters.values))
        return {kind: sum(values) / len(values) for kind, values in seen.items()}

    def _completed(self) -> list[Any]:
        ended = (self.trials[name] for name in self.end_order if name in self.trials)
        return [t for t in ended if t.status == "COMPLETED" and t.score is not None]

    def _best_networks(self) -> list[Values]:
        """Returns backbone, depth and preferred resolution of the best completed trials."""
        points = self._points({"unfreeze": 0.0, "head": "logistic"})
        preferred = {_family(each): each["resolution"] for each in self._preferred(points)}
        ranked = sorted(self._completed(), key=lambda trial: -trial.score)
        networks: dict[tuple[Any, ...], Values] = {}
        for trial in ranked:
            values = trial.hyperparameters.values
            network = {name: values[name] for name in BRANCHES}
            usual = preferred.get(_family(values), values["resolution"])
            networks.setdefault(_family(values), {**network, "preferred": usual})
        return list(networks.values())[:REFINED]

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


def _family(values: Mapping[str, Any]) -> tuple[Any, ...]:
    return values["backbone"], values["depth"]


def _kind(
    values: Mapping[str, Any],
    usual: Mapping[tuple[Any, ...], Values],
    tried: set[tuple[Any, ...]],
) -> str:
    preferred = usual[_family(values)]
    if preferred["unfreeze"] > 0:
        return "scratch"
    if values["unfreeze"] > 0:
        return "tune"
    if values["head"] != preferred["head"]:
        return "head"
    return "resolution" if _family(values) in tried else "network"


def _active(hp: Any, values: Mapping[str, Any]) -> bool:
    return all(condition.is_active(values) for condition in hp.conditions)


def _value(hp: Any, given: Mapping[str, Any]) -> Any:
    if hp.name not in given or isinstance(hp, keras_tuner.engine.hyperparameters.Fixed):
        return hp.default
    wanted = given[hp.name]
    # Keras Tuner gives a range samples of itself as `values`; any number in it will do.
    offered = not isinstance(hp, keras_tuner.engine.hyperparameters.Choice) or wanted in hp.values
    return wanted if offered else hp.default
