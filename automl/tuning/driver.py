"""Drives a search: prepares, runs trials one after another, and finishes with the winner."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras_tuner

from automl.cache import Cache
from automl.components import StrategyContext
from automl.components.strategy import OBJECTIVE
from automl.data.dataset import Dataset
from automl.errors import SearchError, SearchInterrupted, TrialError, WorkspaceError
from automl.plugins import plugin_manager
from automl.training.limits import TrialCancelledError, TrialDeadlineError
from automl.training.trial import TrialResult, folds_to_train
from automl.tuning.candidates import find_candidates
from automl.tuning.costs import CostModel
from automl.tuning.dimensions import describe_dimensions
from automl.tuning.journal import Journal
from automl.tuning.preparation import Prepared, prepare, typical_side
from automl.tuning.run_data import describe_training_data, save_split
from automl.tuning.scratch import CHECKPOINTS
from automl.tuning.settings import SearchSettings
from automl.tuning.space import build_space
from automl.tuning.worker_process import WorkerProcess

FIRST_SECONDS = 5.0
"""The least time that a trial is given."""

SKIPS = 50
"""Proposals in a row that do not fit the budget, after which the search is over."""

REFIT_SHARE = 0.15
"""The share of the budget that training the best network once more, on all images, may take
from looking for a better one."""

FAILURES = 8
"""Failed trials without a single success, after which the search is over."""


class Driver:
    """One search, from images to finished trials.

    Attributes:
        prepared: The run's images, divided.
        costs: What trials take.
        worker: The process that trains.
    """

    def __init__(
        self,
        settings: SearchSettings,
        cache: Cache,
        journal: Journal,
        worker: WorkerProcess,
        stopped: Callable[[], bool],
    ) -> None:
        self.worker = worker
        self._settings, self._manager, self._cache = settings, plugin_manager(), cache
        self._journal, self._stopped = journal, stopped
        self.prepared: Prepared
        self.costs: CostModel

    def prepare(self, dataset: Dataset, test: Dataset | None) -> None:
        """Declares the space, decodes the images and divides them."""
        settings = self._settings
        side, begun = typical_side(dataset), time.monotonic()
        candidates, notes = find_candidates(self._manager, settings.pins, side)
        self._space = build_space(self._manager, candidates, settings.pins, side)
        self.prepared = prepare(
            dataset,
            test,
            int(self._space.values["resolution"]),
            settings.seed,
            self._cache,
            self._show_decoding,
        )
        prepared, folds = self.prepared, self.prepared.folds
        save_split(
            self._journal.folder,
            prepared.train,
            prepared.images.y[prepared.train],
            prepared.test,
            folds,
        )
        self.costs = CostModel(
            self._manager, len(prepared.train), len(folds), folds_to_train(folds)
        )
        self.costs.learn_decoding(int(self._space.values["resolution"]), time.monotonic() - begun)
        paths = prepared.images.paths
        unreadable = [
            {"path": paths[row], "reason": why} for row, why in prepared.unreadable.items()
        ]
        self._journal.record(
            "prepared",
            labels=prepared.images.labels,
            counts=prepared.counts(),
            unreadable=unreadable,
            fingerprint=prepared.fingerprint,
            dimensions=describe_dimensions(self._space),
        )
        for note in notes:
            self._journal.record("note", text=note)

    def run_trials(self) -> None:
        """Runs trials until the strategy, the budget or the user ends the search.

        Raises:
            SearchInterrupted: If the user stopped it before a trial had ended.
            SearchError: If every trial failed.
        """
        settings = self._settings
        oracle = self._manager.strategies[settings.strategy].oracle(
            StrategyContext(
                self._space,
                settings.trials,
                settings.seed,
                self.costs.trial_seconds,
                self._affordable,
                self._seconds_left,
            )
        )
        _keep_in_memory(oracle)
        skipped = 0
        while not self._stopped() and skipped < SKIPS and not self._is_hopeless():
            trial = oracle.create_trial("driver")
            if trial.status != "RUNNING":
                break
            values = dict(trial.hyperparameters.values)
            if self._affordable(values):
                skipped = 0
                self._run_trial(oracle, trial, values)
            else:
                skipped += 1
                if oracle.max_trials:
                    oracle.max_trials += 1  # it was drawn, but is none of the user's
                trial.status = "FAILED"
                oracle.end_trial(trial)
        self._require_a_model()

    def checkpoint(self, trial: str) -> Path:
        """Returns the folder that keeps what a trial has trained, while it is the best."""
        return self._journal.folder / CHECKPOINTS / trial

    def refit_fits(self, values: Mapping[str, Any]) -> bool:
        """Says whether there is time to train a configuration on all images."""
        if self._settings.budget is None:
            return True
        needed = self.costs.refit_seconds(values)
        needed += self.costs.finish_seconds(values, len(self.prepared.test))
        return needed <= self._settings.budget - (time.time() - self._settings.began)

    def training_data(
        self, side: int, stopped: Callable[[], bool] = lambda: False
    ) -> dict[str, Any]:
        """Returns what a worker needs to train at `side`×`side` pixels.

        Raises:
            TrialCancelledError: If the search was stopped while images had to be decoded.
        """
        prepared, begun = self.prepared, time.monotonic()
        total = len(prepared.images)

        def progress(done: int) -> None:
            if stopped():
                raise TrialCancelledError("expected to end by itself, found that it was stopped.")
            self._journal.show({"event": "decoding", "done": done, "total": total})

        pixels = prepared.pixels(side, progress)
        self.costs.learn_decoding(side, time.monotonic() - begun)
        return describe_training_data(
            self._journal.folder,
            pixels,
            len(prepared.images.labels),
            self._cache,
            self._settings.seed,
        )

    def _run_trial(self, oracle: Any, trial: Any, values: dict[str, Any]) -> None:
        name, begun = str(trial.trial_id), time.monotonic()
        stage = "fine-tune" if float(values["unfreeze"]) > 0 else "frozen"
        self._journal.record("trial_started", trial=name, stage=stage, hyperparameters=values)
        try:
            data = self.training_data(int(values["resolution"]), self._stopped)
            left = self._seconds_left(values)
            # The first trial is begun whatever is left, and deserves a chance to end.
            seconds = None if left == float("inf") else max(left, FIRST_SECONDS)
            command = {
                "do": "judge",
                "params": values,
                "data": data,
                "seconds": seconds,
                "checkpoint": str(self.checkpoint(name)),
            }
            answer = self.worker.call(
                command, lambda event: self._show(name, event), self._stopped, seconds
            )
        except (TrialError, WorkspaceError) as error:
            ended = isinstance(error, (TrialCancelledError, TrialDeadlineError))
            status = "stopped" if ended else "failed"
            trial.status, trial.message = "FAILED", str(error)
            self._finish_trial(
                name, begun, status=status, score=None, spread=None, error=str(error)
            )
        else:
            result = TrialResult(**{k: v for k, v in answer.items() if k != "event"})
            self.costs.learn(values, result)
            oracle.update_trial(trial.trial_id, {OBJECTIVE: result.score})
            trial.status = "COMPLETED"
            self._finish_trial(
                name,
                begun,
                status="completed",
                hyperparameters=result.params,
                score=result.score,
                spread=result.spread if result.folds > 1 else None,
                accuracy=result.accuracy,
                log_loss=result.log_loss,
                temperature=result.temperature,
                folds=result.folds,
                fold_seconds=result.fold_seconds,
                cost_gmacs=self.costs.gmacs(values),
                error=None,
            )
        oracle.end_trial(trial)
        self._drop_checkpoints()

    def _drop_checkpoints(self) -> None:
        """Removes all checkpoints but the best trial's."""
        best = self._journal.state.leaderboard[0]["trial"]
        for folder in self.checkpoint(best).parent.glob("*"):
            if folder.name != best:
                shutil.rmtree(folder, ignore_errors=True)

    def _finish_trial(self, name: str, begun: float, **fields: Any) -> None:
        seconds = round(time.monotonic() - begun, 3)
        self._journal.record("trial_finished", trial=name, seconds=seconds, **fields)

    def _affordable(self, values: Mapping[str, Any]) -> bool:
        """Says whether a trial fits; the first one is begun in any case."""
        if not self._journal.state.trials:
            return True
        return self.costs.trial_seconds(values) <= self._seconds_left(values)

    def _seconds_left(self, values: Mapping[str, Any]) -> float:
        """Returns seconds for trials, with room for the last fit of this one or of the best."""
        if self._settings.budget is None:
            return float("inf")
        elapsed = time.time() - self._settings.began
        best = next(iter(self._journal.state.leaderboard), None)
        possible = [values]
        if best is not None and best["score"] is not None:
            possible.append(dict(best["hyperparameters"]))
        reserve = max(
            self._refit_seconds(winner) + self.costs.finish_seconds(winner, len(self.prepared.test))
            for winner in possible
        )
        return self._settings.budget - elapsed - reserve

    def _refit_seconds(self, values: Mapping[str, Any]) -> float:
        """Returns what is set aside to train the winner on all images.

        A trained network has a checkpoint, so that a refit is a luxury, where a frozen one's
        head is all that is fitted and nothing is kept.
        """
        seconds = self.costs.refit_seconds(values)
        dear = seconds > REFIT_SHARE * (self._settings.budget or float("inf"))
        return 0.0 if dear and float(values["unfreeze"]) > 0 else seconds

    def _require_a_model(self) -> None:
        rows = self._journal.state.leaderboard
        if rows and rows[0]["score"] is not None:
            return
        if self._stopped():
            raise SearchInterrupted(
                "expected at least one finished trial, found that the search was stopped before; "
                "nothing was kept, start it again."
            )
        reason = next((row.get("error") for row in rows if row.get("error")), "none was begun")
        raise SearchError(f"expected a trial to succeed, found that none did: {reason}")

    def _is_hopeless(self) -> bool:
        """Says whether so many trials have failed, and none succeeded, that no other will."""
        rows = self._journal.state.leaderboard
        return len(rows) >= FAILURES and rows[0]["score"] is None

    def _show(self, trial: str, event: dict[str, Any]) -> None:
        if event["event"] == "epoch":
            self._journal.record("epoch", trial=trial, epoch=event["epoch"], logs=event["logs"])
        elif event["event"] == "images":
            self._journal.show(event)

    def _show_decoding(self, done: int, total: int) -> None:
        if self._stopped():
            raise SearchInterrupted(
                "expected to read all images first, found that the search was stopped before; "
                "nothing was kept, start it again."
            )
        self._journal.show({"event": "decoding", "done": done, "total": total})


def _keep_in_memory(oracle: keras_tuner.Oracle) -> None:
    """Keeps Keras Tuner from writing files of its own, printing, and giving up on failures.

    The event log is the truth; the oracle's state can be made again from it.
    """
    oracle.save = lambda: None
    oracle._save_trial = lambda trial: None
    oracle.verbose = 0
    oracle.max_consecutive_failed_trials = 10**9
