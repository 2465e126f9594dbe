"""The exported model in OpenVINO, and the decoder: what all but TensorFlow's peer share."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import openvino

from automl.images import decode
from automl.manifest import Manifest

MODEL = Path(os.environ["MODEL"])
"""The version's folder."""

CORES = int(os.environ["CORES"])
PRECISION = {"float32": "f32", "bfloat16": "bf16"}[os.environ["PRECISION"]]

_manifest = Manifest.read(MODEL)


def pixels(picture: bytes) -> Any:
    """Returns a picture's uint8 `[H, W, 3]`."""
    return decode(picture, (_manifest.height, _manifest.width))


class Classifier:
    """Runs batches; each thread that calls it has a request of its own."""

    def __init__(self, **properties: Any) -> None:
        """Compiles the model in `PRECISION`, with more of OpenVINO's properties."""
        core = openvino.Core()
        hints = {"INFERENCE_PRECISION_HINT": PRECISION, **properties}
        self._compiled = core.compile_model(core.read_model(MODEL), "CPU", hints)
        self._mine = threading.local()

    def __call__(self, images: Any) -> Any:
        """Returns the probabilities `[N, C]` of uint8 images `[N, H, W, 3]`."""
        if not hasattr(self._mine, "request"):
            self._mine.request = self._compiled.create_infer_request()
        return self._mine.request.infer({"images": images})["probabilities"].copy()


def alone() -> Classifier:
    """Returns a classifier for a worker that has one core to itself."""
    return Classifier(INFERENCE_NUM_THREADS=1, PERFORMANCE_HINT="LATENCY")
