"""A whole classifier, backbone and head, and its form on disk.

On disk it is a folder with `classifier.json`, which says how to build the network again
through the plugin that brought its backbone, and `classifier.weights.h5`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.files import write_json
from automl.plugins import plugin_manager

if TYPE_CHECKING:
    import keras

DESCRIPTION = "classifier.json"
WEIGHTS = "classifier.weights.h5"


@dataclass(frozen=True)
class Classifier:
    """A trained classifier.

    Attributes:
        backbone: The backbone component's name.
        depth: One of its depths.
        resolution: The side of the input in pixels.
        weights: What its training began with, `None` for random values; where a depth comes in
            several architectures, this says which.
        model: From float32 `[N, side, side, 3]` in 0..255 to float32 logits `[N, C]`.
        head: The head's layers as Keras serializes them.
        temperature: What logits are divided by to give calibrated probabilities.
    """

    backbone: str
    depth: int | str
    resolution: int
    weights: str | None
    model: keras.Model
    head: Sequence[dict[str, Any]]
    temperature: float

    def save(self, folder: Path) -> None:
        """Writes the classifier into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        description = {
            "backbone": self.backbone,
            "depth": self.depth,
            "resolution": self.resolution,
            "weights": self.weights,
            "head": list(self.head),
            "temperature": self.temperature,
        }
        write_json(folder / DESCRIPTION, description)
        self.model.save_weights(folder / WEIGHTS)


def load_classifier(folder: Path) -> Classifier:
    """Builds the classifier in `folder` again, with its trained weights, in float32."""
    import keras

    keras.config.set_dtype_policy("float32")
    description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    backbone = plugin_manager().backbones[description["backbone"]]
    network = backbone.rebuild(
        description["depth"], description["resolution"], description["weights"]
    )
    layers = [keras.layers.deserialize(config) for config in description["head"]]
    model = assemble(network, layers)
    model.load_weights(folder / WEIGHTS)
    return Classifier(model=model, **description)


def assemble(network: keras.Model, head: Sequence[keras.layers.Layer]) -> keras.Model:
    """Puts head layers on a backbone's network.

    The network is run in inference mode: its batch statistics are final.
    """
    import keras

    inputs = keras.Input(network.input_shape[1:], dtype="float32", name="images")
    outputs = network(inputs, training=False)
    for layer in head:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)
