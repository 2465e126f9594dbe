"""The programs that start containers, used where they are present and have something to talk to."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from automl.errors import DeploymentError

NOT_WANTED = (
    "expected to start nothing, found the option start=false; type the commands to start it."
)
"""Why what could be started was only written."""

NOT_STARTED = "expected a service that runs, found none started from here; type the commands again."
"""Why an update only wrote its files."""

_ANSWER_SECONDS = 10.0


def demand(missing: str) -> None:
    """Goes on where nothing is missing.

    Raises:
        DeploymentError: Otherwise.
    """
    if missing:
        raise DeploymentError(missing)


def missing_docker() -> str:
    """Returns what it takes to build images, in one sentence; empty if nothing is missing."""
    if shutil.which("docker") is None:
        return (
            "expected docker on the PATH, found none; install it, or type the commands where it is."
        )
    if not _answers(["docker", "version", "--format", "{{.Server.Version}}"]):
        return (
            "expected a Docker engine, found none that answers; start it, or type the commands "
            "where one runs."
        )
    return ""


def missing_compose() -> str:
    """Returns what it takes to start a Compose file, as `missing_docker` does."""
    found = missing_docker()
    if not found and not _answers(["docker", "compose", "version"]):
        return (
            "expected Docker's Compose plugin, found that `docker compose` is no command; install "
            "it, or type the commands where it is."
        )
    return found


def missing_cluster() -> str:
    """Returns what it takes to talk to a Kubernetes cluster, as `missing_docker` does."""
    if shutil.which("kubectl") is None:
        return (
            "expected kubectl on the PATH, found none; install it, or type the commands where one "
            "is."
        )
    if not _answers(["kubectl", "version", "--request-timeout=5s"]):
        return (
            "expected a Kubernetes cluster, found none that answers kubectl; choose a context of "
            "it, or type the commands where one does."
        )
    return ""


def run(command: Sequence[str], log: Path | None = None) -> str:
    """Runs a program to its end and returns what it wrote on standard output.

    Args:
        command: The program and its arguments.
        log: A file to which all that it writes is appended instead.

    Raises:
        DeploymentError: If it fails.
    """
    if log is None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stderr
    else:
        with log.open("a+", encoding="utf-8", errors="replace") as file:
            begin = file.seek(0, 2)
            done = subprocess.run(command, stdout=file, stderr=file, text=True, check=False)
            file.seek(begin)
            said = file.read()
    if done.returncode != 0:
        lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no word"]
        where = f" (all of it in {log})" if log is not None else ""
        raise DeploymentError(
            f"expected `{shlex.join(command)}` to succeed, found: {lines[-1]}{where}"
        )
    return done.stdout or ""


def _answers(command: Sequence[str]) -> bool:
    try:
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_ANSWER_SECONDS,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
