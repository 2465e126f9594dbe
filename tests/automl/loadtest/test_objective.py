"""Objectives are read as they are written, and judged by what was measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.errors import UsageError
from automl.loadtest import Answer, LoadTest, Objective


def measured(milliseconds: list[float], errors: int = 0) -> LoadTest:
    answers = [Answer(0.1 * i, ms, "") for i, ms in enumerate(milliseconds)]
    answers += [Answer(0.0, 1.0, "503 overloaded")] * errors
    return LoadTest(4, 10.0, 1.0, answers)


@pytest.mark.parametrize(
    ("text", "figure", "bound"),
    [
        ("p95<50ms", "p95", 50),
        (" p99 < 1.5 s ", "p99", 1500),
        ("errors<1%", "errors", 1),
        ("rps>100", "rps", 100),
    ],
)
def test_what_can_be_written(text: str, figure: str, bound: float) -> None:
    objective = Objective.parse(text)
    assert (objective.figure, objective.bound) == (figure, bound)
    assert Objective.parse(objective.text) == objective


@given(st.sampled_from(["p50", "p95", "p99"]), st.integers(0, 10**6), st.sampled_from(["ms", "s"]))
def test_times_are_milliseconds(figure: str, time: int, unit: str) -> None:
    objective = Objective.parse(f"{figure}<{time}{unit}")
    assert objective == Objective(
        f"{figure}<{time}{unit}", figure, time * (1000 if unit == "s" else 1)
    )


@pytest.mark.parametrize(
    "text",
    ["", "p95", "p95<50", "p95>50ms", "p90<50ms", "rps<3", "errors<1", "p95<-1ms", "p95<٣ms"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected an objective such as p95<50ms"):
        Objective.parse(text)


def test_it_is_judged_by_what_was_scored() -> None:
    test = measured([10.0] * 95 + [70.0] * 5, errors=1)
    for text, met in {
        "p95<11ms": True,
        "p95<10ms": False,
        "p99<70ms": False,
        "p99<0.1s": True,
        "errors<1%": True,
        "rps>9.9": True,
        "rps>10": False,
    }.items():
        assert Objective.parse(text).is_met(test) == met, text


def test_what_was_not_measured_is_not_met() -> None:
    test = measured([], errors=3)
    assert not Objective.parse("p95<50ms").is_met(test)
    assert not Objective.parse("errors<100%").is_met(test)
    assert test.summary()["p95_ms"] is None
    assert test.summary()["errors"] == {"503 overloaded": 3}
