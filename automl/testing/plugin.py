"""The contract of a plugin's module."""

from __future__ import annotations

import subprocess
import sys

from automl.testing.expect import expect

_PROGRAM = """
import importlib, sys
from automl.plugins import PluginManager
import_name = sys.argv[1]
PluginManager().register(importlib.import_module(import_name), import_name)
frameworks = {"jax", "keras", "keras_tuner", "numpy", "sklearn", "tensorflow", "torch"}
print(" ".join(sorted(frameworks & set(sys.modules))))
"""


def check_plugin(module: str) -> None:
    """Checks that a plugin registers without error and imports no framework in doing so.

    Runs in a process of its own, because this one has imported frameworks.

    Args:
        module: The plugin's import name, what its entry point names.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, module], capture_output=True, text=True, check=False
    )
    last = (done.stderr.strip() or "no message").splitlines()[-1]
    expect(done.returncode == 0, f"expected plugin {module!r} to register, found {last}")
    expect(
        not done.stdout.strip(),
        f"expected importing plugin {module!r} to import no framework, found "
        f"{done.stdout.strip()}; import frameworks where a component is built.",
    )
