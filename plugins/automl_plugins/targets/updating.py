"""Lets a new version take an old one's place on this machine without a lost request.

The new model server comes up beside the old one and is checked through a gateway that nobody
knows. Then the supervisor starts the new gateway on the socket that it shares with the old one:
both accept connections, until the old gateway has answered its last request and ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from automl.components import DeployedService, DeployRequest
from automl.errors import DeploymentError
from automl_plugins.targets.options import kept_options, timeout
from automl_plugins.targets.plan import POLL, tell, write_plan
from automl_plugins.targets.ports import HOST, free_port
from automl_plugins.targets.processes import Detached, stop
from automl_plugins.targets.readiness import check_answers, ready_seconds, wait_until_ready
from automl_plugins.targets.servers import planned_gateway, start_seconds

TIMEOUT = 60.0
"""How long a service may take to come up by default, in seconds."""

_TAKEOVER = 30.0
_GRACE = 40.0


def update(
    request: DeployRequest,
    state: Mapping[str, Any],
    planned: Callable[[DeployRequest, int, int], list[Detached]],
) -> DeployedService:
    """Replaces the version that `state` describes by the one of `request`.

    Args:
        request: The new version.
        state: What the deployment last remembered.
        planned: Returns what is to run for a request, a port and a generation, the gateway last.

    Raises:
        DeploymentError: If it does not come up or answers wrongly; the old one goes on then.
    """
    began = time.monotonic()
    supervisor = Detached.from_state(state["supervisor"])
    old = [Detached.from_state(process) for process in state["processes"]]
    plan = Path(state["plan"])
    _clear(supervisor, plan, old, state.get("others", ()))

    port = urlsplit(state["url"]).port
    assert port is not None
    generation = state["generation"] + 1
    *behind, gateway = planned(request, port, generation)
    if gateway.command == old[-1].command:  # the same version of the same server
        return DeployedService(state["url"], {**state, "others": []})
    Path(gateway.log).unlink(missing_ok=True)  # of an update that failed
    upstream = next(part for part in gateway.command if part.startswith("--upstream="))
    trial_port = free_port()
    trial = planned_gateway(
        request, "trial gateway", upstream.partition("=")[2], trial_port, generation
    )

    def remember() -> None:
        others = [each.to_state() for each in (*behind, gateway, trial)]
        request.remember({**state, "others": others})

    try:
        remember()  # before they start, so that an update that is killed leaves nothing unknown
        behind = [each.start() for each in behind]
        trial = trial.start()
        remember()
        trial_url = f"http://{HOST}:{trial_port}"
        wait_until_ready(trial_url, [*behind, trial], timeout(request.options, TIMEOUT))
        check_answers(trial_url, request)
        stop([trial], grace=2.0)
        _replan(supervisor, plan, [*behind, gateway])
        _wait_for(gateway)
    except BaseException:
        # The socket's line is the old gateway's alone again.
        _clear(supervisor, plan, old, [each.to_state() for each in (trial, gateway, *behind)])
        request.remember({**state, "others": []})
        raise
    new = {
        **state,
        "generation": generation,
        "options": kept_options(request.options),
        "processes": [each.to_state() for each in (*behind, gateway)],
    }
    request.took_over({**new, "others": [process.to_state() for process in old]})
    stop(list(reversed(old)), _GRACE)
    seconds = {each.role: start_seconds(each) or 0.0 for each in (*behind, gateway)}
    return DeployedService(state["url"], {**new, "others": []}, seconds | ready_seconds(began))


def _clear(
    supervisor: Detached,
    plan: Path,
    servers: Sequence[Detached],
    others: Sequence[Mapping[str, Any]],
) -> None:
    """Has `servers` watched and nothing else, and ends what an update has left behind."""
    left = [Detached.from_state(other) for other in others]
    if supervisor.find() is None:
        stop(left, grace=2.0)
        raise DeploymentError(
            "expected the deployment's supervisor to run, found that it has ended; delete the "
            "deployment and deploy again."
        )
    if left:
        _replan(supervisor, plan, servers)
        time.sleep(2 * POLL)  # or it would start them again
        stop(left, grace=2.0)


def _replan(supervisor: Detached, plan: Path, servers: Sequence[Detached]) -> None:
    write_plan(plan, servers)
    tell(supervisor)


def _wait_for(gateway: Detached) -> None:
    """Returns when the gateway says in its log that it accepts connections."""
    deadline = time.monotonic() + _TAKEOVER
    while start_seconds(gateway) is None:
        if time.monotonic() > deadline:
            said = gateway.last_line().removeprefix("Error: ") or "no word of it"
            raise DeploymentError(
                f"expected the new gateway to take over within {_TAKEOVER:g} s, found {said}; "
                f"the old version goes on."
            )
        time.sleep(0.05)
