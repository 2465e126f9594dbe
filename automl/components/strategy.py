"""How a search chooses its next trial."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras_tuner

OBJECTIVE = "balanced_accuracy"
"""The metric that every strategy maximises: recall averaged over the classes."""


@dataclass(frozen=True)
class StrategyContext:
    """What a strategy may know.

    Attributes:
        space: The search space, pins already applied.
        max_trials: The most trials to create, or `None` for as many as the budget allows.
        seed: The run's seed.
        cost: Predicted seconds of a trial with the given values, from what this run has
            measured so far.
        affordable: Whether a trial with the given values, and the winner's last fit, will end
            inside the budget.
        seconds_left: How long a trial with the given values may take for that.
        images: Training images.
    """

    space: keras_tuner.HyperParameters
    max_trials: int | None
    seed: int
    cost: Callable[[Mapping[str, Any]], float]
    affordable: Callable[[Mapping[str, Any]], bool]
    seconds_left: Callable[[Mapping[str, Any]], float] = lambda values: float("inf")
    images: int = 0


class Strategy(abc.ABC):
    """Makes the Keras Tuner Oracle that chooses trials."""

    name: str

    @abc.abstractmethod
    def oracle(self, context: StrategyContext) -> keras_tuner.Oracle:
        """Returns an Oracle that maximises `OBJECTIVE` over `context.space`.

        It ends the search by answering STOPPED. What it proposes and is not affordable is
        skipped by the driver.
        """
