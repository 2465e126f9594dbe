"""Deploys on this machine: a model server and a gateway as processes of their own.

Both listen on the loopback address only, and go on when the shell that started them closes. A
third process, the supervisor, starts them again where they end.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import random
import shutil
import socket
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.components import DeployedService, DeployRequest, Target
from automl.errors import DeploymentError, UsageError
from automl.files import write_json
from automl_plugins.targets.processes import ENVIRONMENT, Detached, stop

HOST = "127.0.0.1"
OPTIONS = ("port", "timeout")

# Below the ports that systems hand out for outgoing connections (Linux from 32768, macOS from
# 49152), so that none of those takes a port between our look at it and the server's use of it.
_PORTS = range(20000, 32000)
_TIMEOUT = 60.0
_POLL = 0.2
_GRACE = 10.0


class LocalTarget(Target):
    """The model server and the gateway on this machine.

    Options: `port`, the gateway's (a free one by default), and `timeout`, the seconds that the
    service has to come up (60 by default).
    """

    name = "local"

    def deploy(self, request: DeployRequest) -> DeployedService:
        """Starts both servers and returns when the gateway says that it is ready."""
        _check_options(request.options)
        port = _gateway_port(request.options.get("port"))
        timeout = float(request.options.get("timeout") or _TIMEOUT)
        url = f"http://{HOST}:{port}"
        began = time.monotonic()
        servers = [_planned(request, role, command) for role, command in _commands(request, port)]
        supervisor = _planned(request, "supervisor", _supervisor_command(request))

        def state() -> dict[str, Any]:
            return {
                "url": url,
                "supervisor": supervisor.to_state(),
                "processes": [server.to_state() for server in servers],
            }

        try:
            # Before they start, so that one whose id was never noted is found by its command.
            request.remember(state())
            # Together: the gateway is not ready before the model server, which takes longer.
            servers[:] = [server.start(ENVIRONMENT) for server in servers]
            request.remember(state())
            _wait_until_ready(url, servers, timeout)
            # Not before: what does not come up at first is an error to tell, not to repeat.
            write_json(_plan(request), state()["processes"], mode=0o600)
            supervisor = supervisor.start(ENVIRONMENT)
        except BaseException:
            _take_down(supervisor, servers, grace=0)
            raise
        seconds = {"ready": round(time.monotonic() - began, 3)}
        return DeployedService(url, state(), {**_start_seconds(servers), **seconds})

    def status(self, state: Mapping[str, Any]) -> str:
        """Looks at the processes first, since a port may be anyone's."""
        supervisor, servers = _parts(state)
        found = [part.find() for part in (*servers, supervisor) if part is not None]
        alive = [process for process in found if process is not None]
        if not alive:
            return "stopped"
        if len(alive) < len(found):
            return "degraded"
        if _is_ready(state["url"]):
            return "ready"
        age = time.time() - min(process.create_time() for process in alive)
        return "starting" if age < _TIMEOUT else "degraded"

    def delete(self, state: Mapping[str, Any]) -> None:
        """Ends the gateway, which finishes what it is answering, and then the model server."""
        _take_down(*_parts(state), grace=_GRACE)


def _take_down(supervisor: Detached | None, servers: Sequence[Detached], grace: float) -> None:
    """Ends the supervisor, which would start the servers again, and then the last one first."""
    if supervisor is not None:
        # What it started again is its child, and ends as the others do.
        stop([supervisor], grace=min(grace, 2.0), children=False)
    stop(list(reversed(servers)), grace)


def _planned(request: DeployRequest, role: str, command: Sequence[str]) -> Detached:
    return Detached(role, None, tuple(command), str(_log(request, role)))


def _plan(request: DeployRequest) -> Path:
    return request.directory / "servers.json"


def _supervisor_command(request: DeployRequest) -> list[str]:
    return [sys.executable, "-m", "automl_plugins.targets.supervisor", str(_plan(request))]


