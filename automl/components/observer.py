"""Who watches searches, where a user asks for it."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Watch:
    """What an observer does in one run; a method that is not overridden does nothing.

    All are called in the process that drives the search, one after another, and hold it up while
    they last. One that raises is reported, and its watch is told no more; the search goes on.
    `run` is always what run.json holds at that moment.
    """

    def run_started(self, run: Mapping[str, Any]) -> None:
        """A run has begun; its folder is there."""

    def epoch_finished(
        self, run: Mapping[str, Any], trial: str, epoch: int, logs: Mapping[str, float]
    ) -> None:
        """A trial has finished an epoch (from 0); `logs` are Keras' own names and values.

        With several folds it is the first one's training that is told of. Heads that are fitted
        and not trained by gradient descent have no epochs.
        """

    def trial_finished(self, run: Mapping[str, Any], trial: Mapping[str, Any]) -> None:
        """A trial has ended, well or badly; see `automl.records.TrialRecord`."""

    def run_finished(self, run: Mapping[str, Any]) -> None:
        """A run has ended, well or badly; if well, its model and its report are there."""


class Observer(abc.ABC):
    """Watches the searches that name it, as in `automl search IMAGES --observe NAME`."""

    name: str

    @abc.abstractmethod
    def watch(self, folder: Path, workspace: Path) -> Watch:
        """Returns what watches one run; nothing is written before `run_started`.

        Args:
            folder: The run's folder, to be made yet.
            workspace: The workspace's folder.

        Raises:
            UsageError: If something that it needs is not installed.
        """
