"""Deploys in front of a TensorFlow Serving that runs already, or another server of its protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from automl.components import DeployedService, DeployRequest
from automl.errors import UsageError
from automl_plugins.targets.local import LocalTarget
from automl_plugins.targets.processes import Detached
from automl_plugins.targets.servers import planned_gateway

_ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})", re.ASCII)


class TfServingTarget(LocalTarget):
    """A gateway on this machine before a model server that somebody else runs.

    That one must serve the model's version, under the model's name: its `--model_base_path` can be
    the workspace's `models/NAME`. It is neither started nor stopped here.

    Options: `server`, its gRPC address as `HOST:PORT`, and those of `local`.
    """

    name = "tf-serving"
    options: Sequence[str] = ("server", "port", "timeout")

    def servers(self, request: DeployRequest, port: int, generation: int) -> list[Detached]:
        """Returns the gateway, which is all that is started."""
        server = str(request.options["server"])
        return [planned_gateway(request, "gateway", server, port, generation)]

    def deploy(self, request: DeployRequest) -> DeployedService:
        """Starts the gateway and returns when it says that the server has the version."""
        server = request.options.get("server")
        match = _ADDRESS.fullmatch(str(server))
        if match is None or not 0 < int(match["port"]) < 65536:
            found = "none" if server is None else repr(server)
            raise UsageError(
                f"expected the gRPC address of a model server, such as --set "
                f"server=127.0.0.1:8500, found {found}; add it."
            )
        service = super().deploy(request)
        return DeployedService(service.url, {**service.state, "server": server}, service.seconds)

    def update(self, request: DeployRequest, state: Mapping[str, Any]) -> DeployedService:
        """Starts a gateway for another version of the same server."""
        options = {"server": state["server"], **request.options}
        return super().update(replace(request, options=options), state)
