"""Detached processes are found, told from strangers, and ended with their children."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from automl_plugins.targets.processes import Detached, stop

DEAF = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(60)\n"
)


def start(log: Path, script: str = "import time; time.sleep(60)") -> Detached:
    return Detached("sleeper", None, (sys.executable, "-c", script), str(log)).start()


def said(process: Detached) -> str:
    for _ in range(500):
        if process.last_line():
            break
        time.sleep(0.02)
    return process.last_line()


def test_a_process_is_found_until_it_is_stopped(tmp_path: Path) -> None:
    process = start(tmp_path / "log")
    assert process.find() is not None
    assert os.getsid(process.pid) == process.pid
    assert Detached.from_state(process.to_state()) == process
    stop([process], grace=5)
    assert process.find() is None
    assert not psutil.pid_exists(process.pid)
    stop([process], grace=5)


def test_a_process_whose_id_was_not_noted_is_found_and_stopped(tmp_path: Path) -> None:
    """As where the one that started it was killed in that moment."""
    script = f"import time; time.sleep(60)  # {tmp_path}"
    planned = Detached("sleeper", None, (sys.executable, "-c", script), str(tmp_path / "log"))
    assert planned.find() is None
    started = planned.start()
    assert planned.find() == psutil.Process(started.pid)
    stop([planned], grace=5)
    assert started.find() is None
    assert planned.find() is None


def test_a_process_that_another_one_started_again_is_found(tmp_path: Path) -> None:
    script = f"import time; time.sleep(60)  # {tmp_path}"
    first = start(tmp_path / "log", script)
    assert first.pid is not None
    psutil.Process(first.pid).kill()
    second = start(tmp_path / "log", script)
    for _ in range(500):
        if first.find() == psutil.Process(second.pid):
            break
        time.sleep(0.02)
    stop([first], grace=5)
    assert second.find() is None


def test_a_process_that_ended_by_itself_is_not_found_and_has_a_last_line(tmp_path: Path) -> None:
    process = start(tmp_path / "log", "print('so far'); print('no further'); print()")
    assert said(process) == "no further"
    for _ in range(500):
        if process.find() is None:
            break
        time.sleep(0.02)
    assert process.find() is None
    assert not psutil.pid_exists(process.pid)  # its exit status was asked for


def test_it_has_no_input_and_the_socket_that_it_is_given(tmp_path: Path) -> None:
    script = (
        "import os, socket, sys\n"
        "given = socket.socket(fileno=int(os.environ['AUTOML_LISTEN_FD']))\n"
        "print(repr(sys.stdin.read()), given.getsockname()[1])"
    )
    command = (sys.executable, "-c", script)
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        process = Detached("reader", None, command, str(tmp_path / "log")).start(given.fileno())
        assert said(process) == f"'' {given.getsockname()[1]}"


def test_a_stranger_with_the_same_id_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        command = (sys.executable, "-c", f"pass  # {tmp_path}")
        ours = Detached("sleeper", stranger.pid, command, str(tmp_path / "log"))
        assert ours.find() is None
        stop([ours], grace=1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("grace", [0.0, 0.2])
def test_what_does_not_listen_is_ended_with_its_children(tmp_path: Path, grace: float) -> None:
    process = start(tmp_path / "log", DEAF)
    child = psutil.Process(int(said(process)))
    stop([process], grace=grace)
    assert process.find() is None
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
