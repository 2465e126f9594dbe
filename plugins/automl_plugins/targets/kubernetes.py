"""Deploys to a Kubernetes cluster, or writes the manifests for one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.components import ContainerImages, DeployedService, DeployRequest, Target
from automl.errors import DeploymentError
from automl_plugins.targets.by_hand import (
    kubernetes_commands,
    manifests_folder,
    missing_for_kubernetes,
)
from automl_plugins.targets.containers import TIMEOUT, chosen_server, updated_options
from automl_plugins.targets.images import build, forget_other_versions, images_of, write_contexts
from automl_plugins.targets.kubectl import Kubectl
from automl_plugins.targets.manifests import TRIAL, Service
from automl_plugins.targets.options import (
    check_options,
    check_update_options,
    kept_options,
    object_name,
    text,
    timeout,
    truth,
)
from automl_plugins.targets.readiness import check_answers, ready_seconds, wait_until_ready
from automl_plugins.targets.scaling import check_update_scale, chosen_scale
from automl_plugins.targets.tools import (
    NOT_STARTED,
    NOT_WANTED,
    demand,
    missing_cluster,
    run,
)
from automl_plugins.targets.yaml_files import write_yaml

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_REGISTRY = r"[a-z0-9]([\w.:/-]{0,200}[a-z0-9])?"


class KubernetesTarget(Target):
    """Pods of the gateway and TensorFlow Serving or OpenVINO Model Server, behind a Service.

    A new version is checked on a pod that gets no requests; then it replaces the others one by
    one, and none of them ends before another is ready.

    Options: `registry`, where the images go, such as `ghcr.io/me`, without which the manifests are
    only written; `replicas` (1 by default), or `min_replicas` and `max_replicas` for an
    autoscaler; `namespace` (`default`) and kubectl's `context`; `server`, `server_image` and
    `start` as for `compose`; `timeout`, the seconds that the pods have to come up (300).
    """

    name = "kubernetes"
    options: Sequence[str] = (
        "registry",
        "replicas",
        "min_replicas",
        "max_replicas",
        "namespace",
        "context",
        "server",
        "server_image",
        "start",
        "timeout",
    )

    def deploy(self, request: DeployRequest) -> DeployedService:
        """Writes the manifests; where all it takes is there, applies them and waits."""
        check_options(self.name, self.options, request.options)
        service, cluster = self._plan(request, request.options)
        missing = "" if truth(request.options, "start") else NOT_WANTED
        url = _url(service, cluster)
        state = {"name": service.name, "namespace": cluster.namespace, "started": False,
                 "options": kept_options(request.options), "context": cluster.context}  # fmt: skip
        write_contexts(request, service.images, service.server)
        self._write(service)
        missing = missing or missing_for_kubernetes(request.options)
        if missing:
            return DeployedService(
                url, state, missing=missing, commands=kubernetes_commands(service, cluster)
            )
        if not cluster.context:
            # Or a deployment would be looked for wherever kubectl is pointed at by then.
            state["context"] = run(["kubectl", "config", "current-context"]).strip()
            service, cluster = self._plan(request, {**request.options, "context": state["context"]})
        if cluster.deployment(service.name) is not None:
            raise DeploymentError(
                f"expected no {service.name} in the namespace {cluster.namespace} yet, found one "
                f"that another workspace may have deployed; choose another --name or namespace."
            )
        state["started"] = True
        request.remember(state)
        began = time.monotonic()
        try:
            self._push(service)
            cluster.apply(manifests_folder(request))
            self._check(request, cluster, service.name)
        except BaseException:
            with contextlib.suppress(DeploymentError):  # the first error says more
                cluster.delete(service.name)
            raise
        return DeployedService(url, state, ready_seconds(began))

    def update(self, request: DeployRequest, state: Mapping[str, Any]) -> DeployedService:
        """Checks the version on a pod of its own before it replaces those that answer."""
        check_update_options(self.name, self.options, request.options)
        check_update_scale(request.options, state["options"])
        kept = {**state["options"], "context": state["context"]}
        options = updated_options(kept, request.options)
        state = {**state, "options": kept_options(options)}
        service, cluster = self._plan(request, options)
        url = _url(service, cluster)
        write_contexts(request, service.images, service.server)
        if not state["started"]:
            self._write(service)
            commands = kubernetes_commands(service, cluster)
            return DeployedService(url, state, missing=NOT_STARTED, commands=commands)
        demand(missing_for_kubernetes(options))
        began = time.monotonic()
        self._push(service)
        self._try(service, cluster)
        manifests = manifests_folder(request)
        before = {path: path.read_bytes() for path in manifests.iterdir()}
        try:
            self._write(service)
            cluster.apply(manifests)
            self._check(request, cluster, service.name)
        except BaseException:
            # Not by the cluster's own history, in which the version may not be the last but one.
            for path, content in before.items():
                path.write_bytes(content)
            with contextlib.suppress(DeploymentError):  # the first error says more
                cluster.apply(manifests)
                cluster.rolled_out(service.name, timeout(request.options, TIMEOUT))
            raise
        forget_other_versions(service.images)
        return DeployedService(url, state, ready_seconds(began))

    def status(self, state: Mapping[str, Any]) -> str:
        """Asks the cluster for the pods that are ready."""
        if not state.get("started"):
            return "written" if state else "stopped"
        demand(missing_cluster())
        found = _cluster(state).deployment(state["name"])
        if found is None:
            return "stopped"
        pods = found.get("status", {})
        if not pods.get("readyReplicas"):
            failed = any(
                condition["type"] == "Progressing" and condition["status"] == "False"
                for condition in pods.get("conditions", ())
            )
            return "degraded" if failed else "starting"
        return "degraded" if pods.get("unavailableReplicas") else "ready"

    def delete(self, state: Mapping[str, Any]) -> None:
        """Removes the objects; the namespace and the images stay."""
        if state.get("started"):
            demand(missing_cluster())
            _cluster(state).delete(state["name"])

    def logs(self, directory: Path, state: Mapping[str, Any]) -> dict[str, list[str]]:
        """Returns the logs of one pod, and those of the building and the applying."""
        logs = super().logs(directory, state)
        if state.get("started"):
            demand(missing_cluster())
            for container in ("gateway", "model-server"):
                logs[container] = _cluster(state).logs(state["name"], container)
        return logs

    @contextlib.contextmanager
    def reach(self, url: str, state: Mapping[str, Any]) -> Iterator[str]:
        """Yields an address through kubectl, since the Service's is the cluster's own."""
        demand("" if state["started"] else NOT_STARTED)
        demand(missing_cluster())
        with _cluster(state).forwarded(state["name"]) as address:
            yield address

    def build_image(self, request: DeployRequest, state: Mapping[str, Any]) -> ContainerImages:
        """Builds the two images that the manifests name."""
        service, _ = self._plan(request, state["options"])
        return build(request, service.images, service.server)

    def _plan(self, request: DeployRequest, options: Mapping[str, Any]) -> tuple[Service, Kubectl]:
        registry = text(options, "registry", _REGISTRY, "ghcr.io/me")
        namespace = text(options, "namespace", _LABEL, "scoring") or "default"
        context = text(options, "context", r"\S{1,250}", "production")
        server = chosen_server(options)
        service = Service(
            request,
            object_name(request.name),
            images_of(request, server, registry),
            server,
            chosen_scale(options),
        )
        return service, Kubectl(namespace, context, request.directory / "kubectl.log")

    def _write(self, service: Service) -> None:
        for name, content in service.objects().items():
            mode = 0o600 if name == "secret" else 0o644
            write_yaml(manifests_folder(service.request) / f"{name}.yaml", content, mode)

    def _push(self, service: Service) -> None:
        log = service.request.directory / "docker.log"
        for image in (service.images.gateway, service.images.model_server):
            run(image.build(), log)
            run(image.push(), log)

    def _try(self, service: Service, cluster: Kubectl) -> None:
        """Checks the version on a pod of its own, which ends afterwards."""
        request = service.request
        place = request.directory / TRIAL
        write_yaml(place / "manifest.yaml", service.config_map())
        write_yaml(place / "deployment.yaml", service.deployment(TRIAL))
        try:
            cluster.apply(place)
            self._check(request, cluster, f"{service.name}-{TRIAL}")
        finally:
            cluster.delete(service.name, "deployment", [f"app.kubernetes.io/component={TRIAL}"])

    def _check(self, request: DeployRequest, cluster: Kubectl, name: str) -> None:
        most = timeout(request.options, TIMEOUT)
        cluster.rolled_out(name, most)
        with cluster.forwarded(name) as url:
            wait_until_ready(url, [], most)
            check_answers(url, request)


def _url(service: Service, cluster: Kubectl) -> str:
    return f"http://{service.name}.{cluster.namespace}.svc"


def _cluster(state: Mapping[str, Any]) -> Kubectl:
    return Kubectl(state["namespace"], state["context"])
