"""One random change an image, on the device: TrivialAugment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl.components import Augmentation
from automl_plugins.augmentations.ranges import in_range

if TYPE_CHECKING:
    import keras
    import keras_tuner

MIRROR = "trivial_mirror"


class Trivial(Augmentation):
    """TrivialAugment (https://arxiv.org/abs/2103.10158), which has nothing to tune.

    Each image, mirrored or not, gets one of fourteen changes of geometry, light or colour at one
    of 31 strengths, all with the same probability. Keras layers that run inside the training
    step. Mirroring is not among the fourteen; the paper does it beforehand as well.
    """

    name = "trivial"

    def declare(self, hp: keras_tuner.HyperParameters) -> None:
        """Declares the share of images, 0 to 1, that are mirrored left to right."""
        hp.Fixed(MIRROR, 0.5)

    def layers(self, params: Mapping[str, Any], seed: int) -> Sequence[keras.layers.Layer]:
        """Returns the layers; see `Augmentation.layers`.

        Raises:
            UsageError: If a pinned share is out of range.
        """
        from automl_plugins.augmentations.trivial_layer import TrivialAugment

        mirror = in_range(params.get(MIRROR, 0.5), MIRROR, 0.0, 1.0)
        return [TrivialAugment(mirror, seed, name="trivial_augment")]
