"""What a model says about pictures that anyone can make again, kept beside it.

So that whoever serves it can show, without TensorFlow, that it still is the model it was.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from automl.files import write_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REFERENCE = Path("assets.extra") / "reference.json"

_SLOPES = ((1, 0, 40), (0, 1, 80), (3, 5, 7), (17, 11, 29))


def patterns(height: int, width: int) -> NDArray[np.uint8]:
    """Returns four striped pictures, uint8 `[4, height, width, 3]`, the same on every machine."""
    import numpy as np

    y, x, channel = np.ogrid[:height, :width, :3]
    return np.stack([(a * x + b * y + c * channel) % 256 for a, b, c in _SLOPES]).astype(np.uint8)


def write_reference(version_directory: Path, probabilities: NDArray[np.float32]) -> None:
    """Keeps the model's probabilities of `patterns`, float32 `[4, C]`."""
    write_json(version_directory / REFERENCE, {"probabilities": probabilities.tolist()})


def read_reference(version_directory: Path) -> list[list[float]] | None:
    """Returns the probabilities that were kept, `None` where there are none to be had."""
    try:
        content = json.loads((version_directory / REFERENCE).read_text(encoding="utf-8"))
        return [[float(value) for value in row] for row in content["probabilities"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
