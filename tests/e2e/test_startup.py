"""Help and imports stay instant: no framework, no plugin, little time."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "keras", "tensorflow", "sklearn", "keras_tuner", "scipy", "pyarrow", "PIL")

MAIN = "from automl.cli.main import main; main(sys.argv[1:])"


def modules_after(program, *arguments):
    """Runs a program and returns the names of the modules that it has imported."""
    script = (
        f"import sys\ntry:\n    {program}\nfinally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("import automl", []),
        ("import automl; dir(automl)", []),
        ("from automl import hookimpl", []),
        (MAIN, ["--help"]),
        (MAIN, ["--version"]),
        (MAIN, ["search", "--help"]),
        (MAIN, ["score", "--help"]),
        (MAIN, ["runs", "list", "--help"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value[:25],
)
def test_nothing_heavy_is_imported(program, arguments):
    loaded = modules_after(program, *arguments)
    assert "automl" in loaded
    assert not loaded.intersection(HEAVY)
    assert not [name for name in loaded if name.startswith(("automl_plugins", "automl_serving"))]
