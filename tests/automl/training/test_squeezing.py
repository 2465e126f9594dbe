"""A schedule that is made to end sooner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.training.schedules import learning_rate
from automl.training.squeezing import SqueezableSchedule

PEAK, EPOCHS, STEPS = 0.1, 10, 20


def made(schedule="cosine"):
    plan = learning_rate(schedule, PEAK, EPOCHS, STEPS)
    return plan, SqueezableSchedule(plan, EPOCHS * STEPS)


def rate(schedule, step):
    return float(schedule(step))


@pytest.mark.parametrize("name", ["cosine", "one-cycle", "step"])
def test_it_passes_as_planned_until_it_is_told_otherwise(name):
    plan, schedule = made(name)
    for step in range(0, EPOCHS * STEPS, 7):
        assert rate(schedule, step) == pytest.approx(rate(plan, step), rel=1e-4)


@pytest.mark.parametrize("name", ["cosine", "one-cycle"])
@given(at=st.integers(0, 190), steps=st.integers(1, 100))
def test_what_is_left_passes_in_the_steps_that_are_left(name, at, steps):
    plan, schedule = made(name)
    schedule.end_at(at, at + steps)
    assert rate(schedule, at) == pytest.approx(rate(plan, at), rel=1e-3, abs=1e-6)
    assert rate(schedule, at + steps) == pytest.approx(rate(plan, EPOCHS * STEPS), abs=1e-5)


def test_it_can_be_squeezed_again_and_restarted():
    plan, schedule = made()
    schedule.end_at(100, 150)
    schedule.end_at(125, 130)
    assert rate(schedule, 125) == pytest.approx(rate(plan, 150), rel=1e-3)
    assert rate(schedule, 130) == pytest.approx(rate(plan, 200), abs=1e-5)
    schedule.restart(50)
    assert rate(schedule, 25) == pytest.approx(rate(plan, 100), rel=1e-3)
    schedule.restart(EPOCHS * STEPS)
    assert rate(schedule, 25) == pytest.approx(rate(plan, 25), rel=1e-3)


def test_a_constant_rate_stays_what_it_is():
    _, schedule = made("constant")
    schedule.end_at(3, 4)
    assert rate(schedule, 4) == PEAK
