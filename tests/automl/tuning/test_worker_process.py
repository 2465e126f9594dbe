"""The driver's side of a worker, against real processes."""

from __future__ import annotations

import os
import signal
import sys
import time

import psutil
import pytest

from automl.components import Compute
from automl.errors import TrialError
from automl.plugins import plugin_manager
from automl.training.limits import TrialCancelledError, TrialDeadlineError
from automl.tuning import worker_process
from automl.tuning.worker_process import WorkerProcess

LOCAL = plugin_manager().compute["local"]

PROGRAM = """
import json, os, signal, sys, time
events = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
def send(event, **fields):
    events.write(json.dumps({"event": event, **fields}) + chr(10))
    events.flush()
send("ready", pid=os.getpid())
for line in sys.stdin:
    command = json.loads(line)
    if command["do"] == "echo":
        send("images", done=1, total=2)
        send("result", said=command["said"], pid=os.getpid(), ends=command.get("ends", False))
    elif command["do"] == "print":
        for number in range(command["lines"]):
            print(f"line {number}", flush=True)
            time.sleep(0.001)
        send("result")
    elif command["do"] == "fail":
        send("failed", message="expected luck.", code=command["code"])
    elif command["do"] == "die":
        os.kill(os.getpid(), command["signal"])
    elif command["do"] == "exit":
        sys.exit(3)
    elif command["do"] == "hang":
        time.sleep(600)
    elif command["do"] == "wait" :
        assert json.loads(sys.stdin.readline())["do"] == "cancel"
        send("failed", message="expected to go on.", code="cancelled")
"""
"""A worker that speaks the protocol and starts in no time; test_worker.py has the real one."""


class Quick(Compute):
    """Starts `PROGRAM` where the real worker would start."""

    name = "quick"

    def start(self, task):
        command = [sys.executable, "-S", "-c", PROGRAM]
        return LOCAL.start(type(task)(**{**vars(task), "command": command}))


@pytest.fixture
def worker(tmp_path):
    made = WorkerProcess(Quick(), tmp_path / "worker.log", "tensorflow")
    yield made
    made.close()


def call(worker, stopped=lambda: False, seconds=None, **command):
    events = []
    return worker.call(command, events.append, stopped, seconds), events


def test_a_command_is_answered_after_its_events(worker):
    answer, events = call(worker, do="echo", said="grün")
    assert answer["said"] == "grün"
    assert [event["event"] for event in events] == ["ready", "images"]
    again, events = call(worker, do="echo", said=2)
    assert again["pid"] == answer["pid"]
    assert [event["event"] for event in events] == ["images"]


def test_a_worker_that_ends_with_its_answer_is_started_anew(worker):
    pid = call(worker, do="echo", said=1, ends=True)[0]["pid"]
    again = call(worker, do="echo", said=2)[0]
    assert again["said"] == 2
    assert again["pid"] != pid
    assert not psutil.pid_exists(pid)


def test_a_long_command_arrives_whole(worker):
    said = list(range(200_000))
    assert call(worker, do="echo", said=said)[0]["said"] == said


def test_a_log_that_grows_on_and_on_is_cut(worker, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_process, "LOG_BYTES", 2000)
    monkeypatch.setattr(worker_process, "POLL", 0.01)
    for _ in range(2):
        call(worker, do="print", lines=1000)
        lines = (tmp_path / "worker.log").read_text().splitlines()
        assert lines[-1] == "line 999"
        assert len(lines) < 600
        assert "\0" not in "".join(lines)


def test_a_failure_is_told_and_the_worker_goes_on(worker):
    pid = call(worker, do="echo", said=1)[0]["pid"]
    with pytest.raises(TrialError, match="expected luck"):
        call(worker, do="fail", code="trial")
    assert call(worker, do="echo", said=1)[0]["pid"] == pid


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ({"do": "die", "signal": int(signal.SIGKILL)}, r"signal 9 \(out of memory\?\)"),
        ({"do": "die", "signal": int(signal.SIGSEGV)}, "signal 11"),
        ({"do": "exit"}, "exit status 3"),
    ],
    ids=["killed", "crashed", "ended"],
)
def test_a_worker_that_dies_is_told_and_started_again(worker, command, how):
    pid = call(worker, do="echo", said=1)[0]["pid"]
    with pytest.raises(TrialError, match=f"ended by {how}; see .*worker.log"):
        call(worker, **command)
    assert call(worker, do="echo", said=1)[0]["pid"] != pid


def test_a_worker_that_died_between_commands_is_started_again(worker):
    pid = call(worker, do="echo", said=1)[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
    assert call(worker, do="echo", said=1)[0]["pid"] != pid


def test_a_hang_is_killed(worker, monkeypatch):
    monkeypatch.setattr(worker_process, "GRACE", 0.3)
    pid = call(worker, do="echo", said=1)[0]["pid"]
    with pytest.raises(TrialDeadlineError, match="larger budget"):
        call(worker, do="hang", seconds=0.2)
    assert not psutil.pid_exists(pid)
    assert call(worker, do="echo", said=1)[0]["pid"] != pid


def test_a_stopped_search_cancels(worker):
    begun = time.monotonic()
    with pytest.raises(TrialCancelledError, match="expected to go on"):
        call(worker, do="wait", stopped=lambda: time.monotonic() - begun > 0.3)


def test_a_worker_that_does_not_hear_the_cancellation_is_killed(worker, monkeypatch):
    monkeypatch.setattr(worker_process, "CANCEL_GRACE", 0.3)
    with pytest.raises(TrialCancelledError):
        call(worker, do="hang", stopped=lambda: True)


def test_closing_ends_it_and_may_be_repeated(worker):
    pid = call(worker, do="echo", said=1)[0]["pid"]
    worker.close()
    worker.close()
    assert not psutil.pid_exists(pid)


def test_nothing_stays_open(tmp_path):
    process = psutil.Process()
    before = process.num_fds()
    for _ in range(3):
        made = WorkerProcess(Quick(), tmp_path / "worker.log", "tensorflow")
        call(made, do="echo", said=1)
        made.close()
    assert process.num_fds() == before
