"""Manifests: valid, keeping no key, and followed to the letter by a stand-in for a cluster."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from automl.deployment import Deployment, deploy
from automl.errors import DeploymentError, UsageError
from automl.manifest import MANIFEST
from automl.workspace import Workspace
from automl_plugins.targets.kubernetes import KubernetesTarget


def objects(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Returns the objects by kind."""
    files = (deployment.directory / "manifests").glob("*.yaml")
    made = [yaml.safe_load(file.read_text()) for file in files]
    return {each["kind"]: each for each in made}


@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
@pytest.mark.usefixtures("no_tools")
def test_the_manifests_are_valid(versions: Workspace, version: str) -> None:
    deployment = deploy("colours", "shop", "kubernetes", versions, min_replicas=2, max_replicas=5)
    found = objects(deployment)
    assert found.keys() == {
        "Secret", "ConfigMap", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy",
        "HorizontalPodAutoscaler",
    }  # fmt: skip
    for each in found.values():
        kubernetes_validate.validate(each, version, strict=True)
    text = (deployment.directory / "manifests" / "deployment.yaml").read_text()
    assert not re.search(r"[&*]id\d", text), "people read it: no anchors"
    wrong = {**found["Service"], "spec": {"ports": [{"prot": 80}]}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


@pytest.mark.usefixtures("no_tools")
def test_the_objects_belong_together(versions: Workspace) -> None:
    deployment = deploy("colours", "shop", "kubernetes", versions, replicas="3", namespace="ml")
    found = objects(deployment)
    template = found["Deployment"]["spec"]["template"]
    labels, pod = template["metadata"]["labels"].items(), template["spec"]
    assert found["Deployment"]["spec"]["replicas"] == 3
    assert "HorizontalPodAutoscaler" not in found
    for selector in (
        found["Deployment"]["spec"]["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels
    (gateway,) = pod["containers"]
    (port,) = found["Service"]["spec"]["ports"]
    assert port["targetPort"] in {each["name"] for each in gateway["ports"]}
    assert deployment.url == "http://automl-shop.ml.svc"


@pytest.mark.usefixtures("no_tools")
def test_an_update_keeps_the_options_that_it_is_not_given(versions: Workspace) -> None:
    deployment = deploy("colours", "shop", "kubernetes", versions, replicas=3, namespace="ml")
    updated = deployment.update(server="openvino", replicas="4")
    again = updated.update(1)
    assert again.url == "http://automl-shop.ml.svc"
    pods = objects(again)["Deployment"]
    assert pods["spec"]["replicas"] == 4
    assert pods["spec"]["template"]["spec"]["initContainers"][0]["command"] == ["/ovms/bin/ovms"]
    for fixed in ("namespace", "context", "start"):
        with pytest.raises(UsageError, match=f"an update can change .*found {fixed!r}"):
            deployment.update(**{fixed: "x"})


@pytest.mark.parametrize(
    ("first", "then"), [({"min_replicas": 1, "max_replicas": 4}, "replicas"), ({}, "max_replicas")]
)
@pytest.mark.usefixtures("no_tools")
def test_what_counts_the_pods_stays(versions: Workspace, first: dict[str, int], then: str) -> None:
    deployment = deploy("colours", "shop", "kubernetes", versions, **first)
    with pytest.raises(UsageError, match="whether the number of pods follows the load"):
        deployment.update(**{then: 6})


@pytest.mark.usefixtures("no_tools")
def test_pods_may_do_nothing_else(versions: Workspace) -> None:
    pod = objects(deploy("colours", "shop", "kubernetes", versions))["Deployment"]["spec"][
        "template"
    ]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert {"cpu", "memory"} == container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]


@pytest.mark.usefixtures("no_tools")
def test_no_file_holds_the_key_and_only_the_secret_its_hash(versions: Workspace) -> None:
    deployment = deploy("colours", "shop", "kubernetes", versions)
    secret = deployment.directory / "manifests" / "secret.yaml"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    keys = json.loads(objects(deployment)["Secret"]["stringData"]["keys.json"])["keys"]
    for file in deployment.directory.rglob("*"):
        if file.is_file():
            assert deployment.key.encode() not in file.read_bytes()
            assert file == secret or keys[0]["sha256"].encode() not in file.read_bytes()


@pytest.mark.usefixtures("no_tools")
def test_labels_of_any_kind_stay_what_they_are(versions: Workspace) -> None:
    """What a model's author wrote is data in a manifest, whatever it looks like."""
    path = versions.models / "colours" / "2" / MANIFEST
    content = json.loads(path.read_text())
    content["labels"] = ["a: {b}\n- c", "${HOME} $(id)", "---\nkind: Secret\u2028"]
    path.write_text(json.dumps(content, ensure_ascii=False))
    found = objects(deploy("colours", "shop", "kubernetes", versions))
    assert json.loads(found["ConfigMap"]["data"]["manifest.json"]) == content
    assert len(found) == 6


@pytest.mark.usefixtures("no_tools")
def test_what_is_missing_is_said(versions: Workspace) -> None:
    deployment = deploy("colours", "shop", "kubernetes", versions)
    assert deployment.status() == "written"
    assert "expected a registry from which the cluster gets the images" in deployment.missing
    assert [re.split(" --|-[0-9a-f]{12}", command)[0] for command in deployment.commands] == [
        "docker build",
        "docker build",
        "kubectl",
        "kubectl",
        "kubectl",
    ]
    with pytest.raises(DeploymentError, match="none started from here"):
        deployment.score(b"")
    deployment.delete()
    deployment = deploy("colours", "shop", "kubernetes", versions, registry="localhost:5000/me")
    assert deployment.missing.startswith("expected docker on the PATH")
    assert deployment.commands[3].startswith("docker push localhost:5000/me/automl-shop:2-")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"namespace": "a b"}, "expected namespace such as scoring, found 'a b'"),
        ({"namespace": "--all"}, "expected namespace"),
        ({"registry": 'x"\nUSER root'}, "expected registry such as ghcr.io/me"),
        ({"context": "a\nb"}, "expected context"),
        ({"replicas": 0}, "a whole number of 1 or more for replicas, found 0"),
        ({"replicas": 2, "max_replicas": 3}, "expected replicas, or a max_replicas"),
        ({"min_replicas": 2}, "max_replicas none"),
        ({"min_replicas": 3, "max_replicas": 2}, "max_replicas not below min_replicas"),
    ],
)
@pytest.mark.usefixtures("no_tools")
def test_what_goes_into_a_manifest_is_checked(
    versions: Workspace, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        deploy("colours", "shop", "kubernetes", versions, **options)


def other_workspace(workspace: Workspace) -> Workspace:
    """Returns a workspace beside `workspace` with the same models."""
    other = Workspace.find(workspace.root.with_name("other"))
    other.models.symlink_to(workspace.models)
    return other


@pytest.mark.slow
@pytest.mark.parametrize("server", ["tf-serving", "openvino"])
def test_its_commands_serve(
    versions: Workspace,
    tools: Path,
    live: Callable[[Deployment], Deployment],
    server: str,
) -> None:
    """Deploys, updates, meets a broken version, looks and deletes, with plain processes."""
    deployment = deploy(
        "colours", "shop", "kubernetes", versions, version=1, registry="r.example/me", server=server
    )
    with pytest.raises(DeploymentError, match="expected no automl-shop in the namespace default"):
        deploy("colours", "shop", "kubernetes", other_workspace(versions), registry="r.example/me")
    assert deployment.missing == ""
    assert deployment.state["context"] == "stand-in"
    live(deployment)


@pytest.mark.slow
def test_pods_that_come_up_badly_give_way_to_the_former_ones(
    versions: Workspace,
    tools: Path,
    colour_images: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = {"registry": "r.example/me", "server": "tf-serving"}
    deployment = deploy("colours", "shop", "kubernetes", versions, version=1, **options)
    manifests = deployment.directory / "manifests"
    before = {path.name: path.read_bytes() for path in manifests.iterdir()}
    check = KubernetesTarget._check

    def fail_after_the_trial(self: Any, request: Any, cluster: Any, name: str) -> None:
        check(self, request, cluster, name)
        if name == "automl-shop":
            raise DeploymentError("expected answers, found none")

    monkeypatch.setattr(KubernetesTarget, "_check", fail_after_the_trial)
    with pytest.raises(DeploymentError, match="expected answers"):
        deployment.update()
    assert {path.name: path.read_bytes() for path in manifests.iterdir()} == before
    assert deployment.score(colour_images["rot"])[0]["label"] == "red"
    deployment.delete()
