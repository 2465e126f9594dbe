"""`automl search --compute ray`, on a Ray of its own and on a cluster that it joins."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import psutil
import pytest

from automl.tuning.events import read_events
from automl.tuning.run import find_run
from automl.workspace import Workspace

pytestmark = pytest.mark.slow

PATIENCE = 200.0
SHORT = "--set=epochs=10"
"""Of the first fold: while the other four are trained, too, another trial has its first epoch."""
ASKED = (
    *("--name=digits", "--compute=ray", "--workers=2"),
    *("--set=backbone=pixels", "--set=resolution=8", "--set=head=linear"),
)
OPEN = {"RAY_AUTH_MODE": "disabled"}
"""Else Ray asks for a token where the home folder has one."""


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "expected it by now, found it still missing."
        time.sleep(0.05)


def descendants(pid):
    return [each for each in psutil.Process(pid).children(recursive=True) if is_alive(each)]


def is_alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_worker(process):
    try:
        return "automl.tuning.worker" in process.cmdline()
    except psutil.Error:
        return False


@pytest.fixture(scope="module")
def cluster():
    """A head node in the foreground: its process and its address."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[ray]'")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # Not pytest's folder: the names of Ray's sockets have to be short.
    folder = tempfile.mkdtemp(prefix="ray-")
    options = ["--num-cpus=2", "--object-store-memory=100000000", "--include-dashboard=false"]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
            *("--node-ip-address=127.0.0.1", f"--port={port}", f"--temp-dir={folder}", *options),
        ],
        env={**os.environ, **OPEN, "RAY_USAGE_STATS_ENABLED": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: answers(port) or process.poll() is not None)
    assert process.poll() is None
    yield process, f"127.0.0.1:{port}"
    process.terminate()
    process.wait(PATIENCE)
    shutil.rmtree(folder, ignore_errors=True)


def answers(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(params=[None, "cluster"], ids=["own", "joined"])
def begin(request, digits, tmp_path):
    """Starts a search of two workers, in a session of its own as under a terminal."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[ray]'")
    head, address = request.getfixturevalue("cluster") if request.param else (None, "")
    searches = []

    def start(*options, resume=False):
        asked = ["--resume=digits"] if resume else [str(digits), *ASKED, *options]
        searches.append(Search(tmp_path, asked, len(searches), head, address))
        return searches[-1]

    yield start
    for search in searches:
        search.close()


class Search:
    """A running `automl search --json`."""

    def __init__(self, folder, arguments, number, head, address):
        self.workspace = Workspace(folder / "workspace")
        self._outputs = [folder / f"out{number}", folder / f"err{number}"]
        with self._outputs[0].open("wb") as out, self._outputs[1].open("wb") as err:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "automl", "search", "--json"),
                    *("--workspace", str(self.workspace.root), *arguments),
                ],
                env={**os.environ, **OPEN, "RAY_ADDRESS": address},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self._head = head

    @property
    def out(self):
        return self._outputs[0].read_text()

    @property
    def err(self):
        return self._outputs[1].read_text()

    @property
    def run(self):
        return find_run(self.workspace, "digits")

    def wait(self):
        return self.process.wait(PATIENCE)

    def wait_for_epochs_of_two(self):
        wait_until(lambda: len(self._training()) == 2 or self.process.poll() is not None)
        assert self.process.poll() is None, self.err

    def _training(self):
        logs = list(self.workspace.experiments.glob("*/*/events.jsonl"))
        training = set()
        for event in read_events(logs[0].parent) if logs else []:
            if event["event"] == "epoch":
                training.add(event["trial"])
            elif event["event"] == "trial_finished":
                training.discard(event["trial"])
        return training

    def processes(self):
        """All that it has started, on the cluster too."""
        started = descendants(self.process.pid)
        if self._head is not None:
            workers = [each for each in descendants(self._head.pid) if is_worker(each)]
            started += workers + [worker.parent() for worker in workers]
        return started

    def workers(self):
        return [each for each in self.processes() if is_worker(each)]

    def check_that_no_word_of_ray_is_printed(self):
        assert "Traceback" not in self.err
        for word in ("ray", "died", "gcs", "actor"):
            assert word not in (self.out + self.err).lower().replace(str(self.workspace.root), "")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def test_an_actor_that_dies_is_told_in_the_log_alone(begin):
    search = begin("--trials=3", SHORT)
    search.wait_for_epochs_of_two()
    started = search.processes()
    search.workers()[0].parent().kill()
    assert search.wait() == 0, search.err
    assert json.loads(search.out)["trials"] == 3
    search.check_that_no_word_of_ray_is_printed()
    statuses = sorted(row["status"] for row in search.run.leaderboard)
    assert statuses == ["completed", "completed", "failed"]
    logs = [path.read_text() for path in search.run.folder.glob("worker*.log")]
    assert sum("actor" in log for log in logs) == 1
    wait_until(lambda: not any(map(is_alive, started)))


def test_a_killed_search_leaves_nothing_and_goes_on(begin):
    search = begin("--trials=3", SHORT)
    search.wait_for_epochs_of_two()
    started = search.processes()
    search.process.kill()
    search.wait()
    wait_until(lambda: not any(map(is_alive, started)))
    resumed = begin(resume=True)
    assert resumed.wait() == 0, resumed.err
    resumed.check_that_no_word_of_ray_is_printed()
    assert json.loads(resumed.out)["trials"] == 3
    assert [row["status"] for row in resumed.run.leaderboard] == ["completed"] * 3
    assert resumed.run.details["settings"]["compute"] == "ray"


def test_ctrl_c_ends_it(begin):
    search = begin("--trials=3", "--set=epochs=60")
    search.wait_for_epochs_of_two()
    started = search.processes()
    os.killpg(search.process.pid, signal.SIGINT)
    assert search.wait() == 130
    search.check_that_no_word_of_ray_is_printed()
    assert search.run.state == "cancelled"
    wait_until(lambda: not any(map(is_alive, started)))


def test_an_address_where_nothing_listens_is_refused_at_once(digits, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[ray]'")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "automl", "search", str(digits), "--compute", "ray"),
            *("--workspace", str(tmp_path / "workspace")),
        ],
        env={**os.environ, "RAY_ADDRESS": f"127.0.0.1:{port}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"expected a Ray cluster at RAY_ADDRESS=127.0.0.1:{port}, found none" in done.stderr
    assert not (tmp_path / "workspace" / "experiments").exists()
