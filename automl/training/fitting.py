"""Gradient descent with Keras: one call trains a model on batches, with its limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.errors import TrialError, UsageError
from automl.training.limits import Limits, TrialDeadlineError
from automl.training.schedules import learning_rate

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from automl.training.batches import Batches
    from automl.training.squeezing import SqueezableSchedule

MOMENTUM = 0.9
WEIGHT_DECAY = {"sgd": 1e-4, "adamw": 1e-2}

LATE = 0.1
"""The share of its time by which a training may seem to come too late before it is given up."""

EpochReport = Callable[[int, Mapping[str, float]], None]


def compile_model(
    model: keras.Model, params: Mapping[str, Any], steps_per_epoch: int
) -> SqueezableSchedule:
    """Compiles `model`, from inputs to logits, with the trial's optimizer.

    Returns:
        The trial's schedule, which the optimizer follows.
    """
    import keras

    from automl.training.squeezing import SqueezableSchedule

    epochs = int(params["epochs"])
    plan = learning_rate(params["schedule"], params["lr"], epochs, steps_per_epoch)
    rate = SqueezableSchedule(plan, epochs * steps_per_epoch)
    name = params["optimizer"]
    decay = WEIGHT_DECAY.get(name, 0.0)
    if name == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=MOMENTUM, nesterov=True, weight_decay=decay)
    elif name == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=decay)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    else:
        raise UsageError(f"expected optimizer sgd or adamw, found {name!r}; correct it.")
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return rate


def fit(
    model: keras.Model,
    batches: Batches,
    epochs: int,
    class_weight: Mapping[int, float],
    limits: Limits,
    on_epoch: EpochReport = lambda epoch, logs: None,
    first: int = 0,
    schedule: SqueezableSchedule | None = None,
) -> int:
    """Trains a compiled model for `epochs` epochs.

    Args:
        epochs: In all, with those before `first`.
        limits: What it must keep to.
        on_epoch: Called after each epoch with its number from 0, and Keras' logs.
        first: The epoch to begin with, where others were trained before.
        schedule: The optimizer's. With it, a training that will not end by its deadline is cut
            short after an epoch at least; without it, it is given up as soon as that shows.

    Returns:
        The epochs that it was trained for, with those before `first`; of the last one it may be
        a part.

    Raises:
        TrialError: If the loss is no number.
        TrialDeadlineError: If the deadline cannot be met.
        TrialCancelledError: If the user stops the search.
    """
    import keras

    begun, steps = time.monotonic(), batches.num_batches

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        compiled_at = begun
        epoch, step, last = first, first * steps, epochs * steps
        reporting = 0.0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.step += 1
            late = time.monotonic() + self.reporting > limits.deadline
            if schedule is None or self.epoch == 0 or not late:
                limits.check()
            else:
                self.last = self.step
            self.model.stop_training = self.step >= self.last
            if self.compiled_at == begun:  # the first step also compiles
                self.compiled_at = time.monotonic()
            loss = (logs or {}).get("loss", 0.0)
            if not np.isfinite(loss):
                raise TrialError(
                    "expected a finite loss, found NaN or infinity; try a lower learning rate."
                )

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.epoch, ended = epoch + 1, time.monotonic()
            on_epoch(epoch, {name: float(value) for name, value in (logs or {}).items()})
            now, left = time.monotonic(), self.last - self.step
            self.reporting = now - ended
            each = (now - self.compiled_at) / max(1, self.step - first * steps - 1)
            given, needed = limits.deadline - begun, now + left * each - begun
            if schedule is None:
                if needed > (1 + LATE) * given:
                    raise TrialDeadlineError(
                        f"expected to end within {given:.1f} s, found that it takes about "
                        f"{needed:.1f} s; give the search a larger budget."
                    )
            elif needed > given - self.reporting:
                rest = begun + given - self.reporting - now
                self.last = self.step + max(0, int(rest / each))
                if self.last > self.step:
                    schedule.end_at(self.step, self.last)
            self.model.stop_training = self.step >= self.last

    watch = Watch()
    model.fit(
        batches,
        epochs=epochs,
        initial_epoch=first,
        class_weight=dict(class_weight),
        shuffle=False,
        verbose=0,
        callbacks=[watch],
    )
    return watch.epoch


def balanced_class_weight(y: NDArray[np.int64], classes: int) -> dict[int, float]:
    """Returns weights by class number that make every class count the same in the loss."""
    counts = np.bincount(y, minlength=classes)
    present = counts > 0
    weights = np.where(present, len(y) / (present.sum() * np.maximum(counts, 1)), 0.0)
    return {number: float(weight) for number, weight in enumerate(weights)}
