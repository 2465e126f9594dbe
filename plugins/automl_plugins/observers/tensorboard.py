"""Curves and the HParams page for TensorBoard, in the run's own folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.components import Observer, Watch

if TYPE_CHECKING:
    from automl_plugins.observers.event_file import EventFile

FOLDER = "tensorboard"

METRICS = {
    "score": "class-averaged accuracy",
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "seconds": "seconds",
}
"""Columns of the leaderboard that become a trial's final scalars."""


class TensorBoard(Observer):
    """Writes event files: see them with `tensorboard --logdir RUN_FOLDER/tensorboard`."""

    name = "tensorboard"

    def watch(self, folder: Path, workspace: Path) -> Watch:
        """Returns what writes `folder`/tensorboard, a folder a trial."""
        return _Files(folder / FOLDER)


class _Files(Watch):
    """The event files of one run: `epoch/*` and `trial/*` scalars, and sessions of HParams."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, EventFile] = {}
        self._has_experiment = False

    def epoch_finished(
        self, run: Mapping[str, Any], trial: str, epoch: int, logs: Mapping[str, float]
    ) -> None:
        values = {f"epoch/{name}": value for name, value in logs.items()}
        self._file(run, trial).scalars(values, epoch)

    def trial_finished(self, run: Mapping[str, Any], trial: Mapping[str, Any]) -> None:
        from automl_plugins.observers.hparams import session_end, session_start

        file = self._file(run, trial["trial"])
        file.summary(session_start(trial))
        final = {f"trial/{name}": trial.get(name) for name in METRICS}
        file.scalars({tag: value for tag, value in final.items() if value is not None}, 0)
        file.summary(session_end(trial))
        self._open.pop(trial["trial"]).close()

    def run_finished(self, run: Mapping[str, Any]) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _file(self, run: Mapping[str, Any], trial: str) -> EventFile:
        """Returns a trial's file; the first one comes after the description of the search."""
        from automl_plugins.observers.event_file import EventFile
        from automl_plugins.observers.hparams import experiment

        if not self._has_experiment:
            names = {f"trial/{name}": words for name, words in METRICS.items()}
            file = EventFile(self._folder)
            file.summary(experiment(run["dimensions"], names))
            file.close()
            self._has_experiment = True
        if trial not in self._open:
            self._open[trial] = EventFile(self._folder / trial)
        return self._open[trial]
