"""The distribution, as somebody else's machine gets it: whole, and able to do the whole job."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    "automl": ROOT / "automl",
    "automl_plugins": ROOT / "plugins" / "automl_plugins",
    "automl_serving": ROOT / "serving" / "automl_serving",
}


def source_files(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources without a network."""
    place = tmp_path_factory.mktemp("wheel")
    for root in SOURCES.values():
        for name in source_files(root):
            target = place / "source" / root.relative_to(ROOT) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((root / name).read_bytes())
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        (place / "source" / name).write_bytes((ROOT / name).read_bytes())
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", place, place / "source")
    return next(place.glob("*.whl"))


def pip(*arguments: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_holds_every_file_of_the_three_packages(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        f"{package}/{name}" for package, root in SOURCES.items() for name in source_files(root)
    }
    assert names == expected


def test_the_wheel_shows_the_readme_and_names_its_licence(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = archive.read(name).decode()
    assert (ROOT / "README.md").read_text() in metadata
    assert "License: Apache-2.0\n" in metadata
    assert "License-File: LICENSE\n" in metadata


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with the wheel, which finds the dependencies of this one."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    site = next((place / "lib").glob("python*/site-packages"))
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    # Paths in a .pth file come last, and the .pth files in them are not read: an editable
    # installation of this checkout stays out of sight.
    (site / "dependencies.pth").write_text("\n".join(libraries) + "\n")
    pip("--python", python, "install", "--no-deps", "--no-index", "--ignore-installed", wheel)
    return place


def test_an_installation_is_of_the_wheel_and_not_of_this_checkout(installed: Path):
    code = (
        "import automl, automl_plugins, automl_serving;"
        "print(*(m.__file__ for m in (automl, automl_plugins, automl_serving)), sep='\\n')"
    )
    places = run(installed, "python", "-c", code).splitlines()
    assert [Path(place).is_relative_to(installed) for place in places] == [True, True, True]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_quickstart_does_the_whole_job_where_it_is_installed(installed: Path, tmp_path: Path):
    printed = run(installed, "automl", "quickstart", "--json", cwd=tmp_path)
    result = json.loads(printed)
    assert result["test_images"] == 360
    assert result["balanced_accuracy"] > 0.93
    assert len(result["scored"]) == 3
    assert all(0 < each["probability"] <= 1 for each in result["scored"])
    assert Path(result["report"]).is_file()
    assert (Path(result["saved_model"]) / "saved_model.pb").is_file()
    left = json.loads(run(installed, "automl", "deployments", "list", "--json", cwd=tmp_path))
    assert left == {"deployments": []}


def run(environment: Path, program: str, *arguments: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [environment / "bin" / program, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd or environment,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# Where the name on PyPI is not the one that is imported.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "google": "protobuf",
    "grpc": "grpcio",
    "grpc_health": "grpcio-health-checking",
    "mlflow": "mlflow-skinny",
    "opentelemetry": "opentelemetry-api",
    "sklearn": "scikit-learn",
    "tensorflow_serving": "tensorflow-serving-api",
    "yaml": "pyyaml",
}
# imgaug brings the one, under one name of several; Keras runs on the other where it is chosen.
UNDECLARED = {"cv2", "torch"}


def test_every_package_that_is_imported_is_declared():
    declared = set(re.findall(r'"([\w-]+)>=', (ROOT / "setup.py").read_text()))
    imported = {
        name
        for root in SOURCES.values()
        for path in root.rglob("*.py")
        for name in re.findall(
            r"^ *(?:import|from) ([A-Za-z]\w*)[\w.]*(?: import| as|$)",
            path.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    }
    others = imported - set(sys.stdlib_module_names) - set(SOURCES) - UNDECLARED
    missing = {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in others} - declared
    assert missing == set()
