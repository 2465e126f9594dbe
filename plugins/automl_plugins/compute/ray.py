"""Runs tasks on a Ray cluster, each as an actor that starts a process on its node."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import math
import os
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

from automl.components import Compute, Part, Task, TaskHandle
from automl.errors import UsageError
from automl_plugins.compute.ray_runner import Runner

ADDRESS = "RAY_ADDRESS"

LOCAL = "local"
"""The address, Ray's own word, of a cluster that is started here."""

CARRIED = ("AUTOML_", "KERAS_", "OMP_", "TF_", "PYTHONPATH")
"""Beginnings of the variables that tasks take along from here."""

DEFAULTS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": ".*"}
"""So that Ray sends its makers no statistics, and prints no news of the cluster on standard output.

Both are read when Ray is imported: a program that uses Ray itself keeps what it has chosen.
"""

OBJECTS = 100 * 2**20
"""Bytes for the objects of a cluster that is started here, which has next to none."""

PATIENCE = 5.0
"""Seconds within which a cluster answers; Ray itself tries for minutes."""

LOST = 255
"""The status of a task whose node or actor is gone; ssh says so too."""


class RayCompute(Compute):
    """Runs tasks on the cluster at RAY_ADDRESS, or else on a Ray of its own on this machine.

    Ray places tasks, each at one core and its part of the GPUs, spread over the nodes: a task that
    reserved all cores of its node would find no room on another once that node is lost.
    """

    name = "ray"

    def __init__(self) -> None:
        self._joining, self._joined = threading.Lock(), False
        self._tasks: list[_RayTask] = []

    def check(self) -> None:
        """Checks that Ray is installed, and joins the cluster at RAY_ADDRESS if there is one.

        Raises:
            UsageError: If it is not, or if there is none.
        """
        found = importlib.util.find_spec("ray")
        # A mere folder of that name is a package without an origin.
        if found is None or found.origin is None:
            raise UsageError(
                "expected Ray for the compute 'ray', found it not installed; run "
                "pip install 'automl-vision[ray]' or pip install ray."
            )
        if _address() != LOCAL:
            self._join()

    def start(self, task: Task) -> TaskHandle:
        """Starts `task` and returns at once, whether or not there is room for it yet.

        Raises:
            UsageError: As `check` does.
        """
        self.check()
        self._join()
        task.log.parent.mkdir(parents=True, exist_ok=True)
        task.log.touch()
        started = _RayTask(task)
        self._tasks.append(started)
        return started

    def close(self) -> None:
        """Leaves the cluster, which ends with that if it was started here."""
        import ray

        with self._joining:
            self._tasks = [task for task in self._tasks if task.status() is None]
            if self._joined and not self._tasks:
                ray.shutdown()
                self._joined = False

    def _join(self) -> None:
        for variable, value in DEFAULTS.items():
            os.environ.setdefault(variable, value)
        import ray

        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        with self._joining:
            if ray.is_initialized():  # by an earlier task, or by the program that searches
                return
            address = _address()
            if address == LOCAL:
                ray.init(LOCAL, include_dashboard=False, object_store_memory=OBJECTS, **quiet)
            else:
                try:
                    _reach(address)
                    ray.init(address, **quiet)
                except (OSError, RuntimeError, ValueError) as error:
                    why = str(error).partition("\n")[0].rstrip(".")
                    raise UsageError(
                        f"expected a Ray cluster at {ADDRESS}={address}, found none to join "
                        f"({why}); start one with 'ray start --head', or unset {ADDRESS}."
                    ) from None
            self._joined = True


def _address() -> str:
    return os.environ.get(ADDRESS) or LOCAL


def _reach(address: str) -> None:
    """Raises `OSError` or `ValueError` if nothing listens at a host and port."""
    place = urlsplit(address if "//" in address else f"//{address}")
    if place.port is not None:  # else it is a word, such as "auto", that Ray knows
        socket.create_connection((place.hostname, place.port), PATIENCE).close()


def _room(part: Part | None) -> dict[str, float]:
    """Returns what Ray reserves for a task; cores and GPUs that are too few are shared."""
    import ray

    if part is None:
        return {"num_cpus": 0}
    there = ray.cluster_resources()
    room: dict[str, float] = {"num_cpus": int(there.get("CPU", 0) >= part.of)}
    if gpus := there.get("GPU", 0):
        room["num_gpus"] = 1 / math.ceil(part.of / gpus)
    return room


class _RayTask(TaskHandle):
    """Carries what is said between the task's file descriptors and its actor, in threads."""

    def __init__(self, task: Task) -> None:
        import ray

        carried = {name: text for name, text in os.environ.items() if name.startswith(CARRIED)}
        # The process is fed, read and cancelled at the same time.
        place = {"scheduling_strategy": "SPREAD", "max_concurrency": 4, **_room(task.part)}
        self._actor: Any = (
            ray.remote(Runner)
            .options(**place)
            .remote(
                list(task.command),
                {**carried, **task.environment},
                os.getcwd(),  # noqa: PTH109
                task.log.absolute(),
                task.stdin is not None,
                task.stdout is not None,
            )
        )
        self._log, self._cancelled, self._ended = task.log, False, threading.Event()
        self._status: int | None = None
        if task.stdin is not None:
            _in_thread(self._feed, os.dup(task.stdin))
        _in_thread(self._follow, None if task.stdout is None else os.dup(task.stdout))

    def status(self) -> int | None:
        return self._status

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def cancel(self, grace: float = 5.0) -> None:
        import ray

        if self._ended.is_set():
            return
        self._cancelled = True
        try:
            ray.get(self._actor.cancel.remote(grace), timeout=2 * grace + 1.0)
        except ray.exceptions.RayError:  # it waits for room, or its node does not answer
            ray.kill(self._actor)
        self._ended.wait()

    def wait(self, timeout: float | None = None) -> int | None:
        self._ended.wait(timeout)
        return self._status

    def _feed(self, source: int) -> None:
        import ray

        with contextlib.suppress(ray.exceptions.RayError), open(source, "rb", buffering=0) as file:
            data = b"more"
            while data:
                data = file.read(1 << 16)
                if self._ended.is_set():  # Ray may be, too, and a call would start it again
                    return
                ray.get(self._actor.feed.remote(data))

    def _follow(self, target: int | None) -> None:
        """Passes the output on and waits for the end, then gives the actor's room back."""
        import ray

        try:
            if target is not None:
                self._read(target)
            status = ray.get(self._actor.wait.remote())
        except ray.exceptions.RayError as error:
            if not self._cancelled:
                with self._log.open("a", encoding="utf-8") as log:
                    log.write(f"{error}\n")
            status = LOST
        ray.kill(self._actor)
        self._status = status
        self._ended.set()

    def _read(self, target: int) -> None:
        import ray

        with contextlib.suppress(BrokenPipeError), open(target, "wb") as file:
            while data := ray.get(self._actor.read.remote()):
                file.write(data)
                file.flush()


def _in_thread(function: Any, argument: int | None) -> None:
    threading.Thread(target=function, args=(argument,), name="ray-task", daemon=True).start()
