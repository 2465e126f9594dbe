"""Runs tasks as processes of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from automl.components import Compute, Task, TaskHandle
from automl_plugins.compute.shares import share_of


class LocalCompute(Compute):
    """Runs each task as a process in a session of its own.

    The terminal's Ctrl-C therefore reaches the driver only, which decides what to do.
    """

    name = "local"

    def start(self, task: Task) -> TaskHandle:
        """Starts `task` and returns at once."""
        task.log.parent.mkdir(parents=True, exist_ok=True)
        share = share_of(task.part)
        devices = {} if share.gpu is None else {"CUDA_VISIBLE_DEVICES": share.gpu}
        with task.log.open("ab") as log, _confined(share.cpus):
            process = subprocess.Popen(
                list(task.command),
                stdin=subprocess.DEVNULL if task.stdin is None else task.stdin,
                stdout=log if task.stdout is None else task.stdout,
                stderr=log,
                env={**os.environ, **devices, **task.environment},
                start_new_session=True,
            )
        return _Process(process, task.log)


@contextlib.contextmanager
def _confined(cpus: Sequence[int]) -> Iterator[None]:
    """Confines this thread to some cores, and with it what it starts, from its first import on."""
    if not cpus or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class _Process(TaskHandle):
    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process, self._log = process, log

    def status(self) -> int | None:
        return self._process.poll()

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def cancel(self, grace: float = 5.0) -> None:
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            if self.wait(grace) is None:
                self._signal(signal.SIGKILL)
                self._process.wait()

    def wait(self, timeout: float | None = None) -> int | None:
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
