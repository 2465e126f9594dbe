"""The contract of a compute."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

from automl.components import Compute, Task, TaskHandle
from automl.testing.expect import check_name, expect

_PATIENCE = 60.0
"""Seconds to wait for a task that prints a line."""


def check_compute(compute: Compute) -> None:
    """Runs four short tasks: one ends well, one fails, one is cancelled, one is a filter.

    Raises:
        AssertionError: With one sentence, if the contract is broken.
        UsageError: If tasks cannot be run here.
    """
    check_name(compute)
    compute.check()
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(compute):
        _check_end(compute, Path(folder))
        _check_failure(compute, Path(folder))
        _check_cancel(compute, Path(folder))
        _check_filter(compute, Path(folder))


def _check_end(compute: Compute, folder: Path) -> None:
    program = "import os, sys; print(os.environ['AUTOML_CHECK']); print('oops', file=sys.stderr)"
    handle = _start(compute, program, folder / "end.log", {"AUTOML_CHECK": "hello"})
    status = handle.wait(_PATIENCE)
    expect(
        status == 0 and handle.status() == 0,
        f"expected {compute.name} to report exit status 0, found {status} from wait() and "
        f"{handle.status()} from status().",
    )
    log = handle.log()
    expect(
        "hello" in log and "oops" in log,
        f"expected {compute.name} to pass the environment on and to log both outputs, "
        f"found {log!r}.",
    )


def _check_failure(compute: Compute, folder: Path) -> None:
    handle = _start(compute, "raise SystemExit(7)", folder / "failure.log")
    status = handle.wait(_PATIENCE)
    expect(status == 7, f"expected {compute.name} to report exit status 7, found {status}.")


def _check_cancel(compute: Compute, folder: Path) -> None:
    handle = _start(compute, "import time; time.sleep(600)", folder / "cancel.log")
    expect(
        handle.wait(0.2) is None and handle.status() is None,
        f"expected {compute.name} to report None while a task runs, found {handle.status()}.",
    )
    begun = time.monotonic()
    handle.cancel(grace=5.0)
    status = handle.wait(_PATIENCE)
    expect(
        status is not None and status != 0 and time.monotonic() - begun < _PATIENCE,
        f"expected {compute.name} to end a cancelled task with a status that is not 0, "
        f"found {status}.",
    )


def _check_filter(compute: Compute, folder: Path) -> None:
    program = "import sys; print('aside', file=sys.stderr); print(sys.stdin.read().upper())"
    read, stdin = os.pipe()
    stdout, write = os.pipe()
    task = Task([sys.executable, "-c", program], folder / "filter.log", {}, read, write)
    handle = compute.start(task)
    os.close(read)
    os.close(write)
    with os.fdopen(stdout, encoding="utf-8") as answers:
        with os.fdopen(stdin, "w", encoding="utf-8") as questions:
            questions.write("up")
        answer = answers.read()
    handle.wait(_PATIENCE)
    expect(
        answer == "UP\n",
        f"expected {compute.name} to carry a task's standard input and output, found {answer!r} "
        f"for 'UP\\n'.",
    )
    log = handle.log()
    expect(
        "aside" in log and "UP" not in log,
        f"expected {compute.name} to log a filter's standard error and no more, found {log!r}.",
    )


def _start(
    compute: Compute, program: str, log: Path, environment: dict[str, str] | None = None
) -> TaskHandle:
    return compute.start(Task([sys.executable, "-c", program], log, environment or {}))
