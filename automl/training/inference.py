"""A network whose batch statistics stay as they are while its weights are trained."""

from __future__ import annotations

from typing import Any

import keras


class InferenceMode(keras.layers.Layer):  # type: ignore[misc]
    """Runs a network as in inference, also during training.

    A plain `network(inputs, training=False)` in a functional model does not do: `fit` passes
    its own `training=True` down to every layer, over what the call had said.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self._network = network

    def call(self, inputs: Any) -> Any:
        """Returns the network's features for `inputs`, float32 whatever it computes in."""
        return keras.ops.cast(self._network(inputs, training=False), "float32")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of the network's features."""
        return self._network.compute_output_shape(input_shape)
