"""Hyperparameters that a user may have pinned to text."""

from __future__ import annotations

from typing import Any

from automl.errors import UsageError


def in_range(value: Any, name: str, low: float, high: float) -> float:
    """Returns `value` as a number.

    Raises:
        UsageError: If it is none, or not from `low` to `high`.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not low <= number <= high:
        raise UsageError(
            f"expected {name} to be a number from {low:g} to {high:g}, found {value!r}; "
            f"set it like --set {name}={(low + high) / 2:g}."
        )
    return number
