"""Colour histograms as a backbone for automl."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import automl
from automl.components import Backbone

if TYPE_CHECKING:
    import keras

AUTOML_API = 1


class ColourHistogram(Backbone):
    """How often each red, green and blue value occurs, in each cell of a 2 by 2 grid.

    Source of the method: Swain and Ballard, "Color indexing", IJCV 1991. The depth is the
    number of bins a channel.
    """

    name = "colour-histogram"
    depths = (8, 16)
    resolutions = (64, 32)
    pretrained = False
    trainable = False

    def cost(self, depth: int | str, resolution: int) -> float:
        """Returns billions of multiply-adds: one comparison a value and bin."""
        return int(depth) * 3 * resolution**2 / 1e9

    def build(self, depth: int | str, resolution: int, weights: str | None) -> keras.Model:
        """Builds the network; it has no weights."""
        import keras

        # Deriving from keras.layers.Layer imports Keras, so that module is imported here.
        from automl_histogram.layers import SoftHistogram

        images = keras.Input((resolution, resolution, 3), name="images")
        counts = SoftHistogram(int(depth), name="histogram")(images)
        cells = keras.layers.AveragePooling2D(resolution // 2, name="cells")(counts)
        features = keras.layers.Flatten(name="features")(cells)
        return keras.Model(images, features, name=f"colour_histogram_{depth}")


@automl.hookimpl
def automl_backbones(register: Callable[[Any], None]) -> None:
    """Registers the backbone."""
    register(ColourHistogram())
