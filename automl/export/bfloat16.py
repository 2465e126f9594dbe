"""What becomes of a model's answers where they are computed in bfloat16, and whether they may be.

bfloat16 keeps 8 of float32's 24 binary digits, and is about twice as fast on a CPU that has it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.plugins import plugin_manager
from automl.training.forward import RUNTIME

LARGEST_DIFFERENCE = 0.02
"""The most that a probability may change. No class can then lose a lead of more than twice that."""


def compare_bfloat16(
    path: Path, images: NDArray[np.uint8], expected: NDArray[np.float32]
) -> dict[str, Any] | None:
    """Runs a SavedModel's `serving_default` in bfloat16.

    Args:
        path: The SavedModel.
        images: uint8 `[N, H, W, 3]`.
        expected: Their probabilities in float32, `[N, C]`.

    Returns:
        The `largest_difference` in probability, the share of images of the `same_class`, and
        whether serving in bfloat16 is `allowed`; `None` where this processor has no bfloat16, or
        the runtime cannot compute the model in it.
    """
    runtime = plugin_manager().runtimes[RUNTIME]
    if "bfloat16" not in runtime.precisions:
        return None
    loaded = runtime.load(path, "bfloat16")
    if loaded.precision != "bfloat16":
        return None
    answer = loaded.predict("serving_default", {"images": images})
    found = np.asarray(answer["probabilities"], np.float32)
    difference = float(np.abs(found - expected).max())
    return {
        "largest_difference": difference,
        "same_class": float((found.argmax(axis=1) == expected.argmax(axis=1)).mean()),
        "allowed": difference <= LARGEST_DIFFERENCE,
    }
