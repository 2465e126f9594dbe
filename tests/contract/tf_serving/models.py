"""Writes the SavedModels that the contract is checked on.

`half_plus_two` is like the model of that name in TensorFlow Serving's own tests
(tensorflow/cc/saved_model/testdata/half_plus_two), its second version adds 3.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write(folder: Path) -> None:
    """Writes every model, and `models.config`, to `folder`."""
    import tensorflow as tf

    def save(name: str, version: int, **signatures: Any) -> None:
        concrete = {key: one.get_concrete_function() for key, one in signatures.items()}
        path = folder / name / str(version)
        tf.saved_model.save(tf.Module(), str(path), signatures=concrete)
        _set_methods(path)

    def takes(**inputs: Any) -> Callable[[Any], Any]:
        specs = [tf.TensorSpec(shape, kind, name) for name, (kind, shape) in inputs.items()]
        return lambda body: tf.function(body, input_signature=specs)

    def plus(number: float) -> dict[str, Any]:
        feature = {"x": tf.io.FixedLenFeature([1], tf.float32)}

        @takes(x=(tf.float32, [None]))
        def serving_default(x: Any) -> Any:
            return {"y": x / 2 + number}

        @takes(inputs=(tf.string, [None]))
        def classify_x_to_y(inputs: Any) -> Any:
            return {"scores": tf.io.parse_example(inputs, feature)["x"] / 2 + number}

        @takes(inputs=(tf.string, [None]))
        def regress_x_to_y(inputs: Any) -> Any:
            return {"outputs": tf.io.parse_example(inputs, feature)["x"] / 2 + number}

        return {
            "serving_default": serving_default,
            "classify_x_to_y": classify_x_to_y,
            "regress_x_to_y": regress_x_to_y,
        }

    @takes(a=(tf.int32, [None, 2]), b=(tf.float32, [None, 2]))
    def two_outputs(a: Any, b: Any) -> Any:
        a = tf.cast(a, tf.float32)
        return {"sum": a + b, "difference": a - b}

    @takes(text=(tf.string, [None]))
    def text(text: Any) -> Any:
        return {"upper": tf.strings.upper(text), "copy_bytes": tf.identity(text)}

    @takes(inputs=(tf.string, [None]))
    def labelled(inputs: Any) -> Any:
        feature = {"words": tf.io.FixedLenFeature([2], tf.string)}
        words = tf.io.parse_example(inputs, feature)["words"]
        return {"classes": words, "scores": tf.cast(tf.strings.length(words), tf.float32)}

    @takes(images=(tf.uint8, [None, 4, 4, 3]))
    def image(images: Any) -> Any:
        logits = tf.reduce_mean(tf.cast(images, tf.float32), [1, 2]) / 32
        return {"logits": logits, "probabilities": tf.nn.softmax(logits)}

    @takes(encoded_images=(tf.string, [None]))
    def encoded(encoded_images: Any) -> Any:
        def decode(data: Any) -> Any:
            pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
            return tf.ensure_shape(pixels, (4, 4, 3))

        spec = tf.TensorSpec((4, 4, 3), tf.uint8)
        return image(tf.map_fn(decode, encoded_images, fn_output_signature=spec))

    @takes(
        i64=(tf.int64, [None]),
        i8=(tf.int8, [None]),
        u8=(tf.uint8, [None]),
        flag=(tf.bool, [None]),
        f64=(tf.float64, [None]),
    )
    def kinds(i64: Any, i8: Any, u8: Any, flag: Any, f64: Any) -> Any:
        return {"i64": i64 + 1, "i8": i8, "u8": u8, "flag": tf.logical_not(flag), "f64": f64 * 2}

    save("half_plus_two", 123, **plus(2))
    save("half_plus_two", 124, **plus(3))
    save("multi", 1, serving_default=two_outputs)
    save("text", 7, serving_default=text, classify=labelled)
    save("image", 1, serving_default=image, encoded=encoded)
    save("kinds", 1, serving_default=kinds)
    (folder / "models.config").write_text(_config(folder), encoding="utf-8")


def _set_methods(path: Path) -> None:
    """Gives signatures of examples the method names by which Classify and Regress know them."""
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel()
    content.ParseFromString((path / "saved_model.pb").read_bytes())
    for name, definition in content.meta_graphs[0].signature_def.items():
        for method in ("classify", "regress"):
            if name.startswith(method):
                definition.method_name = f"tensorflow/serving/{method}"
    (path / "saved_model.pb").write_bytes(content.SerializeToString())


def _config(folder: Path) -> str:
    half = """
        model_version_policy { specific { versions: 123 versions: 124 } }
        version_labels { key: 'stable' value: 123 }
        version_labels { key: 'canary' value: 124 }
    """
    extra = {"half_plus_two": half}
    models = "".join(
        f"""
      config {{
        name: '{name}' base_path: '{folder / name}' model_platform: 'tensorflow'
        {extra.get(name, "")}
      }}"""
        for name in ("half_plus_two", "multi", "text", "image", "kinds")
    )
    return f"model_config_list {{{models}\n}}\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]).absolute())
