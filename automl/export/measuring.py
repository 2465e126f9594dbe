"""What a network costs where it is deployed: its latency and its size, before it is trained."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from automl.export.saved_model import write_saved_model
from automl.plugins import plugin_manager
from automl.training.classifier import assemble
from automl.training.composition import Composition
from automl.training.forward import RUNTIME

RUNS = 30
WARMING = 5


def measure(params: Mapping[str, Any], classes: int) -> dict[str, Any]:
    """Exports a configuration's network with random values and a linear head, and runs it.

    Args:
        params: The hyperparameters by dimension.
        classes: Outputs of the head.

    Returns:
        `latency_ms`, the median milliseconds that one picture takes on the runtime that deploys,
        and `size_mb`, the SavedModel's million bytes.
    """
    import keras

    composition = Composition.of(params)
    side = composition.resolution
    model = assemble(composition.rebuild(), [keras.layers.Dense(classes)])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        write_saved_model(model, 1.0, folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        loaded = plugin_manager().runtimes[RUNTIME].load(folder)
        picture = np.zeros((1, side, side, 3), np.uint8)
        seconds = []
        for _ in range(WARMING + RUNS):
            begun = time.perf_counter()
            loaded.predict("serving_default", {"images": picture})
            seconds.append(time.perf_counter() - begun)
    return {
        "latency_ms": round(1000 * statistics.median(seconds[WARMING:]), 3),
        "size_mb": round(size / 1e6, 3),
    }
