"""Deployments with real servers: their records, names, states and what a delete leaves behind."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

import automl
from automl.deployment import Deployment, deploy, get_deployment, list_deployments
from automl.errors import AutomlError, DeploymentError, NotFoundError, UsageError
from automl.registry import Model
from automl.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = Workspace.find(tmp_path / "ws")
    yield workspace
    for deployment in list_deployments(workspace):
        deployment.delete()


def running(folder: Path) -> list[psutil.Process]:
    """Returns the processes whose command line names `folder`."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if any(str(folder) in part for part in process.info["cmdline"] or ())
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def nothing_left(workspace: Workspace) -> bool:
    return not running(workspace.root) and not list(workspace.deployments.iterdir())


def test_a_deployment_scores_what_the_model_predicts(
    deployed: Deployment, colour_model: Model, colour_images: dict[str, Path]
) -> None:
    paths = list(colour_images.values())
    results = deployed.score(paths)
    assert [r["label"] for r in results] == list(colour_images)
    for result, prediction, path in zip(results, colour_model.predict(paths), paths, strict=True):
        assert result["image"] == str(path)
        assert result["scores"] == pytest.approx(prediction["scores"], abs=1e-6)
        assert result["probability"] == pytest.approx(prediction["probability"], abs=1e-6)
    assert deployed.score(str(paths[1]), top_k=1)[0]["scores"].keys() == {"grün/緑"}
    (logits,) = deployed.score(paths[0], 1, add_softmax=False, image_resize_dims=[16, 24])
    assert logits["scores"] == pytest.approx({"rot": 250 / 32})
    with pytest.raises(TypeError, match="softmax"):
        deployed.score(paths[0], softmax=False)  # type: ignore[call-arg]


def test_the_record_is_the_owners_and_the_service_knows_only_a_hash(deployed: Deployment) -> None:
    record = deployed.folder / "colours.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert json.loads(record.read_text())["key"] == deployed.key
    assert stat.S_IMODE(deployed.directory.stat().st_mode) == 0o700
    for file in deployed.directory.rglob("*"):
        assert not file.is_file() or deployed.key not in file.read_text(errors="replace")
    for process in running(deployed.directory):
        assert deployed.key not in " ".join(process.cmdline())
    assert stat.S_IMODE((deployed.directory / "keys.json").stat().st_mode) == 0o600
    assert deployed.key not in repr(deployed)


def test_it_is_found_listed_and_ready(deployed: Deployment) -> None:
    workspace = deployed.folder.parent
    assert get_deployment("colours", workspace) == deployed
    assert list_deployments(str(workspace)) == [deployed]
    assert deployed.status() == "ready"
    with pytest.raises(NotFoundError, match=r"\(colours\), found 'colour'"):
        get_deployment("colour", workspace)
    with pytest.raises(NotFoundError):
        get_deployment("../deployments/colours", workspace)


def test_its_processes_are_in_sessions_of_their_own(deployed: Deployment) -> None:
    """All of them hold a port, the supervisor for the gateway, and none that others can reach."""
    processes = running(deployed.directory)
    assert [process.terminal() for process in processes] == [None] * 3
    for process in processes:
        addresses = [c.laddr.ip for c in process.net_connections() if c.status == "LISTEN"]
        assert addresses
        assert set(addresses) <= {"127.0.0.1", "::ffff:127.0.0.1"}


def test_a_taken_name_is_refused_and_the_service_goes_on(
    deployed: Deployment, colour_model: Model
) -> None:
    with pytest.raises(DeploymentError, match=r"found 'colours' taken.*deployments delete colours"):
        automl.deploy(colour_model, workspace=deployed.folder.parent)
    assert deployed.status() == "ready"
    assert deployed.directory.is_dir()


def test_what_cannot_be_deployed_leaves_no_record(
    workspace: Workspace, colour_model: Model
) -> None:
    with pytest.raises(UsageError, match="deployment's name"):
        deploy(colour_model, name="a/b", workspace=workspace)
    with pytest.raises(UsageError, match=r"target that is installed .*found 'loca'; did you mean"):
        deploy(colour_model, target="loca", workspace=workspace)
    with pytest.raises(NotFoundError, match="found 'colurs'"):
        deploy("colurs", workspace=workspace)
    with pytest.raises(UsageError, match="found 'prot'"):
        deploy(colour_model, workspace=workspace, prot=9000)
    assert nothing_left(workspace)


