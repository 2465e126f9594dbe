"""A new version takes a deployment over without a lost request, or the old one goes on."""

from __future__ import annotations

import base64
import dataclasses
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from automl.deployment import Deployment, deploy, get_deployment
from automl.errors import DeploymentError, NotFoundError
from automl.export.reference import patterns, write_reference
from automl.images import encode_png
from automl.manifest import Manifest
from automl.registry import Model, register, staging
from automl.workspace import Workspace


def add_version(workspace: Workspace, model: Model, labels: tuple[str, ...]) -> Model:
    """Registers a copy of the model of mean colours, with these labels and its reference."""
    with staging(workspace, "colours") as folder:
        shutil.copytree(model.path, folder)
        dataclasses.replace(Manifest.read(folder), labels=labels).write(folder)
        logits = patterns(16, 24).mean(axis=(1, 2)) / 32
        odds = np.exp(logits / 2)
        write_reference(folder, (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32))
        return register(workspace, "colours", folder)


@pytest.fixture(scope="module")
def workspace(colour_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace.find(tmp_path_factory.mktemp("updating"))
    add_version(workspace, colour_model, ("red", "green", "blue"))
    return workspace


@pytest.fixture(scope="module")
def served(workspace: Workspace) -> Iterator[Deployment]:
    deployment = deploy("colours", workspace=workspace, version=1)
    yield deployment
    get_deployment("colours", workspace).delete()
    assert list(workspace.deployments.iterdir()) == []
    assert processes(workspace) == []


def processes(workspace: Workspace) -> list[str]:
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline", "status"])
        if any(str(workspace.deployments) in part for part in process.info["cmdline"] or ())
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_no_request_is_lost_when_a_version_takes_over(
    served: Deployment, workspace: Workspace, colour_model: Model, colour_images: dict[str, Path]
) -> None:
    newer = add_version(workspace, colour_model, ("rouge", "vert", "bleu"))
    picture = base64.b64encode(colour_images["rot"].read_bytes()).decode()
    stop = threading.Event()
    answers: list[tuple[int, int, str]] = []

    def ask(kept: bool) -> None:
        """Asks all the time, on one connection for as long as it is kept, or on new ones."""
        headers = {"Authorization": f"Bearer {served.key}"}
        limits = httpx.Limits(max_keepalive_connections=1 if kept else 0)
        with httpx.Client(headers=headers, trust_env=False, timeout=60, limits=limits) as client:
            while not stop.is_set():
                answer = client.post(f"{served.url}/v1/score", json={"images": [{"b64": picture}]})
                content = answer.json()
                label = content["results"][0]["label"]
                answers.append((answer.status_code, content["version"], label))

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask, kept) for kept in (True, False)]
        try:
            updated = served.update()
        finally:
            stop.set()
        for each in asking:
            each.result()  # raises what a lost request raised
    assert set(answers) == {(200, served.version, "red"), (200, newer.version, "rouge")}
    assert (updated.url, updated.key) == (served.url, served.key)
    assert updated.version == newer.version
    assert get_deployment("colours", workspace) == updated
    assert updated.status() == "ready"
    assert updated.score(colour_images["rot"])[0]["label"] == "rouge"
    assert len(processes(workspace)) == 3


@pytest.mark.parametrize("fault", ["cut off", "other answers"])
def test_a_broken_version_leaves_the_old_one(
    served: Deployment,
    workspace: Workspace,
    colour_model: Model,
    colour_images: dict[str, Path],
    fault: str,
) -> None:
    before = get_deployment("colours", workspace)
    broken = add_version(workspace, colour_model, ("a", "b", "c"))
    if fault == "cut off":
        (broken.path / "saved_model.pb").write_bytes(b"no model")
        message = "expected the model server to start, found that it ended"
    else:
        write_reference(broken.path, np.full((4, 3), 1 / 3, np.float32))
        message = r"score as it did when it was exported, found probabilities that differ by 0\."
    with pytest.raises(DeploymentError, match=message):
        before.update(broken.version)
    after = get_deployment("colours", workspace)
    assert (after.version, after.url) == (before.version, before.url)
    assert after.status() == "ready"
    assert (
        after.score(colour_images["rot"])[0]["label"]
        == before.score(colour_images["rot"])[0]["label"]
    )
    assert len(processes(workspace)) == 3


