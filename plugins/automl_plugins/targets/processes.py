"""Processes that outlive the one that started them, found again without trusting a number.

A process id is given to another process when its owner is gone, and start times shift with the
clock. A command line that names the deployment's own folder belongs to nobody else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil

LISTEN_FD = "AUTOML_LISTEN_FD"
"""The variable that tells a server the number of a socket that it inherits."""

INHERITED = 3
"""The number that such a socket has there."""


@dataclass(frozen=True)
class Detached:
    """A process in a session of its own.

    Attributes:
        role: What it is, in words.
        pid: Its process id; `None` before it is started.
        command: The program and its arguments.
        log: The file that takes its output.
    """

    role: str
    pid: int | None
    command: tuple[str, ...]
    log: str

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Detached:
        """Reads what `to_state` gave."""
        return cls(state["role"], state["pid"], tuple(state["command"]), state["log"])

    def to_state(self) -> dict[str, Any]:
        """Returns JSON values."""
        return {**asdict(self), "command": list(self.command)}

    def start(
        self, listening: int | None = None, held: Collection[signal.Signals] = ()
    ) -> Detached:
        """Starts it in a session of its own, with no input, its output appended to the log.

        `os.posix_spawn` and not `subprocess.Popen`, which complains when it is dropped while its
        process lives on, and that is the point here.

        Args:
            listening: The descriptor of a socket that the process gets, and is told of by
                `AUTOML_LISTEN_FD`.
            held: Signals that wait until the process lets them through.

        Returns:
            The process with its id.
        """
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        actions: list[tuple[Any, ...]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        with contextlib.ExitStack() as stack:
            if listening is not None:
                # From another number, since only a real copy is passed on everywhere.
                copy = fcntl.fcntl(listening, fcntl.F_DUPFD_CLOEXEC, INHERITED + 1)
                stack.callback(os.close, copy)
                actions.append((os.POSIX_SPAWN_DUP2, copy, INHERITED))
                environment[LISTEN_FD] = str(INHERITED)
            pid = os.posix_spawn(
                self.command[0],
                list(self.command),
                environment,
                file_actions=actions,
                setsid=True,
                setsigmask=held,
                setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE),
            )
        _wait_for_command_line(pid)
        return replace(self, pid=pid)

    def find(self) -> psutil.Process | None:
        """Returns the process, or `None` if it has ended, whoever has its id by now.

        One that was started again, or by who did not live to note its id, is looked for among all.
        """
        if self.pid is not None:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(self.pid)
                if not _has_ended(process) and self._is_ours(process):
                    return process
        return next(filter(self._is_ours, psutil.process_iter()), None)

    def _is_ours(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            # A script's own line is preceded by its interpreter.
            called = tuple(process.cmdline()[-len(self.command) :])
            return called == self.command and not _has_ended(process)
        return False

    def last_line(self) -> str:
        """Returns the last line of the log that says anything; empty if there is none."""
        try:
            text = Path(self.log).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else ""


def stop(processes: Sequence[Detached], grace: float, children: bool = True) -> None:
    """Ends processes and their children, one after the other.

    Args:
        processes: In the order in which to end them.
        grace: Seconds that each has between being asked and being made; 0 does not ask.
        children: Whether their children end with them.
    """
    for detached in processes:
        found = detached.find()
        if found is None:
            continue
        family = [found, *_children(found)] if children else [found]
        if grace > 0:
            _signal(family[:1], signal.SIGTERM)
            _wait(family[:1], grace)
        _signal(family, signal.SIGKILL)
        _wait(family, 5.0)


def _wait_for_command_line(pid: int) -> None:
    """Waits until the kernel shows it, a moment after the program has begun."""
    with contextlib.suppress(psutil.Error):  # it has ended already
        process = psutil.Process(pid)
        while not process.cmdline():
            time.sleep(0.001)


def _children(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def _signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)  # refused by psutil if the id has a new owner


def _wait(processes: Sequence[psutil.Process], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and not all(map(_has_ended, processes)):
        time.sleep(0.02)


def _has_ended(process: psutil.Process) -> bool:
    """Says whether a process has ended, also where nobody has asked for its exit status yet.

    A container's first process often never does, and our own children are ours to ask about.
    """
    try:
        if not process.is_running():
            return True
        if process.status() != psutil.STATUS_ZOMBIE:
            return False
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)
    except psutil.Error:
        pass
    return True
