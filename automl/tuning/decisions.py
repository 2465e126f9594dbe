"""Which trial comes next: the strategy's proposals, held against the budget.

Everything that a decision follows from is an event of the run's log, or the logged time at which
it was made. Fed with the same events again, it decides the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import keras_tuner

from automl.components import Strategy, StrategyContext
from automl.components.strategy import OBJECTIVE
from automl.evaluation import text
from automl.training.composition import Composition, network_of
from automl.training.judging import TrialResult
from automl.tuning.costs import CostModel
from automl.tuning.events import RunState
from automl.tuning.settings import SearchSettings

logger = logging.getLogger(__name__)

SKIPS = 50
"""Proposals in a row that do not fit the budget, after which the search is over."""

REFIT_SHARE = 0.15
"""The share of the budget that training the best network once more, on all images, may take
from looking for a better one."""


class Decisions:
    """Chooses trials from what has happened so far.

    Attributes:
        running: Values by name of the trials that have begun and not ended.
    """

    def __init__(
        self,
        strategy: Strategy,
        settings: SearchSettings,
        space: keras_tuner.HyperParameters,
        costs: CostModel,
        test_images: int,
    ) -> None:
        self._settings, self._costs, self._test_images = settings, costs, test_images
        self._state, self._elapsed = RunState(), 0.0
        self._state.images = costs.images
        self._trials: dict[str, Any] = {}
        self._asked = 0
        self.running: dict[str, dict[str, Any]] = {}
        self._measured: list[Mapping[str, Any]] = []
        self._oracle = strategy.oracle(
            StrategyContext(
                space,
                settings.trials,
                settings.seed,
                costs.trial_seconds,
                lambda values: self._affordable(values),
                lambda values: self.seconds_left(values, self._elapsed),
                costs.images,
            )
        )
        _keep_in_memory(self._oracle)

    def propose(self, elapsed: float) -> tuple[str, dict[str, Any]] | None:
        """Returns the next trial's name and values; `None` if there is none.

        Args:
            elapsed: The time of the decision, in seconds since the run began.
        """
        self._elapsed = elapsed
        for _ in range(SKIPS):
            self._asked += 1  # who has asked before gets its running trial again
            trial = self._oracle.create_trial(f"asker-{self._asked}")
            if trial.status != "RUNNING":
                return None
            values = dict(trial.hyperparameters.values)
            if self._affordable(values):
                self._begin(str(trial.trial_id), trial, values)
                return str(trial.trial_id), values
            if self._oracle.max_trials:
                self._oracle.max_trials += 1  # it was drawn, but is none of the user's
            self._end(trial, None, "expected a trial that the budget allows.")
        return None

    def learn(self, event: Mapping[str, Any]) -> None:
        """Takes an event of the log into account that says what something took, or gave."""
        if event["event"] == "decoded":
            self._costs.learn_decoding(int(event["resolution"]), float(event["seconds"]))
        if event["event"] == "measured":
            self._costs.learn_measured(event)
            self._measured.append(event)
        if event["event"] != "trial_finished" or event["trial"] not in self.running:
            return
        values, trial = self.running.pop(event["trial"]), self._trials.pop(event["trial"])
        self._state.apply({"event": "trial_started", "at": event["at"], "trial": event["trial"]})
        self._state.apply(event)
        if event["status"] == "unfit" and self._oracle.max_trials:
            self._oracle.max_trials += 1  # it was measured, and not tried
        if event["status"] == "completed":
            # The trial itself chooses some values, and may have been cut short.
            self._costs.learn({**values, **event["hyperparameters"]}, _result(event))
        self._end(trial, event["score"], event["error"])

    def replay(self, event: Mapping[str, Any]) -> None:
        """Takes any event of an earlier log into account, deciding what was decided then."""
        if event["event"] == "waited":
            self._replay_wait(float(event["decided"]))
            return
        if event["event"] != "trial_started":
            self.learn(event)
            return
        name, values = str(event["trial"]), dict(event["hyperparameters"])
        proposed = self.propose(float(event["decided"]))
        if proposed == (name, values):
            return
        logger.warning(
            "expected trial %s to be chosen again, found another choice, as plugins or versions "
            "have changed since; what was tried counts, and the search goes on differently.",
            name,
        )
        if proposed is None:
            trial = keras_tuner.engine.trial.Trial(self._oracle.get_space(), name, "RUNNING")
            self._oracle.trials[name] = trial
        else:
            del self.running[proposed[0]]
            trial = self._trials.pop(proposed[0])
        trial.hyperparameters.values = values
        self._begin(name, trial, values)

    def seconds_left(self, values: Mapping[str, Any], elapsed: float) -> float:
        """Returns seconds for trials, with room for the last fit of this one or of the best."""
        if self._settings.budget is None:
            return float("inf")
        best = next(iter(self._state.leaderboard), None)
        possible = [values]
        if best is not None and best["score"] is not None:
            possible.append(dict(best["hyperparameters"]))
        reserve = max(
            self._refit_seconds(winner) + self._costs.finish_seconds(winner, self._test_images)
            for winner in possible
        )
        return self._settings.budget - elapsed - reserve

    def measured(self, values: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Returns what was measured of a configuration's network; `None` if it was not."""
        network = network_of(values)
        return next((each for each in self._measured if network_of(each) == network), None)

    def unfit(self, values: Mapping[str, Any]) -> str | None:
        """Returns why a network is too slow or too large, in a sentence; `None` if it fits.

        As far as is known: a network that is too slow is so at larger resolutions too, and in
        company.
        """
        settings, network = self._settings, Composition.of(values)
        for each in self._measured:
            if not network.includes(Composition.of(each)):
                continue
            found = f"{text.network(each)} at {each['resolution']} px"
            if each["latency_ms"] > (settings.max_latency_ms or float("inf")):
                return (
                    f"expected at most {settings.max_latency_ms:g} ms a picture, found "
                    f"{each['latency_ms']:.3g} with {found}; allow more, or let others be tried."
                )
            if each["size_mb"] > (settings.max_size_mb or float("inf")):
                return (
                    f"expected at most {settings.max_size_mb:g} MB, found {each['size_mb']:.3g} "
                    f"of {found}; allow more, or let others be tried."
                )
        return None

    def _affordable(self, values: Mapping[str, Any]) -> bool:
        """Says whether a trial fits; the first one is begun in any case."""
        if self.unfit(values):
            return False
        if not self._state.trials and not self.running:
            return True
        return self._costs.trial_seconds(values) <= self.seconds_left(values, self._elapsed)

    def _refit_seconds(self, values: Mapping[str, Any]) -> float:
        """Returns what is set aside to train the winner on all images.

        A trained network has a checkpoint, so that a refit is a luxury, where a frozen one's
        head is all that is fitted and nothing is kept.
        """
        seconds = self._costs.refit_seconds(values)
        dear = seconds > REFIT_SHARE * (self._settings.budget or float("inf"))
        return 0.0 if dear and float(values["unfreeze"]) > 0 else seconds

    def _replay_wait(self, elapsed: float) -> None:
        """Asks the strategy as it was asked when there was nothing to do but wait."""
        proposed = self.propose(elapsed)
        if proposed is not None:  # plugins or versions have changed since
            name = proposed[0]
            del self.running[name]
            self._end(self._trials.pop(name), None, "expected to wait for a running trial.")

    def _begin(self, name: str, trial: Any, values: dict[str, Any]) -> None:
        self._trials[name], self.running[name] = trial, values

    def _end(self, trial: Any, score: float | None, error: str | None) -> None:
        if score is None:
            trial.status, trial.message = "FAILED", error
        else:
            self._oracle.update_trial(trial.trial_id, {OBJECTIVE: score})
            trial.status = "COMPLETED"
        self._oracle.end_trial(trial)


def _result(event: Mapping[str, Any]) -> TrialResult:
    names = TrialResult.__dataclass_fields__
    kept = {name: event[name] for name in names if event.get(name) is not None}
    return TrialResult(**{"spread": 0.0, **kept})


def _keep_in_memory(oracle: keras_tuner.Oracle) -> None:
    """Keeps Keras Tuner from writing files of its own, printing, and giving up on failures.

    The event log is the truth; the oracle's state can be made again from it.
    """
    oracle.save = lambda: None
    oracle._save_trial = lambda trial: None
    oracle.verbose = 0
    oracle.max_consecutive_failed_trials = 10**9
