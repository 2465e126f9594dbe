"""The Kubernetes objects of a service."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.components import DeployRequest
from automl.manifest import MANIFEST as MANIFEST_FILE
from automl_plugins.targets.containers import ModelServer
from automl_plugins.targets.images import Images
from automl_plugins.targets.keys import accepted_keys
from automl_plugins.targets.pods import KEYS, pod
from automl_plugins.targets.scaling import Scale, autoscaler

SCORING, TRIAL = "scoring", "trial"
"""What a pod is for: requests, or the check of a new version."""


@dataclass(frozen=True)
class Service:
    """What the objects of a deployment have in common.

    Attributes:
        request: What is served.
        name: The objects' name.
        images: The containers'.
        server: The model server.
        scale: How many pods there are.
    """

    request: DeployRequest
    name: str
    images: Images
    server: ModelServer
    scale: Scale

    def objects(self) -> dict[str, dict[str, Any]]:
        """Returns all objects by the names of their files, those that others need first."""
        found = {
            "secret": self.secret(),
            "manifest": self.config_map(),
            "deployment": self.deployment(SCORING),
            "service": self._object("v1", "Service", {
                "type": "ClusterIP",
                "selector": self._labels(SCORING),
                "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
            }),
            "disruption-budget": self._object("policy/v1", "PodDisruptionBudget", {
                "maxUnavailable": 1,
                "selector": {"matchLabels": self._labels(SCORING)},
            }),
            # The model server asks nobody for a key.
            "network-policy": self._object("networking.k8s.io/v1", "NetworkPolicy", {
                "podSelector": {"matchLabels": instance_labels(self.name)},
                "policyTypes": ["Ingress"],
                "ingress": [{"ports": [{"port": "http", "protocol": "TCP"}]}],
            }),
        }  # fmt: skip
        if self.scale.most is not None:
            found["autoscaler"] = self._object(*autoscaler(self.scale, self.name))
        return found

    def secret(self) -> dict[str, Any]:
        """Returns the hash of the owner's key, in the only object that holds one."""
        content = json.dumps(accepted_keys(self.request))
        return {
            **self._object("v1", "Secret"),
            "type": "Opaque",
            "stringData": {KEYS: content},
        }

    def config_map(self) -> dict[str, Any]:
        """Returns the model's manifest, one object a version so that a former one can return."""
        path = Path(self.request.model_path) / MANIFEST_FILE
        made = self._object("v1", "ConfigMap")
        made["metadata"]["name"] = self._manifest_name
        return {**made, "data": {"manifest.json": path.read_text(encoding="utf-8")}}

    def deployment(self, purpose: str) -> dict[str, Any]:
        """Returns the pods that serve, or the one on which a version is tried."""
        spec = pod(self.request.model, self.images, self.server, self.name, self._manifest_name)
        made = self._object("apps/v1", "Deployment", {
            "selector": {"matchLabels": self._labels(purpose)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": {
                "metadata": {"labels": {**self._labels(purpose), **self._version}},
                "spec": spec,
            },
        })  # fmt: skip
        made["metadata"]["labels"] = {**self._labels(purpose), **self._version}
        if purpose == TRIAL:
            made["metadata"]["name"] = f"{self.name}-{TRIAL}"
        elif self.scale.most is None:  # otherwise they are the autoscaler's to count
            made["spec"]["replicas"] = self.scale.replicas
        return made

    @property
    def _manifest_name(self) -> str:
        return f"{self.name}-manifest-{self.request.version}"

    @property
    def _version(self) -> dict[str, str]:
        return {"app.kubernetes.io/version": str(self.request.version)}

    def _labels(self, purpose: str) -> dict[str, str]:
        return {**instance_labels(self.name), "app.kubernetes.io/component": purpose}

    def _object(
        self, version: str, kind: str, spec: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        labels = {**instance_labels(self.name), **self._version}
        made = {
            "apiVersion": version,
            "kind": kind,
            "metadata": {"name": self.name, "labels": labels},
        }
        return made if spec is None else {**made, "spec": spec}


def instance_labels(name: str) -> dict[str, str]:
    """Returns the labels that all objects of a deployment have and no others."""
    return {
        "app.kubernetes.io/name": "automl",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": "automl",
    }
