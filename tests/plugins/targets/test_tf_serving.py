"""A gateway before TensorFlow Serving; our own server stands in, by address and as a program.

A real one, by address, where `TF_SERVING_URL` says that one runs; tests/contract/tf_serving says
what it must serve.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from automl.deployment import deploy, get_deployment, list_deployments
from automl.errors import DeploymentError, UsageError
from automl.manifest import Manifest
from automl.registry import Model, register, staging
from automl.workspace import Workspace
from automl_plugins.targets.servers import script


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
    elsewhere = updated.update(server=server.replace("127.0.0.1", "localhost"))
    assert elsewhere.score(colour_images["rot"])[0]["label"] == "rot"
    again = elsewhere.update()  # finds nothing to change
    assert again.state["generation"] == elsewhere.state["generation"]
    with pytest.raises(UsageError, match="found 'nowhere'"):
        again.update(server="nowhere")
    assert again.status() == "ready"


def test_the_program_is_started_and_watched(
    workspace: Workspace, colour_images: dict[str, Path]
) -> None:
    """Nobody on the network reaches it: it has a UNIX socket, and ports of this machine alone."""
    binary = script("automl-model-server")
    deployment = deploy("colours", None, "tf-serving", workspace, version=1, binary=binary)
    server = psutil.Process(deployment.state["processes"][0]["pid"])
    assert f"--grpc_socket_path={deployment.directory}/grpc-1.sock" in server.cmdline()
    listening = [c.laddr for c in server.net_connections() if c.status == psutil.CONN_LISTEN]
    assert all("127.0.0.1" in address.ip for address in listening)
    assert deployment.score(colour_images["rot"])[0]["label"] == "rot"
    updated = deployment.update()
    assert (updated.url, updated.version) == (deployment.url, 2)
    assert updated.score(colour_images["rot"])[0]["label"] == "rot"
    assert updated.status() == "ready"
    updated.delete()
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


def test_an_update_that_fails_at_once_leaves_what_was(workspace: Workspace) -> None:
    """Even while the supervisor, which is told of it, is still coming up."""
    binary = script("automl-model-server")
    deployment = deploy("colours", None, "tf-serving", workspace, version=1, binary=binary)
    with pytest.raises(DeploymentError, match=r"ready within 0\.01 s"):
        deployment.update(timeout=0.01)
    assert get_deployment("colours", workspace).state == {**deployment.state, "others": []}
    updated = deployment.update()
    assert (updated.version, updated.status()) == (2, "ready")


REAL = os.environ.get("TF_SERVING_URL")


@pytest.mark.skipif(REAL is None, reason="no TensorFlow Serving is named by TF_SERVING_URL")
def test_a_real_one_by_address(
    colour_model: Model, colour_images: dict[str, Path], tmp_path: Path
) -> None:
    workspace = Workspace.find(tmp_path)
    with staging(workspace, "image") as folder:  # whose SavedModel is at the server
        shutil.copytree(colour_model.path, folder)
        manifest = Manifest.read(folder)
        dataclasses.replace(manifest, name="image", height=4, width=4).write(folder)
        register(workspace, "image", folder)
    address = os.environ.get("TF_SERVING_GRPC", "localhost:8500")
    deployment = deploy("image", None, "tf-serving", workspace, server=address)
    try:
        results = deployment.score(list(colour_images.values()))
        assert [result["label"] for result in results] == list(colour_images)
    finally:
        deployment.delete()


@pytest.mark.parametrize(
    "server", [None, "here", "http://127.0.0.1:8501", "127.0.0.1:0", "127.0.0.1:99999", "a b:1"]
)
def test_an_address_is_wanted(server: str | None, workspace: Workspace) -> None:
    with pytest.raises(UsageError, match=r"such as --set server=127\.0\.0\.1:8500, found"):
        deploy("colours", None, "tf-serving", workspace, server=server)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"binary": "no-such-program"}, "found no program no-such-program"),
        ({"binary": "a", "server": "b:1"}, "expected either server or binary, found both"),
        ({"binari": "a"}, "did you mean 'binary'"),
    ],
)
def test_a_program_is_wanted(options: dict[str, str], message: str, workspace: Workspace) -> None:
    with pytest.raises(UsageError, match=message):
        deploy("colours", None, "tf-serving", workspace, **options)


def test_a_path_that_no_socket_can_have_is_refused(
    workspace: Workspace, colour_model: Model, tmp_path: Path
) -> None:
    far = Workspace.find(tmp_path / ("w" * 100))
    binary = script("automl-model-server")
    with pytest.raises(UsageError, match="short enough for a UNIX socket"):
        deploy(colour_model, None, "tf-serving", far, binary=binary)
    assert list(far.deployments.iterdir()) == []


def test_a_server_without_the_version_is_not_taken(workspace: Workspace) -> None:
    with pytest.raises(DeploymentError, match="ready within 1 s"):
        deploy("colours", None, "tf-serving", workspace, server="127.0.0.1:9", timeout=1)
