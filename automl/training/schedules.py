"""Learning-rate schedules by name, and the short way to write a step schedule."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from automl.errors import UsageError

if TYPE_CHECKING:
    import keras

SCHEDULES = ("cosine", "one-cycle", "step", "constant")

WARM_UP = 0.1
"""The share of all steps that `cosine` spends rising to the peak."""

STEPS = ((1.0, 0.5), (0.1, 0.35), (0.01, 0.15))
"""What `step` does without rates of its own: multiples of the peak, and shares of the epochs."""

_PART = re.compile(r"(?P<rate>[0-9.]+(?:[eE][-+]?\d+)?)(?:x(?P<epochs>\d+))?\Z")


def parse_steps(text: str) -> list[tuple[float, int]]:
    """Reads a step schedule such as `0.05x7,0.005x7,0.0005`.

    Returns:
        Pairs of learning rate and number of epochs; a part without `x` is one epoch.

    Raises:
        UsageError: If it is not of that form.
    """
    steps = []
    for part in text.split(","):
        match = _PART.match(part.strip())
        try:
            rate, epochs = (float(match["rate"]), int(match["epochs"] or 1)) if match else (0.0, 0)
        except ValueError:  # more points or digits than a number has
            rate, epochs = 0.0, 0
        if not 0 < rate < math.inf or epochs < 1:
            raise UsageError(
                f"expected a learning rate such as 0.01, or steps such as "
                f"0.05x7,0.005x7,0.0005 (rate x epochs), found {text!r}; correct lr."
            )
        steps.append((rate, epochs))
    return steps


def learning_rate(
    schedule: str, peak: float | str, epochs: int, steps_per_epoch: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Returns what a Keras optimizer takes as its learning rate.

    Args:
        schedule: One of `SCHEDULES`.
        peak: The highest rate, or for `step` the text that `parse_steps` reads.
        epochs: 1 or more.
        steps_per_epoch: Optimizer steps in an epoch, 1 or more.
    """
    import keras

    total = max(1, epochs * steps_per_epoch)
    if schedule == "step":
        return _steps(peak, epochs, steps_per_epoch)
    rate = float(peak)
    if schedule == "constant":
        return rate
    if schedule == "cosine":
        warm = max(1, round(WARM_UP * total))
        return keras.optimizers.schedules.CosineDecay(
            rate / 25, max(1, total - warm), warmup_target=rate, warmup_steps=warm
        )
    if schedule == "one-cycle":
        return _one_cycle(rate, total)
    raise UsageError(
        f"expected a schedule ({', '.join(SCHEDULES)}), found {schedule!r}; correct schedule."
    )


def _steps(
    peak: float | str, epochs: int, steps_per_epoch: int
) -> keras.optimizers.schedules.PiecewiseConstantDecay:
    import keras

    if isinstance(peak, str) and ("x" in peak or "," in peak):
        parts = [(rate, float(count)) for rate, count in parse_steps(peak)]
    else:
        parts = [(float(peak) * factor, share * epochs) for factor, share in STEPS]
    ends, so_far = [], 0.0
    for _, length in parts[:-1]:
        so_far += length
        ends.append(max(1, round(so_far * steps_per_epoch)))
    return keras.optimizers.schedules.PiecewiseConstantDecay(ends, [rate for rate, _ in parts])


def _one_cycle(peak: float, total: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Rises to the peak over 30 % of the steps and falls far below the start after.

    Smith, "A disciplined approach to neural network hyper-parameters", 2018, with cosine
    pieces and the usual divisors 25 and 10,000.
    """
    import keras
    from keras import ops

    class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            at = ops.cast(step, "float32")
            rise = max(1.0, 0.3 * total)
            up = ops.minimum(at / rise, 1.0)
            down = ops.clip((at - rise) / max(1.0, total - rise), 0.0, 1.0)
            half = 0.5 * (1 - ops.cos(math.pi * up))
            rising = peak / 25 + (peak - peak / 25) * half
            falling = 0.5 * (1 + ops.cos(math.pi * down))
            return ops.where(at < rise, rising, peak / 1e4 + (peak - peak / 1e4) * falling)

    return OneCycle()
