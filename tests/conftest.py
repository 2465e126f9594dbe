"""What several tests need: a small real model in a workspace, and its deployment."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl.deployment import Deployment, get_deployment
from automl.manifest import Manifest
from automl.registry import Model, register, staging
from automl.workspace import Workspace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


@pytest.fixture(autouse=True)
def automl_logger() -> Iterator[None]:
    """Takes back what the command line does to the logger, which belongs to the whole process."""
    yield
    log = logging.getLogger("automl")
    log.handlers.clear()
    log.propagate = True


@pytest.fixture(scope="session")
def colour_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A SavedModel whose logits are a picture's mean red, green and blue, each / 32.

    So that its answers can be told beforehand. Copy it with `add_model`, do not change it.
    """
    import keras

    from automl.export.saved_model import write_saved_model

    model = keras.Sequential(
        [
            keras.layers.Input((16, 24, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Rescaling(1 / 32),
        ]
    )
    workspace = Workspace.find(tmp_path_factory.mktemp("colours"))
    with staging(workspace, "colours") as folder:
        write_saved_model(model, 2.0, folder)
        Manifest(
            name="colours",
            version=1,
            labels=("rot", "grün/緑", "sky blue"),
            height=16,
            width=24,
            geometry="squash",
            temperature=2.0,
            metrics={"accuracy": 0.875, "balanced_accuracy": 0.75, "test_images": 8},
            created="2026-01-02T03:04:05+00:00",
        ).write(folder)
        return register(workspace, "colours", folder)


@pytest.fixture(scope="session")
def colour_images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pictures by the class that `colour_model` gives them, none of the model's own size."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("Bilder ä")
    colours = {"rot": (250, 20, 20), "grün/緑": (20, 250, 20), "sky blue": (20, 20, 250)}
    paths = {}
    for place, (label, colour) in enumerate(colours.items()):
        paths[label] = folder / f"größe {place}.png"
        Image.new("RGB", (50 + place, 40), colour).save(paths[label])
    return paths


@pytest.fixture(scope="session")
def deploy_command(colour_model: Model) -> Iterator[subprocess.CompletedProcess[str]]:
    """`automl deploy colours --json`, typed once for all tests.

    Its standard error ends with a line of all modules that the command imported.
    """
    workspace = colour_model.path.parents[2]
    script = (
        "import sys\n"
        "from automl.cli.main import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        "    print(*sys.modules, file=sys.stderr)\n"
    )
    arguments = ["deploy", "colours", "--workspace", str(workspace), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    yield done
    get_deployment("colours", workspace).delete()


@pytest.fixture(scope="session")
def deployed(colour_model: Model, deploy_command: object) -> Deployment:
    """The deployment that `deploy_command` made; tests must leave it running."""
    return get_deployment("colours", colour_model.path.parents[2])


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of class folders: 24 real scans of each of four handwritten digits, as PNGs.

    Copy or link to it, do not change it.
    """
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    scans = load_digits()
    folder = tmp_path_factory.mktemp("digits")
    for label in range(4):
        (folder / str(label)).mkdir()
        for number, scan in enumerate(scans.images[scans.target == label][:24]):
            pixels = 255 - np.rint(scan * 255 / 16).astype(np.uint8)
            Image.fromarray(pixels).save(folder / str(label) / f"{number:02}.png")
    return folder
