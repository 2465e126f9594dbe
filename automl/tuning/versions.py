"""Versions of what a result depends on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version


def library_versions() -> dict[str, str]:
    """Returns the versions of Python and of the libraries that a result depends on."""
    packages = ("automl-vision", "keras", "tensorflow", "keras-tuner", "scikit-learn", "numpy")
    found = {"python": platform.python_version()}
    for package in (*packages, "pillow", "cykooz-resizer"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
