"""What this machine offers, found without importing a framework."""

from __future__ import annotations

import platform
import shutil
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from automl.cache import Cache
from automl.components import Backbone, Weights
from automl.hardware import cores, gpus, memory
from automl.plugins import plugin_manager
from automl.workspace import Workspace

PACKAGES = (
    "automl-vision",
    "keras",
    "keras-tuner",
    "tensorflow",
    "tensorflow-serving-api",
    "scikit-learn",
    "openvino",
    "imgaug",
    "numpy",
    "pillow",
    "cykooz-resizer",
    "pyarrow",
)
"""The distributions whose versions matter when something goes wrong."""


def describe(workspace: str | None = None) -> dict[str, Any]:
    """Describes this machine, as `automl doctor --json` prints it; sizes are in bytes."""
    place = Workspace.locate(workspace)
    # The workspace may not have been made yet; its disk is that of the nearest folder there.
    nearest = next(folder for folder in (place.root, *place.root.parents) if folder.is_dir())
    disk = shutil.disk_usage(nearest)
    cache = Cache(place.cache, time.time())
    return {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "versions": {package: _version(package) for package in PACKAGES},
        "cpu": {"cores": cores(), "name": _processor()},
        "memory": memory(),
        "gpus": gpus(),
        "disk": {"path": str(nearest), "total": disk.total, "free": disk.free},
        "workspace": {"path": str(place.root), "exists": place.exists()},
        "cache": {"path": str(cache.root), "size": cache.size(), "limit": cache.limit},
        "weights": weights(),
    }


def weights() -> list[dict[str, Any]]:
    """Returns, for each depth of each pretrained backbone, whether its weights are here."""
    return [
        _weights_of(backbone, depth)
        for backbone in plugin_manager().backbones
        for depth in (backbone.depths if backbone.pretrained else ())
    ]


def _weights_of(backbone: Backbone, depth: int | str) -> dict[str, Any]:
    try:
        found = backbone.weights(depth) or Weights("", None)
    except Exception as error:  # somebody else's plugin: say so and go on
        found = Weights("", None, hint=f"its plugin failed with {type(error).__name__}: {error}")
    return {
        "backbone": backbone.name,
        "depth": depth,
        "weights": found.name,
        "offline": found.path is not None,
        "path": str(found.path) if found.path else None,
        "url": found.url,
        "hint": found.hint,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
