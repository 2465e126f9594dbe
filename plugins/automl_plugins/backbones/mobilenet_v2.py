"""MobileNetV2 of Keras Applications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from automl_plugins.backbones.applications import ApplicationsBackbone
from automl_plugins.backbones.downloads import Download
from automl_plugins.backbones.grouping import group_by_prefix

if TYPE_CHECKING:
    import keras

_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{}_224_no_top.h5"
)
_BILLIONS = {50: 0.097, 100: 0.300, 140: 0.582}


class MobileNetV2(ApplicationsBackbone):
    """MobileNetV2 at half, full and 1.4 times its width: 1,280 or 1,792 features.

    The depth is the width in percent. Sandler et al., "MobileNetV2", 2018.
    """

    name = "mobilenet-v2"
    depths = (50, 100, 140)
    resolutions = (224, 192, 160, 128, 96)

    def cost(self, depth: int | str, resolution: int) -> float:
        """Returns about how many billion multiply-adds one image takes."""
        return _BILLIONS[int(depth)] * (resolution / 224) ** 2

    def download(self, depth: int | str) -> Download:
        """Returns where the ImageNet weights of `depth` are published."""
        return Download(_URL.format(int(depth) / 100))

    def network(self, depth: int | str, inputs: Any, **options: Any) -> keras.Model:
        """Returns the network, with the pictures scaled to -1..1."""
        import keras

        scaled = keras.layers.Rescaling(1 / 127.5, -1.0, name="rescaling")(inputs)
        return keras.applications.MobileNetV2(
            input_tensor=scaled, alpha=int(depth) / 100, **options
        )

    def blocks(self, model: keras.Model) -> Sequence[Sequence[str]]:
        """Groups the layers into stem, one group a residual block, and head."""
        return group_by_prefix(model, r"Conv1|expanded_conv|block_\d+_|Conv_1")
