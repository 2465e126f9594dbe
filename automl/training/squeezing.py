"""A learning-rate schedule whose rest can be made to pass in fewer steps while it is in use.

A training that turns out slower than predicted is cut short so that it ends in time. Its schedule
is squeezed with it: it still comes down to its last rate, without which the epochs before are
worth little.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class SqueezableSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Another schedule, which passes as planned until it is told to end sooner."""

    def __init__(self, rate: Any, steps: int) -> None:
        """Wraps a schedule.

        Args:
            rate: What a Keras optimizer takes as its learning rate.
            steps: The steps for which it was made.
        """
        self._rate, self._steps = rate, steps
        # Variables, since the training step is compiled by the time they change.
        self._since, self._passed, self._factor = (
            keras.Variable(value, trainable=False, dtype="float32") for value in (0.0, 0.0, 1.0)
        )

    def restart(self, end: int) -> None:
        """Begins anew, to end at the step `end`, 1 or more."""
        self._squeeze(0, 0.0, end)

    def end_at(self, step: int, end: int) -> None:
        """Makes what is left at `step` pass by the step `end`, which is beyond."""
        self._squeeze(step, float(ops.convert_to_numpy(self._position(step))), end)

    def _squeeze(self, since: int, passed: float, end: int) -> None:
        self._since.assign(float(since))
        self._passed.assign(passed)
        self._factor.assign((self._steps - passed) / (end - since))

    def _position(self, step: Any) -> Any:
        return self._passed + (ops.cast(step, "float32") - self._since) * self._factor

    def __call__(self, step: Any) -> Any:
        """Returns the rate at an optimizer's step."""
        return self._rate(self._position(step)) if callable(self._rate) else self._rate

    def get_config(self) -> dict[str, Any]:
        """Returns what it was made of, as Keras asks for it."""
        return {"rate": self._rate, "steps": self._steps}
