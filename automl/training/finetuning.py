"""Fine-tuning: trains the last blocks of a backbone together with a head."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.components import Augmentation, Backbone, FittedHead
from automl.training.batches import Batches
from automl.training.classifier import assemble
from automl.training.fitting import EpochReport, balanced_class_weight, compile_model, fit
from automl.training.forward import predict
from automl.training.inference import InferenceMode
from automl.training.limits import Limits

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]


class FineTuning:
    """A network, a head's layers on it, and the training step of both, compiled once.

    Every `run` begins at the network's initial weights, so that folds do not learn from one
    another. The batch statistics of a pretrained network stay as they are (inference mode):
    small batches of one's own pictures would only spoil them.

    Attributes:
        head_layers: The head's layers.
    """

    def __init__(
        self,
        backbone: Backbone,
        network: keras.Model,
        head_layers: Sequence[keras.layers.Layer],
        augmentation: Augmentation,
        params: Mapping[str, Any],
        seed: int,
        pretrained: bool,
    ) -> None:
        import keras

        self.head_layers = head_layers
        self._network, self._params, self._seed = network, params, seed
        self._augmenter = augmentation.augmenter(params, seed)
        self._classifier = assemble(network, head_layers)
        unfreeze(backbone, network, float(params["unfreeze"]))
        inputs = keras.Input(network.input_shape[1:], dtype="float32")
        outputs = inputs
        for layer in augmentation.layers(params, seed):
            outputs = layer(outputs)
        outputs = (InferenceMode(network) if pretrained else network)(outputs)
        for layer in head_layers:
            outputs = layer(outputs)
        self._model = keras.Model(inputs, outputs)
        self._start = _values(self._classifier.weights)
        self._optimizer_start: list[NDArray[np.generic]] | None = None

    def run(
        self,
        pixels: NDArray[np.uint8],
        rows: Rows,
        y: Rows,
        classes: int,
        head: FittedHead | None,
        limits: Limits,
        on_epoch: EpochReport,
    ) -> None:
        """Trains from the start on `pixels[rows]`.

        Args:
            pixels: uint8 `[M, side, side, 3]`.
            rows: Row numbers `[N]`.
            y: Class numbers `[N]`.
            classes: The number of classes.
            head: What the head's layers begin with; `None` for random weights.
            limits: What the training must keep to.
            on_epoch: Called after each epoch.
        """
        batches = Batches(
            pixels, rows, y, int(self._params["batch_size"]), self._seed, self._augmenter
        )
        self._restart(batches.num_batches)
        if head is not None:
            head.load(self.head_layers)
        weights = balanced_class_weight(y, classes)
        fit(self._model, batches, int(self._params["epochs"]), weights, limits, on_epoch)

    def logits(self, pixels: NDArray[np.uint8], rows: Rows) -> Floats:
        """Returns logits `[N, C]` of `pixels[rows]`."""
        return predict(self._classifier, pixels, rows)

    def features(self, pixels: NDArray[np.uint8], rows: Rows) -> Floats:
        """Returns the tuned network's features `[N, F]` of `pixels[rows]`."""
        return predict(self._network, pixels, rows)

    def _restart(self, steps_per_epoch: int) -> None:
        for variable, value in zip(self._classifier.weights, self._start, strict=True):
            variable.assign(value)
        if self._optimizer_start is None:
            compile_model(self._model, self._params, steps_per_epoch)
            self._model.optimizer.build(self._model.trainable_variables)
            self._optimizer_start = _values(self._model.optimizer.variables)
        for variable, value in zip(
            self._model.optimizer.variables, self._optimizer_start, strict=True
        ):
            variable.assign(value)


def unfreeze(backbone: Backbone, network: keras.Model, share: float) -> None:
    """Makes the last `share` (0..1) of the network's blocks trainable, and all else not."""
    blocks = backbone.blocks(network)
    count = math.ceil(share * len(blocks))
    trained = {name for block in blocks[len(blocks) - count :] for name in block}
    network.trainable = True
    for layer in network.layers:
        layer.trainable = layer.name in trained


def _values(variables: Sequence[Any]) -> list[NDArray[np.generic]]:
    from keras import ops

    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]