def test_update_as_it_is_typed(
    served: Deployment, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    from automl.cli.main import main

    was = get_deployment("colours", workspace).version
    with pytest.raises(SystemExit) as left:
        main(["deployments", "update", "colours", "--version", "1", "--json",
              "--set", "precision=float32", "--timeout", "60s",
              "--workspace", str(workspace.root)])  # fmt: skip
    assert left.value.code == 0
    assert json.loads(capsys.readouterr().out) == {
        "name": "colours",
        "url": served.url,
        "version": 1,
        "was": was,
    }


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("port=9000", "that an update can change (precision, timeout), found 'port'"),
        ("version=1", "expected an option of the target with --set, found 'version'"),
        ("timeout=soon", "expected a number of seconds above 0 for timeout, found 'soon'"),
    ],
)
@pytest.mark.usefixtures("served")
def test_what_an_update_cannot_set_is_refused(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], setting: str, message: str
) -> None:
    from automl.cli.main import main

    with pytest.raises(SystemExit) as left:
        main(["deployments", "update", "colours", "--set", setting,
              "--workspace", str(workspace.root)])  # fmt: skip
    assert left.value.code == 2
    assert message in capsys.readouterr().err
    assert get_deployment("colours", workspace).status() == "ready"


def test_of_two_updates_at_once_one_says_so(served: Deployment) -> None:
    def attempt(number: int) -> str:
        try:
            served.update(1)
        except DeploymentError as error:
            return str(error)
        return "done"

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(attempt, range(2)))
    assert said[0] == "done"
    assert "found an update or a delete under way; wait for it" in said[1]


def test_none_is_deleted_while_it_is_updated(served: Deployment, workspace: Workspace) -> None:
    descriptor = os.open(served.directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # as an update does
        with pytest.raises(DeploymentError, match="under way; wait for it"):
            served.delete()
    finally:
        os.close(descriptor)
    assert get_deployment("colours", workspace).status() == "ready"


def test_a_model_of_a_folder_is_updated_from_there(
    workspace: Workspace, colour_model: Model, tmp_path: Path
) -> None:
    for version, labels in ((1, ("x", "y", "z")), (2, ("r", "s", "t"))):
        shutil.copytree(colour_model.path, tmp_path / "colours" / str(version))
        changes = {"labels": labels, "version": version}
        folder = tmp_path / "colours" / str(version)
        dataclasses.replace(Manifest.read(folder), **changes).write(folder)
    deployment = deploy(tmp_path / "colours" / "1", name="elsewhere", workspace=workspace)
    try:
        assert deployment.update().model_path == str(tmp_path / "colours" / "2")
        (found,) = get_deployment("elsewhere", workspace).score(encode_png(patterns(16, 24)[0]))
        assert found["label"] in ("r", "s", "t")
    finally:
        deployment.delete()


def test_an_update_that_is_told_to_end_leaves_the_old_version(
    served: Deployment, workspace: Workspace
) -> None:
    process = begin_update(workspace)
    process.terminate()
    assert process.wait() == 128 + signal.SIGTERM
    assert len(processes(workspace)) == 3
    assert get_deployment("colours", workspace).status() == "ready"


def test_what_an_update_that_was_killed_left_goes_with_the_next(
    served: Deployment, workspace: Workspace
) -> None:
    process = begin_update(workspace)
    process.kill()
    process.wait()
    assert len(processes(workspace)) > 3
    assert get_deployment("colours", workspace).status() == "ready"
    updated = get_deployment("colours", workspace).update(1)
    assert updated.status() == "ready"
    assert len(processes(workspace)) == 3


def begin_update(workspace: Workspace) -> subprocess.Popen[bytes]:
    """Begins an update in a process of its own, until its servers start."""
    script = "from automl.cli.main import main; main()"
    command = [sys.executable, "-c", script, "deployments", "update", "colours"]
    process = subprocess.Popen([*command, "--workspace", str(workspace.root)])
    while not any("trial" in o["role"] and o["pid"] for o in others(workspace)):
        assert process.poll() is None
        time.sleep(0.01)
    return process


def others(workspace: Workspace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = list(get_deployment("colours", workspace).state.get("others", []))
    return found


def test_what_cannot_be_updated_says_so(served: Deployment, workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="found 99"):
        served.update(99)
    gone = dataclasses.replace(served, name="gone")
    with pytest.raises(NotFoundError, match="'gone', found it deleted"):
        gone.update(1)
    assert get_deployment("colours", workspace).status() == "ready"
