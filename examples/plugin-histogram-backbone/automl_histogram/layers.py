"""The layer behind the backbone, in `keras.ops` alone, so that it runs on any backend."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("automl_histogram")
class SoftHistogram(keras.layers.Layer):
    """Shares each value out between the two bins nearest to it.

    Maps `[N, H, W, C]` in 0..255 to `[N, H, W, C * bins]`, of which each channel's bins sum
    to 1.
    """

    def __init__(self, bins: int, **options: Any) -> None:
        super().__init__(**options)
        self.bins = bins

    def call(self, images: Any) -> Any:
        """Returns the shares."""
        places = keras.ops.expand_dims(images, -1) * ((self.bins - 1) / 255.0)
        centers = keras.ops.arange(self.bins, dtype=places.dtype)
        shares = keras.ops.relu(1.0 - keras.ops.abs(places - centers))
        height, width, channels = images.shape[1:]
        return keras.ops.reshape(shares, (-1, height, width, channels * self.bins))

    def get_config(self) -> dict[str, Any]:
        """Returns what the layer is made anew from."""
        return {**super().get_config(), "bins": self.bins}
