"""What is found out about a machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from automl import machine
from automl.components import Backbone
from automl.hardware import compute_capabilities
from automl.plugins import PluginManager


def fake_tool(folder: Path, script: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    return tmp_path


def test_gpus_are_what_the_driver_lists(path: Path):
    fake_tool(path, "echo 'NVIDIA H200, 143771, 580.65.06'; echo 'NVIDIA T4, 15360, 580.65.06'")
    assert machine.gpus() == [
        {"name": "NVIDIA H200", "memory": 143771 * 2**20, "driver": "580.65.06"},
        {"name": "NVIDIA T4", "memory": 15360 * 2**20, "driver": "580.65.06"},
    ]


@pytest.mark.parametrize(
    ("script", "capabilities"),
    [("echo 9.0; echo 7.5", [9.0, 7.5]), ("echo '[N/A]'", []), ("exit 9", [])],
)
def test_what_gpus_can_do(path: Path, script: str, capabilities: list[float]):
    fake_tool(path, script)
    assert compute_capabilities() == capabilities


@pytest.mark.parametrize("script", ["echo 'No devices were found'", "exit 9"])
def test_a_driver_without_devices_is_no_gpu(path: Path, script: str):
    fake_tool(path, script)
    assert machine.gpus() == []


def test_no_driver_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus() == []


def test_a_backbone_that_fails_is_told_of(monkeypatch: pytest.MonkeyPatch):
    class Faulty(Backbone):
        name = "faulty"
        depths = (1,)
        resolutions = (8,)

        def cost(self, depth, resolution):
            return 1.0

        def weights(self, depth):
            raise KeyError("lost")

        def build(self, depth, resolution, weights):
            raise NotImplementedError

    manager = PluginManager()
    manager.backbones.add(Faulty(), "x")
    monkeypatch.setattr(machine, "plugin_manager", lambda: manager)
    (row,) = machine.weights()
    assert row["offline"] is False
    assert "KeyError" in row["hint"]
