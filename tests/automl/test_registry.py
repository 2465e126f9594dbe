"""Versions appear whole, get numbers of their own, and damage is passed over.

What lies in a version's folder matters to the registry only as far as the manifest and the name
of the SavedModel's file, so these tests write that file without loading TensorFlow.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from automl.errors import NotFoundError, UsageError, WorkspaceError
from automl.manifest import MANIFEST, Manifest
from automl.registry import Model, list_models, load_model, next_version, register, staging
from automl.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.find(tmp_path / "ws")


def write_version(folder: Path, name: str = "other", version: int = 7) -> None:
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    Manifest(name, version, ("äpfel", "a/b"), 8, 8, "squash", 1.0, {}, {"accuracy": 0.5}).write(
        folder
    )


def add(workspace: Workspace, name: str) -> Model:
    with staging(workspace, name) as folder:
        write_version(folder)
        return register(workspace, name, folder)


def test_versions_count_up_and_carry_their_own_name(workspace: Workspace) -> None:
    first, second = add(workspace, "fruit"), add(workspace, "fruit")
    assert [(m.name, m.version) for m in (first, second)] == [("fruit", 1), ("fruit", 2)]
    assert second.path == workspace.models / "fruit" / "2"
    assert second.labels == ("äpfel", "a/b")
    assert next_version(workspace, "fruit") == 3
    assert sorted(p.name for p in (workspace.models / "fruit").iterdir()) == ["1", "2"]


def test_a_staged_folder_is_invisible_and_removed_when_it_is_not_registered(
    workspace: Workspace,
) -> None:
    with staging(workspace, "fruit") as folder:
        write_version(folder)
        assert list_models(workspace) == []
        assert next_version(workspace, "fruit") == 1
    assert list(workspace.models.iterdir()) == []


def test_registering_at_once_gives_each_a_number(workspace: Workspace) -> None:
    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(lambda _: add(workspace, "fruit"), range(16)))
    assert sorted(m.version for m in models) == list(range(1, 17))
    for model in models:
        assert Manifest.read(model.path).version == int(model.path.name)


def test_registering_from_two_processes_gives_each_a_number(
    workspace: Workspace, tmp_path: Path
) -> None:
    write_version(tmp_path / "made")
    script = (
        "import shutil, sys\n"
        "from automl.registry import register, staging\n"
        "from automl.workspace import Workspace\n"
        "workspace = Workspace.find(sys.argv[1])\n"
        "for _ in range(10):\n"
        "    with staging(workspace, 'fruit') as folder:\n"
        "        shutil.copytree(sys.argv[2], folder)\n"
        "        print(register(workspace, 'fruit', folder).version)\n"
    )
    command = [sys.executable, "-c", script, str(workspace.root), str(tmp_path / "made")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    numbers = [int(n) for process in running for n in process.communicate()[0].split()]
    assert sorted(numbers) == list(range(1, 21))


def test_an_unfinished_folder_is_not_registered(workspace: Workspace) -> None:
    with staging(workspace, "fruit") as folder:
        write_version(folder)
        (folder / "saved_model.pb").unlink()
        with pytest.raises(NotFoundError, match=r"no saved_model\.pb"):
            register(workspace, "fruit", folder)
    assert list_models(workspace) == []


def test_names_that_cannot_be_folders_are_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="model's name"), staging(workspace, "../up"):
        pass


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 9}', None])
def test_damaged_versions_are_passed_over(workspace: Workspace, damage: bytes | None) -> None:
    good, bad = add(workspace, "fruit"), add(workspace, "fruit")
    if damage is None:
        (bad.path / MANIFEST).unlink()
    else:
        (bad.path / MANIFEST).write_bytes(damage)
    assert [m.version for m in list_models(workspace)] == [good.version]
    assert load_model("fruit", workspace=workspace).version == good.version
    with pytest.raises((WorkspaceError, NotFoundError), match="manifest"):
        load_model("fruit", version=2, workspace=workspace)
    assert add(workspace, "fruit").version == 3


def test_load_model_by_name_and_by_folder(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(workspace, "fruit")
    newest = add(workspace, "fruit").path
    assert load_model("fruit", workspace=workspace).path == newest
    assert load_model("fruit", version=1, workspace=str(workspace.root)).version == 1
    assert load_model(newest).path == newest
    assert load_model(str(newest.parent), version=1).version == 1
    monkeypatch.chdir(tmp_path)
    write_version(tmp_path / "copied")
    assert load_model("./copied").version == 7
    assert load_model("copied", workspace=workspace).path == tmp_path / "copied"


def test_what_is_not_there_is_one_sentence(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="none yet"):
        load_model("fruit", workspace=workspace)
    add(workspace, "fruit")
    with pytest.raises(NotFoundError, match=r"a model in .*\(fruit\).*found 'frut'"):
        load_model("frut", workspace=workspace)
    with pytest.raises(NotFoundError, match=r"\(1\), found 3"):
        load_model("fruit", version=3, workspace=workspace)
    with pytest.raises(NotFoundError, match="found nothing"):
        load_model("/no/such/folder")


def test_export_copies_the_version_whole(workspace: Workspace, tmp_path: Path) -> None:
    model = add(workspace, "fruit")
    copied = model.export(tmp_path / "out" / "fruit")
    assert load_model(copied).labels == model.labels
    assert (copied / "saved_model.pb").read_bytes() == b"graph"
    assert [p.name for p in copied.parent.iterdir()] == ["fruit"]
    with pytest.raises(UsageError, match="in use"):
        model.export(copied)
