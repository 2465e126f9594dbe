"""Versions of a model that are deployed, and what stands in for Docker and a cluster."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from automl.deployment import Deployment, get_deployment, list_deployments
from automl.errors import DeploymentError
from automl.export.reference import patterns, write_reference
from automl.manifest import Manifest
from automl.registry import Model, register, staging
from automl.workspace import Workspace

AddVersion = Callable[..., Model]


@pytest.fixture
def no_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves no program on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Puts stand-ins for docker and kubectl on the PATH; returns the folder of what they keep."""
    programs = tmp_path / "bin"
    programs.mkdir()
    script = Path(__file__).with_name("container_tools.py")
    for name in ("docker", "kubectl"):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {script} {name} "$@"\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CONTAINER_TOOLS", str(tmp_path / "tools"))
    yield tmp_path / "tools"
    left = [process for process in psutil.process_iter(["cmdline", "environ", "status"])
            if f"{tmp_path}/tools" in " ".join(process.info["cmdline"] or ())
            and process.info["status"] != psutil.STATUS_ZOMBIE]  # fmt: skip
    for process in left:
        process.kill()
    assert left == []


@pytest.fixture
def versions(tmp_path: Path, colour_model: Model) -> Iterator[Workspace]:
    """A workspace with two versions of `colours`, whose labels differ; nothing is left deployed."""
    workspace = Workspace.find(tmp_path / "ws")
    for labels in (("red", "green", "blue"), ("rouge", "vert", "bleu")):
        add_version(workspace, colour_model, labels)
    yield workspace
    for deployment in list_deployments(workspace):
        deployment.delete()
    assert not workspace.deployments.is_dir() or list(workspace.deployments.iterdir()) == []


@pytest.fixture
def broken_version(versions: Workspace, colour_model: Model) -> Callable[[], Model]:
    """Registers a version that scores otherwise than it did when it was exported."""

    def add() -> Model:
        model = add_version(versions, colour_model, ("a", "b", "c"))
        write_reference(model.path, np.full((4, 3), 1 / 3, np.float32))
        return model

    return add


@pytest.fixture
def live(
    versions: Workspace, colour_images: dict[str, Path], broken_version: Callable[[], Model]
) -> Callable[[Deployment], Deployment]:
    """Takes a deployment of version 1 through all that can happen; returns the updated one."""

    def through(deployment: Deployment) -> Deployment:
        red = colour_images["rot"]
        assert deployment.status() == "ready"
        assert deployment.score(red)[0]["label"] == "red"
        updated = deployment.update()
        assert updated.score(red)[0]["label"] == "rouge"
        with pytest.raises(DeploymentError, match="score as it did when it was exported"):
            updated.update(broken_version().version)
        assert get_deployment(deployment.name, versions).version == 2
        assert updated.score(red)[0]["label"] == "rouge"
        assert updated.status() == "ready"
        assert '"event": "ready"' in "".join(updated.logs()["gateway"])
        updated.delete()
        assert updated.status() == "stopped"
        return updated

    return through


def add_version(workspace: Workspace, model: Model, labels: tuple[str, ...]) -> Model:
    with staging(workspace, "colours") as folder:
        shutil.copytree(model.path, folder)
        dataclasses.replace(Manifest.read(folder), labels=labels).write(folder)
        odds = np.exp(patterns(16, 24).mean(axis=(1, 2)) / 64)
        write_reference(folder, (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32))
        return register(workspace, "colours", folder)
