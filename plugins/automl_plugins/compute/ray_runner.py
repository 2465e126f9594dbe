"""Runs one task on a node of a Ray cluster; becomes an actor there."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class Runner:
    """A process and its pipes. Its methods are called at the same time, in threads."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: str,
        log: Path,
        reads: bool,
        writes: bool,
    ) -> None:
        """Starts the process.

        Args:
            command: The program and its arguments.
            environment: Variables set on top of the node's own.
            folder: Where it runs.
            log: The file that takes its standard error, and its output unless it is read.
            reads: Whether its standard input is fed.
            writes: Whether its standard output is read.
        """
        # Ray sets it to the number of reserved cores, which says nothing here.
        own = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
                stdout=subprocess.PIPE if writes else errors,
                stderr=errors,
                env={**own, **environment},
                cwd=folder,
                start_new_session=True,
            )

    def feed(self, data: bytes) -> None:
        """Writes to its standard input; closes it when there is nothing to write."""
        assert self._process.stdin is not None
        if not data:
            self._process.stdin.close()
        else:
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def read(self) -> bytes:
        """Waits for more of its standard output; returns nothing at the end."""
        assert self._process.stdout is not None
        return os.read(self._process.stdout.fileno(), 1 << 16)

    def wait(self) -> int:
        """Waits for its end and returns the exit status."""
        return self._process.wait()

    def cancel(self, grace: float) -> None:
        """Asks it to stop, and after `grace` seconds makes it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(grace)
