"""Ctrl-C, and worse, while `automl search` runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from automl.tuning.events import read_events
from automl.tuning.run import list_runs
from automl.workspace import Workspace

PATIENCE = 150.0


def wait_until(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "expected it by now, found it still missing."
        time.sleep(0.02)


class Search:
    """A running `automl search`, in a session of its own as under a terminal."""

    def __init__(self, images, folder, *options):
        self.workspace = Workspace(folder / "workspace")
        self._err = (folder / "err").open("w+b")
        self._out = (folder / "out").open("w+b")
        self.process = psutil.Popen(
            [
                *[sys.executable, "-m", "automl", "search", str(images), "--json"],
                *["--workspace", str(self.workspace.root), *options],
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            start_new_session=True,
        )

    def events(self):
        logs = list(self.workspace.experiments.glob("*/*/events.jsonl"))
        return [event["event"] for event in read_events(logs[0].parent)] if logs else []

    def wait_for(self, event, count=1):
        wait_until(lambda: self.events().count(event) >= count or self.process.poll() is not None)
        assert self.process.poll() is None, self.err

    def workers(self):
        return [each for each in self.process.children() if is_worker(each)]

    def interrupt(self):
        """Does what a terminal does at Ctrl-C: signals every process in its foreground."""
        os.killpg(self.process.pid, signal.SIGINT)

    def resume(self):
        """Goes on with the run; returns what that printed as JSON."""
        command = [sys.executable, "-m", "automl", "search", "--resume", self.run.id, "--json"]
        done = subprocess.run(
            [*command, "--workspace", str(self.workspace.root)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def wait(self):
        return self.process.wait(PATIENCE)

    @property
    def run(self):
        (run,) = list_runs(self.workspace)
        return run

    @property
    def out(self):
        self._out.seek(0)
        return self._out.read().decode()

    @property
    def err(self):
        self._err.seek(0)
        return self._err.read().decode()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._err.close()
        self._out.close()


def is_worker(process):
    try:
        return "automl.tuning.worker" in " ".join(process.cmdline())
    except psutil.Error:
        return False


@pytest.fixture
def start(digits, tmp_path):
    started = []

    def begin(*options):
        pins = ["--set", "backbone=pixels", "--set", "resolution=8", *options]
        started.append(Search(digits, tmp_path, *pins))
        return started[-1]

    yield begin
    for search in started:
        search.close()


ENDLESS = ["--set", "head=linear", "--set", "epochs=1000000"]


def check_nothing_was_kept(search, state):
    assert search.out == ""
    assert "Traceback" not in search.err
    errors = [line for line in search.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, search.err
    assert "expected " in errors[0]
    assert "was kept" in errors[0]
    assert search.run.state == state
    assert not list(search.workspace.models.glob("*/[0-9]*"))


def test_the_first_keeps_the_best_so_far(start):
    search = start()
    search.wait_for("trial_finished")
    (worker,) = search.workers()
    search.interrupt()
    assert search.wait() == 0, search.err
    result = json.loads(search.out)
    assert result["state"] == "completed"
    assert result["balanced_accuracy"] > 0.8
    assert search.run.best.version == 1
    assert search.run.report.is_file()
    assert "Traceback" not in search.err
    assert not worker.is_running()


@pytest.mark.slow
def test_before_the_first_trial_has_ended(start):
    """Also while the worker still imports TensorFlow."""
    search = start(*ENDLESS)
    search.wait_for("trial_started")
    (worker,) = search.workers()
    search.interrupt()
    assert search.wait() == 130
    check_nothing_was_kept(search, "cancelled")
    assert not worker.is_running()


@pytest.mark.slow
def test_the_trial_that_it_stopped_is_done_again(start):
    search = start("--trials", "1")
    search.wait_for("trial_started")
    search.interrupt()
    assert search.wait() == 130
    assert f"--resume {search.run.id}" in search.err
    assert search.resume()["trials"] == 1
    (row,) = search.run.leaderboard
    assert row["status"] == "completed"


@pytest.mark.slow
def test_before_anything_was_begun(start):
    search = start()
    # It has come as far as the command itself, which imports NumPy.
    wait_until(lambda: any("numpy" in file.path for file in search.process.memory_maps()))
    search.interrupt()
    assert search.wait() == 130, search.err
    assert "Traceback" not in search.err
    assert search.out == ""


@pytest.mark.slow
def test_while_a_trial_trains(start):
    search = start(*ENDLESS)
    search.wait_for("epoch")
    search.interrupt()
    assert search.wait() == 130
    check_nothing_was_kept(search, "cancelled")


@pytest.mark.slow
def test_the_second_gives_up(start):
    search = start()
    search.wait_for("trial_finished")
    search.interrupt()
    search.wait_for("finalizing")
    search.interrupt()
    assert search.wait() == 130
    check_nothing_was_kept(search, "cancelled")
    assert not list(search.workspace.models.glob("*/*"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_search_leaves_no_orphan(start, number):
    search = start(*ENDLESS)
    search.wait_for("epoch")
    (worker,) = search.workers()
    search.process.send_signal(number)
    search.wait()
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 10)
    assert search.run.state == "failed"


@pytest.mark.slow
def test_a_killed_worker_costs_one_trial(start):
    search = start("--trials", "2")
    search.wait_for("trial_started")
    (worker,) = search.workers()
    worker.kill()
    assert search.wait() == 0, search.err
    rows = search.run.leaderboard
    assert sorted(row["status"] for row in rows) == ["completed", "failed"]
    (failed,) = [row for row in rows if row["status"] == "failed"]
    assert "expected the worker to go on, found it ended by signal 9" in failed["error"]
