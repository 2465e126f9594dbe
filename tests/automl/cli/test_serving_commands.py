"""`automl models`, `deploy`, `score` and `deployments`, as they are typed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from automl.deployment import Deployment
from automl.registry import Model

FRAMEWORKS = {"tensorflow", "keras", "keras_tuner", "sklearn", "torch"}


def automl(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    script = "from automl.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="session")
def home(colour_model: Model) -> Path:
    return colour_model.path.parents[2]


def test_models_list(home: Path, colour_model: Model) -> None:
    done = automl("models", "list", "--workspace", home, "--json")
    (row,) = json.loads(done.stdout)["models"]
    assert row.pop("size_mb") == pytest.approx(colour_model.size / 1e6, abs=1e-3)
    assert row == {
        "name": "colours",
        "version": 1,
        "path": str(colour_model.path),
        "labels": ["rot", "grün/緑", "sky blue"],
        "accuracy": 0.875,
        "balanced_accuracy": 0.75,
        "created": "2026-01-02T03:04:05+00:00",
    }
    heading, line = automl("models", "list", "--workspace", home).stdout.splitlines()
    assert heading.split()[:3] == ["NAME", "VERSION", "CLASSES"]
    assert line.split()[:7] == ["colours", "1", "3", "75.0", "%", "87.5", "%"]


def test_empty_lists_say_what_makes_an_entry(tmp_path: Path) -> None:
    assert (
        "`automl search FOLDER` makes one"
        in automl("models", "list", AUTOML_WORKSPACE=str(tmp_path)).stdout
    )
    done = automl("deployments", "list", "--workspace", tmp_path)
    assert "`automl deploy MODEL` makes one" in done.stdout
    assert json.loads(automl("deployments", "list", "--workspace", tmp_path, "--json").stdout) == {
        "deployments": []
    }


def test_deploy_prints_one_object_and_imports_no_framework(
    deploy_command: subprocess.CompletedProcess[str], deployed: Deployment
) -> None:
    assert json.loads(deploy_command.stdout) == {
        "name": "colours",
        "url": deployed.url,
        "key": deployed.key,
        "model": "colours",
        "version": 1,
        "target": "local",
        "seconds": deployed.seconds,
    }
    assert deployed.seconds.keys() == {"model server", "gateway", "ready"}
    imported = set(deploy_command.stderr.splitlines()[-1].split())
    assert "automl.deployment" in imported
    assert not FRAMEWORKS & imported


def test_score_by_name(home: Path, deployed: Deployment, colour_images: dict[str, Path]) -> None:
    """A key in the environment is that of another service, named by its address."""
    command = ["score", "colours", *colour_images.values(), "--workspace", home, "--json"]
    done = automl(*command, AUTOML_KEY="another")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert [r["label"] for r in results] == list(colour_images)
    assert [r["image"] for r in results] == list(map(str, colour_images.values()))
    assert all(r["probability"] > 0.9 for r in results)


def test_score_by_address_prints_a_table(
    deployed: Deployment, colour_images: dict[str, Path]
) -> None:
    image = colour_images["grün/緑"]
    done = automl("score", deployed.url, image, "--top-k", "2", AUTOML_KEY=deployed.key)
    assert done.returncode == 0, done.stderr
    heading, first, second = done.stdout.splitlines()
    assert heading.split() == ["IMAGE", "LABEL", "PROBABILITY"]
    assert first.startswith(f"{image}  grün/緑  94.")
    assert second.split()[-1] == "%"


def test_score_goes_on_after_a_bad_image_and_exits_with_1(
    home: Path, deployed: Deployment, colour_images: dict[str, Path]
) -> None:
    red = colour_images["rot"]
    done = automl("score", "colours", "none.jpg", red, "--workspace", home)
    assert done.returncode == 1
    assert done.stdout.splitlines()[1].startswith(f"{red}  rot")
    assert done.stderr.count("\n") == 1
    assert "none.jpg cannot be read" in done.stderr
    done = automl("score", "colours", "none.jpg", red, "--workspace", home, "--json")
    assert done.returncode == 1
    first, second = json.loads(done.stdout)["results"]
    assert first["error"]["code"] == "bad_image"
    assert second["label"] == "rot"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["score", "nothing", "x.png"], 1, "expected the name of a deployment"),
        (["score", "http://127.0.0.1:9", "x.png"], 2, "expected the key of http://127.0.0.1:9"),
        (["score", "colours"], 2, "found no argument 'IMAGES...'; give one"),
        (["deploy", "nothing"], 1, "expected the name of a model"),
        (
            ["deploy", "colours", "--port", "0"],
            2,
            "--port to be a whole number from 1 to 65535, found '0'",
        ),
        (["deploy", "colours", "--name", "x", "--set", "port=x"], 2, "for port, found 'x'"),
        (["deploy", "colours", "--name", "x", "--set", "timeout=5m"], 2, "timeout, found '5m'"),
        (["deploy", "colours", "--name", "x.json"], 2, "that does not end in .json"),
        (["deploy", "colours", "--version", "7"], 1, "(1), found 7"),
        (["deploy", "colours", "--target", "moon"], 2, "found 'moon'"),
        (["deploy", "colours", "--set", "server"], 2, "expected --set OPTION=VALUE"),
        (["deploy", "colours", "--name", "x", "--set", "server=a:1"], 2, "found 'server'; leave"),
        (["loadtest", "nothing", "x.png", "--slo", "p95"], 2, "objective such as p95<50ms"),
        (["loadtest", "http://127.0.0.1:9", "x.png"], 2, "expected the key of http://127.0.0.1:9"),
        (["deployments", "delete", "nothing"], 1, "expected the name of a deployment"),
    ],
)
def test_mistakes_are_one_sentence(
    home: Path, arguments: list[str], code: int, message: str
) -> None:
    done = automl(*arguments, AUTOML_WORKSPACE=str(home))
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_key_and_a_taken_name(
    home: Path, deployed: Deployment, colour_images: dict[str, Path]
) -> None:
    done = automl("score", deployed.url, colour_images["rot"], "--key", "wrong", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "expected a key of the service" in done.stderr
    done = automl("deploy", "colours", "--workspace", home, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "found 'colours' taken" in done.stderr


def test_deployments_list(home: Path, deployed: Deployment) -> None:
    done = automl("deployments", "list", "--workspace", home, "--json")
    (row,) = json.loads(done.stdout)["deployments"]
    assert (row["name"], row["status"], row["url"]) == ("colours", "ready", deployed.url)
    assert deployed.key not in done.stdout
    table = automl("deployments", "list", "--workspace", home).stdout
    assert table.splitlines()[1].split()[:3] == ["colours", "ready", "colours"]


def test_deployments_status_and_logs(home: Path, deployed: Deployment) -> None:
    done = automl("deployments", "status", "colours", "--workspace", home)
    assert (done.returncode, done.stdout) == (0, "ready\n")
    done = automl("deployments", "status", "colours", "--workspace", home, "--json")
    assert json.loads(done.stdout)["url"] == deployed.url
    done = automl("deployments", "logs", "colours", "--workspace", home, "--json")
    logs = json.loads(done.stdout)["logs"]
    assert logs.keys() == {"gateway", "model-server", "supervisor"}
    assert len(logs["gateway"]) <= 20
    done = automl("deployments", "logs", "colours", "--lines", "1", "--workspace", home)
    assert done.stdout.splitlines()[0] == "== gateway"
    assert done.stdout.splitlines()[2] == "== model-server"


@pytest.mark.skipif(
    importlib.util.find_spec("locust") is None,
    reason="Locust is not installed: pip install -e '.[loadtest]'",
)
def test_loadtest(
    home: Path, deployed: Deployment, colour_images: dict[str, Path], tmp_path: Path
) -> None:
    image, chart = colour_images["rot"], tmp_path / "chart.png"
    asked = ["loadtest", "colours", image, "--workspace", home, "--concurrency", "2"]
    asked += ["--duration", "0.5s", "--slo", "p99<100s", "--chart", chart]
    done = automl(*asked, "--slo", "rps>1000000", "--json")
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert {"requests", "requests_per_second", "p50_ms", "p95_ms", "p99_ms"} <= result.keys()
    assert result["errors"] == {}
    assert [objective["met"] for objective in result["slo"]] == [True, False]
    assert chart.read_bytes().startswith(b"\x89PNG")
    done = automl(*asked)
    assert done.returncode == 0, done.stderr
    assert "requests/s scored with 2 at a time" in done.stdout
    assert "p99<100s: met" in done.stdout


@pytest.mark.slow
def test_what_deploy_prints_can_be_typed(
    home: Path, colour_images: dict[str, Path], tmp_path: Path
) -> None:
    """Two shells deploy one name at once; the winner's printed commands are run as they stand."""
    arguments = ["deploy", str(home / "models" / "colours"), "--name", "typed"]
    script = "from automl.cli.main import main; main()"
    shells = [
        subprocess.Popen(
            [sys.executable, "-c", script, *arguments, "--workspace", str(tmp_path / "my space")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [(*shell.communicate(), shell.returncode) for shell in shells]
    assert sorted(code for _, _, code in said) == [0, 1]
    (loser,) = [error for _, error, code in said if code]
    assert "found 'typed' taken" in loser
    (printed,) = [out for out, _, code in said if not code]
    lines = [line.strip() for line in printed.splitlines()]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    expected = {"automl score": "rot", "curl": '"label": "rot"', "automl deployments": "Deleted"}
    for command, answer in expected.items():
        (line,) = [line for line in lines if line.startswith(command)]
        typed = line.replace("PHOTO.jpg", f"'{colour_images['rot']}'")
        done = subprocess.run(
            typed, shell=True, capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        assert answer in done.stdout
