"""Which process a record speaks of."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil

from automl.processes import is_alive, this_process


def test_this_one_is_alive() -> None:
    assert is_alive(this_process())


def test_whoever_has_its_id_later_is_another() -> None:
    me = this_process()
    assert not is_alive({**me, "created": me["created"] - 1000})


def test_nobody_and_a_record_of_another_form_are_not() -> None:
    assert not is_alive(None)
    assert not is_alive({"pid": os.getpid(), "started": 0.0})


def test_one_that_has_ended_is_not_though_nobody_asked_how() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        identity = {"pid": child.pid, "created": psutil.Process(child.pid).create_time()}
        assert is_alive(identity)
        child.kill()
        deadline = time.monotonic() + 10
        while is_alive(identity):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert not is_alive(identity)
