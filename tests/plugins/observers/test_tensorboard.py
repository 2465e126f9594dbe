"""A search that TensorBoard watches, read back with TensorBoard's own readers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.get_experiment import Handler as GetExperiment
from tensorboard.plugins.hparams.list_session_groups import Handler as ListSessionGroups

from automl.tuning.run import Run

PINS = ("backbone=pixels", "resolution=8", "head=linear", "epochs=3", "batch_size=16")

SCRIPT = """
import sys
from automl.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def searched(
    digits: Path, tmp_path_factory: pytest.TempPathFactory
) -> subprocess.CompletedProcess[str]:
    """`automl search --observe tensorboard`, of two trials by gradient descent."""
    workspace = tmp_path_factory.mktemp("workspace")
    pins = [word for pin in PINS for word in ("--set", pin)]
    options = ["--workspace", str(workspace), "--observe", "tensorboard", "--trials", "2", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "search", str(digits), *options, *pins],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def run(searched: subprocess.CompletedProcess[str]) -> Run:
    return Run(Path(json.loads(searched.stdout)["report"]).parent)


@pytest.fixture(scope="module")
def hparams(run: Run) -> Context:
    """The HParams page's own backend, on what the search has left."""
    multiplexer = EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(run.folder / "tensorboard"))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(run.folder))
    return Context(TBContext(data_provider=provider))


def test_the_curves_are_those_of_the_event_log(run: Run):
    assert len(run.leaderboard) == 2
    for row in run.leaderboard:
        events = EventAccumulator(str(run.folder / "tensorboard" / row["trial"]))
        events.Reload()
        history = row["history"]
        assert history is not None
        assert "loss" in history
        assert "accuracy" in history
        for name, values in history.items():
            curve = events.Scalars(f"epoch/{name}")
            assert [point.step for point in curve] == [0, 1, 2]
            assert [point.value for point in curve] == pytest.approx(values, rel=1e-6)
        (score,) = events.Scalars("trial/score")
        assert score.value == pytest.approx(row["score"], rel=1e-6)


def test_hparams_knows_the_space(run: Run, hparams: Context):
    request = api_pb2.GetExperimentRequest(experiment_name="")
    found = GetExperiment(RequestContext(), hparams, "", request).run()
    dimensions = {info.name: info for info in found.hparam_infos}
    for name in ("depth", "lr", "optimizer", "schedule"):
        assert name in dimensions
    optimizers = [value.string_value for value in dimensions["optimizer"].domain_discrete.values]
    assert optimizers == run.details["dimensions"]["optimizer"]["values"]
    rate = dimensions["lr"].domain_interval
    assert 0 < rate.min_value < rate.max_value
    assert not dimensions["head"].HasField("domain_discrete")  # it is pinned
    tags = {info.name.tag for info in found.metric_infos}
    assert {"trial/score", "trial/accuracy", "trial/log_loss"} <= tags


def test_hparams_has_a_session_for_each_trial(run: Run, hparams: Context):
    request = api_pb2.ListSessionGroupsRequest(
        experiment_name="", allowed_statuses=[api_pb2.STATUS_SUCCESS], slice_size=10
    )
    request.col_params.add(metric=api_pb2.MetricName(tag="trial/score"), order=api_pb2.ORDER_DESC)
    found = ListSessionGroups(RequestContext(), hparams, "", request).run()
    rows = run.leaderboard
    assert {group.name for group in found.session_groups} == {row["trial"] for row in rows}
    for group in found.session_groups:
        row = next(row for row in rows if row["trial"] == group.name)
        values = row["hyperparameters"]
        assert group.hparams["lr"].number_value == pytest.approx(values["lr"])
        assert group.hparams["optimizer"].string_value == values["optimizer"]
        metrics = {value.name.tag: value.value for value in group.metric_values}
        assert metrics["trial/score"] == pytest.approx(row["score"], rel=1e-6)
        (session,) = group.sessions
        assert session.end_time_secs >= session.start_time_secs > 0


def test_the_record_names_the_observer(run: Run):
    assert run.details["settings"]["observers"] == ["tensorboard"]


def test_the_driver_imports_no_tensorflow(searched: subprocess.CompletedProcess[str]):
    loaded = set(searched.stderr.splitlines()[-1].split())
    assert "tensorboard.summary.writer.record_writer" in loaded
    assert "tensorflow" not in loaded
