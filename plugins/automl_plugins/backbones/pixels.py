"""No network: the pixels themselves are the features."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from automl.components import Backbone
from automl.errors import WeightsUnavailableError

if TYPE_CHECKING:
    import keras


class Pixels(Backbone):
    """The picture's values, turned by an orthonormal map into one grey and two colour planes.

    Nothing is lost, and distances and inner products are those of RGB scaled to 0..1, so a
    linear classifier with an L2 penalty finds the same optimum. What is gained: the colour
    planes come last and are exactly 0 for a grey picture, so that whoever fits an estimator
    on grey pictures can leave out two thirds of the features.
    """

    name = "pixels"
    depths = (0,)
    resolutions = (28, 8, 16, 32, 64)
    pretrained = False
    trainable = False

    def suits(self, side: int) -> bool:
        """Says whether pictures of `side` pixels are small enough for it."""
        return side <= 40

    def cost(self, depth: int | str, resolution: int) -> float:
        """Returns about how many billion multiply-adds one image takes."""
        return 3 * resolution**2 / 1e9

    def build(self, depth: int | str, resolution: int, weights: str | None) -> keras.Model:
        """Builds the transform to `3 * resolution**2` features: grey, red-blue, green-magenta.

        Raises:
            WeightsUnavailableError: If `weights` is not `None`: there are none to load.
        """
        if weights is not None:
            raise WeightsUnavailableError(
                f"expected no weights for {self.name}, which has nothing to load them into, "
                f"found {weights}; leave them out or choose another backbone."
            )
        import keras

        inputs = keras.Input((resolution, resolution, 3), name="images")
        red, green, blue = (inputs[..., channel] for channel in range(3))
        # Whole numbers up to 510 are summed before they are scaled: exact in any precision
        # that a processor or accelerator computes in, hence exactly 0 for grey pictures.
        planes = [
            (red + green + blue) / (255 * math.sqrt(3)),
            (red - blue) / (255 * math.sqrt(2)),
            (red - 2 * green + blue) / (255 * math.sqrt(6)),
        ]
        flat = [keras.layers.Flatten()(plane) for plane in planes]
        features = keras.layers.Concatenate(name="features")(flat)
        return keras.Model(inputs, features, name=f"{self.name}_{resolution}")
