"""EfficientNetV2 of Keras Applications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from automl_plugins.backbones.applications import ApplicationsBackbone
from automl_plugins.backbones.downloads import Download
from automl_plugins.backbones.grouping import group_by_prefix

if TYPE_CHECKING:
    import keras

_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/efficientnet_v2/"
    "efficientnetv2-{}_notop.h5"
)


class _Variant(NamedTuple):
    resolution: int
    billions: float
    digest: str


_VARIANTS = {
    "b0": _Variant(224, 0.72, "893217f2bb855e2983157299931e43ff"),
    "b1": _Variant(240, 1.20, "0e80663031ca32d657f9caa404b6ec37"),
    "b2": _Variant(260, 1.67, "1dfe2e7a5d45b6632553a8961ea609eb"),
    "b3": _Variant(300, 3.02, "f6abf7b5849ac99a89b50dd3fd532856"),
}


class EfficientNetV2(ApplicationsBackbone):
    """EfficientNetV2 B0 to B3: 1,280 features, 1,408 from B2 and 1,536 from B3.

    Tan and Le, "EfficientNetV2", 2021.
    """

    name = "efficientnet-v2"
    depths = ("b0", "b1", "b2", "b3")
    resolutions = (224, 192, 160, 128)

    def resolutions_for(self, depth: int | str) -> Sequence[int]:
        """Returns the side that `depth` was trained for, then smaller ones."""
        native = _VARIANTS[str(depth)].resolution
        return (native, *(side for side in self.resolutions if side < native))

    def cost(self, depth: int | str, resolution: int) -> float:
        """Returns about how many billion multiply-adds one image takes."""
        variant = _VARIANTS[str(depth)]
        return variant.billions * (resolution / variant.resolution) ** 2

    def download(self, depth: int | str) -> Download:
        """Returns where the ImageNet weights of `depth` are published."""
        return Download(_URL.format(depth), _VARIANTS[str(depth)].digest)

    def network(self, depth: int | str, inputs: Any, **options: Any) -> keras.Model:
        """Returns the network, which scales its pictures itself."""
        import keras

        builder = getattr(keras.applications, f"EfficientNetV2{str(depth).upper()}")
        return builder(input_tensor=inputs, include_preprocessing=True, **options)

    def blocks(self, model: keras.Model) -> Sequence[Sequence[str]]:
        """Groups the layers into stem, one group a residual block, and head."""
        return group_by_prefix(model, r"stem_conv|block\d[a-z]_|top_conv")
