"""Drives a search: prepares the images, and runs one trial after another."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from automl.cache import Cache
from automl.data.dataset import Dataset
from automl.errors import SearchError, SearchInterrupted, TrialError, WorkspaceError
from automl.plugins import plugin_manager
from automl.training.limits import TrialCancelledError, TrialDeadlineError
from automl.training.trial import TrialResult, folds_to_train
from automl.tuning.candidates import find_candidates
from automl.tuning.costs import CostModel
from automl.tuning.decisions import Decisions
from automl.tuning.dimensions import describe_dimensions
from automl.tuning.journal import Journal
from automl.tuning.preparation import Prepared, prepare, typical_side
from automl.tuning.run_data import describe_training_data, save_split
from automl.tuning.scratch import CHECKPOINTS, PROGRESS
from automl.tuning.settings import SearchSettings
from automl.tuning.space import build_space
from automl.tuning.worker_process import WorkerProcess

EXPORT_BACKEND = "tensorflow"

MEASURED = ("latency_ms", "size_mb")

FIRST_SECONDS = 5.0
"""The least time that a trial is given."""

PATIENCE = 10.0
"""How many times the seconds predicted for it a trial may take before it counts as hanging."""

LEAST_SHARE = 0.2
"""The share of the budget that it may take in any case, as predictions begin as guesses."""

LEAST_SECONDS = 600.0
"""The same where there is no budget."""

FAILURES = 8
"""Failed trials without a single success, after which the search is over."""


class UnfitError(TrialError):
    """A network is slower or larger than it may be."""


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
        resolution = int(self._space.values["resolution"])
        self.prepared = prepare(
            dataset, test, resolution, settings.seed, self._cache, self._show_decoding
        )
        prepared, folds = self.prepared, self.prepared.folds
        self.costs = CostModel(
            self._manager,
            len(prepared.train),
            len(folds),
            folds_to_train(folds),
            settings.limited,
        )
        self._decisions = Decisions(
            self._manager.strategies[settings.strategy],
            settings,
            self._space,
            self.costs,
            len(prepared.test),
        )
        if self._journal.state.record["fingerprint"]:
            self._go_on()
            return
        save_split(
            self._journal.folder,
            prepared.train,
            prepared.images.y[prepared.train],
            prepared.test,
            folds,
        )
        self._learn_decoding(resolution, begun)
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
        for name, values in dict(self._decisions.running).items():
            self._run_trial(name, values)  # it was under way when the run broke off
        while not self._stopped() and not self._is_hopeless():
            decided = self._elapsed()
            proposed = self._decisions.propose(decided)
            if proposed is None:
                break
            name, values = proposed
            stage = "fine-tune" if float(values["unfreeze"]) > 0 else "frozen"
            self._journal.record(
                "trial_started", trial=name, stage=stage, hyperparameters=values, decided=decided
            )
            self._run_trial(name, values)
        self._require_a_model()

    def checkpoint(self, trial: str) -> Path:
        """Returns the folder that keeps what a trial has trained, while it is the best."""
        return self._journal.folder / CHECKPOINTS / trial

    def progress(self, training: str) -> Path:
        """Returns the folder that keeps how far a training has come, until it ends."""
        return self._journal.folder / PROGRESS / training

    def refit_fits(self, values: Mapping[str, Any]) -> bool:
        """Says whether there is time to train a configuration on all images."""
        if self._settings.budget is None:
            return True
        needed = self.costs.refit_seconds(values)
        needed += self.costs.finish_seconds(values, len(self.prepared.test))
        return needed <= self._settings.budget - self._elapsed()

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
        self._learn_decoding(side, begun)
        return describe_training_data(
            self._journal.folder,
            pixels,
            len(prepared.images.labels),
            self._cache,
            self._settings.seed,
        )

    def _go_on(self) -> None:
        """Takes up what an earlier process has logged.

        Raises:
            SearchError: If the images are not the ones that it worked on.
        """
        if self.prepared.fingerprint != self._journal.state.record["fingerprint"]:
            raise SearchError(
                "expected the images that the run began with, found that some have changed since; "
                "start a new search."
            )
        for event in self._journal.past:
            self._decisions.replay(event)

    def _elapsed(self) -> float:
        """Returns seconds since the run began, without those that it rested."""
        return round(time.time() - self._settings.began, 3)

    def _learn_decoding(self, side: int, begun: float) -> None:
        """Logs what decoding took; only the first time at a resolution tells anything."""
        if not self.costs.knows_decoding(side):
            seconds = round(time.monotonic() - begun, 3)
            self._decisions.learn(self._journal.record("decoded", resolution=side, seconds=seconds))

    def _run_trial(self, name: str, values: dict[str, Any]) -> None:
        progress = self.progress(name)
        try:
            self._require_fit(values)
            data = self.training_data(int(values["resolution"]), self._stopped)
            seconds = self._seconds_for(values)
            command = {
                "do": "judge",
                "params": values,
                "data": data,
                "seconds": seconds,
                "checkpoint": str(self.checkpoint(name)),
                "progress": str(progress),
            }
            answer = self.worker.call(
                command, lambda event: self._show(name, event), self._stopped, seconds
            )
        except (TrialError, WorkspaceError) as error:
            ended = isinstance(error, (TrialCancelledError, TrialDeadlineError))
            status = "stopped" if ended else "failed"
            if isinstance(error, UnfitError):
                status = "unfit"
            self._finish_trial(
                name,
                status=status,
                score=None,
                spread=None,
                error=str(error),
                **self._measurements(values),
            )
        else:
            result = TrialResult(**{k: v for k, v in answer.items() if k != "event"})
            self._finish_trial(
                name,
                status="completed",
                hyperparameters=result.params,
                score=result.score,
                spread=result.spread if result.folds > 1 else None,
                accuracy=result.accuracy,
                log_loss=result.log_loss,
                temperature=result.temperature,
                folds=result.folds,
                features_seconds=result.features_seconds,
                preparing_seconds=result.preparing_seconds,
                fold_seconds=result.fold_seconds,
                cost_gmacs=self.costs.gmacs(values),
                error=None,
                **self._measurements(values),
            )
        shutil.rmtree(progress, ignore_errors=True)
        self._drop_checkpoints()

    def _require_fit(self, values: Mapping[str, Any]) -> None:
        """Measures the network, if it has to be, and was not.

        Raises:
            UnfitError: If it is slower or larger than it may be.
        """
        if not self._settings.limited:
            return
        if self._decisions.measured(values) is None:
            network = {name: values[name] for name in ("backbone", "depth", "resolution")}
            weights = values.get("weights", "random")
            command = {
                "do": "measure",
                "network": {
                    **network,
                    "classes": len(self.prepared.images.labels),
                    "weights": None if weights == "random" else weights,
                },
            }
            with self.exporter() as worker:
                found = worker.call(
                    command, lambda event: None, self._stopped, self._seconds_for(values)
                )
            measured = {name: found[name] for name in MEASURED}
            self._decisions.learn(self._journal.record("measured", **network, **measured))
        unfit = self._decisions.unfit(values)
        if unfit:
            raise UnfitError(unfit)

    @contextlib.contextmanager
    def exporter(self) -> Iterator[WorkerProcess]:
        """Gives a worker that can export, which takes the TensorFlow backend."""
        if self.worker.backend == EXPORT_BACKEND:
            yield self.worker
            return
        compute = self._manager.compute[self._settings.compute]
        worker = WorkerProcess(compute, self._journal.folder / "export.log", EXPORT_BACKEND)
        try:
            yield worker
        finally:
            worker.close()

    def _measurements(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found = self._decisions.measured(values) or {}
        return {name: found[name] for name in MEASURED if name in found}

    def _seconds_for(self, values: Mapping[str, Any]) -> float:
        """Returns how long a trial may take: what is left, unless it must be hanging by then."""
        budget = self._settings.budget
        left = self._decisions.seconds_left(values, self._elapsed())
        least = LEAST_SECONDS if budget is None else LEAST_SHARE * budget
        patience = max(PATIENCE * self.costs.trial_seconds(values), least)
        # The first trial is begun whatever is left, and deserves a chance to end.
        return max(min(left, patience), FIRST_SECONDS)

    def _drop_checkpoints(self) -> None:
        """Removes all checkpoints but the best trial's."""
        best = self._journal.state.leaderboard[0]["trial"]
        for folder in self.checkpoint(best).parent.glob("*"):
            if folder.name != best:
                shutil.rmtree(folder, ignore_errors=True)

    def _finish_trial(self, name: str, **fields: Any) -> None:
        begun = self._journal.state.trials[name]["decided"]
        seconds = round(self._elapsed() - begun, 3)
        self._decisions.learn(
            self._journal.record("trial_finished", trial=name, seconds=seconds, **fields)
        )

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
        tried = sum(row["status"] != "unfit" for row in rows)
        return tried >= FAILURES and rows[0]["score"] is None

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
