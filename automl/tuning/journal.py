"""Writes down what happens in a run, and tells whoever wants to know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from automl.files import write_json
from automl.plugins import plugin_manager
from automl.tuning.events import EventLog, RunState

logger = logging.getLogger(__name__)

RECORD = "run.json"


class Progress(Protocol):
    """Shows a search to the user while it runs."""

    def update(self, event: dict[str, Any], state: RunState) -> None:
        """Takes an event: one of the log's, or `decoding` or `images` with `done`, `total`."""

    def close(self) -> None:
        """Ends the display."""


class Silence:
    """Shows nothing."""

    def update(self, event: dict[str, Any], state: RunState) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class Journal:
    """A run's folder while the run goes on.

    Attributes:
        folder: The run's folder.
        state: What has happened so far.
    """

    def __init__(self, folder: Path, began: float, progress: Progress) -> None:
        folder.mkdir(parents=True)
        self.folder, self.state = folder, RunState()
        self._log, self._progress = EventLog(folder, began), progress
        self._broken: set[str] = set()

    def record(self, event: str, **fields: Any) -> None:
        """Logs an event for good, then shows it."""
        written = self._log.append(event, **fields)
        self.state.apply(written)
        if event != "epoch":
            write_json(self.folder / RECORD, {**self.state.record, **self.state.details})
        self._progress.update(written, self.state)
        self._tell(event, fields)

    def show(self, event: dict[str, Any]) -> None:
        """Shows an event that is not worth logging."""
        self._progress.update(event, self.state)

    def close(self) -> None:
        """Ends the display and closes the log."""
        self._progress.close()
        self._log.close()

    def _tell(self, event: str, fields: dict[str, Any]) -> None:
        hook, run = plugin_manager().hook, self.state.record
        if event == "run_started":
            self._call("automl_run_started", lambda: hook.automl_run_started(run=run))
        elif event == "epoch":
            trial, epoch, logs = fields["trial"], fields["epoch"], fields["logs"]
            self._call(
                "automl_epoch_finished",
                lambda: hook.automl_epoch_finished(run=run, trial=trial, epoch=epoch, logs=logs),
            )
        elif event == "trial_finished":
            row = self.state.trials[fields["trial"]]
            self._call(
                "automl_trial_finished", lambda: hook.automl_trial_finished(run=run, trial=row)
            )
        elif event == "run_finished":
            self._call("automl_run_finished", lambda: hook.automl_run_finished(run=run))

    def _call(self, name: str, call: Callable[[], Any]) -> None:
        """Calls observers; one that fails is reported once and never stops the search."""
        try:
            call()
        except Exception as error:
            if name not in self._broken:
                self._broken.add(name)
                logger.warning("an observer failed in %s: %s", name, error)
