"""A search whose trials train on another backend of Keras than the one that exports."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

import automl
from automl.tuning.run import find_run
from automl.workspace import Workspace

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs PyTorch, its CPU build will do"
)
TUNED = {"unfreeze": 0.25, "head": "linear", "augmentation": "none", "epochs": 2, "batch_size": 16}

WITHOUT_TENSORFLOW = """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *more: None if name == "tensorflow" else find(name, *more)
"""


def search(workspace, *arguments, pins=(), **environment):
    fixed = [part for name, value in dict(pins).items() for part in ("--set", f"{name}={value}")]
    return subprocess.run(
        [
            *(sys.executable, "-m", "automl", "search", *map(str, arguments), *fixed),
            *("--json", "--workspace", str(workspace.root)),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture
def without_tensorflow(tmp_path):
    """The environment of a process that finds no TensorFlow installed."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(WITHOUT_TENSORFLOW)
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path}


@needs_torch
@pytest.mark.slow
@pytest.mark.parametrize(
    "more", [{"unfreeze": 0, "head": "logistic"}, TUNED], ids=["frozen", "fine-tuned"]
)
def test_trials_on_pytorch(more, digits, tmp_path):
    workspace = Workspace.find(tmp_path / "workspace")
    pins = {"backbone": "efficientnet-lite", "depth": 0, "resolution": 64, **more}
    done = search(
        workspace, digits, "--name", "digits", "--trials", 1, pins=pins, KERAS_BACKEND="torch"
    )
    assert done.returncode == 0, done.stderr
    run = find_run(workspace, "digits")
    assert run.details["settings"]["backend"] == "torch"
    assert run.evaluation.balanced_accuracy > 0.5
    assert run.record["parity"]["serving_default"] < 1e-4
    assert len(automl.load_model("digits", workspace=workspace).labels) == 4


@needs_torch
@pytest.mark.slow
def test_without_tensorflow_up_to_the_export(digits, tmp_path, without_tensorflow):
    workspace = Workspace.find(tmp_path / "workspace")
    pins = {"backbone": "small-cnn", "depth": 2, "resolution": 32, **TUNED, "unfreeze": 1}
    begin = (digits, "--name", "digits", "--trials", 1)
    done = search(workspace, *begin, pins=pins, KERAS_BACKEND="torch", **without_tensorflow)
    assert done.returncode == 1
    run = find_run(workspace, "digits")
    assert done.stderr.splitlines()[-1] == (
        "Error: expected tensorflow, which exporting the winner needs, found that it is not "
        f"installed; `pip install tensorflow`, then `automl search --resume {run.id}`."
    )
    assert [row["status"] for row in run.leaderboard] == ["completed"]

    done = search(workspace, "--resume", run.id)
    assert done.returncode == 0, done.stderr
    assert find_run(workspace, "digits").state == "completed"


@pytest.mark.parametrize(
    ("options", "backend", "cause"),
    [
        ((), "tensorflow", "expected the Keras backend tensorflow to train on"),
        pytest.param(("--max-size-mb", "9"), "torch", "which latency and size", marks=needs_torch),
    ],
)
def test_what_cannot_begin_without_tensorflow(
    options, backend, cause, digits, tmp_path, without_tensorflow
):
    workspace = Workspace.find(tmp_path / "workspace")
    done = search(workspace, digits, *options, KERAS_BACKEND=backend, **without_tensorflow)
    assert done.returncode == 2
    assert cause in done.stderr
    assert "found that it is not installed; " in done.stderr
    assert not workspace.experiments.exists()
