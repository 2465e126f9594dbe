"""Learning rates over time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.errors import UsageError
from automl.training.schedules import SCHEDULES, learning_rate, parse_steps

RATES = st.floats(1e-8, 1e3, allow_nan=False)


def values(schedule, peak, epochs, steps):
    """Returns the rate at every step, and one step further."""
    made = learning_rate(schedule, peak, epochs, steps)
    return [float(made(step)) for step in range(epochs * steps + 1)]


@given(st.lists(st.tuples(RATES, st.integers(1, 500)), min_size=1))
def test_steps_are_read_as_written(steps):
    text = ",".join(f"{rate!r}x{epochs}" for rate, epochs in steps)
    assert parse_steps(text) == steps


@given(st.lists(RATES, min_size=1))
def test_a_rate_without_epochs_is_one_epoch(rates):
    assert parse_steps(", ".join(map(repr, rates))) == [(rate, 1) for rate in rates]


@given(st.text())
def test_any_text_is_read_or_refused_with_a_sentence(text):
    try:
        steps = parse_steps(text)
    except UsageError:
        return
    assert all(rate > 0 and epochs >= 1 for rate, epochs in steps)


WRONG = ["", "x", "0.1x0", "0", "-0.1", "nan", "inf", "1e999", "0.1x", "0.1x2x3", "0.1,,0.2"]


@pytest.mark.parametrize("text", [*WRONG, "0.1x" + "9" * 5000], ids=lambda text: repr(text[:8]))
def test_wrong_steps(text):
    with pytest.raises(UsageError, match="rate x epochs"):
        parse_steps(text)


def test_constant():
    assert learning_rate("constant", 0.25, 3, 10) == 0.25


def test_steps_of_the_users_own():
    rates = values("step", "0.05x7,0.005x7,0.0005", 15, 4)
    assert rates[:28] == pytest.approx([0.05] * 28)
    assert rates[29:56] == pytest.approx([0.005] * 27)
    assert rates[57:] == pytest.approx([0.0005] * 4)


def test_steps_without_rates_fall_tenfold_twice():
    rates = values("step", 0.1, 20, 5)
    assert rates[0] == pytest.approx(0.1)
    assert rates[60] == pytest.approx(0.01)
    assert rates[-1] == pytest.approx(0.001)


def test_steps_of_few_batches():
    assert values("step", 0.1, 1, 1)[0] > 0


@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 3), (20, 5)])
def test_cosine_warms_up_and_falls_to_nothing(epochs, steps):
    rates = values("cosine", 0.2, epochs, steps)
    assert rates[0] == pytest.approx(0.2 / 25)
    assert max(rates) <= 0.2 * (1 + 1e-6)
    if epochs > 1:
        assert max(rates) == pytest.approx(0.2)
        assert rates.index(max(rates)) == 10
        assert rates[-1] == pytest.approx(0, abs=1e-6)


def test_one_cycle_peaks_at_thirty_percent():
    rates = values("one-cycle", 0.2, 20, 5)
    assert rates[0] == pytest.approx(0.2 / 25)
    assert rates.index(max(rates)) == 30
    assert max(rates) == pytest.approx(0.2)
    assert rates[-1] == pytest.approx(0.2 / 1e4)
    assert rates[30:] == sorted(rates[30:], reverse=True)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (2, 1), (8, 3)])
def test_every_rate_is_a_positive_number(schedule, epochs, steps):
    made = learning_rate(schedule, 0.1, epochs, steps)
    for step in range(epochs * steps):
        rate = made if isinstance(made, float) else float(made(step))
        assert 0 < rate <= 0.1 * (1 + 1e-6)


def test_unknown_schedule():
    with pytest.raises(UsageError, match="found 'linear'"):
        learning_rate("linear", 0.1, 3, 3)
