"""A small convolutional network for small pictures, trained from scratch by design."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from automl.components import Backbone
from automl.errors import WeightsUnavailableError
from automl_plugins.backbones.grouping import group_by_prefix

if TYPE_CHECKING:
    import keras

_FIRST_FILTERS = 32


class SmallCNN(Backbone):
    """Two to four residual blocks of 32, 64, 128 and 256 filters, each halving the side.

    Each block is a 3×3 convolution, a second one with a shortcut around it, and max pooling;
    each convolution is followed by batch normalization and ReLU.
    """

    name = "small-cnn"
    depths = (2, 3, 4)
    resolutions = (32, 28, 64)
    pretrained = False

    def suits(self, side: int) -> bool:
        """Says whether pictures of `side` pixels are small enough for it."""
        return side <= 64

    def cost(self, depth: int | str, resolution: int) -> float:
        """Returns about how many billion multiply-adds one image takes."""
        total, channels, side = 0, 3, resolution
        for index in range(int(depth)):
            filters = _FIRST_FILTERS * 2**index
            total += 9 * filters * (channels + filters) * side**2
            channels, side = filters, side // 2
        return total / 1e9

    def build(self, depth: int | str, resolution: int, weights: str | None) -> keras.Model:
        """Builds the network up to its global average pooling: 32 * 2 ** (depth - 1) features.

        Args:
            depth: The number of blocks: 2, 3 or 4.
            resolution: The side of the square input in pixels, at least 2 ** depth.
            weights: `None`.

        Raises:
            WeightsUnavailableError: If `weights` is not `None`: there are none.
        """
        if weights is not None:
            raise WeightsUnavailableError(
                f"expected no weights for {self.name}, which is trained from scratch, found "
                f"{weights}; leave them out or choose another backbone."
            )
        import keras
        from keras import layers

        inputs = keras.Input((resolution, resolution, 3), name="images")
        x = layers.Rescaling(1 / 127.5, -1.0, name="rescaling")(inputs)
        for index in range(int(depth)):
            x = _block(x, f"block{index + 1}_", _FIRST_FILTERS * 2**index)
        x = layers.GlobalAveragePooling2D(name="features")(x)
        return keras.Model(inputs, x, name=f"small_cnn{depth}")

    def blocks(self, model: keras.Model) -> Sequence[Sequence[str]]:
        """Groups the layers by residual block."""
        return group_by_prefix(model, r"block\d_")


def _block(x: Any, prefix: str, filters: int) -> Any:
    from keras import layers

    x = layers.ReLU(name=prefix + "relu1")(_convolve(x, prefix, 1, filters))
    shortcut = x
    x = layers.Add(name=prefix + "add")([_convolve(x, prefix, 2, filters), shortcut])
    x = layers.ReLU(name=prefix + "relu2")(x)
    return layers.MaxPooling2D(2, name=prefix + "pool")(x)


def _convolve(x: Any, prefix: str, index: int, filters: int) -> Any:
    from keras import layers

    x = layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{prefix}conv{index}",
    )(x)
    # Small sets train for few steps: at Keras' momentum of 0.99 the running statistics
    # would still be near their initial values when the network is first evaluated.
    return layers.BatchNormalization(momentum=0.9, name=f"{prefix}bn{index}")(x)
