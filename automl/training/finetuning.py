"""Fine-tuning: trains the last blocks of a backbone together with a head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.components import Backbone, FittedHead
from automl.training.batches import Batches
from automl.training.classifier import assemble
from automl.training.cut import trained_blocks
from automl.training.fitting import EpochReport, balanced_class_weight, compile_model, fit
from automl.training.forward import predict
from automl.training.inference import InferenceMode
from automl.training.limits import Limits
from automl.training.milestone import Milestone, rounded

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from automl.training.squeezing import SqueezableSchedule
    from automl.training.tuning_inputs import TuningInputs

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
        inputs: TuningInputs,
        params: Mapping[str, Any],
        seed: int,
        pretrained: bool,
    ) -> None:
        import keras

        self.head_layers = head_layers
        self._inputs, self._params, self._seed = inputs, params, seed
        self._classifier = assemble(inputs.trunk, head_layers)
        unfreeze(backbone, network, float(params["unfreeze"]))
        images = keras.Input(inputs.trunk.input_shape[1:], dtype="float32")
        outputs = images
        for layer in inputs.layers:
            outputs = layer(outputs)
        outputs = (InferenceMode(inputs.trunk) if pretrained else inputs.trunk)(outputs)
        for layer in head_layers:
            outputs = layer(outputs)
        self._model = keras.Model(images, outputs)
        # In inference mode, no step changes what is frozen, nor any batch statistics.
        fixed = {id(each) for each in network.non_trainable_variables} if pretrained else set()
        self._changing = [each for each in self._model.variables if id(each) not in fixed]
        self._start = _values(self._classifier.weights)
        self._optimizer_start: list[NDArray[np.generic]] | None = None
        self._schedule: SqueezableSchedule

    def run(
        self,
        positions: Rows,
        y: Rows,
        classes: int,
        head: FittedHead | None,
        limits: Limits,
        on_epoch: EpochReport,
        begun: Milestone | None = None,
        shorten: bool = False,
    ) -> int:
        """Trains from the start, or from where an earlier training was cut off.

        Args:
            positions: Positions `[n]` among the training images.
            y: Their class numbers `[n]`.
            classes: The number of classes.
            head: What the head's layers begin with; `None` for random weights.
            limits: What the training must keep to.
            on_epoch: Called after each epoch.
            begun: Where an earlier training was cut off.
            shorten: Whether it may end after fewer epochs than planned to keep to its deadline.

        Returns:
            The epochs that it was trained for.
        """
        epoch = begun.epochs if begun else 0
        batches = Batches(
            self._inputs.values,
            self._inputs.rows[positions],
            y,
            int(self._params["batch_size"]),
            self._seed,
            self._inputs.augmenter,
            self._inputs.views,
            epoch,
        )
        self._restart(batches.num_batches)
        if begun:
            _assign(self._changing, begun.weights)
            if begun.optimizer:
                _assign(self._model.optimizer.variables, begun.optimizer)
        elif head is not None:
            head.load(self.head_layers)
        return fit(
            self._model,
            batches,
            int(self._params["epochs"]),
            balanced_class_weight(y, classes),
            limits,
            on_epoch,
            epoch,
            self._schedule if shorten else None,
        )

    def milestone(
        self,
        logits: Sequence[Sequence[Floats]],
        epochs: int,
        history: Sequence[Mapping[str, float]] = (),
    ) -> Milestone:
        """Returns how far it has come after `epochs` of a fold, and goes on from there."""
        optimizer: list[NDArray[Any]] = []
        if epochs < int(self._params["epochs"]):
            optimizer = rounded(_values(self._model.optimizer.variables))
            _assign(self._model.optimizer.variables, optimizer)
        return Milestone(logits, epochs, _values(self._changing), optimizer, history)

    def logits(self, positions: Rows) -> Floats:
        """Returns logits `[n, C]` of the training images at `positions`, as they are."""
        return predict(self._classifier, self._inputs.values, self._inputs.rows[positions])

    def features(self, positions: Rows) -> Floats:
        """Returns the tuned network's features `[n, F]` of the images at `positions`."""
        return predict(self._inputs.trunk, self._inputs.values, self._inputs.rows[positions])

    def _restart(self, steps_per_epoch: int) -> None:
        _assign(self._classifier.weights, self._start)
        if self._optimizer_start is None:
            self._schedule = compile_model(self._model, self._params, steps_per_epoch)
            self._model.optimizer.build(self._model.trainable_variables)
            self._optimizer_start = _values(self._model.optimizer.variables)
        _assign(self._model.optimizer.variables, self._optimizer_start)
        # An earlier fold may have been cut short, and the later ones with it.
        self._schedule.restart(int(self._params["epochs"]) * steps_per_epoch)


def unfreeze(backbone: Backbone, network: keras.Model, share: float) -> None:
    """Makes the last `share` (0..1) of the network's blocks trainable, and all else not."""
    trained = trained_blocks(backbone, network, share)
    network.trainable = True
    for layer in network.layers:
        layer.trainable = layer.name in trained


def _values(variables: Sequence[Any]) -> list[NDArray[np.generic]]:
    from keras import ops

    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def _assign(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
