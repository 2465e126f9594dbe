"""Tasks and searches on the Ray of the program that asks for them."""

from __future__ import annotations

import logging
import os
import signal
import sys
import sysconfig
import time

import psutil
import pytest

import automl
from automl.components import Part, Task
from automl.errors import UsageError
from automl.plugins import plugin_manager

# Epochs are those of the first of five folds: a trial goes on for a while after its first one.
FIXED = {"backbone": "pixels", "resolution": 8, "head": "linear", "epochs": 10}
RAY = plugin_manager().compute["ray"]


@pytest.fixture(scope="module")
def ray():
    """A Ray of two cores that runs in this process already, as where a program uses Ray itself."""
    module = pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[ray]'")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
    module.init("local", num_cpus=2, object_store_memory=100_000_000, **quiet)
    yield module
    module.shutdown()


class Killer:
    """Kills a worker once two trials have had an epoch each."""

    def __init__(self):
        self._training, self.worker = set(), None

    def update(self, event, state):
        if event["event"] == "epoch":
            self._training.add(event["trial"])
        elif event["event"] == "trial_finished":
            self._training.discard(event["trial"])
        if len(self._training) == 2 and self.worker is None:
            self.worker = workers()[0]
            os.kill(self.worker.pid, signal.SIGKILL)

    def close(self):
        pass


def is_worker(process):
    try:
        return "automl.tuning.worker" in process.cmdline()
    except psutil.Error:  # it has ended
        return False


def workers():
    return [each for each in psutil.Process().children(recursive=True) if is_worker(each)]


def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_trial_alone(ray, digits, tmp_path):
    killer = Killer()
    run = automl.search(
        digits,
        trials=4,
        fixed=FIXED,
        workspace=tmp_path,
        workers=2,
        compute="ray",
        progress=killer,
    )
    assert run.state == "completed"
    assert run.details["settings"]["compute"] == "ray"
    assert sorted(row["status"] for row in run.leaderboard) == ["completed"] * 3 + ["failed"]
    assert "signal 9" in run.leaderboard[-1]["error"]
    assert killer.worker is not None
    assert not workers()
    assert ray.is_initialized()
    wait_until(lambda: ray.available_resources().get("CPU") == 2)


@pytest.mark.slow
def test_more_tasks_than_cores_run_at_a_time(ray, tmp_path):
    program = "import sys; print('here', flush=True); sys.stdin.read()"
    read, write = os.pipe()
    tasks = []
    for number in range(3):
        log = tmp_path / f"{number}.log"
        task = Task([sys.executable, "-c", program], log, stdin=read, part=Part(number, 3))
        tasks.append(RAY.start(task))
    os.close(read)
    wait_until(lambda: all("here" in task.log() for task in tasks))
    assert [task.status() for task in tasks] == [None] * 3
    os.close(write)
    assert [task.wait(30) for task in tasks] == [0] * 3


@pytest.mark.slow
def test_a_task_for_which_there_is_no_room_yet_can_be_cancelled(ray, tmp_path):
    program = [sys.executable, "-c", "import time; time.sleep(600)"]
    parts = [Part(0, 2), Part(1, 2), Part(0, 2)]
    tasks = [
        RAY.start(Task(program, tmp_path / f"{number}.log", part=part))
        for number, part in enumerate(parts)
    ]
    for task in reversed(tasks):
        task.cancel(grace=1.0)
    assert all(task.status() not in (None, 0) for task in tasks)


def test_without_ray_one_sentence_names_the_command(tmp_path, monkeypatch):
    # A folder of that name is no package.
    (tmp_path / "ray").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), sysconfig.get_path("stdlib")])
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    with pytest.raises(UsageError, match=r"found it not installed; run pip install .*ray"):
        RAY.check()


def test_an_unknown_compute_is_refused(digits, tmp_path):
    with pytest.raises(UsageError, match="cloud"):
        automl.search(digits, compute="cloud", workspace=tmp_path)
