"""Writes down what happens in a run, and tells whoever wants to know."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from automl.components import Watch
from automl.files import write_json
from automl.plugins import plugin_manager
from automl.tuning.events import EventLog, RunState, read_events

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
        past: The events that others have logged before; none of a new run.
    """

    def __init__(
        self,
        folder: Path,
        began: float,
        progress: Progress,
        watches: Mapping[str, Watch] | None = None,
    ) -> None:
        """Opens the log, of a new run or of one to go on with.

        Args:
            folder: The run's folder, made where there is none.
            began: When the run began, as `time.time` gives it; later by as much as it rested.
            progress: Shows what happens.
            watches: Of this run, by observers' names.

        Raises:
            SearchError: If another process works on the run.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.state = folder, RunState()
        self._log, self._progress = EventLog(folder, began), progress
        self.past = list(read_events(folder))
        for event in self.past:
            self.state.apply(event)
        self._watches, self._broken = dict(watches or {}), set[str]()

    def record(self, event: str, **fields: Any) -> dict[str, Any]:
        """Logs an event for good, then shows it, and returns it as it was written."""
        written = self._log.append(event, **fields)
        self.state.apply(written)
        if event != "epoch":
            write_json(self.folder / RECORD, self._content())
        self._progress.update(written, self.state)
        if event in ("run_started", "run_resumed"):
            self._tell("run_started")
        elif event == "epoch":
            self._tell("epoch_finished", **fields)
        elif event == "trial_finished":
            self._tell("trial_finished", trial=self.state.trials[fields["trial"]])
        elif event == "run_finished":
            self._tell("run_finished")
        return written

    def show(self, event: dict[str, Any]) -> None:
        """Shows an event that is not worth logging."""
        self._progress.update(event, self.state)

    def close(self) -> None:
        """Ends the display and the log."""
        self._progress.close()
        self._log.close()

    def _content(self) -> dict[str, Any]:
        return {**self.state.record, **self.state.details}

    def _tell(self, moment: str, **arguments: Any) -> None:
        """Tells plugins and observers; one that fails is reported once, and told no more."""
        listeners = {f"hook automl_{moment}": getattr(plugin_manager().hook, f"automl_{moment}")}
        for name, watch in self._watches.items():
            listeners[f"observer {name!r}"] = getattr(watch, moment)
        for name, listener in listeners.items():
            if name in self._broken:
                continue
            try:
                listener(run=self._content(), **arguments)
            except Exception as error:
                self._broken.add(name)
                reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
                logger.warning(
                    "expected %s to take what happens, found %s; it is told no more.", name, reason
                )
