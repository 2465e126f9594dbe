"""What an export finds out about bfloat16, on real models run by OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.export.bfloat16 import LARGEST_DIFFERENCE, compare_bfloat16
from automl.export.saved_model import write_saved_model
from automl.plugins import load_runtime

IMAGES = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), dtype=np.uint8)


def compared(path: Path, shared: float) -> dict[str, Any] | None:
    """Compares a model whose logits have more in common, which hides what counts, as told."""
    import keras

    random = np.random.default_rng(1)
    values = random.normal(0, shared, (8 * 8 * 3, 1)) + random.normal(0, 1e-3, (8 * 8 * 3, 3))
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, use_bias=False)]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    model.layers[-1].set_weights([values])
    write_saved_model(model, 1.0, path)
    runtime = load_runtime("openvino")
    expected = runtime.load(path).predict("serving_default", {"images": IMAGES})
    return compare_bfloat16(path, IMAGES, expected["probabilities"])


@pytest.mark.skipif(
    "bfloat16" not in load_runtime("openvino").precisions,
    reason="this processor does not compute in bfloat16",
)
@pytest.mark.parametrize(("shared", "allowed"), [(0.0, True), (0.1, False)])
def test_the_difference_decides(tmp_path: Path, shared: float, allowed: bool) -> None:
    found = compared(tmp_path / "1", shared)
    assert found is not None
    assert found["largest_difference"] > 0
    assert (found["largest_difference"] <= LARGEST_DIFFERENCE) is allowed
    assert found["allowed"] is allowed
    assert 0 <= found["same_class"] <= 1


@pytest.mark.skipif(
    "bfloat16" in load_runtime("openvino").precisions,
    reason="this processor computes in bfloat16",
)
def test_nothing_is_said_where_it_cannot_be_measured(tmp_path: Path) -> None:
    assert compared(tmp_path / "1", 1.0) is None
