"""Finishes a run: the winner in full, its export and proof, the evaluation, the report."""

from __future__ import annotations

import datetime
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.errors import SearchError, SearchInterrupted, TrialError
from automl.evaluation.metrics import Evaluation
from automl.evaluation.reference import reference
from automl.export.exporting import PREDICTIONS
from automl.images import GEOMETRY
from automl.manifest import Manifest
from automl.records import TrialRecord
from automl.registry import Model, list_models, register, staging
from automl.tuning.backends import EXPORT_BACKEND, is_installed
from automl.tuning.driver import Driver
from automl.tuning.journal import Journal
from automl.tuning.run import EVALUATION, REPORT
from automl.tuning.scratch import CHECKPOINTS, WINNER, remove_scratch
from automl.tuning.settings import SearchSettings
from automl.tuning.worker_process import WorkerProcess
from automl.workspace import Workspace

logger = logging.getLogger(__name__)

PROOF_IMAGES = 32
"""Real images that an export is proved on."""


class Finishing:
    """The last part of a search, on what the driver has prepared and found."""

    def __init__(
        self,
        driver: Driver,
        settings: SearchSettings,
        workspace: Workspace,
        journal: Journal,
        interrupted: Callable[[], bool],
    ) -> None:
        self._driver, self._settings = driver, settings
        self._workspace, self._journal, self._interrupted = workspace, journal, interrupted

    def run(self) -> None:
        """Fits, exports, evaluates, registers and reports the best trial's configuration."""
        journal = self._journal
        if journal.state.record["winner"] is None:
            journal.record("finalizing", winner=journal.state.leaderboard[0]["trial"])
        winner = journal.state.record["winner"]
        assert winner is not None
        model, evaluation = self._registered() or self._make(journal.state.trials[winner])
        remove_scratch(journal.folder)  # the SavedModel holds the weights now
        journal.record(
            "registered",
            model={"name": model.name, "version": model.version, "path": str(model.path)},
            parity=model.manifest.parity,
            metrics=_metrics(evaluation),
        )
        self._report(evaluation)
        journal.record("run_finished", state="completed")

    def _registered(self) -> tuple[Model, Evaluation] | None:
        """Returns what this run has registered before it was cut off, if it came so far."""
        path = self._journal.folder / EVALUATION
        for model in list_models(self._workspace) if path.is_file() else []:
            if model.manifest.run == self._journal.state.record["run"]:
                return model, Evaluation.load(path)
        return None

    def _make(self, winner: TrialRecord) -> tuple[Model, Evaluation]:
        self._require_tensorflow()
        folder = self._journal.folder / WINNER
        data = self._driver.training_data(winner["hyperparameters"], held_out=True)
        reference = self._reference_rows()
        self._refit(winner, self._checkpoint(winner), folder, data, reference)
        # No second copy.
        shutil.rmtree(self._journal.folder / CHECKPOINTS, ignore_errors=True)
        owner = self._journal.state.record["run"]
        with staging(self._workspace, self._settings.name, owner) as staged:
            parity = self._export(folder, staged, data, reference)
            evaluation = self._evaluate(folder)
            self._manifest(winner, evaluation, parity).write(staged)
            return register(self._workspace, self._settings.name, staged), evaluation

    def _require_tensorflow(self) -> None:
        """Checks that the winner can be exported, before it is trained for that."""
        if not is_installed(EXPORT_BACKEND):
            raise SearchError(
                f"expected {EXPORT_BACKEND}, which exporting the winner needs, found that it is "
                f"not installed; `pip install {EXPORT_BACKEND}`, then `automl search --resume "
                f"{self._journal.state.record['run']}`."
            )

    def _reference_rows(self) -> list[int]:
        train = self._driver.prepared.train
        step = max(1, len(train) // PROOF_IMAGES)
        return [int(row) for row in train[::step][:PROOF_IMAGES]]

    def _checkpoint(self, winner: TrialRecord) -> Path | None:
        """Returns what the winner's trial trained, if there is no time to train on all images."""
        checkpoint = self._driver.checkpoint(winner["trial"])
        if not checkpoint.is_dir() or self._driver.refit_fits(winner["hyperparameters"]):
            return None
        self._journal.record(
            "note",
            text="The winner is as its trial left it, trained without that trial's validation "
            "images: training it on all of them would not have ended within the budget.",
        )
        return checkpoint

    def _refit(
        self,
        winner: TrialRecord,
        checkpoint: Path | None,
        folder: Path,
        data: dict[str, Any],
        reference: list[int],
    ) -> None:
        command = {
            "do": "refit",
            "params": winner["hyperparameters"],
            "data": data,
            "temperature": winner["temperature"],
            "checkpoint": None if checkpoint is None else str(checkpoint),
            "folder": str(folder),
            "progress": str(self._driver.progress(WINNER)),
            "reference_rows": reference,
        }
        self._call(self._driver.worker, command)

    def _export(
        self, folder: Path, staged: Path, data: dict[str, Any], reference: list[int]
    ) -> dict[str, Any]:
        prepared = self._driver.prepared
        paths = prepared.images.paths
        command = {
            "do": "export",
            "folder": str(folder),
            "staged": str(staged),
            "pixels": data["pixels"],
            "originals": {str(row): paths[row] for row in reference},
            "test_rows": [int(row) for row in prepared.test],
        }
        with self._driver.exporter(self._driver.worker) as worker:
            parity = self._call(worker, command)["parity"]
        assert isinstance(parity, dict)
        return parity

    def _call(self, worker: WorkerProcess, command: dict[str, Any]) -> dict[str, Any]:
        try:
            return worker.call(command, lambda event: None, self._interrupted)
        except TrialError as error:
            if self._interrupted():
                raise SearchInterrupted(
                    "expected to export the best model, found that the search was stopped again; "
                    "no model was kept."
                ) from error
            raise SearchError(str(error)) from error

    def _evaluate(self, folder: Path) -> Evaluation:
        prepared = self._driver.prepared
        held_out = prepared.images.select(prepared.test)
        probabilities = np.load(folder / PREDICTIONS)
        evaluation = Evaluation.from_predictions(
            prepared.images.labels, held_out.y, probabilities, held_out.paths
        )
        path = self._journal.folder / EVALUATION
        try:
            evaluation.save(path)
        except OSError as error:  # the model is worth more
            logger.warning("the evaluation could not be written to %s: %s.", path, error)
        return evaluation

    def _manifest(
        self, winner: TrialRecord, evaluation: Evaluation, parity: dict[str, Any]
    ) -> Manifest:
        record, side = self._journal.state.record, int(winner["hyperparameters"]["resolution"])
        validation = {name: winner.get(name) for name in ("score", "spread", "accuracy")}
        return Manifest(
            name=self._settings.name,
            version=0,
            labels=tuple(record["labels"]),
            height=side,
            width=side,
            geometry=GEOMETRY,
            temperature=winner["temperature"],
            hyperparameters=winner["hyperparameters"],
            metrics={**_metrics(evaluation), "validation": validation},
            data={
                "fingerprint": record["fingerprint"],
                "images": len(self._driver.prepared.train),
                "classes": record["counts"]["train"],
            },
            parity=parity,
            versions=record["versions"],
            run=record["run"],
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            reference=reference(evaluation.labels, evaluation.probabilities),
        )

    def _report(self, evaluation: Evaluation) -> None:
        """Writes the report; the model is registered by now, whatever becomes of that."""
        from automl.evaluation.report import write_report

        state, path = self._journal.state, self._journal.folder / REPORT
        try:
            write_report(path, state.record, state.leaderboard, evaluation)
        except OSError as error:
            logger.warning("the report could not be written to %s: %s.", path, error)


def _metrics(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "accuracy": evaluation.accuracy,
        "balanced_accuracy": evaluation.balanced_accuracy,
        "test_images": evaluation.test_images,
    }
