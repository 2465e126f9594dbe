"""`automl dataset`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from automl.cli.dataset import command
from automl.cli.search import default_name
from automl.errors import NotFoundError


@pytest.fixture
def run(tmp_path: Path) -> Any:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(command, [*arguments, "--workspace", str(tmp_path / "w")])

    return invoke


def test_create_list_and_show(run: Any, digits: Path, tmp_path: Path):
    assert "No datasets in" in run("list").stdout
    done = run("create", "digits", str(digits))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("digits@1: 96 images in 4 classes.\n")
    made = json.loads(run("create", "digits", str(digits), "--json").stdout)
    assert (made["name"], made["version"], made["images"]) == ("digits", 2, 96)
    assert made["source"] == str(digits)
    listed = json.loads(run("list", "--json").stdout)["datasets"]
    assert [each["version"] for each in listed] == [1, 2]
    assert listed[1] == made
    assert "digits  2        96      4" in run("list").stdout
    shown = run("show", "digits@1").stdout
    assert "0      24" in shown
    assert made["fingerprint"] in shown
    assert json.loads(run("show", "digits", "--json").stdout)["splits"]["-"]["0"] == 24
    assert isinstance(run("show", "letters").exception, NotFoundError)


def test_rejected_rows_are_listed(run: Any, digits: Path, tmp_path: Path):
    rows = [f"{digits}/0/00.png,0,train", f"{digits}/1/00.png,,train", f"{digits}/2/00.png,2,test"]
    (tmp_path / "t.csv").write_text("\n".join(["path,label,split", *rows]))
    done = run("create", "t", str(tmp_path / "t.csv"))
    assert "Left out: expected a label in" in done.stderr
    assert "t.csv line 3, found none" in done.stderr
    assert "CLASS  TEST  TRAIN\n0      0     1\n2      1     0\n" in run("show", "t").stdout


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a/photos.tar.gz", "photos"),
        ("photos.csv", "photos"),
        ("photos@12", "photos"),
        ("my photos", "my-photos"),
    ],
)
def test_the_name_of_a_search(source: str, name: str):
    assert default_name(source) == name
