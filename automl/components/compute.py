"""Where tasks run: trials and jobs are both tasks."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Task:
    """A command to run.

    Attributes:
        command: The program and its arguments.
        log: The file that takes its standard output and error.
        environment: Variables set on top of the current ones.
        stdin: A file descriptor that becomes its standard input; nothing is read by default.
        pass_fds: File descriptors that the process inherits under the same numbers.
        cpus: The numbers of the processor cores that it is confined to; none for all of them.
    """

    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: int | None = None
    pass_fds: Sequence[int] = ()
    cpus: Sequence[int] = ()


class TaskHandle(abc.ABC):
    """A task that was started."""

    @abc.abstractmethod
    def status(self) -> int | None:
        """Returns the exit status, or `None` while the task runs."""

    @abc.abstractmethod
    def log(self) -> str:
        """Returns what the task has printed so far."""

    @abc.abstractmethod
    def cancel(self, grace: float = 5.0) -> None:
        """Ends the task: asks it to stop, and after `grace` seconds makes it."""

    @abc.abstractmethod
    def wait(self, timeout: float | None = None) -> int | None:
        """Waits for the end, at most `timeout` seconds; returns `status()`."""


class Compute(abc.ABC):
    """Runs tasks somewhere."""

    name: str

    @abc.abstractmethod
    def start(self, task: Task) -> TaskHandle:
        """Starts `task` and returns at once."""