def _start_seconds(servers: Sequence[Detached]) -> dict[str, float]:
    """Returns the seconds that each server says it took, in the line that says it is ready."""
    seconds = {}
    for server in servers:
        for line in Path(server.log).read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith('{"event": "ready"'):
                seconds[server.role] = float(json.loads(line)["seconds"])
    return seconds


def _commands(request: DeployRequest, port: int) -> list[tuple[str, list[str]]]:
    """Returns the two servers' roles and command lines, the one behind first."""
    grpc, rest = _free_port(), _free_port()
    return [
        (
            "model server",
            [
                _script("automl-model-server"),
                f"--model_name={request.model}",
                f"--model_base_path={_pinned(request)}",
                f"--port={grpc}",
                f"--rest_api_port={rest}",
                f"--host={HOST}",
                "--file_system_poll_wait_seconds=0",
            ],
        ),
        (
            "gateway",
            [
                _script("automl-gateway"),
                f"--model={request.model}",
                f"--manifest={request.model_path}",
                f"--upstream={HOST}:{grpc}",
                f"--host={HOST}",
                f"--port={port}",
                f"--keys-file={_keys_file(request)}",
            ],
        ),
    ]


def _log(request: DeployRequest, role: str) -> Path:
    return request.directory / f"{role.replace(' ', '-')}.log"


def _pinned(request: DeployRequest) -> Path:
    """Returns a folder that holds the one version to serve, whatever is exported later."""
    base = request.directory / "model"
    base.mkdir()
    (base / str(request.version)).symlink_to(request.model_path, target_is_directory=True)
    return base


def _keys_file(request: DeployRequest) -> Path:
    path = request.directory / "keys.json"
    digest = hashlib.sha256(request.key.encode()).hexdigest()
    write_json(path, {"keys": [{"name": "owner", "sha256": digest}]}, mode=0o600)
    return path


def _script(name: str) -> str:
    """Returns the path of a console script, of this environment if it can be."""
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


def _check_options(options: Mapping[str, Any]) -> None:
    for name in options:
        if name not in OPTIONS:
            near = difflib.get_close_matches(name, OPTIONS, n=1)
            meant = f"did you mean {near[0]!r}?" if near else "leave it out."
            raise UsageError(
                f"expected an option of the target 'local' ({', '.join(OPTIONS)}), found "
                f"{name!r}; {meant}"
            )


def _gateway_port(wanted: Any) -> int:
    if wanted is None:
        return _free_port()
    if not isinstance(wanted, int) or not 0 < wanted < 65536:
        raise UsageError(f"expected a port from 1 to 65535, found {wanted!r}; choose another.")
    if not _is_free(wanted):
        raise DeploymentError(
            f"expected a free port, found {wanted} in use on {HOST} or not allowed; choose "
            f"another or leave it out."
        )
    return wanted


def _free_port() -> int:
    for port in random.SystemRandom().sample(_PORTS, 200):
        if _is_free(port):
            return port
    raise DeploymentError(
        f"expected a free port between {_PORTS.start} and {_PORTS.stop}, found none; delete "
        f"deployments that are not needed."
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return True
    return False


def _wait_until_ready(url: str, processes: Sequence[Detached], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        ended = next((process for process in processes if process.find() is None), None)
        if ended is not None:
            said = ended.last_line().removeprefix("Error: ") or "no word; deploy again."
            raise DeploymentError(
                f"expected the {ended.role} to start, found that it ended: {said}"
            )
        if _is_ready(url):
            return
        if time.monotonic() > deadline:
            raise DeploymentError(
                f"expected the service to be ready within {timeout:g} s, found it still starting; "
                f"close other programs or allow a longer timeout."
            )
        time.sleep(_POLL)


def _is_ready(url: str) -> bool:
    import httpx

    try:
        # No proxy of the environment's stands between this machine and itself.
        return httpx.get(f"{url}/readyz", timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _parts(state: Mapping[str, Any]) -> tuple[Detached | None, list[Detached]]:
    """Returns the supervisor and the servers that a state names, none where it names none."""
    supervisor = state.get("supervisor")
    servers = [Detached.from_state(process) for process in state.get("processes", ())]
    return Detached.from_state(supervisor) if supervisor else None, servers
