"""ConvNeXt of Keras Applications."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from automl_plugins.backbones.applications import ApplicationsBackbone
from automl_plugins.backbones.downloads import Download
from automl_plugins.backbones.grouping import group_by_prefix

if TYPE_CHECKING:
    import keras

_URL = "https://storage.googleapis.com/tensorflow/keras-applications/convnext/convnext_{}_notop.h5"


class _Variant(NamedTuple):
    billions: float
    digest: str


_VARIANTS = {
    "tiny": _Variant(4.46, "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"),
    "small": _Variant(8.69, "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab"),
    "base": _Variant(15.36, "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45"),
}


class ConvNeXt(ApplicationsBackbone):
    """ConvNeXt tiny, small and base: 768 features, 1,024 from base.

    Liu et al., "A ConvNet for the 2020s", 2022.
    """

    name = "convnext"
    depths = ("tiny", "small", "base")
    resolutions = (224, 192, 160, 128)
    aliases = MappingProxyType(
        {f"convnext_{depth}_head_layernorm": r"layer_normalization(_\d+)?" for depth in _VARIANTS}
    )

    def cost(self, depth: int | str, resolution: int) -> float:
        """Returns about how many billion multiply-adds one image takes."""
        return _VARIANTS[str(depth)].billions * (resolution / 224) ** 2

    def download(self, depth: int | str) -> Download:
        """Returns where the ImageNet weights of `depth` are published."""
        return Download(_URL.format(depth), _VARIANTS[str(depth)].digest)

    def network(self, depth: int | str, inputs: Any, **options: Any) -> keras.Model:
        """Returns the network, which scales its pictures itself.

        Without its classifier, Keras numbers the last layer afresh in each process; so that
        all names stay the same, it is built with one, which is cut off.
        """
        import keras

        builder = getattr(keras.applications, f"ConvNeXt{str(depth).capitalize()}")
        options |= {"include_top": True, "classes": 1, "pooling": None}
        whole = builder(input_tensor=inputs, include_preprocessing=True, **options)
        features = whole.get_layer(f"{whole.name}_head_layernorm").output
        return keras.Model(inputs, features, name=whole.name)

    def blocks(self, model: keras.Model) -> Sequence[Sequence[str]]:
        """Groups the layers into stem, downsamplings and blocks."""
        return group_by_prefix(
            model, r"convnext_[a-z]+_(stem|downsampling_block_\d|stage_\d_block_\d+_)"
        )
