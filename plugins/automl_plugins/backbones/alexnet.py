"""AlexNet, with weights in torchvision's format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from automl_plugins.backbones.downloads import Download, DownloadedBackbone
from automl_plugins.backbones.grouping import group_by_prefix
from automl_plugins.backbones.torch_weights import load_torch_weights

if TYPE_CHECKING:
    import keras

_POOLED_SIDE = 6
_CONVOLUTIONS = (
    # torchvision's index, filters, kernel, stride, padding, whether max pooling follows
    (0, 64, 11, 4, 2, True),
    (3, 192, 5, 1, 2, True),
    (6, 384, 3, 1, 1, False),
    (8, 256, 3, 1, 1, False),
    (10, 256, 3, 1, 1, True),
)


class AlexNet(DownloadedBackbone):
    """AlexNet as torchvision has it: 4,096 features from the layer before the classifier.

    Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.
    """

    name = "alexnet"
    depths = (8,)
    resolutions = (224, 192, 160)

    def cost(self, depth: int | str, resolution: int) -> float:
        """Returns about how many billion multiply-adds one image takes."""
        return 0.055 + 0.655 * (resolution / 224) ** 2

    def download(self, depth: int | str) -> Download:
        """Returns where the ImageNet weights are published."""
        return Download("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", "7be5be79")

    def build(self, depth: int | str, resolution: int, weights: str | None) -> keras.Model:
        """Builds the network up to its second fully connected layer: 4,096 features.

        Args:
            depth: 8.
            resolution: The side of the square input in pixels, at least 63; the last feature
                map is averaged to 6×6 whatever the resolution.
            weights: `"pretrained"`, a PyTorch or safetensors file with torchvision's names,
                or `None`.

        Raises:
            WeightsUnavailableError: If the weights cannot be had or do not fit.
        """
        file = self.weights_file(depth, weights)
        model = _network(resolution)
        if file is not None:
            load_torch_weights(model, file)
        return model

    def blocks(self, model: keras.Model) -> Sequence[Sequence[str]]:
        """Groups the layers by convolution and fully connected layer: 7 groups."""
        return group_by_prefix(model, r"features_\d+_pad|dropout_\d")


def _network(resolution: int) -> keras.Model:
    import keras
    from keras import layers

    from automl_plugins.backbones.scaling import standardize

    inputs = keras.Input((resolution, resolution, 3), name="images")
    x = standardize(inputs)
    for index, filters, kernel, stride, padding, pool in _CONVOLUTIONS:
        name = f"features_{index}"
        x = layers.ZeroPadding2D(padding, name=f"{name}_pad")(x)
        x = layers.Conv2D(filters, kernel, stride, activation="relu", name=name)(x)
        if pool:
            x = layers.MaxPooling2D(3, 2, name=f"{name}_pool")(x)
    x = _average(_average(x, axis=1), axis=2)
    # PyTorch flattens channels first, and the first dense kernel expects that.
    x = layers.Flatten(name="flatten")(layers.Permute((3, 1, 2), name="channels_first")(x))
    for index in (1, 4):
        x = layers.Dropout(0.5, name=f"dropout_{index}")(x)
        x = layers.Dense(4096, activation="relu", name=f"classifier_{index}")(x)
    return keras.Model(inputs, x, name="alexnet")


def _average(x: Any, axis: int) -> Any:
    """Averages along `axis` to 6 values, as PyTorch's adaptive average pooling does."""
    from keras import ops

    size = x.shape[axis]
    if size == _POOLED_SIDE:
        return x
    means = []
    for index in range(_POOLED_SIDE):
        first = index * size // _POOLED_SIDE
        last = -(-(index + 1) * size // _POOLED_SIDE)
        part = x[:, first:last] if axis == 1 else x[:, :, first:last]
        means.append(ops.mean(part, axis=axis, keepdims=True))
    return ops.concatenate(means, axis=axis)
