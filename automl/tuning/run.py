"""A run on disk: what was tried, what it cost, and the model that won."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import NotFoundError, SearchError
from automl.processes import is_alive
from automl.records import RunRecord, TrialRecord
from automl.registry import Model
from automl.tuning.events import RunState, replay
from automl.workspace import Workspace

if TYPE_CHECKING:
    from automl.evaluation.metrics import Evaluation

REPORT = "report.html"
EVALUATION = "evaluation.npz"
ENDED = ("completed", "failed", "cancelled")


class Run:
    """A search that was made, read from its event log.

    Attributes:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._state: RunState = replay(folder)

    def __repr__(self) -> str:
        return f"Run({self.id!r}, name={self.name!r}, state={self.state!r})"

    @property
    def record(self) -> RunRecord:
        """What run.json holds."""
        return self._state.record

    @property
    def details(self) -> dict[str, Any]:
        """What else the run keeps, such as held-out `metrics`."""
        return self._state.details

    @property
    def id(self) -> str:
        """The run's id."""
        return self.record["run"]

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.record["name"]

    @property
    def state(self) -> str:
        """The run's state; a run whose process is gone before its end has failed."""
        state = self.record["state"]
        if state not in ENDED and not is_alive(self.details.get("process")):
            return "failed"
        return state

    @property
    def leaderboard(self) -> Sequence[TrialRecord]:
        """The finished trials, the best first."""
        return self._state.leaderboard

    @property
    def best(self) -> Model:
        """The model that the run exported.

        Raises:
            SearchError: If it has exported none.
        """
        model = self.record["model"]
        if model is None:
            raise SearchError(
                f"expected a run that has exported a model, found {self.id} {self.state}; "
                f"search again."
            )
        return Model(model["path"])

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation on the held-out images.

        Raises:
            SearchError: If the run did not get that far.
        """
        from automl.evaluation.metrics import Evaluation

        if not (self.folder / EVALUATION).is_file():
            raise SearchError(f"expected a run with an evaluation, found {self.id} without one.")
        return Evaluation.load(self.folder / EVALUATION)

    @property
    def report(self) -> Path:
        """The report's path."""
        return self.folder / REPORT


def list_runs(workspace: Workspace) -> list[Run]:
    """Returns all runs of the workspace, the oldest first."""
    folders = (log.parent for log in workspace.experiments.glob("*/*/events.jsonl"))
    return sorted((Run(folder) for folder in folders), key=lambda run: run.record["started"])


def find_run(workspace: Workspace, name: str) -> Run:
    """Returns the run with the id `name`, or the newest run of the experiment `name`.

    Raises:
        NotFoundError: If there is neither.
    """
    runs = [run for run in list_runs(workspace) if name in (run.id, run.name)]
    if not runs:
        raise NotFoundError(
            f"expected a run or an experiment in {workspace.root}, found no {name!r}; see "
            f"`automl runs list`."
        )
    return runs[-1]
