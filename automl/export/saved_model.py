"""Writes a Keras classifier as a SavedModel with the two signatures that are served.

Needs the TensorFlow backend of Keras; nothing else in the project calls `tf.` to train.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.export.warmup import write_warmup

if TYPE_CHECKING:
    import keras


def write_saved_model(model: keras.Model, temperature: float, path: Path) -> None:
    """Writes `model` to the folder `path`, with warm-up requests for whatever serves it.

    `serving_default` takes uint8 `images` `[N, H, W, 3]`; `encoded` takes JPEG or PNG bytes
    `encoded_images` `[N]`, decoded in the graph. Both return float32 `probabilities` and
    `logits` `[N, C]`, with `probabilities = softmax(logits / temperature)`.

    Args:
        model: From float32 `[N, H, W, 3]` in 0..255 to float32 logits `[N, C]`.
        temperature: Above 0; see Guo et al., "On Calibration of Modern Neural Networks", 2017.
        path: The folder to write; it must not exist.
    """
    import keras
    import tensorflow as tf

    height, width = model.input_shape[1:3]

    def classify(images: Any) -> dict[str, Any]:
        logits = tf.cast(model(tf.cast(images, tf.float32), training=False), tf.float32)
        return {"logits": logits, "probabilities": tf.nn.softmax(logits / temperature)}

    def decode(encoded: Any) -> Any:
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        resized = tf.image.resize(image, (height, width), "bicubic", antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)

    def classify_encoded(encoded_images: Any) -> dict[str, Any]:
        pixels = tf.map_fn(
            decode,
            encoded_images,
            fn_output_signature=tf.TensorSpec((height, width, 3), tf.uint8),
        )
        answers: dict[str, Any] = serving_default(pixels)
        return answers

    # The endpoints keep the variables that they use. Tracking the model as well would write
    # them, and every layer, a second time.
    archive = keras.export.ExportArchive()
    serving_default = archive.add_endpoint(
        "serving_default",
        classify,
        input_signature=[tf.TensorSpec((None, height, width, 3), tf.uint8, name="images")],
    )
    archive.add_endpoint(
        "encoded",
        classify_encoded,
        input_signature=[tf.TensorSpec((None,), tf.string, name="encoded_images")],
    )
    archive.write_out(str(path), verbose=False)
    write_warmup(path, height, width)
