"""Fits any head on features: estimators by themselves, layers by gradient descent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.components import EstimatorHead, FittedHead, Head, LayersHead
from automl.errors import PluginError
from automl.plugins import plugin_manager
from automl.training.batches import Batches
from automl.training.fitting import EpochReport, balanced_class_weight, compile_model, fit
from automl.training.limits import Limits

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Labels = NDArray[np.int64]

PROBE: Mapping[str, Any] = {
    "C": 0.001,
    "optimizer": "adamw",
    "lr": 1e-3,
    "schedule": "cosine",
    "epochs": 50,
    "batch_size": 32,
}
"""How a head is fitted on frozen features before fine-tuning: lightly, so that training goes on
from a loss that still teaches something."""

PROBE_HEAD = "logistic"
"""The head that finds a single dense layer's weights, in a tenth of gradient descent's time."""


def head_settings(head: Head, params: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Returns the settings that one trial compares: an estimator's path, or the one given."""
    return head.path(params) if isinstance(head, EstimatorHead) else [params]


def probe_head(layers: Sequence[keras.layers.Layer], head: Head) -> Head:
    """Returns what finds the weights that `layers`, which `head` made, begin with."""
    import keras

    heads = plugin_manager().heads
    affine = len(layers) == 1 and isinstance(layers[0], keras.layers.Dense)
    return heads[PROBE_HEAD] if affine and PROBE_HEAD in heads else head


def fit_head(
    head: Head,
    features: Floats,
    y: Labels,
    classes: int,
    settings: Sequence[Mapping[str, Any]],
    seed: int,
    limits: Limits,
    on_epoch: EpochReport = lambda epoch, logs: None,
) -> list[FittedHead]:
    """Fits `head` once for each of `settings`.

    Args:
        features: float32 `[N, F]`.
        y: Class numbers `[N]`.
    """
    if isinstance(head, EstimatorHead):
        return list(head.fit_path(features, y, classes, settings, seed))
    if isinstance(head, LayersHead):
        return [
            _fit_layers(head, features, y, classes, params, seed, limits, on_epoch)
            for params in settings
        ]
    raise PluginError(
        f"expected the head {head.name!r} to be a LayersHead or an EstimatorHead, found "
        f"{type(head).__name__}; derive it from one of them."
    )


class LayersFittedHead(FittedHead):
    """A trained head of Keras layers."""

    def __init__(self, model: keras.Model, layers: Sequence[keras.layers.Layer]) -> None:
        self._model, self._layers = model, layers

    def logits(self, features: Floats) -> Floats:
        """Returns logits `[N, classes]` for features `[N, F]`."""
        return np.asarray(self._model.predict(features, batch_size=256, verbose=0), np.float32)

    def layers(self) -> Sequence[keras.layers.Layer]:
        """Returns new layers of the same configuration."""
        return [type(layer).from_config(layer.get_config()) for layer in self._layers]

    def load(self, layers: Sequence[keras.layers.Layer]) -> None:
        """Copies the weights, layer by layer."""
        for target, source in zip(layers, self._layers, strict=True):
            target.set_weights(source.get_weights())


def _fit_layers(
    head: LayersHead,
    features: Floats,
    y: Labels,
    classes: int,
    params: Mapping[str, Any],
    seed: int,
    limits: Limits,
    on_epoch: EpochReport,
) -> FittedHead:
    import keras

    keras.utils.set_random_seed(seed)
    layers = list(head.layers(features.shape[1], classes, params))
    inputs = keras.Input((features.shape[1],))
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    model = keras.Model(inputs, outputs)
    batches = Batches(features, np.arange(len(y)), y, int(params["batch_size"]), seed)
    compile_model(model, params, batches.num_batches)
    fit(
        model,
        batches,
        int(params["epochs"]),
        balanced_class_weight(y, classes),
        limits,
        on_epoch,
    )
    return LayersFittedHead(model, layers)
