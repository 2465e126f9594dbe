"""What a network costs where it is deployed: its latency and its size, before it is trained."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.export.saved_model import write_saved_model
from automl.plugins import plugin_manager
from automl.training.classifier import assemble

RUNTIME = "tensorflow"
"""What deployed models run on."""

RUNS = 30
WARMING = 5


def measure(
    backbone: str, depth: int | str, resolution: int, classes: int, weights: str | None
) -> dict[str, Any]:
    """Exports a network with random values and a linear head, and runs it.

    Args:
        backbone: The backbone component's name.
        depth: One of its depths.
        resolution: The side of the input in pixels.
        classes: Outputs of the head.
        weights: What the network would begin with; see `Backbone.rebuild`.

    Returns:
        `latency_ms`, the median milliseconds that one picture takes on the runtime that deploys,
        and `size_mb`, the SavedModel's million bytes.
    """
    import keras

    manager = plugin_manager()
    network = manager.backbones[backbone].rebuild(depth, resolution, weights)
    model = assemble(network, [keras.layers.Dense(classes)])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        write_saved_model(model, 1.0, folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        loaded = manager.runtimes[RUNTIME].load(folder)
        picture = np.zeros((1, resolution, resolution, 3), np.uint8)
        seconds = []
        for _ in range(WARMING + RUNS):
            begun = time.perf_counter()
            loaded.predict("serving_default", {"images": picture})
            seconds.append(time.perf_counter() - begun)
    return {
        "latency_ms": round(1000 * statistics.median(seconds[WARMING:]), 3),
        "size_mb": round(size / 1e6, 3),
    }
