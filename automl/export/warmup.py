"""Writes requests that a server runs before it serves a model, so that no client waits for them.

TensorFlow Serving runs them too: https://www.tensorflow.org/tfx/serving/saved_model_warmup.
"""

from __future__ import annotations

from pathlib import Path

REQUESTS = Path("assets.extra") / "tf_serving_warmup_requests"

BATCHES = (1, 8)
"""Pictures in each request: engines prepare themselves for each new size of batch."""


def write_warmup(path: Path, height: int, width: int) -> None:
    """Adds requests of black pictures for `serving_default` to the SavedModel in `path`.

    `encoded` gets none: a server that never is asked for it need not load what runs it.
    """
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    (path / REQUESTS).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path / REQUESTS)) as writer:
        for batch in BATCHES:
            log = PredictionLog()
            request = log.predict_log.request
            request.model_spec.signature_name = "serving_default"
            images = request.inputs["images"]
            images.dtype = tf.uint8.as_datatype_enum
            for size in (batch, height, width, 3):
                images.tensor_shape.dim.add(size=size)
            images.int_val.append(0)  # stands for all values
            writer.write(log.SerializeToString())
