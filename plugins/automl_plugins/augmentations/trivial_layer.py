"""The Keras layer of TrivialAugment."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from automl_plugins.augmentations.changes import CHANGES

STRENGTHS = 30
"""The strongest of the strengths 0, 1, ..."""


class TrivialAugment(keras.layers.Layer):  # type: ignore[misc]
    """Mirrors some images and applies one of `CHANGES` to each, in float32.

    One image after another, since so each costs one change; computing all fourteen for a whole
    batch, to pick from, takes four times as long on a CPU.

    Attributes:
        mirror: The share of images, 0 to 1, that are mirrored left to right.
        seed: What the random numbers depend on.
    """

    def __init__(self, mirror: float, seed: int, **options: Any) -> None:
        # bfloat16 does not even tell 255 levels apart.
        super().__init__(**{**options, "dtype": "float32"})
        self.supports_jit = False  # as for Keras' own geometric layers: XLA cannot resample
        self.mirror, self.seed = mirror, seed
        self._generator = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool | None = False) -> Any:
        """Returns float32 `[N, H, W, 3]` in 0..255: varied in training, else as they are."""
        if not training:
            return images
        count = ops.shape(images)[0]
        turned = ops.reshape(self._uniform(count) < self.mirror, (-1, 1, 1, 1))
        images = ops.where(turned, ops.flip(images, axis=2), images)
        index = ops.cast(self._uniform(count) * len(CHANGES), "int32")
        strength = ops.floor(self._uniform(count) * (STRENGTHS + 1)) / STRENGTHS
        signed = ops.where(self._uniform(count) < 0.5, -strength, strength)
        return ops.clip(ops.map(_changed, (images, index, strength, signed)), 0.0, 255.0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `input_shape`, which nothing here changes."""
        return input_shape

    def _uniform(self, count: Any) -> Any:
        return keras.random.uniform((count,), seed=self._generator)


def _changed(drawn: tuple[Any, Any, Any, Any]) -> Any:
    image, index, strength, signed = drawn
    return ops.switch(index, list(CHANGES.values()), image, strength, signed)
