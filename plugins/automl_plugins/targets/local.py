"""Deploys on this machine: a model server and a gateway as processes of their own.

Both listen on the loopback address only, and go on when the shell that started them closes. A
third process, the supervisor, starts them again where they end.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from automl.components import ContainerImages, DeployedService, DeployRequest, Target
from automl_plugins.targets.containers import MODEL_SERVERS
from automl_plugins.targets.images import build, images_of
from automl_plugins.targets.options import (
    check_options,
    check_update_options,
    kept_options,
    number,
    object_name,
    timeout,
)
from automl_plugins.targets.plan import REREAD, write_plan
from automl_plugins.targets.ports import HOST, gateway_socket
from automl_plugins.targets.precision import check_precision
from automl_plugins.targets.processes import Detached, stop
from automl_plugins.targets.readiness import (
    check_answers,
    is_ready,
    ready_seconds,
    wait_until_ready,
)
from automl_plugins.targets.servers import planned, planned_servers, start_seconds
from automl_plugins.targets.updating import TIMEOUT, update

_GRACE = 10.0


class LocalTarget(Target):
    """The model server and the gateway on this machine.

    Options: `port`, the gateway's (a free one by default); `precision`, `float32` (the default) or
    `bfloat16`, which takes about half the time where the processor has it and the model's export
    allows it; and `timeout`, the seconds that the service has to come up (60 by default).
    """

    name = "local"
    options: Sequence[str] = ("port", "precision", "timeout")

    def chosen(self, given: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of a service: those given, and of those kept the rest.

        Raises:
            UsageError: If one is put wrongly.
        """
        return {**kept, **given}

    def servers(self, request: DeployRequest, port: int, generation: int) -> list[Detached]:
        """Returns what is to run, not started yet: the gateway last, at `port`.

        Args:
            request: What is deployed.
            port: The gateway's.
            generation: Counts the versions that the deployment has served, from 1.
        """
        return planned_servers(request, port, generation)

    def deploy(self, request: DeployRequest) -> DeployedService:
        """Starts both servers and returns when the gateway says that it is ready."""
        check_options(self.name, self.options, request.options)
        request = replace(request, options=self.chosen(request.options, {}))
        check_precision(request)
        began = time.monotonic()
        with gateway_socket(number(request.options, "port")) as holder:
            port = holder.getsockname()[1]
            url = f"http://{HOST}:{port}"
            *behind, gateway = self.servers(request, port, 1)
            plan = request.directory / "servers.json"
            supervisor = planned(request, "supervisor", _supervisor_command(plan))

            def state() -> dict[str, Any]:
                return {
                    "url": url,
                    "generation": 1,
                    "options": kept_options(request.options),
                    "plan": str(plan),
                    "supervisor": supervisor.to_state(),
                    "processes": [each.to_state() for each in (*behind, gateway)],
                }

            try:
                # Before they start, so that one whose id was never noted is found by its command.
                request.remember(state())
                # Together: the gateway is not ready before the model server, which takes longer.
                behind = [each.start() for each in behind]
                gateway = gateway.start(holder.fileno())
                request.remember(state())
                wait_until_ready(url, [*behind, gateway], timeout(request.options, TIMEOUT))
                check_answers(url, request)
                # Not before: what does not come up at first is an error to tell, not to repeat.
                write_plan(plan, [*behind, gateway])
                supervisor = supervisor.start(holder.fileno(), held={REREAD})
            except BaseException:
                _take_down(supervisor, [*behind, gateway], grace=0)
                raise
        seconds = {each.role: start_seconds(each) or 0.0 for each in (*behind, gateway)}
        return DeployedService(url, state(), seconds | ready_seconds(began))

    def update(self, request: DeployRequest, state: Mapping[str, Any]) -> DeployedService:
        """Starts the new version's servers, and gives them the gateway's socket."""
        check_update_options(self.name, self.options, request.options)
        chosen = self.chosen(request.options, state.get("options", {}))
        request = replace(request, options=chosen)
        check_precision(request)
        return update(request, state, self.servers)

    def status(self, state: Mapping[str, Any]) -> str:
        """Looks at the processes first, since a port may be anyone's."""
        supervisor, servers = _parts(state)
        found = [part.find() for part in (*servers, supervisor) if part is not None]
        alive = [process for process in found if process is not None]
        if not alive:
            return "stopped"
        if len(alive) < len(found):
            return "degraded"
        if is_ready(state["url"]):
            return "ready"
        age = time.time() - min(process.create_time() for process in alive)
        return "starting" if age < TIMEOUT else "degraded"

    def delete(self, state: Mapping[str, Any]) -> None:
        """Ends the gateway, which finishes what it is answering, and then the model server."""
        supervisor, servers = _parts(state)
        others = [Detached.from_state(other) for other in state.get("others", ())]
        _take_down(supervisor, [*others, *servers], grace=_GRACE)

    def build_image(self, request: DeployRequest, state: Mapping[str, Any]) -> ContainerImages:
        """Builds the images with which other targets serve the same version."""
        object_name(request.name)  # which is part of an image's
        server = MODEL_SERVERS["tf-serving"]
        return build(request, images_of(request, server), server)


def _take_down(supervisor: Detached | None, servers: Sequence[Detached], grace: float) -> None:
    """Ends the supervisor, which would start the servers again, and then the last one first."""
    if supervisor is not None:
        # What it started again is its child, and ends as the others do.
        stop([supervisor], grace=min(grace, 2.0), children=False)
    stop(list(reversed(servers)), grace)


def _supervisor_command(plan: Path) -> list[str]:
    # -P: no module in the folder where `automl` is typed is to be taken for one of its own.
    return [sys.executable, "-P", "-m", "automl_plugins.targets.supervisor", str(plan)]


def _parts(state: Mapping[str, Any]) -> tuple[Detached | None, list[Detached]]:
    """Returns the supervisor and the servers that a state names, none where it names none."""
    supervisor = state.get("supervisor")
    servers = [Detached.from_state(process) for process in state.get("processes", ())]
    return Detached.from_state(supervisor) if supervisor else None, servers
