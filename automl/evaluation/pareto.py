"""Which trials no other beats in both accuracy and cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from automl.records import TrialRecord


@dataclass(frozen=True)
class Cost:
    """A way to tell what a model costs where it is used.

    Attributes:
        name: What it is.
        unit: What it is counted in.
        of: Returns it for a trial; `None` where it is not known.
    """

    name: str
    unit: str
    of: Callable[[TrialRecord], float | None]


LATENCY = Cost("latency", "ms", lambda row: row.get("latency_ms"))
MULTIPLICATIONS = Cost("cost", "billion multiply-adds a picture", lambda row: row.get("cost_gmacs"))


def usual_cost(leaderboard: Sequence[TrialRecord]) -> Cost:
    """Returns latency where it was measured, and else the multiply-adds."""
    scored = [row for row in leaderboard if row["score"] is not None]
    measured = scored and all(LATENCY.of(row) is not None for row in scored)
    return LATENCY if measured else MULTIPLICATIONS


def pareto_front(leaderboard: Sequence[TrialRecord], cost: Cost) -> list[TrialRecord]:
    """Returns the trials that no other equals or beats in score and cost, the cheapest first.

    Args:
        leaderboard: Trials, of equal ones the better first; those without score or cost are
            left out.
        cost: What to weigh against the score.
    """
    known = [
        (price, -(row["score"] or 0.0), place, row)
        for place, row in enumerate(leaderboard)
        if row["score"] is not None and (price := cost.of(row)) is not None
    ]
    front: list[TrialRecord] = []
    for _, loss, _, row in sorted(known, key=lambda each: each[:3]):
        if not front or -loss > (front[-1]["score"] or 0.0):
            front.append(row)
    return front
