"""How numbers and names are written for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.evaluation.text import (
    NO_BREAK_SPACE,
    clean,
    duration,
    network,
    number,
    percent,
    shorten,
)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.0 %"), (0.9545, "95.5 %"), (0.99996, "99.9 %"), (1.0, "100.0 %"), (None, "–")],
)
def test_percent_is_never_100_for_less_than_all(share, text):
    assert percent(share).replace(NO_BREAK_SPACE, " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.034, "0.034 s"),
        (9.2, "9.2 s"),
        (59.6, "1 min 00 s"),
        (171.3, "2 min 51 s"),
        (3900, "1 h 05 min"),
        (None, "–"),
    ],
)
def test_duration_in_units_that_suit(seconds, text):
    assert duration(seconds).replace(NO_BREAK_SPACE, " ") == text


@pytest.mark.parametrize(
    ("value", "text"), [(1e-05, "1e-05"), (0.1 + 0.2, "0.3"), (32, "32"), (True, "yes"), ("a", "a")]
)
def test_number_as_a_person_writes_it(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"backbone": "pixels", "depth": 0}, "pixels"),
        ({"backbone": "efficientnet-lite", "depth": 0}, "efficientnet-lite 0"),
        ({"backbone": "resnet", "depth": 18, "fusion": "alexnet 8"}, "resnet 18 + alexnet"),
        ({"backbone": "alexnet", "depth": 8, "fusion": "resnet 18"}, "alexnet + resnet 18"),
        ({"backbone": "a-plugin-that-is-gone", "depth": 3}, "a-plugin-that-is-gone 3"),
        ({"backbone": "a-plugin-that-is-gone"}, "a-plugin-that-is-gone"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_network_is_named_by_its_depth_where_there_are_others(values, text):
    assert network(values) == text


@given(st.text(st.characters(), max_size=80), st.integers(4, 40))
def test_shortened_text_fits_and_can_be_written(text, length):
    short = shorten(text, length)
    assert 1 <= len(short) <= max(length, len("(empty)"))
    assert "\n" not in short
    short.encode()


def test_both_ends_of_a_long_name_stay():
    assert shorten("IMG_20240131_holiday_0001.jpg", 16) == "IMG_202401…1.jpg"


def test_what_no_page_can_hold_is_replaced():
    assert clean("a\x00b\udce9c") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"
