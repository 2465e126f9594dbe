"""`automl deploy` and `automl deployments` where Docker or a cluster is not at hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl.cli.main import main
from automl.registry import Model, register, staging
from automl.workspace import Workspace

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def automl(
    colour_model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Typed:
    """Types a command in a workspace with the model `colours`, and no program on the PATH."""
    workspace = Workspace.find(tmp_path / "my space")
    for _ in range(2):
        with staging(workspace, "colours") as folder:
            shutil.copytree(colour_model.path, folder)
            register(workspace, "colours", folder)
    monkeypatch.setenv("AUTOML_WORKSPACE", str(workspace.root))
    monkeypatch.setenv("PATH", str(tmp_path))

    def typed(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(words))
        return (int(left.value.code or 0), *capsys.readouterr())

    return typed


def test_compose_from_deploy_to_delete(automl: Typed, tmp_path: Path) -> None:
    code, out, _ = automl("deploy", "colours", "--target", "compose", "--version", "1")
    assert code == 0
    assert "colours is written, not started: colours, version 1" in out
    assert "expected docker on the PATH, found none; install it" in out
    folder = tmp_path / "my space" / "deployments" / "colours"
    command = f"  docker compose --file '{folder}/compose.yaml' up --build --detach --wait"
    assert out.splitlines()[-1] == command

    code, out, error = automl("deployments", "status", "colours")
    assert (code, out) == (1, "written\n")
    assert error.splitlines()[1] == command.strip()
    (row,) = json.loads(automl("deployments", "list", "--json")[1])["deployments"]
    assert (row["status"], row["target"]) == ("written", "compose")
    assert automl("deployments", "logs", "colours")[:2] == (0, "")

    code, out, error = automl("deployments", "update", "colours")
    assert (code, out) == (0, "colours is written for version 2, was 1.\n")
    assert error.splitlines()[1] == command.strip()
    code, out, error = automl("deployments", "build", "colours")
    assert code == 0
    assert [tag.partition(":")[0] for tag in out.split()] == ["automl-gateway", "automl-colours"]
    assert error.startswith("expected docker on the PATH")

    assert automl("deployments", "delete", "colours")[:2] == (0, "Deleted colours.\n")
    assert not folder.exists()


def test_kubernetes_and_its_replicas(automl: Typed, tmp_path: Path) -> None:
    options = ["--target", "kubernetes", "--set", "registry=ghcr.io/me", "--name", "shop"]
    code, out, _ = automl("deploy", "colours", *options, "--min-replicas", "2", "--max-replicas",
                          "4", "--json")  # fmt: skip
    assert code == 0
    told: dict[str, Any] = json.loads(out)
    assert told["url"] == "http://automl-shop.default.svc"
    assert told["missing"].startswith("expected docker on the PATH")
    assert told["commands"][3].startswith("docker push ghcr.io/me/automl-shop:2-")
    written = tmp_path / "my space" / "deployments" / "shop" / "manifests"
    assert (written / "autoscaler.yaml").is_file()
    code, _, error = automl("score", "shop", "photo.jpg")
    assert code == 1
    assert "expected a service that runs, found none started from here" in error
    told = json.loads(automl("deployments", "build", "shop", "--json")[1])
    assert told["images"][1].startswith("ghcr.io/me/automl-shop:2-")
    assert Path(told["folder"], "gateway", "automl", "images.py").is_file()
