"""The pod that serves in Kubernetes.

It holds both servers, so that a gateway and a model server of different versions never meet. The
model server is a sidecar (an init container that goes on, Kubernetes 1.29 and later): it is up
before the gateway starts, and ends after the gateway has answered its last request.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from automl_plugins.targets.containers import (
    GATEWAY_MEMORY,
    GATEWAY_PORT,
    GRPC_PORT,
    MANIFEST,
    MODEL_SERVER_MEMORY,
    REST_PORT,
    USER,
    ModelServer,
    gateway_environment,
)
from automl_plugins.targets.images import Images

KEYS = "keys.json"
KEYS_FOLDER = "/run/secrets/automl"

_LEAVING_SECONDS = 5
"""How long a gateway answers after it was told to end; others hear of that only after a while."""


def pod(
    model: str, images: Images, server: ModelServer, secret: str, manifest: str
) -> dict[str, Any]:
    """Returns the specification of a pod.

    Args:
        model: The model's name.
        images: The containers'.
        server: The model server.
        secret: The name of the Secret with the keys.
        manifest: The name of the ConfigMap with the model's manifest.
    """
    return {
        "automountServiceAccountToken": False,
        # Kubernetes' variables of a Service could be taken for the gateway's settings.
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # The gateway's 5 s and its 30 s for requests in progress, and then the model server.
        "terminationGracePeriodSeconds": 60,
        "initContainers": [_model_server(model, images, server)],
        "containers": [_gateway(model, images)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
            {"name": "keys", "secret": {"secretName": secret, "defaultMode": 0o440}},
            {"name": "manifest", "configMap": {"name": manifest}},
        ],
    }


def _model_server(model: str, images: Images, server: ModelServer) -> dict[str, Any]:
    probe = {"httpGet": {"path": f"/v1/models/{model}", "port": "rest"}}
    return {
        "name": "model-server",
        "image": images.model_server.tag,
        "restartPolicy": "Always",
        "command": [server.command],
        "args": server.arguments(model),
        "ports": [
            {"name": "grpc", "containerPort": GRPC_PORT},
            {"name": "rest", "containerPort": REST_PORT},
        ],
        "startupProbe": {**probe, "periodSeconds": 2, "failureThreshold": 150},
        "livenessProbe": {**probe, "periodSeconds": 10, "timeoutSeconds": 5},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        **_confined("500m", MODEL_SERVER_MEMORY),
    }


def _gateway(model: str, images: Images) -> dict[str, Any]:
    settings = {
        **gateway_environment(model, "127.0.0.1", f"{KEYS_FOLDER}/{KEYS}"),
        "AUTOML_GATEWAY_SHUTDOWN_DELAY": str(_LEAVING_SECONDS),
    }
    ready, alive = (
        {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5}
        for path in ("/readyz", "/healthz")
    )
    folder = str(PurePosixPath(MANIFEST).parent)
    return {
        "name": "gateway",
        "image": images.gateway.tag,
        "env": [{"name": name, "value": value} for name, value in settings.items()],
        "ports": [{"name": "http", "containerPort": GATEWAY_PORT}],
        "startupProbe": {**alive, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**ready, "periodSeconds": 5},
        "livenessProbe": {**alive, "periodSeconds": 10},
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "keys", "mountPath": KEYS_FOLDER, "readOnly": True},
            {"name": "manifest", "mountPath": folder, "readOnly": True},
        ],
        **_confined("250m", GATEWAY_MEMORY),
    }


def _confined(cpu: str, memory: int) -> dict[str, Any]:
    """Returns what holds a container to its work: nothing written, nothing gained, its share."""
    return {
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "resources": {
            "requests": {"cpu": cpu, "memory": f"{memory // 4}Mi"},
            "limits": {"memory": f"{memory}Mi"},
        },
    }
