"""The driver's side of a worker: starts it, sends commands, waits for answers."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from automl.components import Compute, Part, Task, TaskHandle
from automl.errors import TrialError
from automl.training.limits import TrialCancelledError, TrialDeadlineError
from automl.tuning.worker_memory import memory_limit

POLL = 0.1
"""Seconds between looks at whether the search was stopped or the worker died."""

GRACE = 3.0
"""Seconds past its deadline after which a worker is killed."""

CANCEL_GRACE = 10.0
"""Seconds that a cancelled command may take to end, before its worker is killed."""

LOG_BYTES = 16 * 2**20
"""A log larger than this is cut down to its last half, whatever a worker goes on printing."""

FULL = 2**20
"""Free bytes on the disk below which that is taken to be what a worker died of."""

ERRORS = {error.code: error for error in (TrialCancelledError, TrialDeadlineError)}
"""Errors of a worker that the driver tells from others."""


class WorkerProcess:
    """A worker that is started at once and warms up while the driver prepares.

    Attributes:
        backend: The Keras backend it runs on.
        part: Its part of cores, GPUs and memory when it is started next.
    """

    def __init__(self, compute: Compute, log: Path, backend: str, part: Part | None = None) -> None:
        self._compute, self._log, self.backend = compute, log, backend
        self.part = part
        self._handle: TaskHandle | None = None
        self._start()

    def call(
        self,
        command: Mapping[str, Any],
        on_event: Callable[[dict[str, Any]], None],
        stopped: Callable[[], bool],
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """Has one command done and returns its result.

        Args:
            command: What `automl.tuning.worker` understands.
            on_event: Called with each event on the way.
            stopped: Asked all along; once true, the command is cancelled.
            seconds: How long it may take; a worker that hangs past that is killed.

        Raises:
            TrialError: If it failed, died, or was cancelled (TrialCancelledError).
        """
        if self._handle is None or self._handle.status() is not None:
            self._start()
        self._send(command)
        kill_at = time.monotonic() + seconds + GRACE if seconds is not None else float("inf")
        cancelling = False
        while True:
            event = self._next_event()
            self._bound_log()
            if event is not None:
                if event.pop("ends", False):
                    self._start()  # another, which warms up until there is something to do
                if event["event"] == "result":
                    return event
                if event["event"] == "failed":
                    raise ERRORS.get(event["code"], TrialError)(event["message"])
                on_event(event)
            elif self._handle is not None and self._handle.status() is not None:
                raise TrialError(self._death())
            if stopped() and not cancelling:
                cancelling, kill_at = True, time.monotonic() + CANCEL_GRACE
                self._send({"do": "cancel"})
            if time.monotonic() > kill_at:
                self.close()
                if cancelling:
                    raise TrialCancelledError("expected to end by itself, found it stopped.")
                raise TrialDeadlineError(
                    f"expected to end within {seconds:.0f} s, found it still running; give the "
                    f"search a larger budget."
                )

    def close(self) -> None:
        """Ends the worker."""
        if self._handle is not None:
            os.close(self._to_worker)
            self._handle.wait(0.5)
            self._handle.cancel(grace=1.0)
            os.close(self._from_worker)
            self._handle = None

    def _start(self) -> None:
        if self._handle is not None:
            self.close()
        commands, self._to_worker = os.pipe()
        self._from_worker, events = os.pipe()
        self._rest = b""
        self._lines: list[bytes] = []
        environment = {
            "KERAS_BACKEND": self.backend,
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "automl.tuning.worker"]
        if self.part is not None:
            command += ["--memory", str(memory_limit(self.part.of))]
        try:
            self._handle = self._compute.start(
                Task(command, self._log, environment, commands, events, self.part)
            )
        finally:
            os.close(commands)
            os.close(events)

    def _send(self, command: Mapping[str, Any]) -> None:
        line = memoryview(json.dumps(command).encode() + b"\n")
        try:
            while line:  # a signal can cut a write short
                line = line[os.write(self._to_worker, line) :]
        except BrokenPipeError:
            raise TrialError(self._death()) from None

    def _next_event(self) -> dict[str, Any] | None:
        """Returns the next event, or `None` if there was none for `POLL` seconds."""
        if not self._lines:
            ready, _, _ = select.select([self._from_worker], [], [], POLL)
            data = os.read(self._from_worker, 1 << 16) if ready else b""
            if not data:
                if ready:  # end of file: the process is on its way out
                    assert self._handle is not None
                    self._handle.wait(POLL)
                return None
            *self._lines, self._rest = (self._rest + data).split(b"\n")
        if not self._lines:
            return None
        event: dict[str, Any] = json.loads(self._lines.pop(0))
        return event

    def _bound_log(self) -> None:
        """Cuts a log that has grown too large; the worker goes on appending to it."""
        with contextlib.suppress(OSError):  # not every compute writes it here
            if self._log.stat().st_size > LOG_BYTES:
                with self._log.open("r+b") as log:
                    log.seek(-LOG_BYTES // 2, os.SEEK_END)
                    end = log.read(LOG_BYTES // 2)
                    log.truncate(0)
                with self._log.open("ab") as log:
                    log.write(end)

    def _death(self) -> str:
        assert self._handle is not None
        status = self._handle.wait(1.0)
        if shutil.disk_usage(self._log.parent).free < FULL:  # which HDF5 does not survive
            return (
                f"expected room on the disk, found none left at {self._log.parent}; free some and "
                f"retry."
            )
        how = f"exit status {status}"
        if status is not None and status < 0:
            how = f"signal {-status}" + (" (out of memory?)" if status == -9 else "")
        return f"expected the worker to go on, found it ended by {how}; see {self._log}."