def test_of_several_deploys_of_one_name_at_once_one_gets_it(
    workspace: Workspace, colour_model: Model
) -> None:
    def attempt(number: int) -> str:
        try:
            # Hardly enough to come up: what counts is who gets to start.
            deploy(colour_model, name="same", workspace=workspace, timeout=0.1).delete()
        except DeploymentError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as pool:
        errors = list(pool.map(attempt, range(4)))
    assert sum("found 'same' taken" in error for error in errors) == 3
    (winner,) = [error for error in errors if "taken" not in error]
    assert winner == "" or "ready within 0.1 s" in winner
    assert nothing_left(workspace)


def test_a_deploy_that_was_killed_is_recognised_and_can_be_deleted(
    workspace: Workspace, colour_model: Model
) -> None:
    script = "from automl.cli.main import main; main()"
    command = [sys.executable, "-c", script, "deploy", str(colour_model.path), "--name", "cut"]
    process = subprocess.Popen(
        [*command, "--workspace", str(workspace.root)], stderr=subprocess.DEVNULL
    )
    while len(running(workspace.deployments / "cut")) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    assert get_deployment("cut", workspace).status() == "starting"
    process.kill()
    process.wait()
    left = get_deployment("cut", workspace)
    assert left.status() == "degraded"
    with pytest.raises(DeploymentError, match="found it degraded"):
        left.score(b"")
    with pytest.raises(DeploymentError, match="taken"):
        deploy(colour_model, name="cut", workspace=workspace)
    left.delete()
    deadline = time.monotonic() + 10
    # A process that was killed may take a moment to be gone.
    while not nothing_left(workspace) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert nothing_left(workspace)


def test_what_a_killed_writer_left_goes_with_its_deployment(
    workspace: Workspace, colour_model: Model
) -> None:
    deployment = deploy(colour_model, name="half", workspace=workspace)
    (workspace.deployments / ".half.json.0123abcd").write_text('{"key": "')
    deployment.delete()
    assert nothing_left(workspace)


def test_from_up_to_down(
    workspace: Workspace, colour_model: Model, colour_images: dict[str, Path]
) -> None:
    """Deploys a copied folder, kills one process after the other, deletes."""
    copy = colour_model.export(workspace.root / "copy")
    deployment = deploy(copy, name="down", workspace=workspace)
    assert deployment == get_deployment("down", workspace)
    assert deployment.score(colour_images["rot"])[0]["label"] == "rot"
    assert set(deployment.logs()) == {"gateway", "model-server", "supervisor"}
    servers = {p["role"]: psutil.Process(p["pid"]) for p in deployment.state["processes"]}
    psutil.Process(deployment.state["supervisor"]["pid"]).kill()
    servers["model server"].kill()
    wait_for(deployment, "degraded")
    with pytest.raises(AutomlError):
        deployment.score(colour_images["rot"])
    servers["gateway"].kill()
    wait_for(deployment, "stopped")
    with pytest.raises(AutomlError, match=r"none that answers.*deploy it again"):
        deployment.score(colour_images["rot"])
    assert deployment.exists()
    deployment.delete()
    assert nothing_left(workspace)
    assert not deployment.exists()
    deployment.delete()
    with pytest.raises(NotFoundError, match="none"):
        get_deployment("down", workspace)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_deployments_leave_no_process_port_or_file(
    workspace: Workspace, colour_model: Model
) -> None:
    for _ in range(50):
        deployment = deploy(colour_model, name="again", workspace=workspace)
        ports = {
            connection.laddr.port
            for process in running(deployment.directory)
            for connection in process.net_connections()
            if connection.status == psutil.CONN_LISTEN
        }
        assert len(ports) == 3  # HTTP; gRPC and REST
        deployment.delete()
        assert nothing_left(workspace)
        for port in ports:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))


def test_deleting_an_old_deployment_leaves_a_new_one_of_its_name(
    deployed: Deployment, tmp_path: Path
) -> None:
    import dataclasses

    dataclasses.replace(deployed, key="another", state={}).delete()
    assert deployed.status() == "ready"
    assert deployed.directory.is_dir()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 9}'])
def test_damaged_records_are_passed_over(workspace: Workspace, content: str) -> None:
    workspace.deployments.mkdir()
    record = workspace.deployments / "bad.json"
    record.write_text(content)
    assert list_deployments(workspace) == []
    with pytest.raises(DeploymentError, match="damaged"):
        get_deployment("bad", workspace)
    record.unlink()


def wait_for(deployment: Deployment, status: str) -> None:
    for _ in range(250):
        if deployment.status() == status:
            return
        time.sleep(0.02)
    raise AssertionError(f"expected {status}, found {deployment.status()}")
