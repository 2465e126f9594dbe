"""FastAPI: a plain function, which it runs in threads, and the SavedModel in TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import tensorflow as tf
import uvicorn
from fastapi import FastAPI, File

from automl.images import decode
from automl.manifest import Manifest

MODEL = Path(os.environ["MODEL"])

if os.environ["PRECISION"] == "bfloat16":
    # TensorFlow's own rewriting of graphs, which it has from Intel.
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": True})

app = FastAPI()
manifest = Manifest.read(MODEL)
model = tf.saved_model.load(str(MODEL))
classify = model.signatures["serving_default"]


@app.post("/score")  # type: ignore[untyped-decorator]
def score(image: Annotated[bytes, File()]) -> list[float]:
    """Returns a picture's probabilities."""
    pixels = decode(image, (manifest.height, manifest.width))
    answer = classify(images=tf.constant(pixels[None]))
    return answer["probabilities"].numpy()[0].tolist()  # type: ignore[no-any-return]


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]))
