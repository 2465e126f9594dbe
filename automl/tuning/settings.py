"""What a search is asked to do."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automl.errors import UsageError
from automl.records import RunRecord
from automl.training.schedules import parse_steps

TRAINING_BACKENDS = ("tensorflow", "jax", "torch")

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?\Z")


@dataclass(frozen=True)
class SearchSettings:
    """What a search is asked to do.

    Attributes:
        name: Of the experiment and of the model.
        budget: Seconds for all of it, or `None` for no limit.
        trials: The most trials, or `None` for as many as the budget allows.
        seed: 0 or more; all randomness follows from it.
        pins: Values by dimension, as the user wrote them.
        strategy: The strategy's name.
        compute: The name of where trials run.
        backend: The Keras backend to train on.
        observers: Names of the observers that watch.
        command: The command line, program first; empty from Python.
        max_latency_ms: The most milliseconds that one picture may take where it is deployed, or
            `None`.
        max_size_mb: The most million bytes of the SavedModel, or `None`.
        workers: How many trials run at a time.
        began: When the command began, as `time.time` gives it.
    """

    name: str
    budget: float | None
    trials: int | None
    seed: int
    pins: Mapping[str, str] = field(default_factory=dict)
    strategy: str = "staged"
    compute: str = "local"
    backend: str = "tensorflow"
    observers: Sequence[str] = ()
    command: Sequence[str] = ()
    max_latency_ms: float | None = None
    max_size_mb: float | None = None
    workers: int = 1
    began: float = field(default_factory=time.time)

    @property
    def limited(self) -> bool:
        """Whether networks have to be measured before they are tried."""
        return self.max_latency_ms is not None or self.max_size_mb is not None

    def to_record(self) -> dict[str, Any]:
        """Returns, as JSON values, what a run's record does not hold under names of its own."""
        return {
            "trials": self.trials,
            "pins": dict(self.pins),
            "strategy": self.strategy,
            "compute": self.compute,
            "backend": self.backend,
            "observers": list(self.observers),
            "max_latency_ms": self.max_latency_ms,
            "max_size_mb": self.max_size_mb,
            "workers": self.workers,
        }

    @classmethod
    def from_record(
        cls, record: RunRecord, details: Mapping[str, Any], began: float
    ) -> SearchSettings:
        """Returns a run's settings, for going on with it."""
        return cls(
            name=record["name"],
            budget=record["budget_seconds"],
            seed=record["seed"],
            command=record["command"],
            began=began,
            **details["settings"],
        )


def parse_duration(text: str | float) -> float:
    """Reads `90s`, `3m`, `1h30m`, `90` as seconds.

    Raises:
        UsageError: If it is nothing of the kind, or not above 0.
    """
    match = _DURATION.match(str(text).strip().lower())
    if match and any(match.groups()):
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
        total = 3600 * hours + 60 * minutes + seconds
        if total > 0:
            return total
    raise UsageError(f"expected a duration such as 90s, 3m or 1h30m, found {text!r}; correct it.")


def parse_pins(pairs: Sequence[str]) -> dict[str, str]:
    """Reads `DIMENSION=VALUE` pairs.

    Raises:
        UsageError: If one is of another form, or a dimension is pinned twice.
    """
    pins: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name, value = name.strip(), value.strip()
        if not (name and equals and value):
            raise UsageError(
                f"expected --set DIMENSION=VALUE, such as --set backbone=resnet, found {pair!r}."
            )
        if name in pins:
            raise UsageError(f"expected {name} to be set once, found it twice; drop one --set.")
        pins[name] = value
    return pins


def with_steps(pins: Mapping[str, str]) -> dict[str, str]:
    """Adds the schedule and the epochs that a learning rate with steps implies.

    Raises:
        UsageError: If it is no learning rate, or another schedule or number of epochs is pinned.
    """
    pins = dict(pins)
    if "lr" in pins:
        steps = parse_steps(pins["lr"])
        if len(steps) > 1 or "x" in pins["lr"]:
            pins.setdefault("optimizer", "sgd")
            implied = {"schedule": "step", "epochs": str(sum(count for _, count in steps))}
            for name, value in implied.items():
                if pins.setdefault(name, value) != value:
                    raise UsageError(
                        f"expected {name}={value}, which lr={pins['lr']} implies, found "
                        f"{name}={pins[name]}; drop one of the two."
                    )
    return pins


def training_backend() -> str:
    """Returns the Keras backend to train on: KERAS_BACKEND, or TensorFlow where it is not set.

    Raises:
        UsageError: If it names a backend that cannot train.
    """
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend not in TRAINING_BACKENDS:
        raise UsageError(
            f"expected KERAS_BACKEND to be {', '.join(TRAINING_BACKENDS)} or unset, found "
            f"{backend!r}; change it."
        )
    return backend
