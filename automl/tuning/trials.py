"""The trials of a search, one at a time on each worker."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from automl.errors import SearchError, SearchInterrupted, TrialError, WorkspaceError
from automl.training.composition import network_of
from automl.training.doubts import Doubts
from automl.training.judging import TrialResult
from automl.training.limits import TrialCancelledError, TrialDeadlineError
from automl.tuning.doubted import doubts_record
from automl.tuning.driver import Driver
from automl.tuning.journal import Journal
from automl.tuning.settings import SearchSettings
from automl.tuning.worker_process import WorkerProcess

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


class Trials:
    """Runs trials until the strategy, the budget or the user ends the search."""

    def __init__(
        self,
        driver: Driver,
        settings: SearchSettings,
        journal: Journal,
        interrupted: Callable[[], bool],
    ) -> None:
        self._driver, self._settings, self._journal = driver, settings, journal
        self._interrupted, self._broken = interrupted, False
        # What was under way when the run broke off.
        self._left = list(driver.decisions.running.items())

    def run(self) -> None:
        """Runs the trials.

        Raises:
            SearchInterrupted: If the user stopped it before a trial had ended.
            SearchError: If every trial failed.
        """
        workers = self._driver.workers
        with ThreadPoolExecutor(len(workers), thread_name_prefix="worker") as pool:
            for ended in wait([pool.submit(self._keep_busy, each) for each in workers]).done:
                ended.result()
        self._require_a_model()
        self._driver.gather()

    def _keep_busy(self, worker: WorkerProcess) -> None:
        """Has a worker do one trial after another, as long as there are any."""
        try:
            while (trial := self._next()) is not None:
                self._run_trial(worker, *trial)
        except BaseException:
            with self._driver.turn:
                self._broken = True  # what the others do is of no use any more
                self._driver.turn.notify_all()
            raise

    def _next(self) -> tuple[str, dict[str, Any]] | None:
        """Returns the next trial, waiting for others to end where it follows from them."""
        driver = self._driver
        with driver.turn:
            while not self._stopped() and not self._is_hopeless():
                if self._left:
                    return self._left.pop(0)
                decided = driver.elapsed()
                proposed = driver.decisions.propose(decided)
                if proposed is not None:
                    name, values = proposed
                    stage = "fine-tune" if float(values["unfreeze"]) > 0 else "frozen"
                    driver.log(
                        "trial_started",
                        trial=name,
                        stage=stage,
                        hyperparameters=values,
                        decided=decided,
                    )
                    return proposed
                if not driver.decisions.running:
                    return None
                driver.log("waited", decided=decided)
                driver.turn.wait()
        return None

    def _run_trial(self, worker: WorkerProcess, name: str, values: dict[str, Any]) -> None:
        driver = self._driver
        progress = driver.progress(name)
        try:
            self._require_fit(worker, values)
            data = driver.training_data(values, self._stopped)
            seconds = self._seconds_for(values)
            command = {
                "do": "judge",
                "params": values,
                "data": data,
                "seconds": seconds,
                "checkpoint": str(driver.checkpoint(name)),
                "progress": str(progress),
                "reported": self._journal.state.epochs(name),
                "doubting": self._asks_for_doubts(values),
            }
            answer = worker.call(
                command, lambda event: self._show(name, event), self._stopped, seconds
            )
        except (TrialError, WorkspaceError) as error:
            if isinstance(error, TrialCancelledError) and not self._has_model():
                with driver.turn:  # it stays open, for whoever goes on with the run
                    driver.turn.notify_all()
                return
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
                cost_gmacs=driver.costs.gmacs(values),
                error=None,
                **self._measurements(values),
            )
            self._tell_if_cut_short(name, values, result.params)
            if result.doubts:
                self._tell_doubts(result.doubts)
        shutil.rmtree(progress, ignore_errors=True)
        self._drop_checkpoints()

    def _require_fit(self, worker: WorkerProcess, values: Mapping[str, Any]) -> None:
        """Measures the network, if it has to be, and was not.

        Raises:
            UnfitError: If it is slower or larger than it may be.
        """
        driver = self._driver
        if not self._settings.limited:
            return
        if driver.decisions.measured(values) is None:
            command = {
                "do": "measure",
                "params": values,
                "classes": len(driver.prepared.images.labels),
            }
            with driver.exporter(worker) as exporter:
                found = exporter.call(
                    command, lambda event: None, self._stopped, self._seconds_for(values)
                )
            measured = {name: found[name] for name in MEASURED}
            driver.log("measured", **network_of(values), **measured)
        unfit = driver.decisions.unfit(values)
        if unfit:
            raise UnfitError(unfit)

    def _measurements(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found = self._driver.decisions.measured(values) or {}
        return {name: found[name] for name in MEASURED if name in found}

    def _seconds_for(self, values: Mapping[str, Any]) -> float:
        """Returns how long a trial may take: what is left, unless it must be hanging by then."""
        driver, budget = self._driver, self._settings.budget
        with driver.turn:
            left = driver.decisions.seconds_left(values, driver.elapsed())
            least = LEAST_SECONDS if budget is None else LEAST_SHARE * budget
            patience = max(PATIENCE * driver.costs.trial_seconds(values), least)
        # The first trial is begun whatever is left, and deserves a chance to end.
        return max(min(left, patience), FIRST_SECONDS)

    def _drop_checkpoints(self) -> None:
        """Removes all checkpoints but the best trial's, and those of trials under way."""
        with self._driver.turn:
            kept = {self._journal.state.leaderboard[0]["trial"], *self._driver.decisions.running}
            for folder in self._driver.checkpoints.glob("*"):
                if folder.name not in kept:
                    shutil.rmtree(folder, ignore_errors=True)

    def _finish_trial(self, name: str, **fields: Any) -> None:
        driver = self._driver
        with driver.turn:
            begun = self._journal.state.trials[name]["decided"]
            seconds = round(driver.elapsed() - begun, 3)
            driver.log("trial_finished", trial=name, seconds=seconds, **fields)
            driver.turn.notify_all()

    def _tell_if_cut_short(
        self, name: str, asked: Mapping[str, Any], done: Mapping[str, Any]
    ) -> None:
        """Says that a trial has not been trained for as long as the user wants trials to be."""
        if "epochs" not in self._settings.pins or done.get("epochs") == asked.get("epochs"):
            return
        with self._driver.turn:
            self._driver.log(
                "note",
                text=f"Trial {int(name) + 1} was trained for {done['epochs']} of "
                f"{asked['epochs']} epochs, as more would not have ended within the budget.",
            )

    def _asks_for_doubts(self, values: Mapping[str, Any]) -> bool:
        """Says whether a trial is the first that has all images before a network as it came."""
        first = not self._journal.state.record["doubts"]
        return first and float(values["unfreeze"]) == 0 and float(values["share"]) == 1

    def _tell_doubts(self, found: Doubts) -> None:
        with self._driver.turn:
            self._driver.log("doubted", doubts=doubts_record(found, self._driver.prepared))

    def _stopped(self) -> bool:
        return self._broken or self._interrupted()

    def _has_model(self) -> bool:
        rows = self._journal.state.leaderboard
        return bool(rows) and rows[0]["score"] is not None

    def _require_a_model(self) -> None:
        if self._has_model():
            return
        rows = self._journal.state.leaderboard
        if self._interrupted():
            raise SearchInterrupted(
                "expected at least one finished trial, found that the search was stopped before; "
                "no model was kept, go on with `automl search --resume "
                f"{self._journal.state.record['run']}` or start it again."
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
            logged = {name: event[name] for name in ("epoch", "logs")}
            self._driver.log("epoch", trial=trial, **logged)
        elif event["event"] == "images":
            self._driver.show(event)
