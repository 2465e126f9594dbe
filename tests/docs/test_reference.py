"""The pages that are made from the code follow it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from automl import hookspecs

ROOT = Path(__file__).parents[2]


def test_the_reference_follows_the_code():
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "reference", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_hook_is_documented():
    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    hooks = [name for name in vars(hookspecs) if name.startswith("automl_")]
    assert len(hooks) >= 13
    assert [name for name in hooks if f"### {name}\n" not in page] == []


def test_every_layer_of_the_core_is_explained():
    import tomllib

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (each["layers"] for each in contracts["contracts"] if each["type"] == "layers")
    names = {name.strip() for layer in layers for name in layer.split("|")} - {"__main__"}
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("### The core")[2].partition("## Contracts")[0]
    assert {name for name in names if f"`{name}`" not in table} == set()
