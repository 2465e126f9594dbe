"""A policy that varies training images."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import keras_tuner
    import numpy as np
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]


class Augmentation(abc.ABC):
    """A policy that varies training images, on the device or on the host.

    Override exactly one of `layers` (device: Keras layers, run inside the training step)
    and `augmenter` (host: NumPy, run while batches are put together).
    """

    name: str

    def declare(self, hp: keras_tuner.HyperParameters) -> None:
        """Declares the policy's own hyperparameters, each name prefixed by the policy's."""
        return

    def layers(self, params: Mapping[str, Any], seed: int) -> Sequence[keras.layers.Layer]:
        """Returns layers that map float32 `[N, H, W, 3]` in 0..255 to the same shape and range."""
        return ()

    def augmenter(
        self, params: Mapping[str, Any], seed: int
    ) -> Callable[[Images, int], Images] | None:
        """Returns a function of (uint8 images `[N, H, W, 3]`, batch seed), or `None`.

        The function must be thread-safe and give the same result for the same seed.
        """
        return None
