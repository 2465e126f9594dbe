"""Takes the trial that promises most for its seconds, by what has been measured in this run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras_tuner

from automl.components import StrategyContext
from automl.components.strategy import OBJECTIVE
from automl_plugins.strategies.configurations import Values, combinations_of, complete, options
from automl_plugins.strategies.staged_recipes import (
    EXTRAS,
    LEAST_SEEN,
    LEAST_SEEN_TUNED,
    RECIPES,
    SCRATCH_RECIPES,
)
from automl_plugins.strategies.staged_reliefs import best_frozen, expected_reliefs, family

BRANCHES = ("backbone", "depth", "resolution")

REFINED = 2
"""How many of the best networks get a second head, and are fine-tuned."""

SAMPLES = (1 / 16, 1 / 4)
"""Shares of the training images that networks are compared on before they get all of them."""

FEWEST = 2000
"""Images in the smallest sample that tells networks apart."""

QUICK = 0.03
"""The share of the time left up to which a network is judged on all images at once."""

EXCHANGED = 0.25
"""How much of a fusion's relief is expected of another partner where there is one."""

SPARED = 0.9
"""The share of the largest relief within reach that a trial of less has to leave within reach.

What is joined to a frozen network does nothing for the fine-tuned one, and neither does another
resolution or head: with little time, it is better kept for fine-tuning."""

SURELY = 0.8
"""The share of the time left in which fine-tuning has to fit as predicted before anything has been
measured, to fit then."""

OVERHEAD = 0.1
"""Seconds that a trial costs whatever it does."""

DRAWS = 20
"""Random draws before the space is taken to hold nothing more that is affordable."""


class _Candidate(NamedTuple):
    """A configuration, its kind, and what may come of it.

    Attributes:
        promise: How much of the kind's relief is expected.
        error: What the relief is of, as a multiple of the best error so far.
    """

    kind: str
    promise: float
    values: Values
    error: float = 1.0

    def relief(self, reliefs: Mapping[str, float]) -> float:
        """Returns the share of the best error that it is expected to take away."""
        return max(0.0, 1 - self.error * (1 - reliefs[self.kind] * self.promise))


