"""`automl doctor`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from automl.cli.doctor import command


def test_json_describes_the_machine_and_makes_no_workspace(tmp_path: Path):
    place = tmp_path / "not" / "made"
    done = CliRunner().invoke(command, ["--json", "--workspace", str(place)])
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["python"].startswith("3.")
    assert found["versions"]["keras"].startswith("3.")
    assert found["cpu"]["cores"] >= 1
    assert 0 < found["memory"]["available"] <= found["memory"]["total"]
    assert found["disk"]["path"] == str(tmp_path)
    assert found["disk"]["free"] > 0
    assert found["workspace"] == {"path": str(place), "exists": False}
    assert found["cache"]["path"] == str(place / "cache")
    assert found["cache"]["size"] == 0
    assert found["cache"]["limit"] == pytest.approx(0.2 * found["disk"]["free"], rel=0.05)
    assert not place.exists()


def test_the_cache_and_its_limit_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUTOML_CACHE_LIMIT", "20GB")
    (tmp_path / "cache" / "pixels").mkdir(parents=True)
    (tmp_path / "cache" / "pixels" / "a.npy").write_bytes(bytes(1_500_000))
    done = CliRunner().invoke(command, ["--workspace", str(tmp_path)])
    assert "1.5 MB of at most 20.0 GB" in done.stdout
    monkeypatch.setenv("AUTOML_CACHE_LIMIT", "20 gigs")
    done = CliRunner().invoke(command, ["--workspace", str(tmp_path)])
    assert str(done.exception) == (
        "expected a size such as 20GB or 500MB in AUTOML_CACHE_LIMIT, found '20 gigs'; correct it."
    )


def test_weights_are_said_to_be_here_where_their_package_is(tmp_path: Path):
    done = CliRunner().invoke(command, ["--json", "--workspace", str(tmp_path)])
    lite = [
        entry
        for entry in json.loads(done.stdout)["weights"]
        if (entry["backbone"], entry["depth"]) == ("efficientnet-lite", 0)
    ]
    assert len(lite) == 1
    assert lite[0]["offline"] is True
    assert Path(lite[0]["path"]).is_file()


def test_text_fits_80_columns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(command, ["--workspace", str(tmp_path)])
    assert done.exit_code == 0
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    for word in ("tensorflow", "cores", "GiB", "efficientnet-lite 0", "here (imagenet)"):
        assert word in done.stdout


@pytest.mark.parametrize("arguments", [["doctor", "--json"], ["plugins", "list"]])
def test_no_framework_is_imported(arguments: list[str], tmp_path: Path):
    program = (
        "import sys\nfrom automl.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code\n"
        "found = {'numpy', 'keras', 'tensorflow', 'sklearn', 'cv2'} & set(sys.modules)\n"
        "print(sorted(found), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stderr.strip() == "[]"
