"""What is typed where a service in Kubernetes is not started from here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl.components import DeployRequest
from automl_plugins.targets.kubectl import Kubectl
from automl_plugins.targets.manifests import Service
from automl_plugins.targets.tools import missing_cluster, missing_docker


def missing_for_kubernetes(options: Mapping[str, Any]) -> str:
    """Returns what it takes to deploy to a cluster, as `missing_docker` does."""
    if not options.get("registry"):
        return (
            "expected a registry from which the cluster gets the images, such as --set "
            "registry=ghcr.io/me, found none; give one, or bring them there and type the commands."
        )
    return missing_docker() or missing_cluster()


def kubernetes_commands(service: Service, cluster: Kubectl) -> list[str]:
    """Returns the commands that do what a deploy would."""
    images = (service.images.gateway, service.images.model_server)
    return [
        shlex.join(command)
        for command in (
            *(image.build() for image in images),
            # Without a registry they come to the cluster by a way of its own.
            *(image.push() for image in images if "/" in image.tag),
            cluster.command("apply", f"--filename={manifests_folder(service.request)}"),
            cluster.command("rollout", "status", f"deployment/{service.name}"),
            cluster.command("port-forward", f"service/{service.name}", "8080:80"),
        )
    ]


def manifests_folder(request: DeployRequest) -> Path:
    """Returns the folder of all that is applied."""
    return request.directory / "manifests"
