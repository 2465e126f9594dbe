"""Runs, curves and artifacts for MLflow, in the workspace or on a tracking server."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.components import Observer, Watch
from automl.errors import UsageError
from automl.manifest import MANIFEST

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOLDER = "mlflow"
ADDRESS = "MLFLOW_TRACKING_URI"

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A folder whose files can be read needs no database; MLflow wants to be told so.
    "MLFLOW_ALLOW_FILE_STORE": "true",
    # A search has a budget and must not spend minutes on a server that is away.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""Variables of MLflow's that are set where the user has not set them."""

METRICS = ("score", "spread", "accuracy", "log_loss", "seconds")
"""Columns of the leaderboard that become a trial's final metrics."""

STATUS = {"completed": "FINISHED", "stopped": "KILLED", "cancelled": "KILLED", "failed": "FAILED"}


class MLflow(Observer):
    """Keeps a run a search, and in it a run a trial."""

    name = "mlflow"

    def watch(self, folder: Path, workspace: Path) -> Watch:
        """Returns what writes to MLFLOW_TRACKING_URI, or else to `workspace`/mlflow.

        Raises:
            UsageError: If MLflow is not installed.
        """
        found = importlib.util.find_spec("mlflow")
        # A mere folder of that name is a package without an origin; a workspace has one.
        if found is None or found.origin is None:
            raise UsageError(
                "expected MLflow for the observer 'mlflow', found it not installed; run "
                "pip install 'automl-vision[mlflow]' or pip install mlflow-skinny."
            )
        return _Runs(folder, os.environ.get(ADDRESS) or str(workspace / FOLDER))


class _Runs(Watch):
    """MLflow's runs of one search; their ids by trial, the search's own under ""."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder, self._address = folder, address
        self._ids: dict[str, str] = {}
        self._client: MlflowClient
        self._experiment: str

    def run_started(self, run: Mapping[str, Any]) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=self._address)
        known = self._client.get_experiment_by_name(run["name"])
        self._experiment = (
            known.experiment_id if known else self._client.create_experiment(run["name"])
        )
        self._begin("", run["run"])
        settings = {**run["settings"], "seed": run["seed"], "budget_seconds": run["budget_seconds"]}
        self._log("", settings, {})

    def epoch_finished(
        self, run: Mapping[str, Any], trial: str, epoch: int, logs: Mapping[str, float]
    ) -> None:
        self._begin(trial, f"trial {trial}")
        self._log(trial, {}, logs, epoch)

    def trial_finished(self, run: Mapping[str, Any], trial: Mapping[str, Any]) -> None:
        name = trial["trial"]
        self._begin(name, f"trial {name}", trial["seconds"])
        self._client.set_tag(self._ids[name], "stage", trial["stage"])
        # Keras' logs have an `accuracy` of the training images.
        final = {f"final_{metric}": trial.get(metric) for metric in METRICS}
        self._log(name, trial["hyperparameters"], final)
        if trial.get("error"):
            self._client.set_tag(self._ids[name], "error", trial["error"])
        self._client.set_terminated(self._ids[name], STATUS[trial["status"]])

    def run_finished(self, run: Mapping[str, Any]) -> None:
        search = self._ids[""]
        self._log("", {}, {**run["metrics"], "seconds": run["seconds"]})
        for name in ("winner", "error"):
            if run[name]:
                self._client.set_tag(search, name, run[name])
        artifacts = [self._folder / "report.html", self._folder / "run.json"]
        if run["model"]:
            self._client.set_tag(search, "model", "{name} {version}".format(**run["model"]))
            artifacts.append(Path(run["model"]["path"]) / MANIFEST)
        for path in artifacts:
            if path.is_file():
                self._client.log_artifact(search, str(path))
        self._client.set_terminated(search, STATUS[run["state"]])

    def _begin(self, name: str, title: str, ago: float = 0.0) -> None:
        """Begins a run, unless it has begun; `ago` is in seconds."""
        if name in self._ids:
            return
        tags = {"mlflow.parentRunId": self._ids[""]} if name else {}
        started = int((time.time() - ago) * 1000)
        made = self._client.create_run(self._experiment, started, tags, title)
        self._ids[name] = made.info.run_id

    def _log(
        self,
        name: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, float | None],
        step: int = 0,
    ) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        self._client.log_batch(
            self._ids[name],
            [Metric(key, value, now, step) for key, value in metrics.items() if value is not None],
            [Param(key, str(value)) for key, value in params.items()],
        )
