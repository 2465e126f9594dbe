"""One dense layer, trained by gradient descent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl.components import LayersHead

if TYPE_CHECKING:
    import keras


class Linear(LayersHead):
    """Softmax regression: one dense layer to the logits."""

    name = "linear"

    def layers(
        self, features: int, classes: int, params: Mapping[str, Any]
    ) -> Sequence[keras.layers.Layer]:
        """Returns one dense layer without activation."""
        import keras

        # Logits stay float32 under a mixed-precision policy, where softmax would lose digits.
        return [keras.layers.Dense(classes, dtype="float32", name="logits")]
