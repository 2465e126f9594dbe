"""Keras Tuner's oracles, made fit for a space whose dimensions depend on one another."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import keras_tuner
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from automl.components import StrategyContext
from automl.components.strategy import OBJECTIVE
from automl_plugins.strategies.grid import combinations

Values = dict[str, Any]

UNLIMITED = 1_000_000
"""Keras Tuner's own default is ten trials; here the budget is what ends a search."""

INITIAL = 12
"""Random trials before the first that the Gaussian process chooses."""

CANDIDATES = 200
"""Configurations that the Gaussian process chooses among."""

MAX_EPOCHS = 27
"""Of the longest training in a bracket: 1, 3, 9 and 27 epochs are its rungs."""

DRAWS = 200
"""Random draws before a space is taken to hold nothing that is trained in epochs."""


def options(context: StrategyContext) -> dict[str, Any]:
    """Returns what every oracle is made with."""
    return {
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "hyperparameters": context.space,
        "seed": context.seed + 1,  # Keras Tuner takes 0 for no seed
    }


class GridOracle(keras_tuner.Oracle):  # type: ignore[misc]
    """Proposes every combination of values."""

    def __init__(self, context: StrategyContext) -> None:
        super().__init__(max_trials=context.max_trials, **options(context))
        self._left: Iterator[Values] = combinations(context.space.space)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the next combination, as Keras Tuner asks for it."""
        values = next(self._left, None)
        return {"status": "STOPPED"} if values is None else {"status": "RUNNING", "values": values}


class BayesianOracle(keras_tuner.oracles.BayesianOptimizationOracle):  # type: ignore[misc]
    """Proposes what Keras Tuner's Gaussian process has the best upper confidence bound for.

    Keras Tuner's own gives a dimension that occurs under several others one coordinate each, and
    descends by finite differences along all of them, of which few are active at a time. Here each
    name has one coordinate, or one a value where it is no number, and the best of many random
    configurations is taken.
    """

    def __init__(self, context: StrategyContext) -> None:
        super().__init__(
            max_trials=context.max_trials or UNLIMITED,
            num_initial_points=INITIAL,
            **options(context),
        )

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the next trial's values, as Keras Tuner asks for them."""
        ended = [t for t in self.trials.values() if t.status == "COMPLETED" and t.score is not None]
        if len(ended) < self.num_initial_points:
            return dict(self._random_populate_space())
        drawn = [values for _ in range(CANDIDATES) if (values := self._random_values())]
        if not drawn:
            return {"status": "STOPPED"}
        vectors = np.array([self._vector(trial.hyperparameters.values) for trial in ended])
        with warnings.catch_warnings():
            # Of a length scale at its bound: that is how a dimension is found not to matter.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.gpr.fit(vectors, np.array([-trial.score for trial in ended]))
        mean, deviation = self.gpr.predict(
            np.array([self._vector(values) for values in drawn]), return_std=True
        )
        best = int(np.argmin(mean - self.beta * deviation))
        return {"status": "RUNNING", "values": drawn[best]}

    def _vector(self, values: Values) -> list[float]:
        vector = []
        for name, known in self._coordinates().items():
            if known is None:
                active = self._active(name, values)
                vector.append(active.value_to_prob(values[name]) if active else 0.5)
            else:
                vector.extend(float(values.get(name) == value) for value in known)
        return vector

    def _coordinates(self) -> dict[str, list[Any] | None]:
        """Returns, by name, the values that have coordinates; `None` for a range's single one."""
        found: dict[str, list[Any] | None] = {}
        for hp in self.hyperparameters.space:
            if isinstance(hp, keras_tuner.engine.hyperparameters.Choice):
                known = found.setdefault(hp.name, [])
                if known is not None:
                    known.extend(value for value in hp.values if value not in known)
            elif not isinstance(hp, keras_tuner.engine.hyperparameters.Fixed):
                found[hp.name] = None
        return found

    def _active(self, name: str, values: Values) -> Any:
        return next(
            (
                hp
                for hp in self.hyperparameters.space
                if hp.name == name
                and hasattr(hp, "sampling")
                and all(condition.is_active(values) for condition in hp.conditions)
            ),
            None,
        )


class HyperbandOracle(keras_tuner.oracles.HyperbandOracle):  # type: ignore[misc]
    """Keras Tuner's brackets over our `epochs`.

    A rung trains from the start, on a schedule stretched to its epochs; Keras Tuner's own goes on
    from a rung's weights with an optimizer and a schedule that begin anew.
    """

    def __init__(self, context: StrategyContext) -> None:
        super().__init__(max_epochs=MAX_EPOCHS, hyperband_iterations=UNLIMITED, **options(context))
        self.max_trials = context.max_trials
        self._rungs: dict[str, int] = {}

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the next trial's values, as Keras Tuner asks for them."""
        answer: dict[str, Any] = super().populate_space(trial_id)
        if answer["status"] == "RUNNING":
            values = answer["values"]
            epochs = values.pop("tuner/epochs")
            for name in [name for name in values if name.startswith("tuner/")]:
                del values[name]
            if not self._is_pinned(values):
                values["epochs"] = epochs
        return answer

    def _is_pinned(self, values: Values) -> bool:
        """Says whether the epochs are none of ours to choose."""
        return not any(
            hp.name == "epochs"
            and not isinstance(hp, keras_tuner.engine.hyperparameters.Fixed)
            and all(condition.is_active(values) for condition in hp.conditions)
            for hp in self.hyperparameters.space
        )

    def _random_values(self) -> Values | None:
        for _ in range(DRAWS):
            values: Values | None = super()._random_values()
            if values is None or not self._is_pinned(values):
                return values
        return values
