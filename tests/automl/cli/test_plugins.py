"""`automl plugins list`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from automl.cli.plugins import command
from automl.plugins import BUILTIN_PLUGINS


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("COLUMNS", "80")
    return CliRunner()


def test_json_names_each_plugin_and_what_it_brings(runner: CliRunner):
    done = runner.invoke(command, ["list", "--json"])
    assert done.exit_code == 0
    plugins = {plugin["name"]: plugin for plugin in json.loads(done.stdout)["plugins"]}
    assert set(BUILTIN_PLUGINS) <= set(plugins)
    heads = plugins["automl_plugins.heads"]
    assert (heads["builtin"], heads["package"], heads["error"]) == (True, "", "")
    assert {"kind": "head", "name": "logistic"} in heads["components"]


def test_the_table_fits_80_columns_and_cuts_nothing_off(runner: CliRunner):
    done = runner.invoke(command, ["list"])
    assert done.exit_code == 0
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    for word in ("automl_plugins.augmentations", "flip-crop", "linear-svm", "efficientnet-lite"):
        assert word in done.stdout
    assert "…" not in done.stdout
