"""The trials that nothing beats in both accuracy and cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from automl.evaluation.pareto import LATENCY, MULTIPLICATIONS, pareto_front, usual_cost


def trial(name, score, gmacs, **fields):
    return {"trial": name, "score": score, "cost_gmacs": gmacs, **fields}


def names(rows):
    return [row["trial"] for row in rows]


def test_who_is_beaten_is_left_out():
    rows = [
        trial("best", 0.95, 4.0),
        trial("no better", 0.95, 5.0),
        trial("cheaper", 0.9, 0.4),
        trial("worse and dearer", 0.85, 0.5),
        trial("cheapest", 0.6, 0.01),
        trial("failed", None, 0.001),
    ]
    assert names(pareto_front(rows, MULTIPLICATIONS)) == ["cheapest", "cheaper", "best"]


def test_latency_counts_where_it_is_known():
    rows = [trial("a", 0.9, 1.0, latency_ms=5.0), trial("b", 0.8, 2.0, latency_ms=3.0)]
    assert usual_cost(rows) is LATENCY
    assert names(pareto_front(rows, LATENCY)) == ["b", "a"]
    assert usual_cost([*rows, trial("c", 0.7, 3.0)]) is MULTIPLICATIONS
    assert usual_cost([]) is MULTIPLICATIONS


pairs = st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.sampled_from([1.0, 2.0, 3.0]))


@given(st.lists(pairs, max_size=12))
def test_the_front_is_what_nothing_dominates(values):
    rows = [trial(str(i), score, gmacs) for i, (score, gmacs) in enumerate(values)]
    front = {(row["score"], row["cost_gmacs"]) for row in pareto_front(rows, MULTIPLICATIONS)}

    def dominated(row):
        return any(
            other["score"] >= row["score"]
            and other["cost_gmacs"] <= row["cost_gmacs"]
            and (other["score"], other["cost_gmacs"]) != (row["score"], row["cost_gmacs"])
            for other in rows
        )

    assert front == {(row["score"], row["cost_gmacs"]) for row in rows if not dominated(row)}
