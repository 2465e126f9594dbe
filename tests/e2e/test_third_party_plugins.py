"""Plugins of other packages: the example, and the one in plugins/README.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "plugin-histogram-backbone"


def run(*command: str, site: Path, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(site), "AUTOML_STRICT_PLUGINS": "1"},
        cwd=cwd,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip_install(source: Path, place: Path) -> Path:
    """Installs the package in `source`, from a copy and without a network."""
    site = place / "site"
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    run("pip", "install", *options, str(source), site=site, cwd=place)
    return site


def listed(site: Path) -> dict[str, Any]:
    plugins = json.loads(run("automl", "plugins", "list", "--json", site=site, cwd=site))
    return {plugin["name"]: plugin for plugin in plugins["plugins"]}


def copy_of(folder: Path, place: Path) -> Path:
    """Copies only what is source, as building leaves files beside it."""
    for file in folder.rglob("*"):
        if file.suffix in (".py", ".md") and "build" not in file.relative_to(folder).parts:
            target = place / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return place


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the example is installed."""
    place = tmp_path_factory.mktemp("example")
    return pip_install(copy_of(EXAMPLE, place / "source"), place)


def write_blocks(text: str, place: Path) -> None:
    """Writes each Python block whose first line names a file."""
    for name, body in re.findall(r"```python\n# (\S+\.py)\n(.*?)```", text, re.DOTALL):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(body)


def test_the_example_is_listed_once_installed(example: Path):
    plugin = listed(example)["colour-histogram"]
    assert plugin == {
        "name": "colour-histogram",
        "package": "automl-histogram-backbone 0.1.0",
        "builtin": False,
        "error": "",
        "components": [{"kind": "backbone", "name": "colour-histogram"}],
    }


@pytest.mark.slow
@pytest.mark.slow
def test_search_uses_the_example(example: Path, digits: Path, tmp_path: Path):
    pins = ("--set", "backbone=colour-histogram", "--set", "head=logistic", "--trials", "1")
    answer = run(
        *("automl", "search", str(digits), "--json", "--workspace", str(tmp_path), *pins),
        site=example,
        cwd=tmp_path,
    )
    found = json.loads(answer)
    assert found["state"] == "completed"
    assert found["best"]["backbone"] == "colour-histogram"
    assert Path(found["saved_model"], "saved_model.pb").is_file()


def test_the_example_passes_its_own_tests(example: Path):
    tests = str(EXAMPLE / "tests")
    run("pytest", "-q", "-p", "no:cacheprovider", tests, site=example, cwd=example)


@pytest.fixture(scope="module")
def readme_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plugin of plugins/README.md is installed, its source in `source` beside it."""
    place = tmp_path_factory.mktemp("readme")
    write_blocks((ROOT / "plugins" / "README.md").read_text(encoding="utf-8"), place / "source")
    return pip_install(place / "source", place)


def test_the_readme_s_plugin_is_listed_once_installed(readme_plugin: Path):
    plugin = listed(readme_plugin)["nearest-mean"]
    assert plugin["components"] == [{"kind": "head", "name": "nearest-mean"}]


@pytest.mark.slow
def test_the_readme_s_plugin_passes_its_tests(readme_plugin: Path):
    source = readme_plugin.parent / "source"
    options = ["-q", "-p", "no:cacheprovider"]
    run("pytest", *options, "test_nearest_mean.py", site=readme_plugin, cwd=source)
