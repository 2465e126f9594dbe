"""Compose files: valid, keeping no key, and followed to the letter by a stand-in for Docker."""

from __future__ import annotations

import importlib.resources
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from automl.deployment import Deployment, deploy, get_deployment
from automl.errors import DeploymentError, UsageError
from automl.registry import Model
from automl.workspace import Workspace


def content(deployment: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((deployment.directory / "compose.yaml").read_text())
    return found


def check(file: dict[str, Any]) -> None:
    """Checks a file against the Compose specification's schema."""
    schemas = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text())
    jsonschema.validate(file, schema)


@pytest.mark.parametrize("server", ["tf-serving", "openvino"])
@pytest.mark.usefixtures("no_tools")
def test_without_docker_the_files_are_written(versions: Workspace, server: str) -> None:
    deployment = deploy("colours", "shop", "compose", versions, server=server, port=9123)
    assert deployment.status() == "written"
    assert deployment.url == "http://127.0.0.1:9123"
    assert deployment.missing.startswith("expected docker on the PATH, found none")
    path = deployment.directory / "compose.yaml"
    assert deployment.commands == [f"docker compose --file {path} up --build --detach --wait"]
    file = content(deployment)
    check(file)
    with pytest.raises(jsonschema.ValidationError):
        check({**file, "services": {"gateway": {"read-only": True}}})
    for service in file["services"].values():
        assert service["read_only"] is True
        assert service["user"] not in ("", "0", "0:0", "root")
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        context = deployment.directory / service["build"]["context"]
        assert (context / service["build"]["dockerfile"]).is_file()
    assert get_deployment("shop", versions) == deployment


@pytest.mark.usefixtures("no_tools")
def test_no_file_holds_the_key(versions: Workspace) -> None:
    deployment = deploy("colours", "shop", "compose", versions)
    assert stat.S_IMODE((deployment.directory / "keys.json").stat().st_mode) == 0o600
    for file in deployment.directory.rglob("*"):
        assert not file.is_file() or deployment.key.encode() not in file.read_bytes()


@pytest.mark.usefixtures("no_tools")
def test_what_is_only_written_says_what_is_missing(versions: Workspace) -> None:
    deployment = deploy("colours", "shop", "compose", versions, version=1)
    updated = deployment.update()
    assert (updated.version, updated.status()) == (2, "written")
    assert content(updated)["services"]["model-server"]["image"].startswith("automl-shop:2-")
    assert updated.missing.startswith("expected a service that runs")
    images = updated.build_image()
    assert images.missing.startswith("expected docker on the PATH")
    assert [tag.split(":")[0] for tag in images.tags] == ["automl-gateway", "automl-shop"]
    assert all(command.startswith("docker build --file ") for command in images.commands)
    updated.delete()
    assert not updated.exists()


@pytest.mark.usefixtures("no_tools")
def test_an_update_keeps_the_options_that_it_is_not_given(versions: Workspace) -> None:
    def base(deployment: Deployment) -> str:
        build = content(deployment)["services"]["model-server"]["build"]
        return (deployment.directory / build["context"] / "Dockerfile").read_text().split()[1]

    deployment = deploy("colours", "shop", "compose", versions, server_image="mine:1")
    assert base(deployment.update()) == "mine:1"
    updated = deployment.update(server="openvino")
    assert base(updated).startswith("openvino/")
    assert base(updated.update(1)).startswith("openvino/")
    with pytest.raises(UsageError, match=r"change \(timeout, server, server_image\), found 'port'"):
        updated.update(port=9000)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Shop", {}, "small letters, digits and single dashes"),
        ("a.b", {}, "small letters"),
        ("a" * 41, {}, "at most 40"),
        ("shop", {"server": "tfs"}, "expected server tf-serving or openvino, found 'tfs'"),
        ("shop", {"server_image": "a\nUSER root"}, "expected server_image such as"),
        ("shop", {"server_image": "$HOME"}, "expected server_image such as"),
        ("shop", {"port": "a"}, "a whole number of 1 or more for port, found 'a'"),
        ("shop", {"start": "no"}, "expected start true or false, found 'no'"),
        ("shop", {"replicas": 2}, "found 'replicas'"),
    ],
)
@pytest.mark.usefixtures("no_tools")
def test_what_goes_into_a_file_is_checked(
    versions: Workspace, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        deploy("colours", name, "compose", versions, **options)


@pytest.mark.slow
@pytest.mark.parametrize("server", ["tf-serving", "openvino"])
def test_its_commands_serve(
    versions: Workspace,
    tools: Path,
    live: Callable[[Deployment], Deployment],
    server: str,
) -> None:
    """Deploys, updates, meets a broken version, looks and deletes, with plain processes."""
    deployment = deploy("colours", "shop", "compose", versions, version=1, server=server)
    assert deployment.missing == ""
    updated = live(deployment)
    assert updated.url == deployment.url


@pytest.mark.slow
def test_a_service_that_answers_wrongly_is_taken_down(
    versions: Workspace, tools: Path, broken_version: Callable[[], Model]
) -> None:
    broken = broken_version()
    with pytest.raises(DeploymentError, match="score as it did when it was exported"):
        deploy("colours", "shop", "compose", versions, version=broken.version)
    assert list(versions.deployments.iterdir()) == []
