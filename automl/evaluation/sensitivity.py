"""Which dimensions of a search mattered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.records import TrialRecord

LEAST = 6
"""Trials below which a dimension's effect would be an accident."""

BINS = 3
"""Groups of about equal size into which a dimension's many numbers are put."""

MOST_VALUES = 6
"""Numbers more than this are put into groups."""


@dataclass(frozen=True)
class Group:
    """The trials with one value of a dimension.

    Attributes:
        value: The value; of a group of numbers, the least and the most.
        trials: How many.
        best: The highest score, 0..1.
        mean: The mean score, 0..1.
    """

    value: Any
    trials: int
    best: float
    mean: float


@dataclass(frozen=True)
class Sensitivity:
    """What a dimension had to do with the scores.

    Attributes:
        dimension: Its name.
        explained: The share, 0..1, of the scores' variance that lies between its groups, less
            what as many groups would show by accident: epsilon squared (Kelley, 1935, PNAS 21).
        trials: How many had the dimension.
        groups: The one with the best score first.
    """

    dimension: str
    explained: float
    trials: int
    groups: Sequence[Group]


def sensitivities(leaderboard: Sequence[TrialRecord]) -> list[Sensitivity]:
    """Returns the dimensions that varied, the one that explains most over all trials first.

    A search prefers what did well, so that values differ in how often they were tried, and
    dimensions that went together share what they explain: this describes the trials that were
    made, and proves nothing about others.

    Args:
        leaderboard: Trials; those without a score are left out.
    """
    scored = [row for row in leaderboard if row["score"] is not None]
    names = dict.fromkeys(name for row in scored for name in row["hyperparameters"])
    found = [_sensitivity(name, scored) for name in names]
    effects = [each for each in found if each is not None]
    return sorted(effects, key=lambda each: -each.explained * each.trials)


def _sensitivity(name: str, rows: Sequence[TrialRecord]) -> Sensitivity | None:
    having = [row for row in rows if name in row["hyperparameters"]]
    keys = _keys([row["hyperparameters"][name] for row in having])
    groups: dict[Any, list[float]] = {}
    for key, row in zip(keys, having, strict=True):
        groups.setdefault(key, []).append(float(row["score"] or 0.0))
    if len(having) < LEAST or not 2 <= len(groups) <= len(having) / 2:
        return None
    scores = np.concatenate([np.array(values) for values in groups.values()])
    total = float(((scores - scores.mean()) ** 2).sum())
    between = sum(len(v) * (float(np.mean(v)) - scores.mean()) ** 2 for v in groups.values())
    within = (total - float(between)) / (len(having) - len(groups))
    accident = total / (len(having) - 1)
    return Sensitivity(
        name,
        max(0.0, 1 - within / accident) if total > 0 else 0.0,
        len(having),
        sorted(
            (Group(key, len(v), max(v), float(np.mean(v))) for key, v in groups.items()),
            key=lambda group: -group.best,
        ),
    )


def _keys(values: Sequence[Any]) -> list[Any]:
    """Returns what groups `values`: themselves, or the ranges that many numbers fall into."""
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    distinct = sorted(set(values), key=str if not numbers else None)
    if not numbers or len(distinct) <= MOST_VALUES:
        return list(values)
    size = math.ceil(len(distinct) / BINS)
    ranges = [distinct[start : start + size] for start in range(0, len(distinct), size)]
    return [next((r[0], r[-1]) for r in ranges if value <= r[-1]) for value in values]
