"""Which workspace is used, and what can be wrong with it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.errors import UsageError, WorkspaceError
from automl.workspace import Workspace, check_name


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.delenv("AUTOML_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_new_one_is_made_in_the_current_folder(tmp_path):
    assert not Workspace.locate().exists()
    workspace = Workspace.find()
    assert workspace.root == tmp_path / "automl-workspace"
    assert workspace.exists()
    content = json.loads((workspace.root / "workspace.json").read_text())
    assert content == {"name": "automl-workspace", "format": 1}


def test_the_nearest_one_upwards_is_used(tmp_path, monkeypatch):
    made = Workspace.find()
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "deeper")
    assert Workspace.find().root == made.root
    monkeypatch.chdir(made.root)
    assert Workspace.find().root == made.root
    nearer = Workspace.find(tmp_path / "deep")
    monkeypatch.chdir(tmp_path / "deep" / "deeper")
    assert Workspace.find().root == nearer.root


def test_the_argument_goes_before_the_variable_before_the_folder(tmp_path, monkeypatch):
    Workspace.find()
    monkeypatch.setenv("AUTOML_WORKSPACE", str(tmp_path / "variable"))
    assert Workspace.find().root == tmp_path / "variable"
    assert Workspace.find(tmp_path / "argument").root == tmp_path / "argument"


def test_locating_makes_nothing(tmp_path):
    assert Workspace.locate(tmp_path / "new").root == tmp_path / "new"
    assert list(tmp_path.iterdir()) == []


def test_the_environment_goes_before_the_settings(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path)
    assert workspace.variable("A_KEY") == ""
    settings = tmp_path / "settings.json"
    settings.write_text('{"A_KEY": "kept"}', encoding="utf-8")
    assert workspace.variable("A_KEY") == "kept"
    assert workspace.variable("ANOTHER") == ""
    monkeypatch.setenv("A_KEY", "said")
    assert workspace.variable("A_KEY") == "said"
    monkeypatch.delenv("A_KEY")
    for content in ("", "[]", "[" * 100_000, '{"A_KEY": 7}'):
        settings.write_text(content, encoding="utf-8")
        with pytest.raises(WorkspaceError, match=r"expected an object of texts .*settings\.json"):
            workspace.variable("A_KEY")


def test_its_folders_lie_in_it(tmp_path):
    workspace = Workspace(tmp_path)
    for name in ("cache", "experiments", "models", "deployments"):
        assert getattr(workspace, name) == tmp_path / name


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", '{"format": 2}', "\udce9"])
def test_another_format(tmp_path, content):
    path = tmp_path / "workspace.json"
    path.write_bytes(os.fsencode(content))
    with pytest.raises(WorkspaceError, match=r"expected a workspace .*--workspace DIR"):
        Workspace.find(tmp_path)
    assert path.read_bytes() == os.fsencode(content)


def test_a_file_and_below_a_file(tmp_path):
    (tmp_path / "file").write_text("letter")
    with pytest.raises(WorkspaceError, match="found the file"):
        Workspace.find(tmp_path / "file")
    with pytest.raises(WorkspaceError, match="Not a directory"):
        Workspace.find(tmp_path / "file" / "below")


@pytest.mark.parametrize("name", ["a", "7", "Recycling-2.1_b", "x" * 63])
def test_names(name):
    assert check_name(name, "model") == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "-a", "_a", "a/b", "a b", "größe", "a\n", "a\0", "x" * 64, "../a"]
)
def test_what_is_no_name(name):
    with pytest.raises(UsageError, match="expected the model's name to be at most 63"):
        check_name(name, "model")


@given(st.text())
def test_a_name_is_one_part_of_a_path(name):
    try:
        check_name(name, "model")
    except UsageError:
        return
    assert Path("folder", name).name == name
    assert name not in (".", "..")
    assert name.isascii()
