"""Trials that end badly, in every way that there is, cost themselves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from automl.plugins import ENTRY_POINT_GROUP
from automl.tuning.run import find_run
from automl.workspace import Workspace

HEALTHY = 20
FAULTS = {
    "raises": ("failed", "RuntimeError: the cable came off"),
    "memory": ("failed", "expected enough memory, found none left"),
    "killed": ("failed", "signal 9"),
    "nan": ("failed", "NaN"),
    "hangs": ("stopped", "still running"),
}
DEPTHS = [f"{i}" for i in range(HEALTHY)]
for i, fault in enumerate(FAULTS):
    DEPTHS.insert(5 * i + 4, fault)

PLUGIN = f'''
import os
import signal
import time

import automl
from automl_plugins.backbones.pixels import Pixels


class Moody(Pixels):
    """Pixels, of which every fifth depth has a fault."""

    name = "moody"
    depths = {tuple(DEPTHS)!r}

    def cost(self, depth, resolution):
        return super().cost(depth, resolution) * (1 + self.depths.index(depth) / 100)

    def build(self, depth, resolution, weights):
        import keras

        os.write(1, b"loose talk, past Python\\n")  # as libraries in C print
        if depth == "raises":
            raise RuntimeError("the cable came off")
        if depth == "memory":
            raise MemoryError
        if depth == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if depth == "hangs":
            time.sleep(3600)
        network = super().build(depth, resolution, weights)
        if depth == "nan":
            return keras.Model(network.input, network.output * float("nan"))
        return network


@automl.hookimpl
def automl_backbones(register):
    register(Moody())
'''


@pytest.fixture
def site(tmp_path):
    """A folder of installed packages with the plugin in it."""
    folder = tmp_path / "site"
    installed = folder / "moody-1.0.dist-info"
    installed.mkdir(parents=True)
    (folder / "moody.py").write_text(PLUGIN)
    metadata = "Metadata-Version: 2.1\nName: moody\nVersion: 1.0\n"
    (installed / "METADATA").write_text(metadata)
    (installed / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nmoody = moody\n")
    return folder


@pytest.mark.slow
def test_a_fifth_of_the_trials_end_badly(site, digits, tmp_path):
    workspace = Workspace.find(tmp_path / "workspace")
    pins = ("--set", "backbone=moody", "--set", "resolution=8", "--set", "head=logistic")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "automl", "search", str(digits), "--budget", "100s"),
            *("--name", "digits", *pins, "--json", "--workspace", str(workspace.root)),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    result = json.loads(done.stdout)
    assert result["balanced_accuracy"] > 0.8
    run = find_run(workspace, "digits")
    assert "loose talk" in (run.folder / "worker.log").read_text()
    rows = {row["hyperparameters"]["depth"]: row for row in run.leaderboard}
    assert len(rows) == HEALTHY + len(FAULTS)
    for depth, row in rows.items():
        status, cause = FAULTS.get(depth, ("completed", None))
        assert row["status"] == status, row
        if cause is not None:
            assert row["error"].startswith("expected ")
            assert cause in row["error"]
            assert "; " in row["error"], "no hint"
            assert "\n" not in row["error"]
