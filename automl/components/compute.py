"""Where tasks run: trials and jobs are both tasks."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Part:
    """One of several tasks that run at a time and divide what there is to run on.

    Attributes:
        number: Which of them, from 0.
        of: How many they are.
    """

    number: int = 0
    of: int = 1


@dataclass(frozen=True)
class Task:
    """A command to run.

    Attributes:
        command: The program and its arguments.
        log: The file that takes its standard error, and its output unless `stdout` does.
        environment: Variables set on top of the current ones.
        stdin: A file descriptor that becomes its standard input; nothing is read by default.
        stdout: A file descriptor that takes its standard output.
        part: Its part of cores and GPUs; `None` if it runs beside the tasks that have them.
    """

    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: int | None = None
    stdout: int | None = None
    part: Part | None = None


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
    """Runs tasks somewhere: on this machine, or on others that have its files at the same paths."""

    name: str

    def check(self) -> None:  # noqa: B027 - most can run tasks anywhere
        """Checks, before anything is begun, that tasks can be run.

        Raises:
            UsageError: If not, such as for a package that is not installed.
        """

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Lets go of what it holds beside tasks; called when a search is over.

        Another search of the same process may go on, and `start` may be called again.
        """

    @abc.abstractmethod
    def start(self, task: Task) -> TaskHandle:
        """Starts `task` and returns at once.

        The task has copies of the file descriptors: the caller may close its own.
        """
