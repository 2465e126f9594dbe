"""What the observer `mlflow` keeps, read back with MLflow's own client."""

from __future__ import annotations

import json
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import automl
from automl.errors import UsageError
from automl.plugins import plugin_manager
from automl.tuning.run import Run

MISSING = "MLflow is not installed: pip install -e '.[mlflow]'"
PINS = {"backbone": "pixels", "resolution": 8, "head": "linear", "epochs": 3, "batch_size": 16}


@pytest.fixture(scope="module")
def run(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A search of two trials by gradient descent, in a workspace whose name is not plain."""
    pytest.importorskip("mlflow", reason=MISSING)
    workspace = tmp_path_factory.mktemp("Werkstatt ä #1")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return automl.search(
            digits, name="digits", trials=2, fixed=PINS, workspace=workspace, observe="mlflow"
        )


@pytest.fixture(scope="module")
def client(run: Run) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=str(run.folder.parents[2] / "mlflow"))


@pytest.fixture(scope="module")
def kept(client: Any) -> dict[str, Any]:
    """MLflow's runs by name."""
    experiment = client.get_experiment_by_name("digits").experiment_id
    return {each.info.run_name: each for each in client.search_runs([experiment])}


def test_a_search_is_a_run_with_one_in_it_for_each_trial(run: Run, kept: dict[str, Any]):
    trials = {f"trial {row['trial']}" for row in run.leaderboard}
    assert set(kept) == {run.id} | trials
    search = kept[run.id]
    assert search.info.status == "FINISHED"
    assert search.data.params["strategy"] == "staged"
    assert search.data.metrics["balanced_accuracy"] == run.details["metrics"]["balanced_accuracy"]
    assert search.data.tags["winner"] == run.record["winner"]
    for name in trials:
        assert kept[name].data.tags["mlflow.parentRunId"] == search.info.run_id
        assert kept[name].info.status == "FINISHED"


def test_a_trial_has_its_dimensions_curves_and_score(run: Run, client: Any, kept: dict[str, Any]):
    for row in run.leaderboard:
        trial = kept[f"trial {row['trial']}"]
        assert trial.data.params == {k: str(v) for k, v in row["hyperparameters"].items()}
        assert trial.data.metrics["final_score"] == row["score"]
        curve = client.get_metric_history(trial.info.run_id, "loss")
        assert [point.step for point in curve] == [0, 1, 2]
        assert row["history"] is not None
        assert [point.value for point in curve] == pytest.approx(row["history"]["loss"])


def test_the_report_the_record_and_the_manifest_are_kept(
    run: Run, client: Any, kept: dict[str, Any], tmp_path: Path
):
    search = kept[run.id].info.run_id
    names = {file.path for file in client.list_artifacts(search)}
    assert names == {"report.html", "run.json", "manifest.json"}
    artifacts = Path(client.download_artifacts(search, "", str(tmp_path)))
    assert (artifacts / "report.html").read_bytes() == run.report.read_bytes()
    assert json.loads((artifacts / "run.json").read_text())["run"] == run.id
    assert json.loads((artifacts / "manifest.json").read_text())["run"] == run.id


def test_a_server_that_is_away_costs_the_observer_and_not_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("mlflow", reason=MISSING)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    watch = plugin_manager().observers["mlflow"].watch(tmp_path, tmp_path)
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        watch.run_started({"name": "digits", "run": "a"})
    assert not (tmp_path / "mlflow").exists()


def test_without_mlflow_one_sentence_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    observer = plugin_manager().observers["mlflow"]
    # A folder of that name, which every workspace with such runs has, is no package.
    (tmp_path / "mlflow").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), sysconfig.get_path("stdlib")])
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)
    with pytest.raises(UsageError, match=r"found it not installed; run pip install .*mlflow"):
        observer.watch(tmp_path, tmp_path)
