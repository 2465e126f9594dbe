"""Deploys with TensorFlow Serving: its program on this machine, or one that runs already."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.components import DeployRequest
from automl.errors import UsageError
from automl_plugins.targets.local import LocalTarget
from automl_plugins.targets.processes import Detached
from automl_plugins.targets.servers import beside, planned_gateway, planned_model_server

PROGRAM = "tensorflow_model_server"

_ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})", re.ASCII)
_CHOICES = ("server", "binary")
_LONGEST_SOCKET = 103
"""In bytes; Linux allows four more."""


class TfServingTarget(LocalTarget):
    """A gateway on this machine before TensorFlow Serving, or another server of its protocol.

    With `server` that one runs already and is neither started nor stopped here. It must serve the
    model's version, under the model's name: its `--model_base_path` can be the workspace's
    `models/NAME`. Otherwise the program is started beside the gateway, and watched as it is. It
    would listen on every address of the machine, so that it gets a UNIX socket and no port.

    Options: `server`, its gRPC address as `HOST:PORT`; or `binary`, the program (by default
    `tensorflow_model_server` on the PATH); `port` and `timeout` as for `local`.
    """

    name = "tf-serving"
    options: Sequence[str] = ("server", "binary", "port", "timeout")

    def servers(self, request: DeployRequest, port: int, generation: int) -> list[Detached]:
        """Returns the gateway, and the model server before it where that is started, too."""
        if "server" in request.options:
            address = str(request.options["server"])
            return [planned_gateway(request, "gateway", address, port, generation)]
        path = _socket(request.directory / f"grpc-{generation}.sock")
        listening = ["--port=0", "--rest_api_port=0", f"--grpc_socket_path={path}"]
        program = str(request.options["binary"])
        return [
            planned_model_server(request, program, listening, generation),
            planned_gateway(request, "gateway", f"unix:{path}", port, generation, *beside()),
        ]

    def chosen(self, given: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of a service, of which one says where the model server is.

        Raises:
            UsageError: If there is no such program and no address, or both are given.
        """
        options = {**given} if given.keys() & set(_CHOICES) else {**kept, **given}
        return {**options, **_chosen(options)}


def _chosen(options: Mapping[str, Any]) -> dict[str, str]:
    """Returns either `server` or `binary`."""
    if set(_CHOICES) <= options.keys():
        raise UsageError("expected either server or binary, found both; leave one out.")
    if "server" in options:
        server = str(options["server"])
        match = _ADDRESS.fullmatch(server)
        if match is not None and 0 < int(match["port"]) < 65536:
            return {"server": server}
        found = repr(server)
    else:
        binary = str(options.get("binary") or PROGRAM)
        program = shutil.which(binary)
        if program is not None:
            return {"binary": str(Path(program).absolute())}
        found = f"no program {binary}"
    raise UsageError(
        f"expected {PROGRAM} on the PATH, its path by --set binary=FILE, or the gRPC address of a "
        f"server that runs, such as --set server=127.0.0.1:8500, found {found}; correct it."
    )


def _socket(path: Path) -> Path:
    """Returns `path` if a UNIX socket can have it."""
    if len(os.fsencode(path)) > _LONGEST_SOCKET:
        raise UsageError(
            f"expected a workspace whose path is short enough for a UNIX socket of "
            f"{_LONGEST_SOCKET} bytes in it, found {path}; use another with --workspace DIR."
        )
    return path
