"""Deploys with Docker Compose on this machine, or writes the files for another one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.components import ContainerImages, DeployedService, DeployRequest, Target
from automl.errors import DeploymentError
from automl.manifest import MANIFEST
from automl_plugins.targets.compose_file import compose_file, keys_owner
from automl_plugins.targets.containers import TIMEOUT, ModelServer, chosen_server, updated_options
from automl_plugins.targets.images import (
    Images,
    build,
    forget_other_versions,
    images_of,
    write_contexts,
)
from automl_plugins.targets.keys import write_keys
from automl_plugins.targets.options import (
    check_options,
    check_update_options,
    kept_options,
    number,
    object_name,
    timeout,
    truth,
)
from automl_plugins.targets.ports import HOST, free_port, gateway_socket
from automl_plugins.targets.readiness import (
    check_answers,
    is_ready,
    ready_seconds,
    wait_until_ready,
)
from automl_plugins.targets.tools import NOT_STARTED, NOT_WANTED, demand, missing_compose, run
from automl_plugins.targets.yaml_files import give_to, write_yaml

_FILE, _TRIAL_FILE = "compose.yaml", "trial.yaml"


class ComposeTarget(Target):
    """TensorFlow Serving or OpenVINO Model Server, and the gateway, as containers.

    The deployment's folder holds all that they need and can be taken to another machine. A new
    version is checked beside the old one, on a port that nobody knows; then the containers are
    replaced, which for some seconds answer nothing.

    Options: `port` and `timeout` as for `local` (300 s by default, without the building of the
    images); `server`, `tf-serving` (the default) or `openvino`; `server_image`, another image of
    it; `start`, `false` to write the files only.
    """

    name = "compose"
    options: Sequence[str] = ("port", "timeout", "server", "server_image", "start")

    def deploy(self, request: DeployRequest) -> DeployedService:
        """Writes the files; where Docker is, starts the containers and waits until they answer."""
        check_options(self.name, self.options, request.options)
        missing = "" if truth(request.options, "start") else NOT_WANTED
        with gateway_socket(number(request.options, "port")) as holder:
            port = holder.getsockname()[1]
        state = {"url": f"http://{HOST}:{port}", "port": port, "started": False,
                 "options": kept_options(request.options)}  # fmt: skip
        images, server = _write_contexts(request, request.options)
        path = request.directory / _FILE
        write_yaml(path, compose_file(request, _project(request), images, server, port))
        missing = missing or missing_compose()
        if missing:
            return _written(state, path, missing)
        state["file"], state["started"] = str(path), True
        request.remember(state)
        began = time.monotonic()
        with _ended(path, on_success=False):
            self._start(request, path, state["url"])
        return DeployedService(state["url"], state, ready_seconds(began))

    def update(self, request: DeployRequest, state: Mapping[str, Any]) -> DeployedService:
        """Checks the version in containers of its own before it replaces those that answer."""
        check_update_options(self.name, self.options, request.options)
        options = updated_options(state["options"], request.options)
        state = {**state, "options": kept_options(options)}
        project = _project(request)
        path = request.directory / _FILE
        if state["started"]:
            demand(missing_compose())
        images, server = _write_contexts(request, options)
        new = compose_file(request, project, images, server, state["port"])
        if not state["started"]:
            write_yaml(path, new)
            return _written(state, path, NOT_STARTED)
        began = time.monotonic()
        before = path.read_bytes()
        trial_port = free_port()
        trial = request.directory / _TRIAL_FILE
        write_yaml(trial, compose_file(request, f"{project}-trial", images, server, trial_port))
        with _ended(trial):
            self._start(request, trial, f"http://{HOST}:{trial_port}")
        trial.unlink()
        try:
            write_yaml(path, new)
            self._start(request, path, state["url"])
        except BaseException:
            path.write_bytes(before)
            run([*_compose(path), "up", "--detach", "--no-build", "--wait"])
            raise
        forget_other_versions(images)
        return DeployedService(state["url"], state, ready_seconds(began))

    def status(self, state: Mapping[str, Any]) -> str:
        """Asks Docker, since a port may be anyone's."""
        if not state.get("started"):
            return "written" if state else "stopped"
        if not Path(state["file"]).exists():  # the deployment has been deleted
            return "stopped"
        demand(missing_compose())
        listed = run([*_compose(Path(state["file"])), "ps", "--format", "json"])
        # One object a line, or one list, by Compose's version.
        found = [json.loads(line) for line in listed.splitlines() if line.strip()]
        services = found[0] if found and isinstance(found[0], list) else found
        running = sum(service["State"] == "running" for service in services)
        if running == 0:
            return "stopped"
        if running < 2:
            return "degraded"
        return "ready" if is_ready(state["url"]) else "starting"

    def delete(self, state: Mapping[str, Any]) -> None:
        """Ends the containers and removes them, the network and nothing else."""
        if state.get("started"):
            demand(missing_compose())
            folder = Path(state["file"]).parent
            for path in filter(Path.exists, (folder / _TRIAL_FILE, folder / _FILE)):
                _down(path)

    def logs(self, directory: Path, state: Mapping[str, Any]) -> dict[str, list[str]]:
        """Returns the containers' logs, and that of the building of their images."""
        logs = super().logs(directory, state)
        if state.get("started"):
            demand(missing_compose())
            for service in ("gateway", "model-server"):
                said = run([*_compose(Path(state["file"])), "logs", "--no-color", "--no-log-prefix",
                            service])  # fmt: skip
                logs[service] = said.splitlines()
        return logs

    def build_image(self, request: DeployRequest, state: Mapping[str, Any]) -> ContainerImages:
        """Builds the two images that the Compose file names."""
        server = chosen_server(state["options"])
        return build(request, images_of(request, server), server)

    def _start(self, request: DeployRequest, path: Path, url: str) -> None:
        log = request.directory / "docker.log"
        most = timeout(request.options, TIMEOUT)
        run([*_compose(path), "build"], log)
        run([*_compose(path), "up", "--detach", "--no-build", "--wait", "--wait-timeout",
             f"{max(most, 1):.0f}"], log)  # fmt: skip
        wait_until_ready(url, [], most)
        check_answers(url, request)


def _write_contexts(
    request: DeployRequest, options: Mapping[str, Any]
) -> tuple[Images, ModelServer]:
    """Writes what a version's containers are built from and what they mount."""
    server = chosen_server(options)
    images = images_of(request, server)
    write_contexts(request, images, server)
    shutil.copyfile(
        Path(request.model_path) / MANIFEST, request.directory / f"manifest-{request.version}.json"
    )
    give_to(write_keys(request), keys_owner())
    return images, server


def _project(request: DeployRequest) -> str:
    """Returns a name that no other workspace's containers on this machine have."""
    place = hashlib.sha256(os.fsencode(request.directory)).hexdigest()[:8]
    return f"{object_name(request.name)}-{place}"


def _compose(path: Path) -> list[str]:
    return ["docker", "compose", "--file", str(path)]


def _written(state: dict[str, Any], path: Path, missing: str) -> DeployedService:
    command = shlex.join([*_compose(path), "up", "--build", "--detach", "--wait"])
    return DeployedService(state["url"], state, missing=missing, commands=[command])


def _down(path: Path) -> None:
    run([*_compose(path), "down", "--remove-orphans"])


@contextlib.contextmanager
def _ended(path: Path, on_success: bool = True) -> Iterator[None]:
    """Takes the containers of a file down when the block ends, or only when it fails."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(DeploymentError):  # the first error says more
            _down(path)
        raise
    if on_success:
        _down(path)
