"""The servers of a deployment on this machine: their command lines and the files they read."""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from automl.components import DeployRequest
from automl.errors import DeploymentError
from automl.hardware import cores, gpus
from automl_plugins.targets.keys import write_keys
from automl_plugins.targets.ports import HOST, free_port
from automl_plugins.targets.precision import chosen_precision
from automl_plugins.targets.processes import Detached

_BATCHING = """\
max_batch_size {{ value: 2 }}
num_batch_threads {{ value: {threads} }}
max_enqueued_batches {{ value: 1000 }}
"""
"""Two pictures make the trip to a thread together; of more, some would wait while a core idles.

One thread more than cores has its pictures ready when a core has done another's. What is under way
is limited by the gateway, for which the queue is long enough.
"""

_LEAVING_SECONDS = 0.5
"""How long a gateway that ends goes on answering, each time asking the client to connect anew."""


def planned_servers(request: DeployRequest, port: int, generation: int) -> list[Detached]:
    """Returns the model server and the gateway of a version, not started yet.

    Args:
        request: What is deployed.
        port: The gateway's.
        generation: Counts the versions that the deployment has served, from 1.
    """
    grpc = free_port()
    precision = chosen_precision(request.options)
    listening = [f"--port={grpc}", f"--rest_api_port={free_port()}", f"--host={HOST}"]
    return [
        planned_model_server(
            request,
            script("automl-model-server"),
            [*listening, *_batching(request), f"--precision={precision}"],
            generation,
        ),
        planned_gateway(request, "gateway", f"{HOST}:{grpc}", port, generation, *beside()),
    ]


def planned_model_server(
    request: DeployRequest, program: str, flags: Sequence[str], generation: int
) -> Detached:
    """Returns a model server with TensorFlow Serving's flags, not started yet.

    Args:
        request: What is deployed.
        program: Its path.
        flags: How it works, and where it listens.
        generation: As for `planned_servers`.
    """
    command = [
        program,
        f"--model_name={request.model}",
        f"--model_base_path={_pinned(request, generation)}",
        *flags,
        "--file_system_poll_wait_seconds=0",
    ]
    return planned(request, "model server", command, generation)


def planned_gateway(
    request: DeployRequest, role: str, upstream: str, port: int, generation: int, *more: str
) -> Detached:
    """Returns a gateway in front of the model server at `upstream`, not started yet.

    It has the flags `more` beside its own.
    """
    command = [
        script("automl-gateway"),
        f"--model={request.model}",
        f"--manifest={request.model_path}",
        f"--upstream={upstream}",
        f"--host={HOST}",
        f"--port={port}",
        f"--keys-file={write_keys(request)}",
        f"--shutdown-delay={_LEAVING_SECONDS}",
        *more,
    ]
    return planned(request, role, command, generation)


def planned(
    request: DeployRequest, role: str, command: Sequence[str], generation: int = 1
) -> Detached:
    """Returns a process that logs to the deployment's folder, not started yet."""
    suffix = f"-{generation}" if generation > 1 else ""
    log = request.directory / f"{role.replace(' ', '-')}{suffix}.log"
    return Detached(role, None, tuple(command), str(log))


def start_seconds(server: Detached) -> float | None:
    """Returns the seconds that a server says it took, `None` before it says that it is ready."""
    try:
        text = Path(server.log).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    told = [line for line in text.splitlines() if line.startswith('{"event": "ready"')]
    return float(json.loads(told[-1])["seconds"]) if told else None


def script(name: str) -> str:
    """Returns the path of a console script, of this environment if it can be.

    Raises:
        DeploymentError: If there is none.
    """
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise DeploymentError(
            f"expected the command {name} beside {sys.executable}, found none; install "
            f"automl-vision again."
        )
    return found


def beside() -> list[str]:
    """Returns a gateway's flags for a model server that has the cores of this machine.

    Many small calls keep these busy, of which some are computed while others are on their way.
    """
    if gpus():
        return []
    return [f"--upstream-calls={2 * cores()}", "--upstream-images=3"]


def _batching(request: DeployRequest) -> list[str]:
    """Returns the model server's flags for pictures that wait to be computed together."""
    if gpus():  # which compute all of a call at a time
        return []
    path = request.directory / "batching.config"
    path.write_text(_BATCHING.format(threads=cores() + 1), encoding="utf-8")
    return ["--enable_batching", f"--batching_parameters_file={path}"]


def _pinned(request: DeployRequest, generation: int) -> Path:
    """Returns a folder that holds the one version to serve, whatever is exported later."""
    base = request.directory / f"model-{generation}"
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir()
    (base / str(request.version)).symlink_to(request.model_path, target_is_directory=True)
    return base
