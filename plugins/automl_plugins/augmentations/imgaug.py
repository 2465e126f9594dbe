"""Geometry, light, blur, noise and holes, by imgaug on the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from automl.components import Augmentation
from automl_plugins.augmentations.ranges import in_range

if TYPE_CHECKING:
    import keras_tuner
    import numpy as np
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]

STRENGTH = "imgaug_strength"
MIRROR = "imgaug_mirror"


class Imgaug(Augmentation):
    """An imgaug pipeline (https://imgaug.readthedocs.io) whose strength is searched."""

    name = "imgaug"

    def declare(self, hp: keras_tuner.HyperParameters) -> None:
        """Declares the strength (0 to 2, 1 is moderate) and the share that is mirrored."""
        hp.Choice(STRENGTH, [0.5, 1.0, 1.5], default=1.0)
        hp.Fixed(MIRROR, 0.5)

    def augmenter(self, params: Mapping[str, Any], seed: int) -> Callable[[Images, int], Images]:
        """Returns the pipeline as a function; see `Augmentation.augmenter`.

        Raises:
            UsageError: If a pinned hyperparameter is out of range.
            PluginError: If imgaug or OpenCV cannot be imported.
        """
        pipeline = _pipeline(
            in_range(params.get(STRENGTH, 1.0), STRENGTH, 0.0, 2.0),
            in_range(params.get(MIRROR, 0.5), MIRROR, 0.0, 1.0),
        )

        def augment(images: Images, batch_seed: int) -> Images:
            # An imgaug augmenter carries its generators along, so each batch has its own:
            # nothing is shared between threads, and the result depends on the seeds alone.
            own = pipeline.deepcopy()
            own.seed_((seed * 1_000_003 + batch_seed) % 2**31)
            result: Images = own.augment_images(images)
            return result

        return augment


def _pipeline(strength: float, mirror: float) -> Any:
    from automl.imgaug_numpy2 import augmenters

    iaa = augmenters()
    s = strength
    return iaa.Sequential(
        [
            iaa.Fliplr(mirror),
            iaa.Affine(
                scale=(1 - 0.15 * s, 1 + 0.15 * s),
                translate_percent=(-0.08 * s, 0.08 * s),
                rotate=(-12 * s, 12 * s),
                shear=(-4 * s, 4 * s),
                mode="reflect",
            ),
            iaa.Sometimes(0.5, iaa.Multiply((1 - 0.25 * s, 1 + 0.25 * s))),
            iaa.Sometimes(0.5, iaa.LinearContrast((1 - 0.3 * s, 1 + 0.3 * s))),
            iaa.Sometimes(0.3, iaa.MultiplySaturation((1 - 0.4 * s, 1 + 0.4 * s))),
            iaa.Sometimes(0.2, iaa.GaussianBlur((0.0, 1.0 * s))),
            iaa.Sometimes(0.2, iaa.AdditiveGaussianNoise(scale=(0.0, 8.0 * s))),
            iaa.Sometimes(0.2, iaa.Cutout(nb_iterations=1, size=0.2 * s, cval=128)),
        ]
    )