class StagedOracle(keras_tuner.Oracle):  # type: ignore[misc]
    """Chooses trials by the expected relief from error per second.

    It begins with the cheapest network, frozen, at the largest resolution at which the budget
    also lets it be fine-tuned; where images are many, networks are compared on samples of them
    first, and the better ones on more. From then on, every candidate is weighed: what its kind
    took from the best error so far in this run (or usually takes), over what it is predicted to
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
        self._dimensions, self._all = context.space.space, float(context.space.get("share"))

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
        points = combinations_of(self._dimensions, BRANCHES, {"unfreeze": 0.0, "head": "logistic"})
        preferred = self._preferred(points)
        if not ended:
            yield from self._openers(preferred, points)
        reliefs = expected_reliefs(self._completed(), preferred, self._all)
        yield from (each.values for each in self._ranked(points, preferred, reliefs))
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
            same = [each for each in points if family(each) == family(network)]
            for values in [network, *sorted(same, key=lambda each: -each["resolution"])]:
                tuned = complete(self._dimensions, {**values, "head": "linear", **RECIPES[0][1]})
                smaller = values["resolution"] <= network["resolution"]
                left = self._context.seconds_left(tuned)
                if smaller and self._context.cost(tuned) <= SURELY * left:
                    yield self._sampled(values, preferred)
            yield self._sampled(network, preferred)

    def _sampled(self, network: Values, preferred: Sequence[Values]) -> Values:
        """Returns a network on the first rung of the images: all, where that costs little."""
        others = [each for each in preferred if each["unfreeze"] == 0]
        dear = self._context.cost(network) > QUICK * self._context.seconds_left(network)
        if network["unfreeze"] > 0 or self._context.max_trials or len(others) < 2 or not dear:
            return network
        enough = [share for share in SAMPLES if share * self._context.images >= FEWEST]
        return {**network, "share": min([*enough, network["share"]])}

    def _ranked(
        self, points: Sequence[Values], preferred: Sequence[Values], reliefs: Mapping[str, float]
    ) -> list[_Candidate]:
        """Returns candidates by relief a second, less those that would cost a larger relief."""
        found = [*self._weighed(points, preferred), *self._extras()]
        found = [each for each in found if not self._is_known(each.values)]
        costs = {id(each): self._context.cost(each.values) for each in found}
        left = {id(each): self._context.seconds_left(each.values) for each in found}
        found.sort(key=lambda each: -each.relief(reliefs) / (OVERHEAD + costs[id(each)]))

        def largest_within(seconds: float, reserved: float = math.inf) -> float:
            """Returns the largest relief to be had once `seconds` are spent."""
            possible = [
                each.relief(reliefs)
                for each in found
                if costs[id(each)] <= min(left[id(each)], reserved) - seconds
            ]
            return max(possible, default=0.0)

        enough = SPARED * largest_within(0.0)

        def crowds_out(each: _Candidate) -> bool:
            # If it turns out to be the best, its own last fit and export are what is set aside.
            after = largest_within(costs[id(each)], left[id(each)])
            return max(after, each.relief(reliefs)) < enough

        return [each for each in found if not crowds_out(each)]

    def _is_known(self, values: Values) -> bool:
        """Says whether this has been tried, or the same for longer."""
        return self._duplicate(values) or any(
            trial.hyperparameters.values.get("epochs", 0) > values.get("epochs", math.inf)
            and {**trial.hyperparameters.values, "epochs": 0} == {**values, "epochs": 0}
            for trial in self._completed()
        )

    def _extras(self) -> Iterator[_Candidate]:
        """Yields the best frozen networks, each joined by one thing more."""
        frozen = best_frozen(self._completed(), self._all)
        best = max((trial.score for trial in self._completed()), default=0.0)
        for trial in sorted(frozen.values(), key=lambda trial: -trial.score)[:REFINED]:
            base = trial.hyperparameters.values
            error = (1 - trial.score) / max(1 - best, 1e-6)
            for name, nothing in EXTRAS.items():
                for option in options(self._dimensions, name, base):
                    if option not in (nothing, base.get(name)):
                        promise = 1.0 if base[name] == nothing else EXCHANGED
                        joined = complete(self._dimensions, {**base, name: option})
                        yield _Candidate(name, promise, joined, error)

    def _weighed(
        self, points: Sequence[Values], preferred: Sequence[Values]
    ) -> Iterator[_Candidate]:
        """Yields candidates, each with its kind and its share of that kind's relief."""
        tried = {family(trial.hyperparameters.values) for trial in self._completed()}
        for values in preferred:
            if values["unfreeze"] > 0:
                for promise, recipe in SCRATCH_RECIPES:
                    made = complete(self._dimensions, {**values, "head": "linear", **recipe})
                    yield _Candidate("scratch", promise * self._learnt(made, LEAST_SEEN), made)
            elif family(values) not in tried:
                yield _Candidate("network", 1.0, self._sampled(values, preferred))
        yield from self._promotions()
        best = self._best_networks()
        for network in best:
            other = {**network, "unfreeze": 0.0, "head": "linear-svm"}
            yield _Candidate("head", 1.0, complete(self._dimensions, other))
        for values in points:
            if best and family(values) == family(best[0]):
                yield _Candidate("resolution", 1.0, values)
        for network in best:
            for values in points:
                if family(values) != family(network) or values["unfreeze"] > 0:
                    continue  # the recipes are for what has been trained before
                size = values["resolution"] / network["resolution"]
                for promise, recipe in RECIPES:
                    tuned = complete(self._dimensions, {**values, "head": "linear", **recipe})
                    if tuned["unfreeze"] > 0:
                        learnt = self._learnt(tuned, LEAST_SEEN_TUNED)
                        yield _Candidate("tune", promise * min(size, 1.1) * learnt, tuned)

    def _learnt(self, values: Values, enough: int) -> float:
        """Returns what a training reaches of its promise, by the images that it sees."""
        seen = int(values["epochs"]) * (self._context.images or enough)
        return min(1.0, seen / enough)

    def _promotions(self) -> Iterator[_Candidate]:
        """Yields the networks that were judged on a sample, on the next larger one."""
        completed = self._completed()
        best: dict[float, float] = {}
        for trial in completed:
            share = trial.hyperparameters.values["share"]
            best[share] = max(trial.score, best.get(share, 0.0))
        for trial in completed:
            values = trial.hyperparameters.values
            larger = [share for share in (*SAMPLES, self._all) if share > values["share"]]
            if larger and self._all >= larger[0]:
                # On one sample, networks are to one another about as they will be on all images.
                error = (1 - trial.score) / max(1 - best[values["share"]], 1e-6)
                yield _Candidate("share", 1.0, {**values, "share": larger[0]}, error)

    def _completed(self) -> list[Any]:
        ended = (self.trials[name] for name in self.end_order if name in self.trials)
        return [t for t in ended if t.status == "COMPLETED" and t.score is not None]

    def _best_networks(self) -> list[Values]:
        """Returns backbone, depth and resolution of the best completed trials."""
        networks: dict[tuple[Any, ...], Values] = {}
        for trial in sorted(self._completed(), key=lambda trial: -trial.score):
            values = trial.hyperparameters.values
            networks.setdefault(family(values), {name: values[name] for name in BRANCHES})
        return list(networks.values())[:REFINED]
