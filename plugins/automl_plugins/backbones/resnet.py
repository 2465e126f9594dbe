"""ResNet, with weights from Keras Applications or in torchvision's format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from automl_plugins.backbones import keras_weights
from automl_plugins.backbones.downloads import Download, DownloadedBackbone
from automl_plugins.backbones.grouping import group_by_prefix
from automl_plugins.backbones.torch_weights import load_torch_weights

if TYPE_CHECKING:
    import keras

_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/resnet"
_KERAS_SUFFIX = "_weights_tf_dim_ordering_tf_kernels_notop.h5"
_TORCH = "https://download.pytorch.org/models/resnet"


class _Variant(NamedTuple):
    blocks: tuple[int, int, int, int]
    billions: float
    published: Download


_VARIANTS = {
    18: _Variant((2, 2, 2, 2), 1.81, Download(_TORCH + "18-f37072fd.pth", "f37072fd")),
    34: _Variant((3, 4, 6, 3), 3.66, Download(_TORCH + "34-b627a593.pth", "b627a593")),
    50: _Variant(
        (3, 4, 6, 3),
        4.09,
        Download(_KERAS + "50" + _KERAS_SUFFIX, "4d473c1dd8becc155b73f8504c6f6626"),
    ),
    101: _Variant(
        (3, 4, 23, 3),
        7.80,
        Download(_KERAS + "101" + _KERAS_SUFFIX, "88cf7a10940856eca736dc7b7e228a21"),
    ),
    152: _Variant(
        (3, 8, 36, 3),
        11.51,
        Download(_KERAS + "152" + _KERAS_SUFFIX, "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    ),
}
_BOTTLENECK_FROM = 50
_STAGE_FILTERS = (64, 128, 256, 512)


class ResNet(DownloadedBackbone):
    """ResNet 18, 34, 50, 101 and 152: 512 features, or 2,048 from 50 on.

    He et al., "Deep Residual Learning for Image Recognition", 2015. There are two kinds of
    the networks from 50 on, which differ in the place of the stride: Keras Applications' (as
    published) and torchvision's (called version 1.5). The pretrained weights are Keras
    Applications' from 50 on and torchvision's below; a file of the user's own makes the
    network that its format stands for.
    """

    name = "resnet"
    depths = (18, 34, 50, 101, 152)
    resolutions = (224, 192, 160, 128)

    def cost(self, depth: int | str, resolution: int) -> float:
        """Returns about how many billion multiply-adds one image takes."""
        return _VARIANTS[int(depth)].billions * (resolution / 224) ** 2

    def download(self, depth: int | str) -> Download:
        """Returns where the ImageNet weights of `depth` are published."""
        return _VARIANTS[int(depth)].published

    def build(self, depth: int | str, resolution: int, weights: str | None) -> keras.Model:
        """Builds the network up to its global average pooling.

        Args:
            depth: 18, 34, 50, 101 or 152.
            resolution: The side of the square input in pixels.
            weights: `"pretrained"`; a PyTorch or safetensors file with torchvision's names
                (timm's ResNets have the same); from 50 on, a Keras file of Keras
                Applications' network; or `None`.

        Raises:
            WeightsUnavailableError: If the weights cannot be had or do not fit.
        """
        file = self.weights_file(depth, weights)
        model = self.rebuild(depth, resolution, weights)
        if file is not None and _is_keras_network(int(depth), weights):
            keras_weights.load_keras_weights(model, file)
        elif file is not None:
            load_torch_weights(model, file)
        return model

    def rebuild(self, depth: int | str, resolution: int, weights: str | None) -> keras.Model:
        """Builds the network that fits `weights`, with random values."""
        if _is_keras_network(int(depth), weights):
            return _keras_network(int(depth), resolution)
        return _torchvision_network(int(depth), resolution)

    def blocks(self, model: keras.Model) -> Sequence[Sequence[str]]:
        """Groups the layers into the stem and one group a residual block."""
        return group_by_prefix(model, r"conv1_pad|conv\d_block\d+_|layer\d_\d+_")


def _is_keras_network(depth: int, weights: str | None) -> bool:
    if depth < _BOTTLENECK_FROM:
        return False
    return weights in (None, "pretrained") or str(weights).endswith(keras_weights.SUFFIXES)


def _keras_network(depth: int, resolution: int) -> keras.Model:
    import keras

    inputs = keras.Input((resolution, resolution, 3), name="images")
    # As Caffe did, where the weights come from: blue, green, red; centred, not scaled.
    x = keras.ops.flip(inputs, axis=-1)
    mean = [103.939, 116.779, 123.68]
    x = keras.layers.Normalization(mean=mean, variance=[1.0] * 3, name="centre")(x)
    builder = getattr(keras.applications, f"ResNet{depth}")
    built = builder(
        include_top=False,
        weights=None,
        input_tensor=x,
        input_shape=(resolution, resolution, 3),
        pooling="avg",
    )
    return keras.Model(inputs, built.outputs[0], name=built.name)


def _torchvision_network(depth: int, resolution: int) -> keras.Model:
    import keras
    from keras import layers

    from automl_plugins.backbones.scaling import standardize

    inputs = keras.Input((resolution, resolution, 3), name="images")
    x = layers.ZeroPadding2D(3, name="conv1_pad")(standardize(inputs))
    x = layers.Conv2D(64, 7, 2, use_bias=False, name="conv1")(x)
    x = _normalize(x, "bn1", activate=True)
    # What is padded is below or equal to everything there, since all of that is positive.
    x = layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="maxpool")(x)
    block = _bottleneck if depth >= _BOTTLENECK_FROM else _basic_block
    stages = zip(_STAGE_FILTERS, _VARIANTS[depth].blocks, strict=True)
    for stage, (filters, blocks) in enumerate(stages, start=1):
        for index in range(blocks):
            stride = 2 if stage > 1 and index == 0 else 1
            x = block(x, f"layer{stage}_{index}_", filters, stride)
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    return keras.Model(inputs, x, name=f"resnet{depth}")


def _basic_block(x: Any, prefix: str, filters: int, stride: int) -> Any:
    """Adds a block of two 3×3 convolutions."""
    y = _convolve(x, prefix + "conv1", filters, 3, stride)
    y = _normalize(y, prefix + "bn1", activate=True)
    y = _convolve(y, prefix + "conv2", filters, 3, 1)
    return _join(x, _normalize(y, prefix + "bn2"), prefix, stride)


def _bottleneck(x: Any, prefix: str, filters: int, stride: int) -> Any:
    """Adds a block of 1×1, 3×3 (which has the stride) and 1×1 convolutions."""
    y = _convolve(x, prefix + "conv1", filters, 1, 1)
    y = _normalize(y, prefix + "bn1", activate=True)
    y = _convolve(y, prefix + "conv2", filters, 3, stride)
    y = _normalize(y, prefix + "bn2", activate=True)
    y = _convolve(y, prefix + "conv3", 4 * filters, 1, 1)
    return _join(x, _normalize(y, prefix + "bn3"), prefix, stride)


def _join(x: Any, y: Any, prefix: str, stride: int) -> Any:
    """Adds the shortcut, projected where the shapes differ."""
    from keras import layers

    if stride > 1 or x.shape[-1] != y.shape[-1]:
        x = _convolve(x, prefix + "downsample_0", y.shape[-1], 1, stride)
        x = _normalize(x, prefix + "downsample_1")
    return layers.ReLU(name=prefix + "out")(layers.Add(name=prefix + "add")([x, y]))


def _convolve(x: Any, name: str, filters: int, kernel: int, stride: int) -> Any:
    """Adds a convolution, padded on all sides alike, as PyTorch pads."""
    from keras import layers

    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    return layers.Conv2D(filters, kernel, stride, use_bias=False, name=name)(x)


def _normalize(x: Any, name: str, activate: bool = False) -> Any:
    from keras import layers

    x = layers.BatchNormalization(epsilon=1e-5, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activate else x
