"""The worker process itself, spoken to as the driver speaks to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from automl.cache import Cache
from automl.data.dataset import Dataset
from automl.data.pixels import open_pixels
from automl.data.splits import validation_folds
from automl.tuning.run_data import describe_training_data, save_split


class Conversation:
    """A worker, and what was said so far."""

    def __init__(self, log):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "automl.tuning.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        )
        self._lines = self.process.stdout

    def say(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self, *events):
        """Returns the next event that is one of `events`."""
        while line := self._lines.readline():
            event = json.loads(line)
            if event["event"] in events:
                return event
        raise EOFError

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self._lines.close()


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with (tmp_path_factory.mktemp("log") / "worker.log").open("wb") as log:
        conversation = Conversation(log)
        yield conversation
        conversation.close()


@pytest.fixture(scope="module")
def data(digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    dataset = Dataset.from_folder(digits)
    rows = np.arange(len(dataset))
    save_split(folder, rows, dataset.y, rows[:0], validation_folds(dataset.y, 0))
    cache = Cache(folder / "cache", time.time())
    return describe_training_data(folder, open_pixels(dataset, 8, cache), 4, cache, 0)


FROZEN = {
    "backbone": "pixels",
    "depth": 0,
    "resolution": 8,
    "unfreeze": 0.0,
    "head": "logistic",
    "C": 1.0,
}
TRAINED = {
    **FROZEN,
    "head": "linear",
    "optimizer": "adamw",
    "lr": 0.01,
    "schedule": "constant",
    "epochs": 1_000_000,
    "batch_size": 32,
}


def test_a_command_is_cancelled_before_its_turn_comes(worker, data):
    """While TensorFlow is still being imported, which takes seconds."""
    worker.say(do="judge", params=FROZEN, data=data)
    worker.say(do="cancel")
    assert worker.hear("ready")["backend"] == "tensorflow"
    assert worker.hear("result", "failed")["code"] == "cancelled"


def test_a_trial_is_judged(worker, data):
    worker.say(do="judge", params=FROZEN, data=data, seconds=60)
    assert worker.hear("images", "failed") == {"event": "images", "done": 32, "total": 96}
    result = worker.hear("result", "failed")
    assert result["score"] > 0.9
    assert result["params"] == FROZEN


def test_a_fault_is_one_sentence_and_the_worker_goes_on(worker, data):
    worker.say(do="judge", params={**FROZEN, "unfreeze": None}, data=data)
    answer = worker.hear("result", "failed")
    assert answer["code"] == "trial"
    assert "expected the trial to end well, found TypeError" in answer["message"]
    worker.say(do="judge", params={**FROZEN, "head": "logistics"}, data=data)
    assert "did you mean 'logistic'?" in worker.hear("result", "failed")["message"]


def test_it_ends_with_its_standard_input_while_it_trains(worker, data):
    worker.say(do="judge", params=TRAINED, data=data)
    assert worker.hear("epoch", "failed")["epoch"] == 0
    worker.process.stdin.close()
    assert worker.process.wait(5) == 0
