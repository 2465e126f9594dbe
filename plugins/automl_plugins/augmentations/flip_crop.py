"""Mirrored and cropped, on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl.components import Augmentation
from automl_plugins.augmentations.ranges import in_range

if TYPE_CHECKING:
    import keras
    import keras_tuner

MARGIN = "flip_crop_margin"


class FlipCrop(Augmentation):
    """Mirrors half of the images left to right, zooms into each and moves it a little.

    Keras layers that run inside the training step. Interpolation is bilinear and borders
    are filled by reflection, so that values stay within those of the image.
    """

    name = "flip-crop"

    def declare(self, hp: keras_tuner.HyperParameters) -> None:
        """Declares the margin: the share of a side, 0 to 0.5, that a crop may cut off."""
        hp.Fixed(MARGIN, 0.1)

    def layers(self, params: Mapping[str, Any], seed: int) -> Sequence[keras.layers.Layer]:
        """Returns the layers; see `Augmentation.layers`.

        Raises:
            UsageError: If a pinned margin is out of range.
        """
        import keras

        margin = in_range(params.get(MARGIN, 0.1), MARGIN, 0.0, 0.5)
        mirror = keras.layers.RandomFlip("horizontal", seed=seed, name="random_flip")
        if margin == 0.0:
            return [mirror]
        return [
            mirror,
            keras.layers.RandomZoom(
                (-margin, 0.0), fill_mode="reflect", seed=seed + 1, name="random_zoom"
            ),
            keras.layers.RandomTranslation(
                margin / 2,
                margin / 2,
                fill_mode="reflect",
                seed=seed + 2,
                name="random_translation",
            ),
        ]
