"""A search on several workers."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

import automl
from automl.errors import UsageError
from automl.tuning.events import read_events

FIXED = {"backbone": "pixels", "resolution": 8, "head": "linear", "epochs": 40}


class Watch:
    """Kills a worker once two trials train at a time."""

    def __init__(self):
        self._training, self._killed = set(), False

    def update(self, event, state):
        if event["event"] == "epoch":
            self._training.add(event["trial"])
        elif event["event"] == "trial_finished":
            self._training.discard(event["trial"])
        if len(self._training) == 2 and not self._killed:
            self._killed = True
            os.kill(workers()[0].pid, signal.SIGKILL)

    def close(self):
        pass


def is_worker(process):
    try:
        return "automl.tuning.worker" in process.cmdline()
    except psutil.Error:  # it has ended, and other tests' processes are none of ours
        return False


def workers():
    return [process for process in psutil.Process().children() if is_worker(process)]


def search(digits, tmp_path, **options):
    run = automl.search(digits, trials=4, fixed=FIXED, workspace=tmp_path, workers=2, **options)
    assert not workers()
    return run, list(read_events(run.folder))


def most_at_once(events):
    running, most = 0, 0
    for event in events:
        running += event["event"] == "trial_started"
        running -= event["event"] == "trial_finished"
        most = max(most, running)
    assert running == 0
    return most


@pytest.mark.slow
def test_two_trials_at_a_time(digits, tmp_path):
    run, events = search(digits, tmp_path)
    assert run.state == "completed"
    assert most_at_once(events) == 2
    assert {row["status"] for row in run.leaderboard} == {"completed"}
    tried = [str(row["hyperparameters"]) for row in run.leaderboard]
    assert len(tried) == len(set(tried)) == 4
    assert run.details["settings"]["workers"] == 2


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_trial_alone(digits, tmp_path):
    run, events = search(digits, tmp_path, progress=Watch())
    assert run.state == "completed"
    assert sorted(row["status"] for row in run.leaderboard) == ["completed"] * 3 + ["failed"]
    assert "signal 9" in run.leaderboard[-1]["error"]
    assert most_at_once(events) == 2


def test_one_at_least(digits, tmp_path):
    with pytest.raises(UsageError, match="one worker or more, found 0"):
        automl.search(digits, workers=0, workspace=tmp_path)


class Roll:
    """Notes which worker there is when a trial ends, and what it found."""

    def __init__(self):
        self.pids, self.scores = [], []

    def update(self, event, state):
        if event["event"] == "trial_finished":
            self.pids.append([process.pid for process in workers()])
            self.scores.append(event["score"])

    def close(self):
        pass


@pytest.mark.slow
def test_a_worker_above_its_memory_is_started_anew_between_trials(digits, tmp_path, monkeypatch):
    rolls = []
    for limit in ("100GB", "1MB"):
        monkeypatch.setenv("AUTOML_WORKER_MEMORY", limit)
        rolls.append(Roll())
        automl.search(
            digits,
            trials=2,
            strategy="random",
            fixed={**FIXED, "epochs": 2},
            workspace=tmp_path / limit,
            progress=rolls[-1],
        )
    kept, anew = rolls
    assert kept.pids[0] == kept.pids[1]
    assert anew.pids[0] != anew.pids[1]
    assert kept.scores == anew.scores
