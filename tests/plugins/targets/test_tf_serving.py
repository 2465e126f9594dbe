"""A gateway before a server that somebody else runs: our own, of the same protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl.deployment import deploy, list_deployments
from automl.errors import DeploymentError, UsageError
from automl.registry import Model, register, staging
from automl.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(colour_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with two versions of a model, in which nothing is deployed in the end."""
    workspace = Workspace.find(tmp_path_factory.mktemp("tf-serving"))
    for _ in range(2):
        with staging(workspace, "colours") as folder:
            shutil.copytree(colour_model.path, folder)
            register(workspace, "colours", folder)
    return workspace


@pytest.fixture(scope="module")
def server(workspace: Workspace) -> Iterator[str]:
    """The gRPC address of a model server that serves both versions."""
    config = workspace.root / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "colours" base_path: "{workspace.models}/colours" '
        'model_platform: "tensorflow" model_version_policy { all {} } } }'
    )
    code = "from automl_serving.model_server.main import main; main()"
    arguments = [f"--model_config_file={config}", "--port=0", "--rest_api_port=0"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        process.terminate()


@pytest.fixture(autouse=True)
def nothing_left(workspace: Workspace) -> Iterator[None]:
    yield
    for deployment in list_deployments(workspace):
        deployment.delete()
    assert not workspace.deployments.is_dir() or list(workspace.deployments.iterdir()) == []


def test_it_scores_through_a_server_that_goes_on(
    server: str, workspace: Workspace, colour_images: dict[str, Path]
) -> None:
    for _ in range(2):  # the second one finds the server as it was
        deployment = deploy("colours", None, "tf-serving", workspace, server=server)
        assert deployment.seconds.keys() == {"gateway", "ready"}
        results = deployment.score(list(colour_images.values()))
        assert [result["label"] for result in results] == list(colour_images)
        assert deployment.status() == "ready"
        deployment.delete()


def test_an_update_keeps_the_server(
    server: str, workspace: Workspace, colour_images: dict[str, Path]
) -> None:
    deployment = deploy("colours", None, "tf-serving", workspace, version=1, server=server)
    updated = deployment.update()
    assert (updated.url, updated.version) == (deployment.url, 2)
    assert updated.score(colour_images["rot"])[0]["label"] == "rot"
    assert updated.update().status() == "ready"  # the same again


@pytest.mark.parametrize(
    "server", [None, "here", "http://127.0.0.1:8501", "127.0.0.1:0", "127.0.0.1:99999", "a b:1"]
)
def test_an_address_is_wanted(server: str | None, workspace: Workspace) -> None:
    with pytest.raises(UsageError, match=r"such as --set server=127\.0\.0\.1:8500, found"):
        deploy("colours", None, "tf-serving", workspace, server=server)


def test_a_server_without_the_version_is_not_taken(workspace: Workspace) -> None:
    with pytest.raises(DeploymentError, match="ready within 1 s"):
        deploy("colours", None, "tf-serving", workspace, server="127.0.0.1:9", timeout=1)
