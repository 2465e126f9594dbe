"""A hidden layer before the logits, trained by gradient descent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl.components import LayersHead
from automl.errors import UsageError

if TYPE_CHECKING:
    import keras
    import keras_tuner


class MLP(LayersHead):
    """One hidden layer of ReLU units with dropout, then a dense layer to the logits."""

    name = "mlp"

    def declare(self, hp: keras_tuner.HyperParameters) -> None:
        """Declares `units` (the hidden layer's width) and `dropout` (a share in 0..1)."""
        hp.Choice("units", [64, 128, 256, 512], default=256)
        hp.Choice("dropout", [0.0, 0.25, 0.5], default=0.25)

    def layers(
        self, features: int, classes: int, params: Mapping[str, Any]
    ) -> Sequence[keras.layers.Layer]:
        """Returns the hidden layer, dropout and the dense layer to the logits.

        Raises:
            UsageError: If a pinned `units` or `dropout` is out of range.
        """
        import keras

        return [
            keras.layers.Dense(_units(params["units"]), activation="relu", name="hidden"),
            keras.layers.Dropout(_dropout(params["dropout"]), name="hidden_dropout"),
            # Logits stay float32 under a mixed-precision policy, where softmax would lose digits.
            keras.layers.Dense(classes, dtype="float32", name="logits"),
        ]


def _units(value: Any) -> int:
    try:
        units = int(value)
    except (TypeError, ValueError):
        units = 0
    if units < 1:
        raise UsageError(
            f"expected units to be a whole number of at least 1, found {value!r}; "
            f"set it like --set units=256."
        )
    return units


def _dropout(value: Any) -> float:
    try:
        dropout = float(value)
    except (TypeError, ValueError):
        dropout = -1.0
    if not 0.0 <= dropout < 1.0:
        raise UsageError(
            f"expected dropout to be a number from 0 to below 1, found {value!r}; "
            f"set it like --set dropout=0.25."
        )
    return dropout
