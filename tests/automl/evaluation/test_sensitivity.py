"""Which dimensions mattered, on trials whose scores are known to follow one of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.evaluation.sensitivity import sensitivities


def trial(score, **hyperparameters):
    return {"trial": "0", "status": "completed", "score": score, "hyperparameters": hyperparameters}


def test_what_the_scores_follow_comes_first():
    rows = [
        trial(0.9 if head == "svm" else 0.6, head=head, batch_size=size, backbone="pixels")
        for head in ("svm", "linear")
        for size in (16, 32, 64)
    ]
    first, second = sensitivities(rows)
    assert (first.dimension, second.dimension) == ("head", "batch_size")
    assert first.explained == pytest.approx(1.0)
    assert second.explained == pytest.approx(0.0)
    assert [(g.value, g.trials, g.best) for g in first.groups] == [
        ("svm", 3, 0.9),
        ("linear", 3, 0.6),
    ]


def test_only_trials_that_have_it_count():
    rows = [trial(0.5, head="logistic") for _ in range(5)]
    rows += [trial(0.8 + 0.1 * (rate > 0.5), head="mlp", lr=rate) for rate in (0.1, 0.9) * 3]
    rows += [{**trial(None, head="mlp", lr=0.3), "status": "failed"}]
    found = {each.dimension: each for each in sensitivities(rows)}
    assert sum(group.trials for group in found["lr"].groups) == 6
    assert found["lr"].explained == pytest.approx(1.0)


def test_many_numbers_are_grouped():
    rows = [trial(rate, lr=rate) for rate in (i / 100 for i in range(30))]
    (found,) = sensitivities(rows)
    assert [group.value for group in found.groups] == [(0.2, 0.29), (0.1, 0.19), (0.0, 0.09)]
    assert found.explained > 0.8


def test_too_little_says_nothing():
    assert sensitivities([]) == []
    assert sensitivities([trial(0.5, lr=0.1), trial(0.6, lr=0.2)]) == []
    assert sensitivities([trial(0.5, head="mlp") for _ in range(9)]) == []
    assert sensitivities([trial(i / 10, batch_size=i // 2) for i in range(6)]) != []
    assert sensitivities([trial(i / 10, batch_size=2**i) for i in range(6)]) == []


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from("abc"), st.floats(1e-5, 1), st.booleans()),
        max_size=30,
    )
)
def test_a_share_is_a_share(values):
    rows = [trial(score, a=a, lr=rate, flag=flag) for score, a, rate, flag in values]
    for found in sensitivities(rows):
        assert -1e-9 <= found.explained <= 1 + 1e-9
        assert sum(group.trials for group in found.groups) == len(rows)
