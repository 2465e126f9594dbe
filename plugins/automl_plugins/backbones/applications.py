"""What the families of Keras Applications have in common."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from automl_plugins.backbones.downloads import DownloadedBackbone
from automl_plugins.backbones.keras_weights import load_keras_weights

if TYPE_CHECKING:
    import keras


class ApplicationsBackbone(DownloadedBackbone):
    """A family of Keras Applications, up to its global average pooling.

    Attributes:
        aliases: Other names that a layer may have in a file; see `load_keras_weights`.
    """

    aliases: Mapping[str, str] = MappingProxyType({})

    @abc.abstractmethod
    def network(self, depth: int | str, inputs: Any, **options: Any) -> keras.Model:
        """Returns the network of `depth` on `inputs`, Keras tensors with values in 0..255.

        Args:
            depth: One of `depths`.
            inputs: `[N, side, side, 3]`; scaled here where the application does not do it.
            options: What every application's function is called with.
        """

    def build(self, depth: int | str, resolution: int, weights: str | None) -> keras.Model:
        """Builds the network.

        Args:
            depth: One of `depths`.
            resolution: The side of the square input in pixels, at least 32.
            weights: `"pretrained"`, a Keras file of the same application (`.h5`, `.keras` or
                `.weights.h5`, with its classifier or without), or `None`.

        Raises:
            WeightsUnavailableError: If the weights cannot be had or do not fit.
        """
        file = self.weights_file(depth, weights)
        import keras

        shape = (resolution, resolution, 3)
        inputs = keras.Input(shape, name="images")
        built = self.network(
            depth, inputs, include_top=False, weights=None, input_shape=shape, pooling="avg"
        )
        # The applications make a list of their one input, which Keras then asks for.
        model = keras.Model(inputs, built.outputs[0], name=built.name)
        if file is not None:
            load_keras_weights(model, file, self.aliases)
        return model
