"""BentoML: https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html.

A worker decodes and infers in turn, so there is one for each core.
"""

import os
import subprocess
import sys
from pathlib import Path

import bentoml
import numpy as np
from openvino_model import CORES, alone, pixels


@bentoml.service(workers=CORES)
class Classifier:
    """Scores the picture in a form."""

    def __init__(self) -> None:
        """Loads the model."""
        self.classify = alone()

    @bentoml.api(  # type: ignore[untyped-decorator]
        route="/score", batchable=True, max_batch_size=8, max_latency_ms=30000
    )
    def score(self, image: list[Path]) -> np.ndarray:
        """Returns pictures' probabilities."""
        found: np.ndarray = self.classify(np.stack([pixels(path.read_bytes()) for path in image]))
        return found


if __name__ == "__main__":
    service = f"{Path(__file__).stem}:Classifier"
    command = [sys.executable, "-m", "bentoml", "serve", service, "--port", os.environ["PORT"]]
    sys.exit(subprocess.call([*command, "--host", "127.0.0.1"], cwd=Path(__file__).parent))
