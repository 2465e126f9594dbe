"""The Compose file of a service: what https://compose-spec.io describes."""

from __future__ import annotations

import os
from typing import Any

from automl.components import DeployRequest
from automl_plugins.targets.containers import (
    GATEWAY_MEMORY,
    GATEWAY_PORT,
    MANIFEST,
    MODEL_SERVER_MEMORY,
    USER,
    ModelServer,
    gateway_environment,
)
from automl_plugins.targets.images import Image, Images
from automl_plugins.targets.ports import HOST

_KEYS = "keys.json"
_UPSTREAM = "model-server"
_PROBE = (
    "import urllib.request as web; "
    f"web.build_opener(web.ProxyHandler({{}})).open('http://127.0.0.1:{GATEWAY_PORT}/readyz')"
)


def keys_owner() -> int:
    """Returns the user who may read the keys file, on this machine and in the gateway's container.

    Docker mounts a secret as the file is, with its owner and its mode.
    """
    return os.geteuid() or USER


def compose_file(
    request: DeployRequest, project: str, images: Images, server: ModelServer, port: int
) -> dict[str, Any]:
    """Returns the file's content; its paths begin at the deployment's folder.

    Args:
        request: What is served.
        project: The name of all that it starts.
        images: The containers'.
        server: The model server.
        port: The gateway's on this machine, where nobody else reaches it.
    """
    owner = keys_owner()
    return {
        "name": project,
        "services": {
            _UPSTREAM: {
                **_built(images.model_server, request),
                **_confined(USER, MODEL_SERVER_MEMORY),
                "entrypoint": [server.command],
                "command": server.arguments(request.model),
            },
            "gateway": {
                **_built(images.gateway, request),
                **_confined(owner, GATEWAY_MEMORY),
                "depends_on": {_UPSTREAM: {"condition": "service_started"}},
                "environment": gateway_environment(
                    request.model, _UPSTREAM, f"/run/secrets/{_KEYS}"
                ),
                "ports": [{"target": GATEWAY_PORT, "published": str(port), "host_ip": HOST}],
                "secrets": [{"source": "keys", "target": _KEYS}],
                "configs": [{"source": "manifest", "target": MANIFEST}],
                "healthcheck": {
                    "test": ["CMD", "python", "-c", _PROBE],
                    "interval": "5s",
                    "timeout": "5s",
                    "retries": 3,
                    "start_period": "60s",
                },
                # It answers what it has taken before it ends.
                "stop_grace_period": "40s",
            },
        },
        "secrets": {"keys": {"file": f"./{_KEYS}"}},
        "configs": {"manifest": {"file": f"./manifest-{request.version}.json"}},
    }


def _built(image: Image, request: DeployRequest) -> dict[str, Any]:
    context = f"./{image.context.relative_to(request.directory).as_posix()}"
    return {"image": image.tag, "build": {"context": context, "dockerfile": image.dockerfile}}


def _confined(user: int, memory: int) -> dict[str, Any]:
    """Returns what holds a container to its work: no root, nothing written, nothing gained."""
    return {
        "user": f"{user}:{user}",
        "read_only": True,
        "tmpfs": ["/tmp"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "deploy": {"resources": {"limits": {"memory": f"{memory}m"}}},
        "restart": "unless-stopped",
        "init": True,
    }
