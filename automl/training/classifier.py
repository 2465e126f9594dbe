"""A whole classifier, networks and head, and its form on disk.

On disk it is a folder with `classifier.json`, which says how to build the networks again
through the plugins that brought their backbones, and `classifier.weights.h5`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.files import write_json
from automl.training.composition import Composition

if TYPE_CHECKING:
    import keras

DESCRIPTION = "classifier.json"
WEIGHTS = "classifier.weights.h5"


@dataclass(frozen=True)
class Classifier:
    """A trained classifier.

    Attributes:
        composition: The networks that it is made of.
        model: From float32 `[N, side, side, 3]` in 0..255 to float32 logits `[N, C]`.
        head: The head's layers as Keras serializes them.
        temperature: What logits are divided by to give calibrated probabilities.
    """

    composition: Composition
    model: keras.Model
    head: Sequence[dict[str, Any]]
    temperature: float

    def save(self, folder: Path) -> None:
        """Writes the classifier into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        description = {
            "composition": self.composition.to_json(),
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
    composition = Composition.from_json(description.pop("composition"))
    network = composition.rebuild()
    layers = [keras.layers.deserialize(config) for config in description["head"]]
    model = assemble(network, layers)
    model.load_weights(folder / WEIGHTS)
    return Classifier(composition=composition, model=model, **description)


def assemble(network: keras.Model, head: Sequence[keras.layers.Layer]) -> keras.Model:
    """Puts head layers on a network.

    The network is run in inference mode: its batch statistics are final.
    """
    import keras

    inputs = keras.Input(network.input_shape[1:], dtype="float32", name="images")
    outputs = network(inputs, training=False)
    for layer in head:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)
