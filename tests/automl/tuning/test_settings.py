"""What a search is asked to do, as users write it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.errors import UsageError
from automl.tuning.settings import parse_duration, parse_pins, training_backend, with_steps


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("90", 90),
        (90, 90),
        (0.5, 0.5),
        ("3m", 180),
        ("1h30m", 5400),
        ("1h2m3s", 3723),
        ("1.5h", 5400),
        (" 2M ", 120),
        ("1m30", 90),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-5", "3x", "m", "s", "5m3h", "1e3", "nan", "inf", "1d"]
)
def test_what_is_no_duration(text):
    with pytest.raises(UsageError, match="expected a duration such as 90s"):
        parse_duration(text)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(1, 59))
def test_durations_add_up(hours, minutes, seconds):
    text = f"{hours}h{minutes}m{seconds}s"
    assert parse_duration(text) == 3600 * hours + 60 * minutes + seconds


@given(st.text())
def test_any_text_is_a_duration_or_refused(text):
    with contextlib.suppress(UsageError):
        assert parse_duration(text) > 0


def test_pins():
    pairs = ["backbone=resnet", " depth = 18 ", "weights=/a b/c=d.pth"]
    assert parse_pins(pairs) == {
        "backbone": "resnet",
        "depth": "18",
        "weights": "/a b/c=d.pth",
    }


@pytest.mark.parametrize("pair", ["", "backbone", "=resnet", "backbone=", " = "])
def test_what_is_no_pin(pair):
    with pytest.raises(UsageError, match="DIMENSION=VALUE"):
        parse_pins([pair])


def test_a_dimension_is_pinned_once():
    with pytest.raises(UsageError, match="expected lr to be set once"):
        parse_pins(["lr=1", "lr=2"])


def test_steps_imply_schedule_epochs_and_optimizer():
    implied = with_steps({"lr": "0.05x7,0.005x7,0.0005"})
    assert implied["schedule"] == "step"
    assert implied["epochs"] == "15"
    assert implied["optimizer"] == "sgd"
    assert with_steps({"lr": "0.1x3", "optimizer": "adamw"})["optimizer"] == "adamw"


def test_a_plain_rate_implies_nothing():
    assert with_steps({"lr": "0.01"}) == {"lr": "0.01"}
    assert with_steps({"depth": "18"}) == {"depth": "18"}


@pytest.mark.parametrize("pins", [{"epochs": "4"}, {"schedule": "cosine"}])
def test_steps_against_another_pin(pins):
    with pytest.raises(UsageError, match=r"which lr=0\.1x3 implies"):
        with_steps({"lr": "0.1x3", **pins})


@pytest.mark.parametrize(("value", "backend"), [("", "tensorflow"), ("jax", "jax")])
def test_backend(monkeypatch, value, backend):
    monkeypatch.setenv("KERAS_BACKEND", value)
    assert training_backend() == backend


def test_a_backend_that_cannot_train(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "openvino")
    with pytest.raises(UsageError, match="found 'openvino'"):
        training_backend()
